/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * profile.c - --trace=profile: a flat profile of the guest, and --perf-map.
 *
 * A timer on each vCPU thread's CPU time sends it a signal.  Its handler finds the guest instruction, whatever the
 * thread is at, and nothing on any path has to be kept for it:
 *
 *   in a block                      from the host address and the block's map
 *   in a stub, or a helper          from the return address into the block, which is the topmost word of the
 *                                   helpers' stack: translated code calls with RSP at struct dbt_cpu
 *   in the dispatcher, and below    cpu->rip
 *
 * The handler only writes a table that its own thread owns.  Linux puts each process's kernel at an address of its
 * own (KASLR); how far it has slid is seen from where the guest's system calls enter.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "base/i18n.h"
#include "base/log.h"
#include "base/symbols.h"
#include "dbt/profile.h"

enum { SAMPLE_SLOTS = 1 << 15, SAMPLE_NS = 1000000, REPORT_LINES = 60, RAW_BYTES = 64 };

/* What the vCPU's thread was at. */
enum place { PLACE_CODE, PLACE_HELPERS, PLACE_TRANSLATOR, PLACE_DEVICES, PLACE_ELSEWHERE, PLACES };
static const char *const place_names[PLACES] = { "code", "helpers", "translator", "devices", "elsewhere" };

struct sample {
        uint64_t rip;
        bool user;
        uint32_t count[PLACES];         /* all zero: the slot is free */
};

struct profile_cpu {
        timer_t timer;
        uint64_t lost;                  /* no slot was free */
        struct sample sample[SAMPLE_SLOTS];
};

struct profile {
        struct symbols *symbols;        /* NULL: none given */
        uint64_t slide;                 /* what the kernel's addresses are above those of its symbols */
        bool slide_known;
        bool sampled;
        FILE *map;                      /* NULL: not wanted */
        GHashTable *functions;          /* name -> struct sample, of vCPUs that have ended */
        uint64_t total[PLACES], lost;
};

/* -- Sampling ------------------------------------------------------------------------------------ */

static __thread struct profile_cpu *thread_profile;

static uint32_t sample_total(const struct sample *sample)
{
        uint32_t sum = 0;

        for (unsigned i = 0; i < PLACES; i++)
                sum += sample->count[i];
        return sum;
}

static void count_sample(struct profile_cpu *profile, uint64_t rip, bool user, enum place place)
{
        unsigned at = (unsigned)((rip ^ (uint64_t)user << 63) * 0x9e3779b97f4a7c15u >> 40);

        for (unsigned tries = 0; tries < 64; tries++) {
                struct sample *sample = &profile->sample[(at + tries) % SAMPLE_SLOTS];
                bool empty = !sample_total(sample);
                if (empty || (sample->rip == rip && sample->user == user)) {
                        sample->rip = rip;
                        sample->user = user;
                        sample->count[place]++;
                        return;
                }
        }
        profile->lost++;
}

/* RIP of the guest instruction that host code belongs to; false: it is in no block. */
static bool guest_rip(struct cpu *cpu, const uint8_t *host, uint64_t *rip)
{
        uint64_t saved_rip = cpu->rip, saved_next = cpu->next_rip;
        bool found = dbt_restore_rip(cpu, host, NULL) != NULL;

        *rip = cpu->rip;
        cpu->rip = saved_rip;
        cpu->next_rip = saved_next;
        return found;
}

static void handler(int number, siginfo_t *info, void *context)
{
        struct profile_cpu *profile = thread_profile;
        struct cpu *cpu = info->si_value.sival_ptr;
        const greg_t *g = ((const ucontext_t *)context)->uc_mcontext.gregs;

        (void)number;
        if (info->si_code != SI_TIMER || !profile)
                return;
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        const uint8_t *host = (const uint8_t *)g[REG_RIP], *sp = (const uint8_t *)g[REG_RSP];
        bool user = cpu->mode & MODE_USER;
        uint64_t rip;

        if (__atomic_load_n(&dcpu->kick_hook, __ATOMIC_RELAXED)) {      /* another engine has the vCPU */
                count_sample(profile, 0, false, PLACE_ELSEWHERE);
                return;
        }
        if (guest_rip(cpu, host, &rip)) {
                count_sample(profile, rip, user, PLACE_CODE);
                return;
        }
        enum place place = cpu->counts.in_device ? PLACE_DEVICES : dcpu->translating ? PLACE_TRANSLATOR : PLACE_HELPERS;
        if (sp > (const uint8_t *)dcpu->stack && sp < (const uint8_t *)dcpu &&
            guest_rip(cpu, ((const uint8_t *const *)dcpu)[-1] - 1, &rip)) {
                count_sample(profile, rip, user, place);
                return;
        }
        count_sample(profile, cpu->rip, user, place == PLACE_HELPERS ? PLACE_TRANSLATOR : place);
}

