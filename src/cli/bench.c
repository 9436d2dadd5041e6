/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench.c - `lodger bench`: what each way to run a guest costs on this host, without any guest system.
 *
 * The same object code runs natively, in this process, and in a small guest that is part of the program
 * (src/bench): under the translator, under KVM where it works, and under QEMU's TCG where that is installed. Guests are
 * started as anybody would start them, by `lodger run` and qemu-system-x86_64, and count cycles of the host's time
 * stamp counter, which all of them see.
 *
 * Rounds interleave, and each figure is the least of them: a busy host disturbs single rounds only.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/i18n.h"
#include "bench/guest_image.h"
#include "bench/kernels.h"
#include "cli/cli.h"
#include "engine/engine.h"

enum way { WAY_NATIVE, WAY_DBT, WAY_KVM, WAY_TCG, WAYS };
static const char *const way_names[WAYS] = { "native", "dbt", "kvm", "tcg" };

/* Seconds a guest may take; it needs two or three. */
#define LIMIT "60"
static const uint64_t ROUND_CYCLES = 6000000;

struct row {
        const char *name, *what;
};

static const struct row rows[] = {
        { "integer", N_("arithmetic and branches") },
        { "checksum", N_("a table look-up for each byte") },
        { "calls", N_("recursion") },
        { "indirect", N_("calls through pointers") },
        { "sort", N_("quicksort") },
        { "chase", N_("loads that wait for each other") },
        { "copy", N_("256 KiB copied") },
        { "matrix", N_("floating point") },
        { "syscall", N_("system call and back") },
        { "fault", N_("page fault and back") },
        { "mapping", N_("page mapped, used, unmapped") },
        { "switch", N_("address space switched") },
};
enum { ROWS = G_N_ELEMENTS(rows) };

struct bench {
        char *image;                    /* the guest's file */
        char *self;                     /* this program */
        double ns[WAYS][ROWS];          /* of one operation; 0: not measured */
        const char *why_not[WAYS];      /* NULL: it was measured */
        double ns_per_cycle;
};

/* -- Measuring ----------------------------------------------------------------------------------- */

static double now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void note(struct bench *bench, enum way way, const char *name, double cycles_of_1000)
{
        double ns = cycles_of_1000 / 1000 * bench->ns_per_cycle;

        for (unsigned i = 0; i < ROWS; i++)
                if (!strcmp(rows[i].name, name) && ns > 0 && (bench->ns[way][i] == 0 || ns < bench->ns[way][i]))
                        bench->ns[way][i] = ns;
}

static void measure_native(struct bench *bench)
{
        for (unsigned i = 0; i < BENCH_KERNELS; i++)
                note(bench, WAY_NATIVE, bench_kernels[i].name, (double)bench_measure(bench_kernels[i].work, ROUND_CYCLES));
}

/* Takes what a guest has said; false: it did not get to its end. */
static bool take_output(struct bench *bench, enum way way, const char *output)
{
        char **lines = g_strsplit(output, "\n", -1), name[32];
        double cycles;
        bool ended = false;

        for (char **line = lines; *line; line++) {
                if (sscanf(*line, "BENCH %31s %lf", name, &cycles) == 2)
                        note(bench, way, name, cycles);
                ended = ended || g_str_has_prefix(*line, "BENCH-END");
        }
        g_strfreev(lines);
        return ended;
}

static const char *measure_guest(struct bench *bench, enum way way)
{
        const char *lodger[] = { "timeout", LIMIT, bench->self, "run", "--engine", way_names[way], "--headless", "--net", "none", "--serial",
                                 "stdio", "--memory", "64M", "--debug-exit", "--no-reboot", "--kernel", bench->image, NULL };
        const char *tcg[] = { "timeout", LIMIT, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "64", "-nodefaults", "-display",
                              "none", "-serial", "stdio", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel",
                              bench->image, NULL };
        char *output = NULL, *errors = NULL;
        const char *why = NULL;

        if (!g_spawn_sync(NULL, (char **)(way == WAY_TCG ? tcg : lodger), NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, NULL, NULL))
                return _("it cannot be started");
        if (way == WAY_KVM && strstr(errors, "kvm -> dbt"))
                why = _("KVM gave up, and the translator went on");
        else if (!take_output(bench, way, output))
                why = _("the guest did not get to its end in time");
        g_free(output);
        g_free(errors);
        return why;
}

