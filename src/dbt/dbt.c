/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dbt.c - making and ending a translator and its vCPUs; what the dispatcher does out of its hot path.
 */
#include <cpuid.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/log.h"
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/lapic.h"
#include "cpu/paravirt.h"
#include "dbt/check.h"
#include "dbt/profile.h"
#include "dbt/slow.h"

enum { DEFAULT_CACHE_BYTES = 32 << 20, HELPER_STACK_BYTES = 256 * 1024 };

/* -- Host features ----------------------------------------------------------------------------- */

static bool host_has_bmi2(void)
{
        unsigned a, b, c, d;
        if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_BMI2))
                return false;
        /* AMD's cores before Zen 3 (family 19h) take hundreds of cycles for a PEXT: worse than doing without. */
        unsigned family, eax = 0;
        __get_cpuid(0, &eax, &b, &c, &d);
        if (b != signature_AMD_ebx)
                return true;
        __get_cpuid(1, &eax, &b, &c, &d);
        family = (eax >> 8 & 15) + (eax >> 20 & 255);
        return family >= 0x19;
}

static bool host_has_xsave(void)
{
        unsigned a, b, c, d;
        return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE);
}

static uint64_t host_xcr0(void)
{
        uint32_t low, high;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        return (uint64_t)high << 32 | low;
}

uint64_t dbt_random_key(void)
{
        uint64_t key;

        if (getrandom(&key, sizeof key, 0) != sizeof key)
                key = (uint64_t)g_random_int() << 32 | g_random_int();
        return key;
}

char *dbt_why_not(void)
{
        struct cache cache = { 0 };
        GError *error = NULL;

        if (!cache_init(&cache, 1 << 20, false, &error)) {
                char *why = g_strdup(error->message);
                g_error_free(error);
                return why;
        }
        cache_fini(&cache);
        return NULL;
}

/* -- Writes over code -------------------------------------------------------------------------- */

/* The translator whose lock this thread holds: a page walk under it may write an accessed bit over code. */
static __thread struct dbt *thread_locked;
static __thread bool written_meanwhile;

static void translator_lock(struct dbt *dbt)
{
        lock_acquire(&dbt->lock);
        thread_locked = dbt;
}

static void translator_unlock(struct dbt *dbt)
{
        thread_locked = NULL;
        lock_release(&dbt->lock);
}

/* By a vCPU's store or a device's.  When it returns nobody enters a block made from the old bytes any more, so
 * that what the writer does next (publish a pointer, raise an interrupt) finds the new ones. */
static void code_written(void *opaque, gpa_t gpa, size_t size)
{
        struct dbt *dbt = opaque;
        bool locked = thread_locked == dbt;

        if (locked)
                written_meanwhile = true;
        else
                translator_lock(dbt);
        block_drop_range(dbt, gpa, size);
        if (!locked)
                translator_unlock(dbt);
}

/* Host addresses in TLBs, and what physical addresses mean, may be stale: every vCPU starts afresh.
 * Blocks are known by physical address; those whose page now shows something else must go. */
static void map_changed(void *opaque)
{
        struct dbt *dbt = opaque;

        translator_lock(dbt);
        dbt_flush(dbt);
        translator_unlock(dbt);
        for (guint i = 0; i < dbt->cpus->len; i++)
                cpu_request(g_ptr_array_index(dbt->cpus, i), CPU_REQUEST_FLUSH);
}

/* Pages without code moved: only host addresses are stale. */
static void data_moved(void *opaque)
{
        struct dbt *dbt = opaque;

        for (guint i = 0; i < dbt->cpus->len; i++)
                cpu_request(g_ptr_array_index(dbt->cpus, i), CPU_REQUEST_FLUSH);
}

/* -- Translator -------------------------------------------------------------------------------- */

struct dbt *dbt_new(struct memory *memory, const struct dbt_options *options, GError **error)
{
        struct dbt *dbt = g_new0(struct dbt, 1);

