/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_confined.c - whatever bytes a guest executes, in whatever mode, nothing outside its memory and the
 * translator changes, and the process survives.
 *
 * Each round sets up a mode, tables and registers, fills pages with instructions (most of them valid, with
 * operands that like edges) and lets them run; exceptions lead to more of the same.  Around it stand
 * canaries: mappings and heap blocks whose contents are known, and the data of every library in the
 * process that the translator does not use.
 *
 * CONFINED_SECONDS: how long (default 10, shared by the modes); CONFINED_SEED: where the random numbers
 * start.
 */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "cpu/insn.h"
#include "cpu/mode.h"
#include "dbt/internal.h"
#include "dbt_fixture.h"

enum {
        GDT_AT = 0x1000, IDT_AT = 0x2000, TSS_AT = 0x3000, TABLES_AT = 0x4000, CODE_PAGES = 8, CODE_BYTES = CODE_PAGES * 4096,
        ROM_AT = 0xe0000, BLOCKS_A_ROUND = 300, CANARIES = 24, CANARY_BYTES = 64 * 1024, HEAP_BLOCKS = 512,
        DEFAULT_SECONDS = 10, STUCK_SECONDS = 20,
};

static uint64_t seed;

static uint64_t random64(void)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed * 0x2545f4914f6cdd1du;
}

static unsigned pick(unsigned n) { return (unsigned)(random64() >> 33) % n; }

/* -- Canaries ------------------------------------------------------------------------------------ */

static uint8_t *canary[CANARIES];
static uint8_t *heap_block[HEAP_BLOCKS];

static unsigned heap_bytes(unsigned i) { return 16 + i * 37 % 4000; }

static uint8_t pattern(uint64_t i) { return (uint8_t)(i * 0x9e3779b97f4a7c15u >> 56); }

