/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fork.c - `lodger fork`: a second machine that goes on from the present instant of a running one.
 *
 * The running machine gives its state, its memory and the names of its images; here the second one gets its definition and
 * its disks, and starts.  What it does not get to run leaves no machine behind, and what images keep for it is removed by
 * whoever deletes a snapshot next (timeline.h).
 */
#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/client.h"
#include "cli/session.h"
#include "cli/start.h"
#include "library/fork.h"
#include "library/library.h"

enum { CONNECT_SECONDS = 10, FORK_TIMEOUT_MS = 60000 };

struct instant {
        GVariant *answer;               /* of the type ANSWER */
        struct session_fork fds;
};

/* Its id, how long the guest stood still, the images. */
#define ANSWER "(staay)"
enum { ANSWER_MAX = 64 << 10, FDS = 2 };

static void instant_clear(struct instant *instant)
{
        if (instant->fds.state_fd >= 0)
                close(instant->fds.state_fd);
        if (instant->fds.memory_fd >= 0)
                close(instant->fds.memory_fd);
        g_clear_pointer(&instant->answer, g_variant_unref);
}

/* -- Asking the running machine ------------------------------------------------------------------- */

static bool send_instant(int socket, const struct instant *instant)
{
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(FDS * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { (void *)(uintptr_t)g_variant_get_data(instant->answer), g_variant_get_size(instant->answer) };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        int fds[FDS] = { instant->fds.state_fd, instant->fds.memory_fd };

        control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(fds)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
        return iov.iov_len <= ANSWER_MAX && sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)iov.iov_len;
}

static bool receive_instant(int socket, struct instant *instant)
{
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(FDS * sizeof(int))];
        } control = { 0 };
        void *bytes = g_malloc(ANSWER_MAX);
        struct iovec iov = { bytes, ANSWER_MAX };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        int fds[FDS];

        if (got <= 0 || message.msg_controllen < CMSG_LEN(sizeof(fds)) || control.head.cmsg_len != CMSG_LEN(sizeof(fds))) {
                g_free(bytes);
                return false;
        }
        memcpy(fds, CMSG_DATA(&control.head), sizeof(fds));
        instant->fds = (struct session_fork){ fds[0], fds[1] };
        instant->answer = g_variant_ref_sink(g_variant_new_from_data(G_VARIANT_TYPE(ANSWER), bytes, (gsize)got, FALSE, g_free, bytes));
        return true;
}

static bool call_fork(struct client *client, struct instant *instant, GError **error)
{
        GUnixFDList *list = NULL;
        GVariant *result;

        if (!client_open(client, CONNECT_SECONDS, error))
                return false;
        result = g_dbus_proxy_call_with_unix_fd_list_sync(G_DBUS_PROXY(client->machine), "Fork", NULL, G_DBUS_CALL_FLAGS_NONE,
                                                          FORK_TIMEOUT_MS, NULL, &list, NULL, error);
        if (!result)
                return false;
        if (list && g_unix_fd_list_get_length(list) == FDS && g_variant_is_of_type(result, G_VARIANT_TYPE("(staayhh)"))) {
                GVariant *words[3] = { g_variant_get_child_value(result, 0), g_variant_get_child_value(result, 1),
                                       g_variant_get_child_value(result, 2) };

                instant->answer = g_variant_ref_sink(g_variant_new_tuple(words, 3));
                for (unsigned i = 0; i < 3; i++)
                        g_variant_unref(words[i]);
                instant->fds = (struct session_fork){ g_unix_fd_list_get(list, 0, NULL), g_unix_fd_list_get(list, 1, NULL) };
        } else {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("the machine sent no memory"));
        }
        g_clear_object(&list);
        g_variant_unref(result);
        return instant->answer;
}

/* In a process of its own: the connection has threads, and a process that has threads starts no machine.  The exit
 * status; what was refused has been said. */
