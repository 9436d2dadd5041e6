/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.c - `lodger run`: options into a machine's configuration, then the machine until it ends.
 *
 * What can be judged from the words alone is judged here, with status 2 and one line that names the
 * option, its value and what to write instead; what depends on the host has status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/i18n.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/parse.h"
#include "control/control.h"
#include "control/place.h"
#include "cpu/cpuid.h"
#include "gdb/gdb.h"
#include "machine/image.h"
#include "machine/machine.h"
#include "machine/storage.h"
#include "net/net.h"

enum { SERIAL_PORTS_MAX = 4 };

static const uint64_t MEMORY_BYTES_MIN = 1024 * 1024;

/* What the command line said, as GOption leaves it. */
struct run_options {
        char *name, *control, *engine, *memory, *cpu, *firmware, *kernel, *append, *display, *timeout, *gdb, *trace, *trace_file, *boot;
        char **initrds, **serials, **debug_consoles, **images, **disks, **cdroms, **floppies, **nets;
        int cpus;
        gboolean headless, no_reboot, debug_exit, check;
};

static void run_options_clear(struct run_options *options)
{
        char **strings[] = {
                &options->name, &options->control, &options->engine, &options->memory, &options->cpu, &options->firmware, &options->kernel,
                &options->append, &options->display, &options->timeout, &options->gdb, &options->trace,
                &options->trace_file, &options->boot,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(strings); i++)
                g_free(*strings[i]);
        g_strfreev(options->initrds);
        g_strfreev(options->serials);
        g_strfreev(options->debug_consoles);
        g_strfreev(options->images);
        g_strfreev(options->disks);
        g_strfreev(options->cdroms);
        g_strfreev(options->floppies);
        g_strfreev(options->nets);
}

/* -- Checks ------------------------------------------------------------------------------------ */

/* Prints the complaint about one option; gives false. */
static bool refuse(int *status, int code, const char *option, const char *value, const char *remedy)
{
        *status = cli_fail(code, "run", "%s %s: %s", option, value, remedy);
        return false;
}

static bool check_nets(char **nets, int *status)
{
        for (; nets != NULL && *nets != NULL; nets++) {
                GError *error = NULL;
                struct net_options *parsed = net_options_parse(*nets, &error);
                bool ok = parsed != NULL || refuse(status, EXIT_USAGE, "--net", *nets, error->message);

                net_options_free(parsed);
                g_clear_error(&error);
                if (!ok)
                        return false;
        }
        return true;
}