void profile_thread_enter(struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
        struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF, .sigev_value.sival_ptr = cpu };
        const struct itimerspec every = { .it_interval.tv_nsec = SAMPLE_NS, .it_value.tv_nsec = SAMPLE_NS };

        if (!dcpu->dbt->profile->sampled)
                return;
        event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
        sigemptyset(&action.sa_mask);
        sigaction(SIGPROF, &action, NULL);
        dcpu->profile = g_new0(struct profile_cpu, 1);
        if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &dcpu->profile->timer)) {
                log_warning(_("--trace=profile: no timer for vCPU %u: %s"), cpu->index, g_strerror(errno));
                g_clear_pointer(&dcpu->profile, g_free);
                return;
        }
        thread_profile = dcpu->profile;
        timer_settime(dcpu->profile->timer, 0, &every, NULL);
}

void profile_thread_leave(void)
{
        if (thread_profile)
                timer_delete(thread_profile->timer);
        thread_profile = NULL;
}

/* -- Names --------------------------------------------------------------------------------------- */

/* Where system calls enter says how far a kernel has slid from its symbols. */
static void find_slide(struct profile *profile, const struct cpu *cpu)
{
        const struct { const char *name; uint64_t address; } entries[] = {
                { "entry_SYSCALL_64", cpu->lstar }, { "entry_SYSENTER_32", cpu->sysenter_eip },
        };
        uint64_t address;

        for (unsigned i = 0; i < G_N_ELEMENTS(entries) && profile->symbols && !profile->slide_known; i++) {
                if (entries[i].address && symbols_address(profile->symbols, entries[i].name, &address)) {
                        profile->slide = entries[i].address - address;
                        profile->slide_known = true;
                }
        }
}

static const char *kernel_name(const struct profile *profile, uint64_t rip, uint64_t *offset)
{
        return profile->symbols ? symbols_find(profile->symbols, rip - profile->slide, offset) : NULL;
}

/* Functions by name, and what has none by pieces of RAW_BYTES. */
static char *sample_name(const struct profile *profile, const struct sample *sample)
{
        uint64_t offset;
        const char *name = sample->user ? NULL : kernel_name(profile, sample->rip, &offset);

        if (name)
                return g_strdup(name);
        if (!sample->rip)
                return g_strdup("-");
        return g_strdup_printf("%s %#llx", sample->user ? "user" : "kernel", (unsigned long long)sample->rip & ~(RAW_BYTES - 1ull));
}

void profile_cpu_free(struct dbt_cpu *dcpu)
{
        struct profile *profile = dcpu->dbt->profile;

        if (!dcpu->profile)
                return;
        find_slide(profile, &dcpu->cpu);
        for (unsigned i = 0; i < SAMPLE_SLOTS; i++) {
                const struct sample *sample = &dcpu->profile->sample[i];
                if (!sample_total(sample))
                        continue;
                char *name = sample_name(profile, sample);
                struct sample *sum = g_hash_table_lookup(profile->functions, name);
                if (!sum) {
                        sum = g_new0(struct sample, 1);
                        g_hash_table_insert(profile->functions, g_strdup(name), sum);
                }
                for (unsigned place = 0; place < PLACES; place++) {
                        sum->count[place] += sample->count[place];
                        profile->total[place] += sample->count[place];
                }
                g_free(name);
        }
        profile->lost += dcpu->profile->lost;
        g_clear_pointer(&dcpu->profile, g_free);
}

/* -- The report ---------------------------------------------------------------------------------- */