static void canaries_plant(unsigned from, unsigned to)
{
        for (unsigned i = from; i < to; i++) {
                canary[i] = mmap(NULL, CANARY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                ck_assert_ptr_ne(canary[i], MAP_FAILED);
                for (unsigned j = 0; j < CANARY_BYTES; j++)
                        canary[i][j] = pattern(j + i);
        }
        for (unsigned i = from * HEAP_BLOCKS / CANARIES; i < to * HEAP_BLOCKS / CANARIES; i++) {
                heap_block[i] = g_malloc(heap_bytes(i));
                for (unsigned j = 0; j < heap_bytes(i); j++)
                        heap_block[i][j] = pattern(j * 3 + i);
        }
}

static void canaries_check(void)
{
        for (unsigned i = 0; i < CANARIES; i++)
                for (unsigned j = 0; j < CANARY_BYTES; j++)
                        if (canary[i][j] != pattern(j + i))
                                ck_abort_msg("canary %u has changed at %u", i, j);
        for (unsigned i = 0; i < HEAP_BLOCKS; i++)
                for (unsigned j = 0; j < heap_bytes(i); j++)
                        if (heap_block[i][j] != pattern(j * 3 + i))
                                ck_abort_msg("heap block %u has changed at %u", i, j);
}

static void canaries_free(void)
{
        for (unsigned i = 0; i < CANARIES; i++)
                munmap(canary[i], CANARY_BYTES);
        for (unsigned i = 0; i < HEAP_BLOCKS; i++)
                g_free(heap_block[i]);
}

/* A hash of every mapping of a library's data, and of read-only data of all; the C library's and the
 * program's own data change by right. */
static uint64_t libraries_hash(void)
{
        FILE *maps = fopen("/proc/self/maps", "r");
        uint64_t hash = 0;
        char line[512];

        ck_assert_ptr_nonnull(maps);
        while (fgets(line, sizeof line, maps)) {
                unsigned long from, to;
                char rights[8], path[300] = "";
                if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %299s", &from, &to, rights, path) < 3 || rights[0] != 'r')
                        continue;
                if (path[0] != '/' || !strstr(path, ".so") || strstr(path, "libc") || strstr(path, "ld-") || strstr(path, "san"))
                        continue;
                for (const uint64_t *p = (const uint64_t *)from; p < (const uint64_t *)to; p++)
                        hash = (hash ^ *p) * 0x100000001b3u;
        }
        fclose(maps);
        return hash;
}

/* -- Code ---------------------------------------------------------------------------------------- */

static uint32_t edge(void)
{
        static const uint32_t edges[] = {
                0, 1, 2, 4, 0x7f, 0x80, 0xfff, 0x1000, 0xffe, 0xffff, 0x10000, 0xfffe, 0x7fffffff, 0x80000000, 0xffffffff,
                0xfffffff0, RAM_BYTES, RAM_BYTES - 1, RAM_BYTES - 8, RAM_BYTES - 4096, DATA, DATA + 0xffd, CODE, CODE + 0x1ffc, STACK,
                ROM_AT, ROM_AT - 2, TABLES_AT, IDT_AT, GDT_AT, 0xfff00000, 0x400000, 0x3ffffe, DEVICE + 4096, 0x00007fff,
        };
        return edges[pick(G_N_ELEMENTS(edges))] + (pick(4) ? 0 : pick(17) - 8);
}

static unsigned random_bytes(uint8_t *to, uint64_t mode)
{
        static const uint8_t prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
        unsigned n = 0;

        for (unsigned i = pick(4) ? 0 : 1 + pick(2); i; i--)
                to[n++] = prefixes[pick(G_N_ELEMENTS(prefixes))];
        if ((mode & MODE_CODE64) && pick(2))
                to[n++] = (uint8_t)(0x40 | pick(16));
        unsigned map = pick(20);
        if (map >= 11)
                to[n++] = 0x0f;
        if (map >= 18)
                to[n++] = map == 18 ? 0x38 : 0x3a;
        to[n++] = (uint8_t)pick(256);
        to[n++] = (uint8_t)(pick(2) ? pick(256) : (pick(8) << 3 | (mode & (MODE_CODE32 | MODE_CODE64) ? 5 : 6)));
        if (pick(2))
                to[n++] = (uint8_t)pick(256);
        uint32_t value = pick(2) ? edge() : (uint32_t)random64();
        memcpy(to + n, &value, 4);
        n += 4;
        value = pick(2) ? edge() : pick(256);
        memcpy(to + n, &value, 4);
        return n + 4;
}

/* One instruction at `to`; its length.  Mostly valid, and mostly one that lets those after it run. */
static unsigned generate(uint8_t *to, uint64_t mode)
{
        for (unsigned tries = 0; tries < 40; tries++) {
                uint8_t bytes[32] = { 0 };
                struct insn insn;
                random_bytes(bytes, mode);
                if (!pick(40)) {
                        memcpy(to, bytes, 4);
                        return 4;
                }
                if (insn_decode(&insn, bytes, 15, mode, cpu->model->features) != DECODE_OK)
                        continue;
                enum insn_kind kind = (enum insn_kind)insn.opcode->kind;
                bool jumps = kind >= KIND_JMP && kind <= KIND_RET;
                if ((jumps && pick(4)) || (kind == KIND_EXEC_END && pick(8)) || kind == KIND_INVALID || bytes[0] == 0xf4)
                        continue;
                /* Branches go a little way. */
                if ((kind == KIND_JCC || kind == KIND_JMP || kind == KIND_CALL || kind == KIND_LOOP) && insn.imm_bytes == 4)
                        memcpy(bytes + insn.length - 4, &(int32_t){ (int32_t)pick(2000) - 1000 }, 4);
                memcpy(to, bytes, insn.length);
                return insn.length;
        }
        *to = 0x90;
        return 1;
}

static void fill_code(uint64_t mode)
{
        uint8_t *code = memory_ram(memory) + CODE;

        /* A page or two anew each round; what the guest and earlier rounds left stays in the others. */
        for (unsigned pages = 1 + pick(2); pages; pages--) {
                unsigned at = pick(CODE_PAGES) * 4096, end = at + 4096;
                while (at < end - 16)
                        at += generate(code + at, mode);
        }
}

/* -- Modes --------------------------------------------------------------------------------------- */

enum { M_REAL, M_FLAT, M_SMALL, M_CODE16, M_USER, M_PAGED, M_V86, M_LONG, M_LONG_USER, M_COMPAT, MODES };
static const char *const mode_names[] = { "real", "flat", "small segments", "16-bit", "CPL 3", "paged", "virtual-8086",
                                          "64-bit", "64-bit CPL 3", "compatibility" };

static void poke(uint32_t at, uint64_t value, size_t size) { memcpy(memory_ram(memory) + at, &value, size); }

static void descriptor(unsigned selector, uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
        poke(GDT_AT + selector, (uint64_t)(limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
                                        (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56, 8);
}

static uint32_t code_address(void) { return CODE + pick(2) * pick(CODE_BYTES) + pick(CODE_PAGES) * 16; }

static void tables(bool wide)
{
        descriptor(0x08, 0, 0xfffff, 0x9b, wide ? 0xa : 0xc);
        descriptor(0x10, 0, 0xfffff, 0x93, 0xc);
        descriptor(0x18, CODE, 0xffff, 0x9b, 0);
        descriptor(0x20, pick(RAM_BYTES), pick(0x10000), 0x93, 0);
        descriptor(0x28, 0, 0xfffff, 0xfb, wide ? 0xa : 0xc);
        descriptor(0x30, 0, 0xfffff, 0xf3, 0xc);
        descriptor(0x38, pick(RAM_BYTES), pick(0x10000), 0xf7, 4);
        descriptor(0x40, TSS_AT, 0x2067, 0x8b, 0);
        poke(GDT_AT + 0x48, 0, 8);
        cpu->gdt.base = GDT_AT;
        cpu->gdt.limit = 0xff;
        cpu->idt.base = IDT_AT;
        cpu->idt.limit = wide ? 0xfff : 0x7ff;
        for (unsigned i = 0; i < 256; i++) {
                uint32_t to = code_address();
                uint64_t gate = (to & 0xffff) | 8ull << 16 | (uint64_t)(0x8e00 | (pick(4) ? 0x6000 : 0) | (pick(2) << 8)) << 32 |
                                (uint64_t)(to >> 16) << 48;
                poke(IDT_AT + i * (wide ? 16 : 8), gate, 8);
                if (wide)
                        poke(IDT_AT + i * 16 + 8, 0, 8);
        }
        if (wide) {
                poke(TSS_AT + 4, STACK, 8);
        } else {
                poke(TSS_AT + 4, STACK, 4);
                poke(TSS_AT + 8, 0x10, 4);
        }
        poke(TSS_AT + 102, 104, 2);
        memset(memory_ram(memory) + TSS_AT + 104, pick(2) ? 0 : 0xff, 128);
        fixture_segment(SEG_TR, 0x40, TSS_AT, 0x67, 0x8b);
        fixture_segment(SEG_LDTR, 0, 0, 0, 0);
}

/* The first 16 MiB to themselves, with holes and pages of all kinds; high half the same in long mode. */
static void page_tables(bool wide)
{
        uint32_t table = TABLES_AT + 0x3000;
        unsigned size = wide ? 8 : 4, in_table = wide ? 512 : 1024;

        memset(memory_ram(memory) + TABLES_AT, 0, 0x3000);
        for (unsigned i = 0; i < 1024; i++) {
                unsigned flags = 0x67;
                if (i >= 0x20 && !pick(6))
                        flags = pick(128) & ~0x18u;
                poke(table + i * size, (uint64_t)i << 12 | flags, size);
        }
        if (!wide) {
                poke(TABLES_AT, table | 0x67, 4);
                poke(TABLES_AT + 4 * 1023, table | 0x67, 4);
        } else {
                poke(TABLES_AT, (TABLES_AT + 0x1000) | 0x67, 8);
                poke(TABLES_AT + 8 * 511, (TABLES_AT + 0x1000) | 0x67, 8);
                poke(TABLES_AT + 0x1000, (TABLES_AT + 0x2000) | 0x67, 8);
                poke(TABLES_AT + 0x1000 + 8 * 511, (TABLES_AT + 0x2000) | 0x67, 8);
                for (unsigned i = 0; i < 1024 / in_table; i++)
                        poke(TABLES_AT + 0x2000 + 8 * i, (table + 4096 * i) | 0x67, 8);
                poke(TABLES_AT + 0x2000 + 8 * 511, table | 0x67, 8);
        }
        cpu->cr3 = TABLES_AT;
        cpu->cr0 |= CR0_PG | (pick(2) ? CR0_WP : 0);
}

static void data_segments(uint16_t selector, uint16_t attr)
{
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS)
                        fixture_segment((enum cpu_segment)i, selector, 0, 0xffffffff, attr);
}

static void enter_real(void)
{
        for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
                uint16_t selector = i == SEG_CS ? CODE >> 4 : (uint16_t)(pick(3) ? pick(0x2000) : pick(0x10000));
                fixture_segment((enum cpu_segment)i, selector, (uint64_t)selector << 4, 0xffff, i == SEG_CS ? 0x9b : 0x93);
        }
        for (unsigned i = 0; i < 256; i++)
                poke(i * 4, (uint32_t)(CODE >> 4) << 16 | pick(CODE_BYTES), 4);
        cpu->idt.base = 0;
        cpu->idt.limit = 0x3ff;
}

static void enter_mode(unsigned which)
{
        bool wide = which >= M_LONG, user = which == M_USER || which == M_V86 || which == M_LONG_USER;

        cpu_reset(cpu, false);
        cpu->cr0 = CR0_ET | (pick(2) ? CR0_NE : 0) | (pick(8) ? 0 : CR0_TS) | (pick(8) ? 0 : CR0_AM);
        cpu->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PSE;
        cpu->efer = 0;
        cpu->cpl = 0;
        cpu_set_rflags(cpu, (random64() & (FLAGS_ARITH | FLAG_DF | FLAG_IF | FLAG_IOPL)) | (pick(8) ? 0 : FLAG_AC) | (pick(30) ? 0 : FLAG_TF));
        if (which == M_REAL) {
                enter_real();
                return;
        }
        tables(wide);
        cpu->cr0 |= CR0_PE;
        fixture_segment(SEG_CS, 8, 0, 0xffffffff, 0xc09b);
        data_segments(0x10, 0xc093);
        if (user) {
                cpu->cpl = 3;
                fixture_segment(SEG_CS, 0x2b, 0, 0xffffffff, 0xc0fb);
                data_segments(0x33, 0xc0f3);
        }
        if (which == M_USER || which == M_PAGED || (which == M_V86 && pick(2)))
                page_tables(false);
        if (which == M_V86) {
                enter_real();
                cpu->idt.base = IDT_AT;
                cpu->idt.limit = 0x7ff;
                for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                        cpu->seg[i].attr = 0xf3;
                cpu_set_rflags(cpu, cpu_rflags(cpu) | FLAG_VM);
        }
        if (which == M_SMALL) {
                for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
                        static const uint16_t kinds[] = { 0x93, 0x4093, 0x97, 0x4097, 0x91, 0x9b, 0, 0xc093 };
                        if (i == SEG_CS)
                                fixture_segment(SEG_CS, 8, CODE, CODE_BYTES - 1 - pick(100), 0x409b);
                        else if (i != SEG_SS)
                                fixture_segment((enum cpu_segment)i, 0x20, pick(2) ? edge() : pick(RAM_BYTES), edge() & 0xfffff,
                                                kinds[pick(G_N_ELEMENTS(kinds))]);
                        else
                                fixture_segment(SEG_SS, 0x20, pick(RAM_BYTES), pick(0x20000), pick(2) ? 0x93 : 0x4093);
                }
        }
        if (which == M_CODE16)
                fixture_segment(SEG_CS, 0x18, CODE, 0xffff, 0x9b);
        if (wide) {
                cpu->cr4 |= CR4_PAE;
                cpu->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
                page_tables(true);
                if (which != M_COMPAT)
                        cpu->seg[SEG_CS].attr = user ? 0xa0fb : 0xa09b;
                cpu->seg[SEG_FS].base = random64() >> pick(64);
                cpu->seg[SEG_GS].base = edge();
                cpu->lstar = code_address();
                cpu->star = 0x0018000800000000;
        }
}