        dbt->memory = memory;
        if (options)
                dbt->options = *options;
        uint64_t bytes = dbt->options.cache_bytes ? dbt->options.cache_bytes : DEFAULT_CACHE_BYTES;
        if (!profile_new(&dbt->profile, &dbt->options, error) || !cache_init(&dbt->cache, bytes, dbt->options.perf_map, error)) {
                profile_free(dbt->profile, NULL);
                g_free(dbt);
                return NULL;
        }
        dbt->started_tsc = __builtin_ia32_rdtsc();
        dbt->started_ns = (uint64_t)g_get_monotonic_time() * 1000;
        dbt->bmi2 = host_has_bmi2() && !dbt->options.no_bmi2;
        dbt->xsave = host_has_xsave();
        /* x87 and SSE come from the image; AVX and AVX-512 upper parts are made clean, or every legacy SSE
         * instruction of the guest would wait for them. */
        dbt->xsave_mask = dbt->xsave ? host_xcr0() & 0xe7 : 0;
        struct emit e = { .p = dbt->cache.rw, .end = dbt->cache.chunk[0].start, .delta = dbt->cache.rx - dbt->cache.rw };
        stubs_emit(dbt, &e);
        dbt->no_key = dbt_random_key();
        lock_init(&dbt->lock, LOCK_RANK_TRANSLATOR, "translator");
        pthread_mutex_init(&dbt->smp_mutex, NULL);
        pthread_cond_init(&dbt->smp_changed, NULL);
        dbt->contexts = g_ptr_array_new_with_free_func(g_free);
        dbt->cpus = g_ptr_array_new();
        dbt->listener = (struct memory_listener){ .map_changed = map_changed, .data_moved = data_moved, .code_written = code_written, .opaque = dbt };
        memory_add_listener(memory, &dbt->listener);
        if (!dbt_signals_install(error)) {
                dbt_free(dbt);
                return NULL;
        }
        return dbt;
}

void dbt_free(struct dbt *dbt)
{
        if (!dbt)
                return;
        profile_free(dbt->profile, dbt);
        dbt_flush(dbt);
        block_forget_pages(dbt);
        cache_fini(&dbt->cache);
        g_ptr_array_free(dbt->cpus, TRUE);
        g_ptr_array_free(dbt->contexts, TRUE);
        lock_destroy(&dbt->lock);
        pthread_mutex_destroy(&dbt->smp_mutex);
        pthread_cond_destroy(&dbt->smp_changed);
        g_free(dbt);
}

void dbt_flush(struct dbt *dbt)
{
        for (unsigned i = 0; i < CACHE_CHUNKS; i++)
                block_evict_chunk(dbt, i);
}

void dbt_forget(struct dbt *dbt)
{
        translator_lock(dbt);
        dbt_flush(dbt);
        translator_unlock(dbt);
}

/* -- vCPUs ------------------------------------------------------------------------------------- */

static void on_shutdown(void *opaque, struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        dcpu->shutdown = true;
        if (dcpu->machine_shutdown)
                dcpu->machine_shutdown(opaque, cpu);
}