static bool check_words(const struct run_options *options, struct machine_config *config, int *status)
{
        char number[16];
        unsigned stdio = 0;
        uint8_t boot_order[3];

        if (options->name != NULL && !parse_name(options->name))
                return refuse(status, EXIT_USAGE, "--name", options->name,
                              _("not a name; up to 64 letters, digits, '-', '_' and '.', starting with a letter or digit"));
        if (options->engine != NULL && strcmp(options->engine, "auto") != 0 && strcmp(options->engine, "dbt") != 0)
                return refuse(status, EXIT_USAGE, "--engine", options->engine, _("no such engine; write auto or dbt"));
        if (options->memory != NULL) {
                if (!parse_size(options->memory, &config->memory_bytes))
                        return refuse(status, EXIT_USAGE, "--memory", options->memory,
                                      _("not a size; write for example 512M or 2G"));
                if (config->memory_bytes < MEMORY_BYTES_MIN)
                        return refuse(status, EXIT_USAGE, "--memory", options->memory,
                                      _("less than 1M; write for example 512M or 2G"));
                if (config->memory_bytes % MEMORY_BYTES_MIN != 0)
                        return refuse(status, EXIT_USAGE, "--memory", options->memory,
                                      _("not a whole number of MiB; write for example 512M or 2G"));
        }
        if (options->cpu != NULL && cpu_model_find(options->cpu) == NULL && strcmp(options->cpu, "x86-64-v4") != 0)
                return refuse(status, EXIT_USAGE, "--cpu", options->cpu,
                              _("no such model; write host, 486, pentium, pentium3, core2, x86-64-v1, x86-64-v2 or x86-64-v3"));
        if (options->cpu != NULL && cpu_model_why_not(options->cpu) != NULL)
                return refuse(status, EXIT_USAGE, "--cpu", options->cpu, cpu_model_why_not(options->cpu));
        if (options->cpus != 1) {
                g_snprintf(number, sizeof(number), "%d", options->cpus);
                return refuse(status, EXIT_USAGE, "--cpus", number, _("this version runs one vCPU; write 1 or leave it out"));
        }
        if (options->display != NULL && strcmp(options->display, "auto") != 0 && strcmp(options->display, "none") != 0)
                return refuse(status, EXIT_USAGE, "--display", options->display, _("no such display; write auto or none"));
        if (options->headless && options->display != NULL && strcmp(options->display, "none") != 0)
                return refuse(status, EXIT_USAGE, "--display", options->display, _("contradicts --headless; leave one of them out"));
        if (!check_nets(options->nets, status))
                return false;
        if (options->timeout != NULL && !parse_duration(options->timeout, &config->timeout_seconds))
                return refuse(status, EXIT_USAGE, "--timeout", options->timeout,
                              _("not a duration; write for example 90s, 10m or 2h"));
        for (char **serial = options->serials; serial != NULL && *serial != NULL; serial++) {
                if (!parse_serial(*serial))
                        return refuse(status, EXIT_USAGE, "--serial", *serial,
                                      _("no such port; write stdio, file:PATH, unix:PATH, pty or none"));
                if (strcmp(*serial, "stdio") == 0 && ++stdio == 2)
                        return refuse(status, EXIT_USAGE, "--serial", *serial, _("only one port can be this terminal"));
                if (serial - options->serials == SERIAL_PORTS_MAX)
                        return refuse(status, EXIT_USAGE, "--serial", *serial, _("a PC has four serial ports at most"));
        }
        for (char **console = options->debug_consoles; console != NULL && *console != NULL; console++) {
                if (!parse_debug_console(*console))
                        return refuse(status, EXIT_USAGE, "--debug-console", *console,
                                      _("not a debug console; write FILE or FILE,port=0xe9"));
        }
        for (char **image = options->images; image != NULL && *image != NULL; image++) {
                if (options->kernel != NULL || image > options->images) {
                        *status = cli_fail(EXIT_USAGE, "run", _("%s: one image only, and not together with --kernel"), *image);
                        return false;
                }
        }
        if (options->boot != NULL && !storage_boot_order(options->boot, boot_order))
                return refuse(status, EXIT_USAGE, "--boot", options->boot,
                              _("not a boot order; write up to three of cdrom, disk, floppy and network, for example cdrom,disk"));
        if (options->initrds != NULL && options->kernel == NULL && options->images == NULL)
                return refuse(status, EXIT_USAGE, "--initrd", options->initrds[0], _("needs --kernel"));
        if (options->append != NULL && options->kernel == NULL && options->images == NULL)
                return refuse(status, EXIT_USAGE, "--append", options->append, _("needs --kernel"));
        return true;
}

/* A file the machine will read: there, a file, readable, not empty. */
static bool check_file(const char *option, const char *path, int *status)
{
        struct stat info;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        bool ok = false;

        if (fd < 0 || fstat(fd, &info) < 0)
                refuse(status, EXIT_HOST, option, path, g_strerror(errno));
        else if (S_ISDIR(info.st_mode))
                refuse(status, EXIT_HOST, option, path, _("is a directory; name a file"));
        else if (!S_ISREG(info.st_mode))
                refuse(status, EXIT_HOST, option, path, _("is not a regular file"));
        else if (info.st_size == 0)
                refuse(status, EXIT_HOST, option, path, _("is empty"));
        else
                ok = true;
        if (fd >= 0)
                close(fd);
        return ok;
}