static void set_registers(void)
{
        for (unsigned i = 0; i < CPU_REGS; i++) {
                uint64_t value = pick(3) ? pick(2) ? edge() : pick(RAM_BYTES) : random64() >> pick(64);
                if (cpu_code64(cpu) && !pick(4))
                        value = pick(2) ? UINT64_C(0xffffffff80000000) | edge() : UINT64_C(0x00007ffffffffff0) + pick(32);
                cpu->regs[i] = cpu_code64(cpu) ? value : (uint32_t)value;
        }
        if (!pick(4))
                cpu->regs[RCX] = pick(300);
        if (pick(4))
                cpu->regs[RSP] = STACK - pick(256) * 4;
        cpu->rip = code_address() - cpu->seg[SEG_CS].base;
        if (cpu->rip > 0xffff && !(cpu->seg[SEG_CS].attr & (SEG_DB | SEG_L)))
                cpu->rip &= 0x7fff;
        for (unsigned i = 0; i < 160 + 256; i++)
                cpu->fpu.image[i] = i >= 32 ? (uint8_t)random64() : 0;
        static const uint16_t controls[] = { 0x37f, 0x340, 0x27f, 0x40 };
        memcpy(cpu->fpu.image, &controls[pick(4)], 2);
        cpu->fpu.image[4] = (uint8_t)pick(256);
        memcpy(cpu->fpu.image + 24, &(uint32_t){ pick(3) ? 0x1f80 : 0x0000 }, 4);
}

