/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * place.c - where the sockets of running machines lie, and who may replace them.
 *
 * A machine that was killed leaves its socket behind; connecting to it is refused.  Looking and then
 * unlinking would race with a machine that starts meanwhile, so both happen under a lock on the folder
 * (flock, which the kernel drops when its holder dies).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/socket.h"
#include "control/place.h"

enum { LOCK_TRIES = 40, LOCK_WAIT_US = 50 * 1000, BACKLOG = 256 };

G_DEFINE_QUARK(lodger-place-error-quark, place_error)

/* -- The folder ---------------------------------------------------------------------------------- */

/* It must be a folder of ours that nobody else can write to: the temporary folder is everybody's. */
static bool folder_check(const char *folder, GError **error)
{
        struct stat info;

        if (lstat(folder, &info) < 0)
                g_set_error(error, PLACE_ERROR, PLACE_ERROR_FOLDER, "%s: %s", folder, g_strerror(errno));
        else if (!S_ISDIR(info.st_mode))
                g_set_error(error, PLACE_ERROR, PLACE_ERROR_FOLDER, _("%s: is not a folder; remove it"), folder);
        else if (info.st_uid != geteuid())
                g_set_error(error, PLACE_ERROR, PLACE_ERROR_FOLDER,
                            _("%s: belongs to another user; set XDG_RUNTIME_DIR to a folder of yours"), folder);
        else if (info.st_mode & 022)
                g_set_error(error, PLACE_ERROR, PLACE_ERROR_FOLDER,
                            _("%s: others may write to it; \"chmod 700\" it"), folder);
        else
                return true;
        return false;
}

char *place_folder(bool create, GError **error)
{
        const char *runtime = g_getenv("XDG_RUNTIME_DIR");
        char *folder;

        /* The XDG specification: relative paths are to be ignored.  Containers name folders that are not there. */
        if (runtime && *runtime == '/' && access(runtime, W_OK | X_OK) == 0)
                folder = g_build_filename(runtime, "lodger", NULL);
        else
                folder = g_strdup_printf("%s/lodger-%u", g_get_tmp_dir(), (unsigned)geteuid());
        if (create && mkdir(folder, 0700) < 0 && errno != EEXIST) {
                g_set_error(error, PLACE_ERROR, PLACE_ERROR_FOLDER, "%s: %s", folder, g_strerror(errno));
                g_free(folder);
                return NULL;
        }
        if (!folder_check(folder, error)) {
                g_free(folder);
                return NULL;
        }
        return folder;
}

char *place_of(const char *name, GError **error)
{
        char *folder, *path;

        if (strchr(name, '/'))
                return g_strdup(name);
        folder = place_folder(true, error);
        if (!folder)
                return NULL;
        path = g_build_filename(folder, name, NULL);
        g_free(folder);
        return path;
}

/* The lock on a socket's folder, or -1 when it cannot be had (then go on without). */
static int folder_lock(const char *path)
{
        char *folder = g_path_get_dirname(path);
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        g_free(folder);
        for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
                if (i == LOCK_TRIES) {
                        close(fd);
                        return -1;
                }
                g_usleep(LOCK_WAIT_US);
        }
        return fd;
}

static void folder_unlock(int fd)
{
        if (fd >= 0)
                close(fd);
}

/* -- Sockets ------------------------------------------------------------------------------------- */

/* GLib would cut a path that is too long. */
static bool address_of(const char *path, struct sockaddr_un *address, GError **error)
{
        if (strlen(path) >= sizeof(address->sun_path)) {
                g_set_error(error, PLACE_ERROR, PLACE_ERROR_TOO_LONG,
                            _("%s: longer than the %zu bytes of a socket's path; choose a shorter name or XDG_RUNTIME_DIR"), path,
                            sizeof(address->sun_path) - 1);
                return false;
        }
        memset(address, 0, sizeof(*address));
        address->sun_family = AF_UNIX;
        strcpy(address->sun_path, path);
        return true;
}

static bool socket_fails(const char *path, int number, GError **error)
{
        g_set_error(error, PLACE_ERROR, PLACE_ERROR_SOCKET, "%s: %s", path, g_strerror(number));
        return false;
}

bool place_clean(const char *path)
{
        struct sockaddr_un address;
        bool gone;
        int lock;

        if (!address_of(path, &address, NULL))
                return false;
        lock = folder_lock(path);
        gone = access(path, F_OK) < 0 || (socket_is_left_over(&address) && unlink(path) == 0);
        folder_unlock(lock);
        return gone;
}