struct cpu *dbt_cpu_new(struct dbt *dbt, unsigned index, const struct cpu_model *model, const struct cpu_env *env,
                        GError **error)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t struct_bytes = (sizeof(struct dbt_cpu) + page - 1) & ~(page - 1);
        size_t bytes = page + HELPER_STACK_BYTES + struct_bytes;
        uint8_t *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (mapping == MAP_FAILED || mprotect(mapping, page, PROT_NONE)) {
                g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "no memory for vCPU %u: %s", index, g_strerror(errno));
                return NULL;
        }
        struct dbt_cpu *dcpu = (struct dbt_cpu *)(mapping + page + HELPER_STACK_BYTES);
        struct cpu *cpu = &dcpu->cpu;
        dcpu->dbt = dbt;
        dcpu->stack = mapping;
        dcpu->mapping_bytes = bytes;
        dcpu->interrupt_vector = cpu_interrupt_vector;
        dcpu->page_mask = PAGE_MASK;
        for (unsigned i = 0; i < G_N_ELEMENTS(dcpu->aligned_mask); i++)
                dcpu->aligned_mask[i] = PAGE_MASK | ((UINT64_C(1) << i) - 1);
        dcpu->index_mask = (uint64_t)(TLB_ENTRIES - 1) << PAGE_SHIFT;
        if (dbt->options.check) {
                dcpu->check = g_new0(struct check, 1);
                dcpu->extra_mode = MODE_CHECK;
        }
        dcpu->arith_mask = FLAGS_ARITH;
        dcpu->pushed_mask = ~(uint64_t)(FLAGS_ARITH | FLAG_IF | FLAG_DF | FLAG_RF | FLAG_VM) & 0x3fffff;
        dcpu->df_mask = FLAG_DF;
        dcpu->if_df_mask = FLAG_IF | FLAG_DF;
        pthread_mutex_init(&dcpu->wait_mutex, NULL);
        pthread_cond_init(&dcpu->wait, NULL);
        cpu->env = *env;
        dcpu->machine_shutdown = env->shutdown;
        cpu->env.shutdown = on_shutdown;
        cpu_init(cpu, index, model, dbt->memory);
        g_assert(dbt->cpus->len < DBT_CPUS_MAX);
        g_ptr_array_add(dbt->cpus, cpu);
        dbt->smp = dbt->cpus->len > 1;
        dbt->crowded = dbt->smp && dbt->cpus->len > smp_host_cpus();
        for (guint i = 0; i < dbt->cpus->len; i++)
                ((struct cpu *)g_ptr_array_index(dbt->cpus, i))->others = dbt->smp;
        dbt_state_changed(cpu);
        return cpu;
}

void dbt_cpu_free(struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        g_ptr_array_remove(dcpu->dbt->cpus, cpu);
        pthread_mutex_destroy(&dcpu->wait_mutex);
        pthread_cond_destroy(&dcpu->wait);
        g_free(dcpu->check);
        profile_cpu_free(dcpu);
        munmap(dcpu->stack, dcpu->mapping_bytes);
}

void dbt_state_changed(struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        cpu->vector_live = false;
        cpu->fpu.image[512] |= 3;               /* XSTATE_BV: x87 and SSE come from the image */
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                cpu_segment_changed(cpu, (enum cpu_segment)i);
        cpu_mode_changed(cpu);
        tlb_flush(cpu, true);
        __atomic_store_n(&dcpu->jc_key, dcpu->dbt->no_key, __ATOMIC_SEQ_CST);
        dcpu->ferr_wait = false;
        dcpu->single_next = dcpu->resume = false;
        cpu_debug_changed(cpu);
}

/* -- The dispatcher's slow side ---------------------------------------------------------------- */

const struct context *dbt_slow_context(struct dbt *dbt, uint64_t mode, uint64_t cs_base, uint32_t cs_limit,
                                       uint64_t debug_key)
{
        translator_lock(dbt);
        const struct context *context = context_intern(dbt, mode, cs_base, cs_limit, debug_key);
        translator_unlock(dbt);
        return context;
}

/* A grace period, with the lock let go meanwhile. */
static void wait_grace(struct dbt_cpu *dcpu)
{
        struct dbt *dbt = dcpu->dbt;

        dbt_count_locked(dbt, DBT_COUNT_GRACE, 1);
        translator_unlock(dbt);
        smp_synchronize(dcpu);
        translator_lock(dbt);
}

/* Room in the current chunk for a block of any size: or the next one, the oldest, is emptied. */
static void make_room(struct dbt_cpu *dcpu)
{
        struct dbt *dbt = dcpu->dbt;

        while (!cache_has_room(&dbt->cache, BLOCK_MAX_BYTES)) {
                if (dbt->evicting) {            /* by the time we have waited, it may be done */
                        wait_grace(dcpu);
                        continue;
                }
                block_evict_chunk(dbt, (dbt->cache.current + 1) % CACHE_CHUNKS);
                if (dbt->smp) {
                        dbt->evicting = true;
                        wait_grace(dcpu);
                        dbt->evicting = false;
                }
                cache_next_chunk(&dbt->cache);
        }
}

