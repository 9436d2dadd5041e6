/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.c - `lodger start`: runs a named machine in a process of its own, and returns once it runs.
 *
 * The machine's process is forked off before any thread exists, becomes the leader of a session without
 * terminal, and has the machine's log for its output.  It says "running" through a pipe; if the pipe closes
 * before, the machine did not come up, and the last line of its log says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "library/library.h"
#include "library/timeline.h"

/* The machine's process: its output goes to the log from here on. */
static bool become_background(int log)
{
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        bool ok = null >= 0 && setsid() >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
                  dup2(log, STDERR_FILENO) >= 0;

        if (null >= 0)
                close(null);
        /* A line at a time, so that the log can be watched. */
        setvbuf(stdout, NULL, _IOLBF, 0);
        return ok;
}

struct report {
        const char *name;
        int pipe_end;
};

static void tell_parent(void *opaque, struct machine *machine)
{
        struct report *report = opaque;

        (void)machine;
        /* From here on the state is the machine's own. */
        timeline_resumed(report->name);
        (void)!write(report->pipe_end, "", 1);
        close(report->pipe_end);
        report->pipe_end = -1;
}

/* The log of this run, with that of the one before kept beside it; -1 with error set. */
static int open_log(const char *folder, char **path, GError **error)
{
        char *old = g_build_filename(folder, "log.old", NULL);
        int fd;

        *path = g_build_filename(folder, "log", NULL);
        rename(*path, old);
        fd = open(*path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", *path, g_strerror(errno));
        g_free(old);
        return fd;
}

/* What a machine that did not come up said last, without "lodger start: " in front. */
static char *last_words(const char *path)
{
        char *text = NULL, *line;

        if (!g_file_get_contents(path, &text, NULL, NULL) || !*g_strchomp(text)) {
                g_free(text);
                return g_strdup_printf(_("it ended before it ran; its log is %s"), path);
        }
        line = strrchr(text, '\n');
        line = g_strdup(line ? line + 1 : text);
        g_free(text);
        if (g_str_has_prefix(line, "lodger start: "))
                memmove(line, line + strlen("lodger start: "), strlen(line) - strlen("lodger start: ") + 1);
        return line;
}

static int wait_until_running(pid_t child, int pipe_end, const char *name, const char *log)
{
        char byte, *words;
        ssize_t got;
        int result;

        do
                got = read(pipe_end, &byte, 1);
        while (got < 0 && errno == EINTR);
        if (got == 1)
                return EXIT_OK;
        while (waitpid(child, &result, 0) < 0 && errno == EINTR)
                ;
        words = last_words(log);
        cli_fail(EXIT_HOST, "start", "%s: %s", name, words);
        g_free(words);
        return WIFEXITED(result) && WEXITSTATUS(result) ? WEXITSTATUS(result) : EXIT_HOST;
}

static int start_process(const struct option_set *options, const char *folder)
{
        const char *name = options_text(options, OPTION_NAME);
        GError *error = NULL;
        char *path;
        int log = open_log(folder, &path, &error), ends[2], status;
        pid_t child;

        if (log < 0) {
                g_free(path);
                return session_fail("start", error);
        }
        if (pipe2(ends, O_CLOEXEC) < 0) {
                status = cli_fail(EXIT_HOST, "start", "%s: pipe: %s", name, g_strerror(errno));
                goto out;
        }
        child = fork();
        if (child == 0) {
                struct report report = { name, ends[1] };
                struct session session = { .command = "start", .options = options, .running = tell_parent, .opaque = &report,
                                           .detached = true, .folder = folder };

                close(ends[0]);
                status = become_background(log) ? session_run(&session) : EXIT_HOST;
                fflush(NULL);
                _exit(status);
        }
        close(ends[1]);
        status = child < 0 ? cli_fail(EXIT_HOST, "start", "%s: fork: %s", name, g_strerror(errno))
                           : wait_until_running(child, ends[0], name, path);
        close(ends[0]);
out:
        close(log);
        g_free(path);
        return status;
}

static int start(const char *name, bool headless, bool cold)
{
        char *resume;
        struct definition *definition;
        struct option_set options = { 0 };
        GError *error = NULL;
        int status, lock = -1;

        definition = definition_load(name, &error);
        if (definition)
                lock = library_lock(name, &error);
        if (lock < 0) {
                definition_free(definition);
                return session_fail("start", error);
        }
        definition_options(definition, &options);
        if (!library_check_bases(name, &options, &error)) {
                status = session_fail("start", error);
                goto out;
        }
        library_protect_bases(definition, true);
        resume = cold ? NULL : timeline_resume_path(name);
        if (resume)
                options_set(&options, OPTION_RESTORE, resume);
        g_free(resume);
        if (headless)
                options_set(&options, OPTION_DISPLAY, "none");
        /* The child inherits the lock, and holds it after this process has gone. */
        if (session_check("start", &options, &status))
                status = start_process(&options, definition->folder);
out:
        close(lock);
        options_clear(&options);
        definition_free(definition);
        return status;
}

int start_main(int argc, char **argv)
{
        gboolean headless = FALSE, cold = FALSE;
        const GOptionEntry entries[] = {
                { "headless", 0, 0, G_OPTION_ARG_NONE, &headless, N_("show no window"), NULL },
                { "cold", 0, 0, G_OPTION_ARG_NONE, &cold, N_("from power-on, also when it was suspended or a snapshot restored"), NULL },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(_("NAME"));
        int status;

        g_option_context_set_summary(context, _("Starts a machine in a process of its own, and returns once it runs."));
        g_option_context_set_description(context, _("What the machine's process says is in the file \"log\" of the machine's folder."));
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "start", &argc, &argv, &status))
                status = argc == 2 ? start(argv[1], headless, cold)
                                   : cli_fail(EXIT_USAGE, "start", "%s", _("name one machine; \"lodger list --all\" shows them"));
        g_option_context_free(context);
        return status;
}