static bool socket_bind(int fd, const struct sockaddr_un *address, GError **error)
{
        const char *path = address->sun_path;

        if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
                return true;
        if (errno != EADDRINUSE)
                return socket_fails(path, errno, error);
        if (!socket_is_left_over(address)) {
                g_set_error(error, PLACE_ERROR, PLACE_ERROR_TAKEN, _("%s: is in use"), path);
                return false;
        }
        if (unlink(path) < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                return socket_fails(path, errno, error);
        return true;
}

GSocket *place_listen(const char *path, GError **error)
{
        struct sockaddr_un address;
        GSocket *listener = NULL;
        int fd, lock;
        mode_t mask;
        bool bound;

        if (!address_of(path, &address, error))
                return NULL;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
                socket_fails(path, errno, error);
                return NULL;
        }
        lock = folder_lock(path);
        mask = umask(0177);
        bound = socket_bind(fd, &address, error);
        umask(mask);
        /* Under the lock still: one that is bound and does not listen would look left over. */
        if (bound && listen(fd, BACKLOG) < 0) {
                socket_fails(path, errno, error);
                unlink(path);
                bound = false;
        }
        folder_unlock(lock);
        if (bound)
                listener = g_socket_new_from_fd(fd, error);
        if (!listener)
                close(fd);
        return listener;
}

void place_leave(const char *path, GSocket *listener)
{
        int lock = folder_lock(path);
        struct sockaddr_un address;

        /* Once ours is closed, a socket that answers is another machine's. */
        g_socket_close(listener, NULL);
        if (address_of(path, &address, NULL) && socket_is_left_over(&address))
                unlink(path);
        folder_unlock(lock);
}

GSocket *place_connect(const char *path, unsigned timeout_seconds, GError **error)
{
        struct timeval limit = { .tv_sec = timeout_seconds };
        struct sockaddr_un address;
        GSocket *connected;
        int fd;

        if (!address_of(path, &address, error))
                return NULL;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
                socket_fails(path, errno, error);
                return NULL;
        }
        /* Also the time limit of connect(), which waits while the other side's backlog is full. */
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
                socket_fails(path, errno == EAGAIN ? ETIMEDOUT : errno, error);
                close(fd);
                return NULL;
        }
        connected = g_socket_new_from_fd(fd, error);
        if (connected)
                g_socket_set_timeout(connected, timeout_seconds);
        else
                close(fd);
        return connected;
}

/* -- Finding a process -------------------------------------------------------------------------- */

/* The inode of the socket that listens at path, or 0.  Lines of /proc/net/unix: number, references,
 * protocol, flags, type, state, inode, path; flag 10000h is a listener. */
static guint64 listener_inode(const char *path)
{
        guint64 inode = 0, found = 0;
        char *text, **lines;
        unsigned flags;
        int at;

        if (!g_file_get_contents("/proc/net/unix", &text, NULL, NULL))
                return 0;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line && !found; line++) {
                at = 0;
                if (sscanf(*line, "%*s %*s %*s %x %*s %*s %" G_GUINT64_FORMAT " %n", &flags, &inode, &at) == 2 && at &&
                    (flags & 0x10000) && !strcmp(*line + at, path))
                        found = inode;
        }
        g_strfreev(lines);
        g_free(text);
        return found;
}

/* Whether a descriptor of the process is the socket; link: "socket:[INODE]". */
static bool process_holds(const char *pid, const char *link)
{
        char *folder = g_strdup_printf("/proc/%s/fd", pid);
        GDir *descriptors = g_dir_open(folder, 0, NULL);
        const char *number;
        bool holds = false;

        while (!holds && descriptors && (number = g_dir_read_name(descriptors))) {
                char *path = g_build_filename(folder, number, NULL), *target = g_file_read_link(path, NULL);

                holds = target && !strcmp(target, link);
                g_free(target);
                g_free(path);
        }
        if (descriptors)
                g_dir_close(descriptors);
        g_free(folder);
        return holds;
}

pid_t place_find_listener(const char *path)
{
        guint64 inode = listener_inode(path);
        char *link = g_strdup_printf("socket:[%" G_GUINT64_FORMAT "]", inode);
        GDir *processes = inode ? g_dir_open("/proc", 0, NULL) : NULL;
        const char *entry;
        pid_t pid = 0;

        while (!pid && processes && (entry = g_dir_read_name(processes)))
                if (g_ascii_isdigit(*entry) && process_holds(entry, link))
                        pid = (pid_t)g_ascii_strtoll(entry, NULL, 10);
        if (processes)
                g_dir_close(processes);
        g_free(link);
        return pid;
}