static gint by_count(gconstpointer a, gconstpointer b, gpointer functions)
{
        uint32_t left = sample_total(g_hash_table_lookup(functions, a)), right = sample_total(g_hash_table_lookup(functions, b));

        return left > right ? -1 : left < right;
}

static char *report(struct profile *profile)
{
        GString *text = g_string_new(NULL);
        GList *names = g_list_sort_with_data(g_hash_table_get_keys(profile->functions), by_count, profile->functions);
        unsigned lines = 0;
        uint64_t all = profile->lost;

        for (unsigned place = 0; place < PLACES; place++)
                all += profile->total[place];
        g_string_append_printf(text, "%llu samples of the vCPUs' CPU time, %% of them\n", (unsigned long long)all);
        g_string_append_printf(text, "%7s", "all");
        for (unsigned place = 0; place < PLACES; place++)
                g_string_append_printf(text, " %10s", place_names[place]);
        g_string_append(text, "  guest function, or address\n");
        all = MAX(all, 1);
        g_string_append_printf(text, "%7.2f", 100.0);
        for (unsigned place = 0; place < PLACES; place++)
                g_string_append_printf(text, " %10.2f", 100.0 * (double)profile->total[place] / (double)all);
        g_string_append(text, "  (sum)\n");
        for (GList *name = names; name && lines < REPORT_LINES; name = name->next, lines++) {
                const struct sample *sample = g_hash_table_lookup(profile->functions, name->data);
                g_string_append_printf(text, "%7.2f", 100.0 * sample_total(sample) / (double)all);
                for (unsigned place = 0; place < PLACES; place++)
                        g_string_append_printf(text, " %10.2f", 100.0 * sample->count[place] / (double)all);
                g_string_append_printf(text, "  %s\n", (const char *)name->data);
        }
        g_list_free(names);
        return g_string_free(text, FALSE);
}

static void write_report(struct profile *profile)
{
        const char *path = trace_profile_file();
        char *text = report(profile);
        GError *error = NULL;

        if (!path) {
                trace_write(TRACE_PROFILE, "%s", text);
        } else if (!g_file_set_contents(path, text, -1, &error)) {
                log_warning("--trace=profile:%s", error->message);
                g_error_free(error);
        }
        g_free(text);
}

/* -- The map of translated code ------------------------------------------------------------------ */

/* Where perf(1) looks for the names of a process's generated code. */
static FILE *open_map(GError **error)
{
        char *path = g_strdup_printf("/tmp/perf-%d.map", (int)getpid());
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

        if (!file)
                g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "--perf-map: %s: %s", path, g_strerror(errno));
        g_free(path);
        return file;
}

void profile_map_block(struct profile *profile, const struct cpu *cpu, const struct block *block)
{
        uint64_t offset;
        const char *name;

        if (!profile->map)
                return;
        find_slide(profile, cpu);
        name = kernel_name(profile, block->rip, &offset);
        fprintf(profile->map, "%lx %x guest:", (unsigned long)(uintptr_t)block->checked, block->host_bytes);
        if (name)
                fprintf(profile->map, "%s+%#llx\n", name, (unsigned long long)offset);
        else
                fprintf(profile->map, "%#llx\n", (unsigned long long)block->rip);
}

/* -- Life ---------------------------------------------------------------------------------------- */

bool profile_new(struct profile **out, const struct dbt_options *options, GError **error)
{
        struct profile *profile;

        *out = NULL;
        if (!TRACE_ON(PROFILE) && !options->perf_map && !options->symbols)
                return true;
        profile = *out = g_new0(struct profile, 1);
        profile->sampled = TRACE_ON(PROFILE);
        profile->functions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        if (options->symbols && !(profile->symbols = symbols_load(options->symbols, error))) {
                g_prefix_error(error, "--symbols ");
                return false;
        }
        return !options->perf_map || (profile->map = open_map(error));
}

void profile_free(struct profile *profile, const struct dbt *dbt)
{
        if (!profile)
                return;
        if (profile->sampled && dbt)
                write_report(profile);
        if (profile->map)
                fclose(profile->map);
        symbols_free(profile->symbols);
        g_hash_table_destroy(profile->functions);
        g_free(profile);
}