static bool check_files(const struct run_options *options, int *status)
{
        if (options->firmware != NULL && !check_file("--firmware", options->firmware, status))
                return false;
        if (options->kernel != NULL && !check_file("--kernel", options->kernel, status))
                return false;
        if (options->images != NULL && !check_file("IMAGE", options->images[0], status))
                return false;
        for (char **initrd = options->initrds; initrd != NULL && *initrd != NULL; initrd++) {
                if (!check_file("--initrd", *initrd, status))
                        return false;
        }
        return true;
}

/* Puts IMAGE where its content says it belongs, before others of its kind, and lets it boot first. */
static bool place_image(const struct run_options *options, struct machine_config *config, int *status)
{
        static char cd_first[] = "cdrom,disk,floppy", floppy_first[] = "floppy,disk,cdrom";
        char *image = options->images[0];
        enum image_kind kind;
        GError *error = NULL;

        if (!image_probe(image, &kind, &error)) {
                *status = cli_fail(EXIT_HOST, "run", "IMAGE %s", error->message);
                g_error_free(error);
                return false;
        }
        if (kind != IMAGE_KERNEL && (options->initrds != NULL || options->append != NULL)) {
                *status = cli_fail(EXIT_USAGE, "run", _("IMAGE %s: --initrd and --append go with a kernel, and this is none"), image);
                return false;
        }
        switch (kind) {
        case IMAGE_KERNEL:
                config->kernel = image;
                break;
        case IMAGE_CD:
                g_ptr_array_insert(config->cdroms, 0, image);
                config->boot = config->boot != NULL ? config->boot : cd_first;
                break;
        case IMAGE_DISK:
                g_ptr_array_insert(config->disks, 0, image);
                break;
        case IMAGE_FLOPPY:
                g_ptr_array_insert(config->floppies, 0, image);
                config->boot = config->boot != NULL ? config->boot : floppy_first;
                break;
        }
        return true;
}

/* Traces go where they are told before anything happens that could be traced. */
static bool start_traces(const struct run_options *options, int *status)
{
        const char *bad;

        if (options->trace != NULL && !trace_parse(options->trace, &bad)) {
                *status = cli_fail(EXIT_USAGE, "run", _("--trace %s: no category \"%s\"; \"lodger run --help\" lists them"),
                                   options->trace, bad);
                return false;
        }
        if (options->trace_file != NULL && !trace_open(options->trace_file))
                return refuse(status, EXIT_HOST, "--trace-file", options->trace_file, g_strerror(errno));
        return true;
}

/* -- The machine ------------------------------------------------------------------------------- */

static GPtrArray *list_new(char **words)
{
        GPtrArray *list = g_ptr_array_new();

        for (; words != NULL && *words != NULL; words++)
                g_ptr_array_add(list, *words);
        return list;
}

/* The control socket, which also makes sure that the name is free.  A host that has no place for sockets (a
 * read-only file system, a container) still runs machines, unless the user asked for a certain place. */
static bool open_control(const struct run_options *options, const char *name, struct control **control, int *status)
{
        GError *error = NULL;

        *control = control_open(name, options->control, &error);
        if (*control != NULL)
                return true;
        if (error->domain == PLACE_ERROR && error->code == PLACE_ERROR_TAKEN && options->control == NULL) {
                *status = cli_fail(EXIT_HOST, "run", _("--name %s: a machine of this name is running; choose another name, or stop it"), name);
        } else if (options->control != NULL) {
                *status = cli_fail(EXIT_HOST, "run", "--control %s", error->message);
        } else if (error->code == PLACE_ERROR_TOO_LONG && options->name != NULL) {
                *status = cli_fail(EXIT_HOST, "run", "--name %s: %s", name, error->message);
        } else {
                log_warning(_("this machine cannot be controlled from outside: %s"), error->message);
                *status = EXIT_OK;
        }
        g_error_free(error);
        return *status == EXIT_OK;
}