/* -- The run ------------------------------------------------------------------------------------- */

static bool done;               /* atomic */
static uint64_t rounds;         /* atomic */

/* Gets guests out of endless loops; a guest that does not come out ends the test. */
static void *shake(void *opaque)
{
        uint64_t last = 0;
        unsigned same = 0;

        (void)opaque;
        while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
                usleep(1000);
                cpu_request(cpu, CPU_REQUEST_EXIT);
                uint64_t now = __atomic_load_n(&rounds, __ATOMIC_SEQ_CST);
                same = now == last ? same + 1 : 0;
                last = now;
                if (same == STUCK_SECONDS * 1000) {
                        fprintf(stderr, "round %llu does not end\n", (unsigned long long)now);
                        abort();
                }
        }
        return NULL;
}

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
        (void)opaque;
        (void)size;
        return offset * 0x0101010101010101u;
}

static void device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        (void)opaque;
        (void)offset;
        (void)value;
        (void)size;
}

static uint64_t round_seed;
static unsigned round_mode;

/* A host signal that the translator did not expect: says where, then dies of it. */
static void crashed(int number, siginfo_t *info, void *context)
{
        const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
        const uint8_t *at = (const uint8_t *)(uintptr_t)g[REG_RIP];
        const struct block *block = dbt ? cache_find(&dbt->cache, at) : NULL;
        char *text = block ? dbt_describe_block(dbt, block) : NULL;

        fprintf(stderr, "%s, round of seed %#llx: signal %d at %p, address %p, R10 %llx R11 %llx R12 %llx R14 %llx RDI %llx RAM %p\n%s",
                mode_names[round_mode], (unsigned long long)round_seed, number, (const void *)at, info->si_addr,
                (unsigned long long)g[REG_R10], (unsigned long long)g[REG_R11], (unsigned long long)g[REG_R12],
                (unsigned long long)g[REG_R14], (unsigned long long)g[REG_RDI], (void *)memory_ram(memory), text ? text : "");
        signal(number, SIG_DFL);
}