/* -- What can be measured ------------------------------------------------------------------------ */

static void look_around(struct bench *bench)
{
        char *why = NULL, *qemu = g_find_program_in_path("qemu-system-x86_64");

        if (!engine_probe("kvm", &why))
                bench->why_not[WAY_KVM] = g_intern_string(why);
        g_free(why);
        if (!qemu)
                bench->why_not[WAY_TCG] = _("qemu-system-x86_64 is not installed");
        g_free(qemu);
}

static bool prepare(struct bench *bench, GError **error)
{
        char self[4096];
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        int fd = g_file_open_tmp("lodger-bench-XXXXXX", &bench->image, error);

        if (fd < 0)
                return false;
        close(fd);
        if (!g_file_set_contents(bench->image, (const char *)bench_guest, sizeof bench_guest, error))
                return false;
        if (length < 0) {
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "/proc/self/exe: %s", g_strerror(errno));
                return false;
        }
        bench->self = g_strndup(self, (gsize)length);
        return true;
}

/* Nanoseconds of one cycle of the time stamp counter. */
static double measure_cycle(void)
{
        double begin_ns = now_ns();
        uint64_t begin = __builtin_ia32_rdtsc();

        g_usleep(50000);
        return (now_ns() - begin_ns) / (double)(__builtin_ia32_rdtsc() - begin);
}

static void measure(struct bench *bench, int rounds)
{
        bench->ns_per_cycle = measure_cycle();
        for (int round = 0; round < rounds; round++) {
                measure_native(bench);
                for (enum way way = WAY_DBT; way < WAYS; way++)
                        if (!bench->why_not[way])
                                bench->why_not[way] = measure_guest(bench, way);
        }
        for (enum way way = WAY_DBT; way < WAYS; way++)
                if (bench->why_not[way])
                        memset(bench->ns[way], 0, sizeof bench->ns[way]);
}

/* -- Showing ------------------------------------------------------------------------------------- */

static void print_time(double ns)
{
        if (ns == 0)
                printf(" %10s", "-");
        else if (ns < 1000)
                printf(" %7.2f ns", ns);
        else if (ns < 1e6)
                printf(" %7.2f us", ns / 1e3);
        else
                printf(" %7.2f ms", ns / 1e6);
}

static void print_ratio(double over, double under)
{
        if (over > 0 && under > 0)
                printf(" %10.2f", over / under);
        else
                printf(" %10s", "-");
}

/* The geometric mean of a ratio over the rows that both have; 0: there is none. */
static double mean_ratio(const struct bench *bench, enum way over, enum way under)
{
        double sum = 0;
        unsigned count = 0;

        for (unsigned i = 0; i < ROWS; i++) {
                if (bench->ns[over][i] > 0 && bench->ns[under][i] > 0) {
                        sum += log(bench->ns[over][i] / bench->ns[under][i]);
                        count++;
                }
        }
        return count ? exp(sum / count) : 0;
}