static int run_machine(const struct run_options *options, struct machine_config *config)
{
        static char stdio[] = "stdio";
        struct gdb_server *gdb = NULL;
        char *name = options->name ? g_strdup(options->name) : g_strdup_printf("lodger-%d", (int)getpid());
        struct control *control;
        struct machine *machine = NULL;
        enum machine_end end;
        GError *error = NULL;
        int status = EXIT_HOST;

        if (!open_control(options, name, &control, &status)) {
                g_free(name);
                return status;
        }
        /* The strings stay the options'. */
        config->name = name;
        config->engine = options->engine;
        config->cpus = (unsigned)options->cpus;
        config->cpu_model = options->cpu;
        config->firmware = options->firmware;
        config->kernel = options->kernel;
        config->initrds = list_new(options->initrds);
        config->append = options->append;
        config->serials = list_new(options->serials);
        /* There is no display front end yet, so every machine is headless and talks here. */
        if (options->serials == NULL)
                g_ptr_array_add(config->serials, stdio);
        config->disks = list_new(options->disks);
        config->cdroms = list_new(options->cdroms);
        config->floppies = list_new(options->floppies);
        config->nets = list_new(options->nets);
        config->boot = options->boot;
        config->no_reboot = options->no_reboot;
        config->debug_exit = options->debug_exit;
        config->debug_consoles = list_new(options->debug_consoles);
        config->check = options->check;

        if (options->images == NULL || place_image(options, config, &status)) {
                machine = machine_new(config, &error);
                if (machine != NULL && control != NULL)
                        control_serve(control, machine);
                if (machine != NULL && options->gdb != NULL)
                        gdb = gdb_server_new(machine, options->gdb, &error);
                if (machine == NULL || error != NULL || !machine_run(machine, &end, &status, &error)) {
                        /* A value that only the machine can judge (a port number, a model) is still the user's mistake. */
                        status = cli_fail(error->domain == G_OPTION_ERROR ? EXIT_USAGE : EXIT_HOST, "run", "%s", error->message);
                        g_clear_error(&error);
                }
        }
        gdb_server_free(gdb, status);
        control_free(control);
        if (machine != NULL)
                machine_free(machine);
        g_ptr_array_unref(config->initrds);
        g_ptr_array_unref(config->serials);
        g_ptr_array_unref(config->debug_consoles);
        g_free(name);
        g_ptr_array_unref(config->disks);
        g_ptr_array_unref(config->cdroms);
        g_ptr_array_unref(config->floppies);
        g_ptr_array_unref(config->nets);
        return status;
}

