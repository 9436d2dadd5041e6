/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.c - a machine from its options to its end: what `run` and `start` share.
 *
 * What can be judged from the words alone has status 2 and one line that names the option, its value and
 * what to write instead; what depends on the host has status 1.
 */
#include <errno.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "control/control.h"
#include "control/place.h"
#include "gdb/gdb.h"
#include "library/library.h"
#include "machine/checkpoint.h"
#include "machine/machine.h"
#include "snapshot/reader.h"

int session_fail(const char *command, GError *error)
{
        int status = cli_fail(error->domain == G_OPTION_ERROR ? EXIT_USAGE : EXIT_HOST, command, "%s", error->message);

        g_error_free(error);
        return status;
}

/* Traces go where they are told before anything happens that could be traced. */
static bool start_traces(const char *command, const struct option_set *options, int *status)
{
        const char *trace = options_text(options, OPTION_TRACE), *file = options_text(options, OPTION_TRACE_FILE), *bad;

        if (trace && !trace_parse(trace, &bad)) {
                *status = cli_fail(EXIT_USAGE, command, _("--trace %s: no category \"%s\"; \"lodger run --help\" lists them"), trace, bad);
                return false;
        }
        if (file && !trace_open(file)) {
                *status = cli_fail(EXIT_HOST, command, "--trace-file %s: %s", file, g_strerror(errno));
                return false;
        }
        return true;
}

bool session_check(const char *command, const struct option_set *options, int *status)
{
        GError *error = NULL;

        if (options_check(options, &error) && start_traces(command, options, status) && options_check_files(options, &error))
                return true;
        if (error)
                *status = session_fail(command, error);
        return false;
}

/* The control socket, which also makes sure that the name is free.  A host that has no place for sockets (a
 * read-only file system, a container) still runs machines, unless the user asked for a certain place. */
static bool open_control(const struct session *session, const char *name, struct control **control, int *status)
{
        const char *path = options_text(session->options, OPTION_CONTROL);
        GError *error = NULL;

        *control = control_open(name, path, &error);
        if (*control)
                return true;
        if (error->domain == PLACE_ERROR && error->code == PLACE_ERROR_TAKEN && !path) {
                *status = cli_fail(EXIT_HOST, session->command,
                                   _("--name %s: a machine of this name is running; choose another name, or stop it"), name);
        } else if (path) {
                *status = cli_fail(EXIT_HOST, session->command, "--control %s", error->message);
        } else if (session->detached || (error->code == PLACE_ERROR_TOO_LONG && options_text(session->options, OPTION_NAME))) {
                *status = cli_fail(EXIT_HOST, session->command, "--name %s: %s", name, error->message);
        } else {
                log_warning(_("this machine cannot be controlled from outside: %s"), error->message);
                *status = EXIT_OK;
        }
        g_error_free(error);
        return *status == EXIT_OK;
}

struct running {
        const struct session *session;
        struct machine *machine;
};

static gboolean tell_running(gpointer opaque)
{
        const struct running *running = opaque;

        running->session->running(running->session->opaque, running->machine);
        return G_SOURCE_REMOVE;
}

/* Runs the machine of a complete configuration. */
static int run(const struct session *session, const struct machine_config *config, struct control *control)
{
        const char *restore = options_text(session->options, OPTION_RESTORE);
        const char *gdb_spec = options_text(session->options, OPTION_GDB);
        struct gdb_server *gdb = NULL;
        enum machine_end end;
        GError *error = NULL;
        int status = EXIT_HOST;
        struct machine *machine = machine_new(config, &error);
        struct running running = { session, machine };

        if (machine && restore && !machine_restore(machine, restore, &error))
                g_clear_pointer(&machine, machine_free);
        if (machine && control)
                control_serve(control, machine);
        if (machine && gdb_spec)
                gdb = gdb_server_new(machine, gdb_spec, &error);
        if (machine && !error && session->running)
                g_idle_add(tell_running, &running);
        /* A value that only the machine can judge (a port number, a model) is still the user's mistake. */
        if (!machine || error || !machine_run(machine, &end, &status, &error))
                status = session_fail(session->command, error);
        gdb_server_free(gdb, status);
        control_free(control);
        machine_free(machine);
        return status;
}

/* What a snapshot needs and the options leave open, it says itself. */
static bool complete_from_snapshot(const struct session *session, struct machine_config *config, struct snapshot_info *info, int *status)
{
        const char *restore = options_text(session->options, OPTION_RESTORE);
        uint8_t id[SNAPSHOT_ID_BYTES];
        GError *error = NULL;
        uint64_t bytes;

        if (!restore)
                return true;
        if (!snapshot_read_info(restore, info, id, &bytes, &error)) {
                *status = session_fail(session->command, error);
                return false;
        }
        if (!options_text(session->options, OPTION_MEMORY))
                config->memory_bytes = info->memory_bytes;
        if (!options_text(session->options, OPTION_CPUS))
                config->cpus = (unsigned)info->cpus;
        if (!options_text(session->options, OPTION_CPU))
                config->cpu_model = info->cpu_model;
        return true;
}

int session_run(const struct session *session)
{
        static char stdio[] = "stdio";
        const char *given = options_text(session->options, OPTION_NAME);
        char *name = given ? g_strdup(given) : g_strdup_printf("lodger-%d", (int)getpid());
        char *variables = session->folder ? g_build_filename(session->folder, LIBRARY_UEFI_VARIABLES, NULL) : NULL;
        struct snapshot_info info = { 0 };
        struct machine_config config;
        struct control *control;
        int status;

        if (open_control(session, name, &control, &status)) {
                options_config(session->options, &config);
                config.name = name;
                config.firmware_variables = variables;
                if (!options_text(session->options, OPTION_SERIAL))
                        g_ptr_array_add(config.serials, stdio);
                if (complete_from_snapshot(session, &config, &info, &status))
                        status = run(session, &config, control);
                else
                        control_free(control);
                snapshot_info_clear(&info);
                options_config_clear(&config);
        }
        g_free(variables);
        g_free(name);
        return status;
}