static void print_table(const struct bench *bench)
{
        printf("%-10s %10s %10s %10s %10s %10s %10s  %s\n", "", "native", "dbt", "kvm", "tcg", "dbt/native", "tcg/dbt", _("one operation is"));
        for (unsigned i = 0; i < ROWS; i++) {
                printf("%-10s", rows[i].name);
                for (enum way way = 0; way < WAYS; way++)
                        print_time(bench->ns[way][i]);
                print_ratio(bench->ns[WAY_DBT][i], bench->ns[WAY_NATIVE][i]);
                print_ratio(bench->ns[WAY_TCG][i], bench->ns[WAY_DBT][i]);
                printf("  %s\n", _(rows[i].what));
        }
        printf("\n");
        if (!bench->why_not[WAY_DBT])
                printf(_("dbt (Lodger's translator) takes %.2f times as long as the bare CPU"), mean_ratio(bench, WAY_DBT, WAY_NATIVE));
        if (!bench->why_not[WAY_DBT] && !bench->why_not[WAY_TCG])
                printf(_(", and tcg (QEMU's) %.2f times as long as dbt"), mean_ratio(bench, WAY_TCG, WAY_DBT));
        if (!bench->why_not[WAY_DBT])
                printf(_(" (geometric means).\n"));
        for (enum way way = WAY_DBT; way < WAYS; way++)
                if (bench->why_not[way])
                        printf(_("%s: not measured: %s\n"), way_names[way], bench->why_not[way]);
}

static void print_json(const struct bench *bench)
{
        char number[G_ASCII_DTOSTR_BUF_SIZE];

        printf("{\n  \"unit\": \"ns\"");
        for (enum way way = 0; way < WAYS; way++) {
                const char *separator = "";
                char *why = bench->why_not[way] ? g_strescape(bench->why_not[way], NULL) : NULL;

                if (why)
                        printf(",\n  \"%s\": { \"error\": \"%s\" }", way_names[way], why);
                else
                        printf(",\n  \"%s\": {", way_names[way]);
                for (unsigned i = 0; i < ROWS && !why; i++) {
                        if (bench->ns[way][i] == 0)
                                continue;
                        printf("%s \"%s\": %s", separator, rows[i].name, g_ascii_formatd(number, sizeof number, "%.3f", bench->ns[way][i]));
                        separator = ",";
                }
                if (!why)
                        printf(" }");
                g_free(why);
        }
        printf("\n}\n");
}

/* -- The command --------------------------------------------------------------------------------- */

int bench_main(int argc, char **argv)
{
        gboolean json = FALSE;
        gint rounds = 3;
        const GOptionEntry entries[] = {
                { "json", 0, 0, G_OPTION_ARG_NONE, &json, N_("print the figures as JSON, in nanoseconds"), NULL },
                { "rounds", 0, 0, G_OPTION_ARG_INT, &rounds, N_("measure N times, 1 to 100, and keep the least (default: 3)"), "N" },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(NULL);
        struct bench bench = { 0 };
        GError *error = NULL;
        int status = EXIT_OK;

        g_option_context_set_summary(context, _("Shows what guests cost on this host: user code and a kernel's work,\n"
                                                "natively and under each engine."));
        g_option_context_add_main_entries(context, entries, NULL);
        if (!cli_parse(context, "bench", &argc, &argv, &status)) {
                g_option_context_free(context);
                return status;
        }
        g_option_context_free(context);
        if (argc > 1)
                return cli_fail(EXIT_USAGE, "bench", _("%s: takes no arguments"), argv[1]);
        if (rounds < 1 || rounds > 100)
                return cli_fail(EXIT_USAGE, "bench", _("--rounds %d: 1 to 100"), rounds);
        if (prepare(&bench, &error)) {
                look_around(&bench);
                measure(&bench, rounds);
                if (json)
                        print_json(&bench);
                else
                        print_table(&bench);
                if (bench.why_not[WAY_DBT])
                        status = cli_fail(EXIT_HOST, "bench", "%s: %s", way_names[WAY_DBT], bench.why_not[WAY_DBT]);
        } else {
                status = cli_fail(EXIT_HOST, "bench", "%s", error->message);
                g_error_free(error);
        }
        if (bench.image)
                unlink(bench.image);
        g_free(bench.image);
        g_free(bench.self);
        return status;
}
