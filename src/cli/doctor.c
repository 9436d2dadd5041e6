/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.c - `lodger doctor`: can this host run machines, with which engine, and if not, why.
 *
 * Asks the engines first (they decide the exit status), then looks at what hosts, containers and
 * sandboxes are known to withhold (traps.md T16), each with what to do about it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/i18n.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "machine/firmware.h"

/* Below this, a machine of the default size and its code cache do not fit. */
static const rlim_t ADDRESS_SPACE_MIN = (rlim_t)4 << 30;
enum { FILES_MIN = 256 };

enum verdict { VERDICT_OK, VERDICT_NOTE, VERDICT_BAD };

/* detail: what was found; remedy: what to do, NULL when nothing.  Both are freed by the caller. */
struct finding {
        enum verdict verdict;
        char *detail;
        char *remedy;
};

static void print_finding(const char *subject, const struct finding *finding)
{
        static const char *const words[] = { N_("ok"), N_("note"), N_("BAD") };

        printf("%-14s %-5s %s\n", subject, _(words[finding->verdict]), finding->detail);
        if (finding->remedy != NULL)
                printf("%-14s       %s\n", "", finding->remedy);
}

static struct finding finding_new(enum verdict verdict, char *detail, const char *remedy)
{
        return (struct finding){ verdict, detail, g_strdup(remedy) };
}

/* -- Host -------------------------------------------------------------------------------------- */

/* The code cache is one file seen twice: writable here, executable there.  The best one is a memfd; where
 * that is refused the translator tries temporary files, and says itself when nothing serves (above). */
static struct finding check_code_memory(void)
{
        size_t size = (size_t)sysconf(_SC_PAGESIZE);
        /* mov eax, 42; ret */
        static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
        void *writable = MAP_FAILED, *executable = MAP_FAILED;
        struct finding finding;
        int fd = memfd_create("lodger-doctor", MFD_CLOEXEC);

        if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
                finding = finding_new(VERDICT_NOTE, g_strdup_printf(_("memfd_create: %s; a temporary file has to serve"), g_strerror(errno)),
                                      _("better, let the sandbox allow memfd_create(2)"));
                goto out;
        }
        writable = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        executable = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
        if (writable == MAP_FAILED || executable == MAP_FAILED) {
                finding = finding_new(VERDICT_NOTE,
                                      g_strdup_printf(_("executable mapping of a memfd: %s; a temporary file has to serve"),
                                                      g_strerror(errno)),
                                      _("better, set vm.memfd_noexec to 0 or 1 (sysctl), and let SELinux allow execmem"));
                goto out;
        }
        memcpy(writable, code, sizeof(code));
        if (((int (*)(void))executable)() == 42)
                finding = finding_new(VERDICT_OK, g_strdup(_("made here, runs here, never writable where it is executable")), NULL);
        else
                finding = finding_new(VERDICT_BAD, g_strdup(_("two views of a memfd differ")),
                                      _("this sandbox does not share memory mappings; run Lodger outside it"));
out:
        if (writable != MAP_FAILED)
                munmap(writable, size);
        if (executable != MAP_FAILED)
                munmap(executable, size);
        if (fd >= 0)
                close(fd);
        return finding;
}

static struct finding check_address_space(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
                return finding_new(VERDICT_OK, g_strdup(_("unlimited")), NULL);
        return finding_new(limit.rlim_cur < ADDRESS_SPACE_MIN ? VERDICT_NOTE : VERDICT_OK,
                           g_strdup_printf(_("limited to %llu MiB"), (unsigned long long)limit.rlim_cur >> 20),
                           limit.rlim_cur < ADDRESS_SPACE_MIN ? _("raise it with \"ulimit -v unlimited\"") : NULL);
}

static struct finding check_files(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
                return finding_new(VERDICT_OK, g_strdup(_("unlimited")), NULL);
        return finding_new(limit.rlim_cur < FILES_MIN ? VERDICT_NOTE : VERDICT_OK,
                           g_strdup_printf(_("%llu descriptors"), (unsigned long long)limit.rlim_cur),
                           limit.rlim_cur < FILES_MIN ? _("raise it with \"ulimit -n 1024\"") : NULL);
}

/* The number in the line of /proc/meminfo that starts with key, in KiB; -1 when it is not there. */
static gint64 meminfo(const char *text, const char *key)
{
        const char *line = text ? strstr(text, key) : NULL;

        return line ? g_ascii_strtoll(line + strlen(key), NULL, 10) : -1;
}

