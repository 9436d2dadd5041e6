/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_lock.c - one writer at a time: advisory locks on image files, and who holds them.
 *
 * Locks belong to the open file description (F_OFD_SETLK, fcntl(2)), so they last until the image is
 * closed, whatever else this process opens and closes.  The kernel does not say who holds such a lock;
 * /proc/PID/fdinfo of the holder does, where we may read it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "block/block.h"
#include "block/driver.h"

/* Whether one descriptor's fdinfo has a lock on that inode: "lock: 1: OFDLCK ADVISORY WRITE -1 fd:01:1234 0 EOF". */
static bool holds(const char *fdinfo, const char *inode)
{
        char *text;
        bool found = false;

        if (!g_file_get_contents(fdinfo, &text, NULL, NULL))
                return false;
        for (const char *line = text; (line = strstr(line, "lock:")) != NULL; line++) {
                const char *end = strchr(line, '\n'), *at = strstr(line, inode);

                found |= at && (!end || at < end);
        }
        g_free(text);
        return found;
}

static bool process_holds(const char *pid, const char *inode)
{
        char *folder = g_build_filename("/proc", pid, "fdinfo", NULL);
        GDir *dir = g_dir_open(folder, 0, NULL);
        const char *name;
        bool found = false;

        while (dir && !found && (name = g_dir_read_name(dir)) != NULL) {
                char *path = g_build_filename(folder, name, NULL);

                found = holds(path, inode);
                g_free(path);
        }
        if (dir)
                g_dir_close(dir);
        g_free(folder);
        return found;
}

/* The process that holds a lock on the file, 0 when that cannot be told. */
static int find_holder(int fd)
{
        struct stat info;
        char *inode;
        GDir *dir = g_dir_open("/proc", 0, NULL);
        const char *name;
        int pid = 0;

        if (!dir)
                return 0;
        if (fstat(fd, &info) < 0) {
                g_dir_close(dir);
                return 0;
        }
        inode = g_strdup_printf(" %02x:%02x:%llu ", major(info.st_dev), minor(info.st_dev), (unsigned long long)info.st_ino);
        while (!pid && (name = g_dir_read_name(dir)) != NULL)
                if (g_ascii_isdigit(*name) && process_holds(name, inode))
                        pid = atoi(name);
        g_dir_close(dir);
        g_free(inode);
        return pid;
}

bool file_lock_take(int fd, const char *path, bool exclusive, GError **error)
{
        struct flock lock = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
        int pid;

        if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
                return true;
        /* A file system without locks: nothing to be done about it. */
        if (errno != EAGAIN && errno != EACCES)
                return true;
        pid = find_holder(fd);
        if (pid)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_LOCKED, "%s: in use by process %d%s", path, pid,
                            exclusive ? "; stop it, or add \",readonly\" if it only reads too" : "; stop it first");
        else
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_LOCKED, "%s: in use by another process; stop it first", path);
        return false;
}