/* Its first instruction goes on in a page that is not memory, so no write to that is ever told. */
static bool reaches_device(struct dbt *dbt, const struct block *block)
{
        return block->gpa2 != ~(gpa_t)0 && !memory_page(dbt->memory, block->gpa2).host;
}

/* Whether the same was translated before: by a hash, so that now and then it is mistaken. */
static bool translated_before(struct dbt *dbt, const struct context *context, uint64_t rip, gpa_t gpa)
{
        uint64_t hash = ((rip ^ gpa << 20 ^ context->id) * 0x9e3779b97f4a7c15u) | 1;
        uint32_t *slot = &dbt->translated[hash >> 40 & (TRANSLATED_SLOTS - 1)];
        bool before = *slot == (uint32_t)hash;

        *slot = (uint32_t)hash;
        return before;
}

static struct block *slow_translate(struct cpu *cpu, const struct context *context, uint64_t rip, gpa_t gpa)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        struct dbt *dbt = dcpu->dbt;
        bool device = !memory_page(dbt->memory, gpa).host;

        if (device)
                for (unsigned i = 0; i < sizeof dcpu->device_code; i++)
                        dcpu->device_code[i] = (uint8_t)memory_mmio_read(dbt->memory, gpa + i, 1);
        translator_lock(dbt);
        struct block *block = NULL;
        for (;;) {
                gpa_t unready = ~(gpa_t)0;

                make_room(dcpu);
                /* Another vCPU may have been here while we waited. */
                if (dbt->smp && !device && (block = block_find(dbt, context, rip, gpa)) && block->gpa2 == ~(gpa_t)0)
                        break;
                written_meanwhile = false;
                block = dbt_translate(cpu, context, rip, gpa, device ? 1 : 0, &unready);
                if (unready != ~(gpa_t)0) {
                        wait_grace(dcpu);
                        block_page_ready(dbt, unready);
                        continue;
                }
                if (block && written_meanwhile) {
                        block->dead = true;     /* it may be made from old bytes; the accessed bits are set now */
                        continue;
                }
                if (block && (device || reaches_device(dbt, block)))
                        block->dead = true;     /* run once: its bytes may be others next time */
                else if (block)
                        block_insert(dbt, block);
                if (block && !device && translated_before(dbt, context, rip, gpa))
                        dbt_count_locked(dbt, DBT_COUNT_AGAIN, 1);
                if (block && dbt->profile)
                        profile_map_block(dbt->profile, cpu, block);
                dbt_publish(dbt);
                break;
        }
        translator_unlock(dbt);
        if (block && TRACE_ON(BLOCK))
                dbt_dump_block(dbt, block);
        return block;
}

struct block *dbt_slow_translate(struct cpu *cpu, const struct context *context, uint64_t rip, gpa_t gpa)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);
        uint64_t begin = __builtin_ia32_rdtsc();

        __atomic_store_n(&dcpu->translating, true, __ATOMIC_RELAXED);
        struct block *block = slow_translate(cpu, context, rip, gpa);
        __atomic_store_n(&dcpu->translating, false, __ATOMIC_RELAXED);
        counter_add(&dcpu->translating_cycles, __builtin_ia32_rdtsc() - begin);
        return block;
}

void dbt_slow_link(struct dbt *dbt, struct block_exit *exit, struct block *block, uint64_t generation)
{
        translator_lock(dbt);
        if (generation == dbt->generation)
                block_link(dbt, exit, block);
        translator_unlock(dbt);
}

void dbt_slow_drop(struct dbt *dbt, struct block *block)
{
        translator_lock(dbt);
        block_drop(dbt, block);
        translator_unlock(dbt);
}

void dbt_slow_reset(struct cpu *cpu, bool init_only)
{
        cpu_reset(cpu, init_only);
        if (cpu->lapic && init_only)    /* RESET# has reached the APIC by itself */
                lapic_take_init(cpu->lapic);
}