int run_main(int argc, char **argv)
{
        struct run_options options = { .cpus = 1 };
        struct machine_config config = { .memory_bytes = UINT64_C(512) << 20 };
        /* Paths and the kernel's command line are taken byte by byte (FILENAME), whatever the locale. */
        const GOptionEntry entries[] = {
                { "name", 0, 0, G_OPTION_ARG_STRING, &options.name, N_("the machine's name (default: lodger-PID)"), N_("NAME") },
                { "control", 0, 0, G_OPTION_ARG_FILENAME, &options.control,
                  N_("control socket (default: $XDG_RUNTIME_DIR/lodger/NAME)"), N_("PATH") },
                { "engine", 0, 0, G_OPTION_ARG_STRING, &options.engine,
                  N_("what runs the guest's code: auto, dbt (default: auto)"), N_("ENGINE") },
                { "memory", 0, 0, G_OPTION_ARG_STRING, &options.memory, N_("the guest's memory (default: 512M)"), N_("SIZE") },
                { "cpus", 0, 0, G_OPTION_ARG_INT, &options.cpus, N_("number of vCPUs (one in this version)"), "N" },
                { "cpu", 0, 0, G_OPTION_ARG_STRING, &options.cpu,
                  N_("CPU model: host, 486, pentium, pentium3, core2, x86-64-v1, x86-64-v2, x86-64-v3 (default: host)"), N_("MODEL") },
                { "firmware", 0, 0, G_OPTION_ARG_FILENAME, &options.firmware,
                  N_("firmware image (default: the distribution's SeaBIOS)"), N_("FILE") },
                { "kernel", 0, 0, G_OPTION_ARG_FILENAME, &options.kernel, N_("Linux or Multiboot image to start directly"), N_("FILE") },
                { "initrd", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.initrds,
                  N_("initial RAM disk, or a Multiboot module (repeatable)"), N_("FILE") },
                { "append", 0, 0, G_OPTION_ARG_FILENAME, &options.append, N_("the kernel's command line"), N_("TEXT") },
                { "disk", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.disks,
                  N_("IDE disk, a raw image; its guest's writes may be refused or thrown away (repeatable)"),
                  N_("FILE[,readonly][,throwaway]") },
                { "cdrom", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.cdroms, N_("CD image (repeatable)"), N_("FILE") },
                { "floppy", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.floppies, N_("floppy image (twice at most)"),
                  N_("FILE[,readonly][,throwaway]") },
                { "boot", 0, 0, G_OPTION_ARG_STRING, &options.boot,
                  N_("what is tried first, second, third (default: IMAGE, then disk,cdrom,floppy)"), N_("cdrom,disk,floppy,network") },
                { "serial", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.serials,
                  N_("next serial port: stdio, file:PATH, unix:PATH, pty, none (repeatable; default: stdio)"), N_("PORT") },
                { "display", 0, 0, G_OPTION_ARG_STRING, &options.display,
                  N_("where the screen is shown: auto, none (default: auto)"), N_("DISPLAY") },
                { "headless", 0, 0, G_OPTION_ARG_NONE, &options.headless, N_("the same as --display none"), NULL },
                { "net", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.nets,
                  N_("network card on: user, tap[=NAME], bridge=BRIDGE, passt, socket=listen:ADDR, socket=connect:ADDR, none (repeatable; default: user)"),
                  N_("NETWORK[,model=e1000|rtl8139|ne2k|virtio][,KEY=VALUE...]") },
                { "no-reboot", 0, 0, G_OPTION_ARG_NONE, &options.no_reboot,
                  N_("end with status 3 when the guest resets"), NULL },
                { "timeout", 0, 0, G_OPTION_ARG_STRING, &options.timeout,
                  N_("end the guest after this time, with status 4"), N_("TIME") },
                { "debug-exit", 0, 0, G_OPTION_ARG_NONE, &options.debug_exit,
                  N_("let the guest end with status (v<<1)|1 by writing v to port 0xf4"), NULL },
                { "debug-console", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.debug_consoles,
                  N_("write bytes the guest writes to a port (default: 0xe9) to FILE (repeatable)"), N_("FILE[,port=N]") },
                { "gdb", 0, 0, G_OPTION_ARG_FILENAME, &options.gdb,
                  N_("let GDB debug the guest through ADDR, [HOST:]PORT or unix:PATH"), N_("ADDR[,wait]") },
                { "trace", 0, 0, G_OPTION_ARG_STRING, &options.trace, N_("trace these categories, separated by commas, or all"), N_("LIST") },
                { "trace-file", 0, 0, G_OPTION_ARG_FILENAME, &options.trace_file,
                  N_("write traces to FILE (default: standard error)"), N_("FILE") },
                { "check", 0, 0, G_OPTION_ARG_NONE, &options.check,
                  N_("run each block twice, optimised and step by step, and compare"), NULL },
                { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.images, NULL, N_("[IMAGE]") },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(NULL);
        char *categories = trace_describe();
        char *description = g_strdup_printf(
                _("Sizes are written 512M or 2G, times 90s, 10m or 2h.  Trace categories:\n%s\n"
                  "Exit status: 0 the guest powered off or was stopped, 1 host error, 2 usage,\n"
                  "3 the guest reset under --no-reboot, 4 timeout."), categories);
        int status;

        g_option_context_set_summary(context, _("Runs a machine in the foreground until it powers off."));
        g_option_context_set_description(context, description);
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "run", &argc, &argv, &status) && check_words(&options, &config, &status) &&
            start_traces(&options, &status) && check_files(&options, &status)) {
                if (options.engine == NULL)
                        options.engine = g_strdup("auto");
                if (options.cpu == NULL)
                        options.cpu = g_strdup("host");
                status = run_machine(&options, &config);
        }
        g_option_context_free(context);
        g_free(description);
        g_free(categories);
        run_options_clear(&options);
        return status;
}
