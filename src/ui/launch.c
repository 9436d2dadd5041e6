/* SPDX-License-Identifier: GPL-2.0-or-later */
/* launch.c - the processes of machines that are started from the desktop. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/place.h"
#include "library/library.h"
#include "ui/launch.h"

enum { NUMBERS_MAX = 1000 };

const char *launch_program(void)
{
        static char *program;
        char *self, *folder;

        if (program)
                return program;
        self = g_file_read_link("/proc/self/exe", NULL);
        folder = self ? g_path_get_dirname(self) : g_strdup(".");
        program = g_build_filename(folder, "lodger", NULL);
        if (!g_file_test(program, G_FILE_TEST_IS_EXECUTABLE)) {
                g_free(program);
                program = g_find_program_in_path("lodger");
        }
        if (!program)
                program = g_strdup("lodger");
        g_free(folder);
        g_free(self);
        return program;
}

/* -- Names ---------------------------------------------------------------------------------------- */

static gboolean name_is_free(const char *name)
{
        char *path = place_of(name, NULL);
        gboolean free = !library_exists(name) && path && (access(path, F_OK) < 0 || place_clean(path));

        g_free(path);
        return free;
}

char *launch_name_for(const char *path)
{
        char *base = g_path_get_basename(path), *dot = strrchr(base, '.'), *name, *result;

        if (dot && dot > base)
                *dot = '\0';
        name = library_name_from(base);
        result = g_strdup(name);
        for (unsigned number = 2; !name_is_free(result) && number < NUMBERS_MAX; number++) {
                g_free(result);
                result = g_strdup_printf("%s-%u", name, number);
        }
        g_free(name);
        g_free(base);
        return result;
}

/* -- Processes ------------------------------------------------------------------------------------ */

/* In the child: a session of its own, so that neither our end nor a terminal's takes the machine along. */
static void child_setup(gpointer unused)
{
        (void)unused;
        setsid();
}

static char *log_path(const char *name, GError **error)
{
        char *folder = g_build_filename(g_get_user_cache_dir(), "lodger", NULL), *file, *path = NULL;

        if (g_mkdir_with_parents(folder, 0700) < 0) {
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", folder, g_strerror(errno));
        } else {
                file = g_strconcat(name, ".log", NULL);
                path = g_build_filename(folder, file, NULL);
                g_free(file);
        }
        g_free(folder);
        return path;
}

gboolean launch_machine(LodgerMachine *machine, GError **error)
{
        const char *name = lodger_machine_get_name(machine);
        const char *start[] = { launch_program(), "start", "--headless", name, NULL };
        gboolean defined = lodger_machine_is_defined(machine);
        const char *const *command = defined ? start : lodger_machine_get_command(machine);
        char *log = log_path(name, error);
        gboolean ok = FALSE;
        GPid pid;
        int fd;

        if (!log)
                return FALSE;
        fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0) {
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", log, g_strerror(errno));
        } else {
                /* Standard input is nothing's: GLib gives it /dev/null. */
                ok = g_spawn_async_with_fds(NULL, (char **)command, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH, child_setup,
                                            NULL, &pid, -1, fd, fd, error);
                close(fd);
        }
        if (ok && defined) {
                char *folder = library_machine_folder(name), *running = g_build_filename(folder, "log", NULL);

                lodger_machine_set_starter(machine, pid, log, running);
                lodger_machine_connect(machine);
                g_free(running);
                g_free(folder);
        } else if (ok) {
                lodger_machine_set_child(machine, pid, log);
                lodger_machine_connect(machine);
        }
        g_free(log);
        return ok;
}

LodgerMachine *launch_prepare(const char *name, const char *path, const char *const *options)
{
        LodgerMachine *machine = lodger_machine_new(name);
        GPtrArray *command = g_ptr_array_new();

        g_ptr_array_add(command, (gpointer)launch_program());
        g_ptr_array_add(command, (gpointer)"run");
        g_ptr_array_add(command, (gpointer)"--name");
        g_ptr_array_add(command, (gpointer)name);
        g_ptr_array_add(command, (gpointer)"--headless");
        g_ptr_array_add(command, (gpointer)"--serial");
        g_ptr_array_add(command, (gpointer)"none");
        for (; options && *options; options++)
                g_ptr_array_add(command, (gpointer)*options);
        if (path) {
                g_ptr_array_add(command, (gpointer)"--");
                g_ptr_array_add(command, (gpointer)path);
        }
        g_ptr_array_add(command, NULL);
        lodger_machine_set_command(machine, (const char *const *)command->pdata);
        g_ptr_array_unref(command);
        return machine;
}