void dbt_slow_start(struct cpu *cpu)
{
        int page = cpu->lapic ? lapic_take_sipi(cpu->lapic) : -1;

        /* One that comes while the vCPU runs is ignored: kernels send two. */
        if (page < 0 || !cpu->waiting_for_sipi)
                return;
        cpu->waiting_for_sipi = false;
        cpu->seg[SEG_CS].selector = (uint16_t)(page << 8);
        cpu->seg[SEG_CS].base = (uint64_t)page << 12;
        cpu_segment_changed(cpu, SEG_CS);
        cpu->rip = 0;
}

void dbt_take_reset(struct cpu *cpu, uint32_t bits)
{
        const uint32_t resets = CPU_REQUEST_RESET | CPU_REQUEST_INIT;

        if (bits & resets) {
                __atomic_and_fetch(&cpu->request, ~(bits & resets), __ATOMIC_SEQ_CST);
                dbt_slow_reset(cpu, !(bits & CPU_REQUEST_RESET));
                dbt_state_changed(cpu);
        }
        if (bits & CPU_REQUEST_SIPI)
                dbt_slow_start(cpu);
}

void dbt_set_kick(struct cpu *cpu, void (*kick)(void *opaque), void *opaque)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        if (kick)
                dcpu->kick_opaque = opaque;
        __atomic_store_n(&dcpu->kick_hook, kick, __ATOMIC_SEQ_CST);
}

bool dbt_is_software_interrupt(insn_handler *handler)
{
        return handler == exec_int || handler == exec_int3 || handler == exec_into || handler == exec_int1;
}

void dbt_trace_exception(struct cpu *cpu)
{
        if (!TRACE_ON(EXCEPTION))
                return;
        cpu_host_begin(cpu);
        TRACE(EXCEPTION, "vector %u error %x at %04x:%llx cr2 %llx cpl %u\n", cpu->exception.vector, cpu->exception.error,
              cpu->seg[SEG_CS].selector, (unsigned long long)cpu->rip, (unsigned long long)cpu->exception.cr2, cpu->cpl);
}

void dbt_trace_enter(struct cpu *cpu, const struct block *block)
{
        if (!TRACE_ON(EXEC))
                return;
        cpu_host_begin(cpu);
        TRACE(EXEC, "%04x:%08llx insns %u eax %08llx ecx %08llx edx %08llx ebx %08llx esp %08llx ebp %08llx esi %08llx edi %08llx flags %llx\n",
              cpu->seg[SEG_CS].selector, (unsigned long long)block->rip, block->insns, (unsigned long long)cpu->regs[RAX],
              (unsigned long long)cpu->regs[RCX], (unsigned long long)cpu->regs[RDX], (unsigned long long)cpu->regs[RBX],
              (unsigned long long)cpu->regs[RSP], (unsigned long long)cpu->regs[RBP], (unsigned long long)cpu->regs[RSI],
              (unsigned long long)cpu->regs[RDI], (unsigned long long)cpu_rflags(cpu));
}

/* -- Threads ----------------------------------------------------------------------------------- */

void dbt_thread_enter(struct cpu *cpu)
{
        dbt_signals_thread_enter(cpu);
        if (dbt_cpu(cpu)->dbt->profile)
                profile_thread_enter(cpu);
}

void dbt_thread_leave(void)
{
        profile_thread_leave();
        dbt_signals_thread_leave();
        paravirt_thread_leave();
}

void dbt_wake(struct dbt_cpu *dcpu)
{
        pthread_mutex_lock(&dcpu->wait_mutex);
        pthread_cond_broadcast(&dcpu->wait);
        pthread_mutex_unlock(&dcpu->wait_mutex);
}

void dbt_wait(struct cpu *cpu)
{
        struct dbt_cpu *dcpu = dbt_cpu(cpu);

        cpu_host_begin(cpu);
        dbt_count(dcpu, DBT_COUNT_HALTS, 1);
        pthread_mutex_lock(&dcpu->wait_mutex);
        __atomic_store_n(&dcpu->sleeping, true, __ATOMIC_SEQ_CST);
        while (!dbt_can_run(cpu))
                pthread_cond_wait(&dcpu->wait, &dcpu->wait_mutex);
        __atomic_store_n(&dcpu->sleeping, false, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&dcpu->wait_mutex);
}