static void confined(unsigned which, bool check, bool no_bmi2, double seconds)
{
        static const struct mmio_ops ops = { .read = device_read, .write = device_write };
        static uint8_t rom[4 * 4096];
        const char *wanted = getenv("CONFINED_SEED");
        struct timespec start, now;
        pthread_t thread;

        seed = (wanted ? strtoull(wanted, NULL, 0) : 0x10d6e5) * 1000 + which * 10 + check * 2 + no_bmi2 + 1;
        struct sigaction action = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        sigaction(SIGSEGV, &action, NULL);
        sigaction(SIGBUS, &action, NULL);
        canaries_plant(0, CANARIES / 2);
        dbt_fixture_open((struct dbt_options){ .check = check, .no_bmi2 = no_bmi2, .cache_bytes = 2 << 20 });
        canaries_plant(CANARIES / 2, CANARIES);
        lock_acquire(&fixture_lock);
        memory_map_mmio(memory, DEVICE, 2 * PAGE_SIZE, &ops, NULL, 0, "device");
        for (unsigned i = 0; i < sizeof rom; i++)
                rom[i] = (uint8_t)random64();
        memory_map_rom(memory, ROM_AT, rom, sizeof rom, 1, "rom");
        lock_release(&fixture_lock);
        uint64_t hash = libraries_hash();
        done = false;
        rounds = 0;
        ck_assert_int_eq(pthread_create(&thread, NULL, shake, NULL), 0);
        clock_gettime(CLOCK_MONOTONIC, &start);
        do {
                round_seed = seed;
                round_mode = which;
                enter_mode(which);
                dbt_state_changed(cpu);
                fill_code(cpu->mode);
                set_registers();
                dbt_flush(dbt);
                enum dbt_stop stop = dbt_run(cpu, BLOCKS_A_ROUND);
                ck_assert_msg(stop != DBT_STOP_CHECK, "%s: the self-check failed in the round of seed %#llx", mode_names[which],
                              (unsigned long long)round_seed);
                if (++rounds % 256 == 0)
                        canaries_check();
                clock_gettime(CLOCK_MONOTONIC, &now);
        } while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 < seconds);
        __atomic_store_n(&done, true, __ATOMIC_SEQ_CST);
        pthread_join(thread, NULL);
        canaries_check();
        ck_assert_uint_eq(hash, libraries_hash());
        printf("%-15s%s%s %6llu rounds, %llu blocks, %llu instructions translated, %llu exceptions, %llu host signals, %llu compared\n",
               mode_names[which], check ? " checked" : "", no_bmi2 ? " without BMI2" : "", (unsigned long long)rounds,
               (unsigned long long)dbt_counter(dbt, DBT_COUNT_BLOCKS), (unsigned long long)dbt_counter(dbt, DBT_COUNT_INSNS),
               (unsigned long long)dbt_counter(dbt, DBT_COUNT_EXCEPTIONS), (unsigned long long)dbt_counter(dbt, DBT_COUNT_EXIT_SIGNAL),
               (unsigned long long)dbt_counter(dbt, DBT_COUNT_CHECKED));
        fflush(stdout);
        ck_assert_uint_gt(dbt_counter(dbt, DBT_COUNT_INSNS), rounds);
        dbt_fixture_close();
        canaries_free();
}

static double share(void)
{
        const char *wanted = getenv("CONFINED_SECONDS");
        return (wanted ? atof(wanted) : DEFAULT_SECONDS) / (3 * MODES);
}

START_TEST(nothing_outside_changes) { confined((unsigned)_i, false, false, share()); } END_TEST
START_TEST(nothing_outside_changes_without_bmi2) { confined((unsigned)_i, false, true, share()); } END_TEST
START_TEST(nothing_outside_changes_checked) { confined((unsigned)_i, true, false, share()); } END_TEST

int main(void)
{
        Suite *suite = suite_create("confined");
        TCase *tcase = tcase_create("confined");

        tcase_set_timeout(tcase, 3600);
        tcase_add_loop_test(tcase, nothing_outside_changes, 0, MODES);
        tcase_add_loop_test(tcase, nothing_outside_changes_without_bmi2, 0, MODES);
        tcase_add_loop_test(tcase, nothing_outside_changes_checked, 0, MODES);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