static struct finding check_memory(void)
{
        char *overcommit = NULL, *info = NULL;
        struct finding finding;
        gint64 available;

        g_file_get_contents("/proc/sys/vm/overcommit_memory", &overcommit, NULL, NULL);
        g_file_get_contents("/proc/meminfo", &info, NULL, NULL);
        available = meminfo(info, "\nMemAvailable:");
        if (overcommit != NULL && overcommit[0] == '2')
                finding = finding_new(VERDICT_NOTE,
                                      g_strdup_printf(_("strict overcommit; %lld MiB may still be committed"),
                                                      (long long)(meminfo(info, "\nCommitLimit:") - meminfo(info, "\nCommitted_AS:")) >> 10),
                                      _("all of a guest's memory counts at once: choose --memory accordingly, or set vm.overcommit_memory to 0"));
        else if (available < 0)
                finding = finding_new(VERDICT_NOTE, g_strdup(_("/proc/meminfo cannot be read")), NULL);
        else
                finding = finding_new(VERDICT_OK, g_strdup_printf(_("%lld MiB available"), (long long)available >> 10), NULL);
        g_free(overcommit);
        g_free(info);
        return finding;
}

static struct finding check_cpu(void)
{
        bool bmi2 = __builtin_cpu_supports("bmi2"), sse42 = __builtin_cpu_supports("sse4.2");

        if (bmi2 && sse42)
                return finding_new(VERDICT_OK, g_strdup(_("has BMI2 and SSE4.2")), NULL);
        return finding_new(VERDICT_NOTE, g_strdup_printf(_("lacks%s%s"), bmi2 ? "" : " BMI2", sse42 ? "" : " SSE4.2"),
                           _("guests see what the CPU has; nested virtual machines may hide features: pass the host's CPU through"));
}

static struct finding check_firmware(void)
{
        GError *error = NULL;
        GBytes *image = firmware_load(NULL, &error);
        struct finding finding;

        if (image != NULL) {
                finding = finding_new(VERDICT_OK, g_strdup_printf(_("SeaBIOS found, %zu KiB"), g_bytes_get_size(image) >> 10), NULL);
                g_bytes_unref(image);
        } else {
                finding = finding_new(VERDICT_NOTE, g_strdup(error->message),
                                      _("install the package seabios, or give --firmware FILE"));
                g_clear_error(&error);
        }
        return finding;
}

/* -- The command ------------------------------------------------------------------------------- */

static const struct {
        const char *subject;
        struct finding (*check)(void);
} checks[] = {
        { N_("code memory"), check_code_memory },
        { N_("CPU"), check_cpu },
        { N_("memory"), check_memory },
        { N_("address space"), check_address_space },
        { N_("open files"), check_files },
        { N_("firmware"), check_firmware },
};

/* In the order in which --engine auto tries them. */
static const char *const engines[] = { "kvm", "dbt" };

int doctor_main(int argc, char **argv)
{
        GOptionContext *context = g_option_context_new(NULL);
        const char *chosen = NULL;
        int status;

        g_option_context_set_summary(context, _("Tells which engine would run machines here, what is missing and what to do.\n"
                                                "Exit status: 0 when any engine can run, 1 when none can, 2 usage."));
        if (!cli_parse(context, "doctor", &argc, &argv, &status))
                goto out;
        if (argc > 1) {
                status = cli_fail(EXIT_USAGE, "doctor", _("%s: takes no arguments"), argv[1]);
                goto out;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(engines); i++) {
                char *subject = g_strdup_printf(_("engine %s"), engines[i]);
                char *why = NULL;
                bool can_run = engine_probe(engines[i], &why);
                struct finding finding = { can_run ? VERDICT_OK : !strcmp(engines[i], "kvm") ? VERDICT_NOTE : VERDICT_BAD, why, NULL };

                if (can_run && chosen == NULL)
                        chosen = engines[i];
                if (finding.detail == NULL)
                        finding.detail = g_strdup(can_run ? _("can run") : _("cannot run"));
                print_finding(subject, &finding);
                g_free(finding.detail);
                g_free(subject);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
                struct finding finding = checks[i].check();

                print_finding(_(checks[i].subject), &finding);
                g_free(finding.detail);
                g_free(finding.remedy);
        }
        if (chosen != NULL)
                printf(_("\nMachines run here, with the engine %s.\n"), chosen);
        else
                puts(_("\nNo engine can run here; see above for why."));
        status = chosen != NULL ? EXIT_OK : EXIT_HOST;
out:
        g_option_context_free(context);
        return status;
}