static int take_instant(const char *name, struct instant *instant)
{
        int ends[2], result = 0, status = EXIT_HOST;
        bool got;
        pid_t child;

        *instant = (struct instant){ .fds = { -1, -1 } };
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return cli_fail(EXIT_HOST, "fork", "socketpair: %s", g_strerror(errno));
        child = fork();
        if (child == 0) {
                struct client client = { .command = "fork", .name = name, .pidfd = -1 };
                GError *error = NULL;

                if (!call_fork(&client, instant, &error))
                        status = client_fail(&client, error);
                else if (send_instant(ends[1], instant))
                        status = EXIT_OK;
                fflush(NULL);
                _exit(status);
        }
        close(ends[1]);
        got = child > 0 && receive_instant(ends[0], instant);
        close(ends[0]);
        while (child > 0 && waitpid(child, &result, 0) < 0 && errno == EINTR)
                ;
        if (got)
                return EXIT_OK;
        if (child > 0 && WIFEXITED(result) && WEXITSTATUS(result))
                return WEXITSTATUS(result);
        return cli_fail(EXIT_HOST, "fork", "%s: %s", name, _("the machine sent no memory"));
}

/* -- The second machine --------------------------------------------------------------------------- */

/* The second machine, from its definition to its start. */
static int start_fork(const struct definition *definition, const struct instant *instant, bool headless)
{
        struct option_set options = { 0 };
        GError *error = NULL;
        int status, lock = library_lock(definition->name, &error);

        if (lock < 0)
                return session_fail("fork", error);
        definition_options(definition, &options);
        if (headless)
                options_set(&options, OPTION_DISPLAY, "none");
        if (session_check("fork", &options, &status))
                status = start_process("fork", &options, definition->folder, &instant->fds);
        close(lock);
        options_clear(&options);
        return status;
}

/* What can be refused is refused before the machine stands still.  The definition, or NULL with *status set. */
static struct definition *check(const char *name, const char *new_name, int *status)
{
        struct definition *from = definition_load(name, NULL);
        GError *error = NULL;

        *status = EXIT_OK;
        if (!from)
                *status = cli_fail(EXIT_HOST, "fork", _("%s: no such machine is defined; only those made by \"lodger create\" can be forked"),
                                   name);
        else if (!library_check_name(new_name, &error))
                *status = session_fail("fork", error);
        else if (library_exists(new_name))
                *status = cli_fail(EXIT_HOST, "fork", _("%s: there is such a machine already; choose another name"), new_name);
        if (*status != EXIT_OK)
                g_clear_pointer(&from, definition_free);
        return from;
}

static int fork_machine(const char *name, const char *new_name, bool headless)
{
        struct definition *from, *definition;
        struct instant instant = { .fds = { -1, -1 } };
        GError *error = NULL;
        guint64 stopped_us;
        const char *id;
        char **disks;
        int status;

        from = check(name, new_name, &status);
        if (from)
                status = take_instant(name, &instant);
        if (status == EXIT_OK) {
                g_variant_get(instant.answer, "(&st^aay)", &id, &stopped_us, &disks);
                definition = library_fork(from, new_name, id, (const char *const *)disks, &error);
                status = definition ? start_fork(definition, &instant, headless) : session_fail("fork", error);
                if (definition && status != EXIT_OK)
                        library_delete(new_name, NULL);
                if (status == EXIT_OK)
                        printf(_("%s runs; %s stood still for %.1f ms\n"), new_name, name, (double)stopped_us / 1000);
                g_strfreev(disks);
                definition_free(definition);
        }
        instant_clear(&instant);
        definition_free(from);
        return status;
}

int fork_main(int argc, char **argv)
{
        gboolean headless = FALSE;
        const GOptionEntry entries[] = {
                { "headless", 0, 0, G_OPTION_ARG_NONE, &headless, N_("show no window"), NULL },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(_("NAME NEW"));
        int status;

        g_option_context_set_summary(context, _("Starts a machine NEW that goes on from the present instant of the running machine NAME."));
        g_option_context_set_description(context, _("They share memory and disks until one of them writes.  NEW has no forwarded ports."));
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "fork", &argc, &argv, &status))
                status = argc == 3 ? fork_machine(argv[1], argv[2], headless)
                                   : cli_fail(EXIT_USAGE, "fork", _("usage: lodger %s %s"), "fork", _("NAME NEW"));
        g_option_context_free(context);
        return status;
}
