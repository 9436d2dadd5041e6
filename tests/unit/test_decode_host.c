/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_decode_host.c - lengths, refusals and flags against the processor itself (traps.md T1: a wrong length is an
 * escape).
 *
 * An instruction laid so that it ends with a page whose successor cannot be read makes the processor tell its
 * length: with the last byte beyond the end it faults fetching, at its own address; complete, it does anything else -
 * runs, so that the next fetch faults, or raises another exception.  Every opcode of every map is slid so, with all
 * values of ModRM.reg, the kinds of addresses and the prefixes that can matter, in 64-bit mode and, where the kernel
 * lets a process enter them, in 32-bit and 16-bit code segments (T4).
 *
 * The processor runs what it is given, in this process; each run starts from a signal frame with every register
 * pointing at scratch memory of FFh bytes, which load no selector, no MXCSR and no return address that is valid.  What
 * could still do harm is not run to completion; see run_is_safe().
 */
#include <asm/ldt.h>
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/mode.h"
#include "unit.h"

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

/* Far from everything else, below 4 GiB; the low half of the stack pointer is no valid selector. */
#define CODE_PAGE UINT64_C(0x40000000)
#define CODE_END (CODE_PAGE + 4096)
#define SCRATCH UINT64_C(0x60000000)
#define SCRATCH_BYTES 65536
#define SCRATCH_POINTER (SCRATCH + 0x8ff0)

enum { CS_32_COMPATIBLE = 0x23, CS_LDT_16 = 7, TRAP_NONE = -1, TRAP_UD = 6, TRAP_PF = 14, ERROR_FETCH = 16 };

/* -- One run ------------------------------------------------------------------------------------- */

struct outcome {
        uint64_t rip, address, error;
        int trap;
};

static struct {
        gregset_t home;
        volatile bool running;
        uint64_t count;                 /* of runs */
        uint16_t cs;                    /* 0: this process's own */
        uint64_t rip;
        const uint64_t *registers;      /* eight to start with, in ModRM order; NULL: the scratch pointer */
        uint64_t flags;
        struct outcome outcome;
        gregset_t registers_after;
} run;

/* Where a signal frame keeps the registers that ModRM numbers 0 to 7. */
static const uint8_t modrm_registers[8] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI };

/* SIGUSR1 starts a run by changing the context it returns to; the signal that ends the run returns home. */
static void run_signal(int number, siginfo_t *info, void *context)
{
        static uint64_t last_tick;
        ucontext_t *uc = context;
        greg_t *regs = uc->uc_mcontext.gregs;
        struct _libc_fpstate *state = uc->uc_mcontext.fpregs;

        if (number == SIGVTALRM) {
                bool stuck = run.running && last_tick == run.count;

                last_tick = run.count;
                if (!stuck)
                        return;
        }
        /* Both ways: the caller of raise() expects no vector register to survive. */
        state->cwd = 0x37f;
        state->swd = 0;
        state->ftw = 0;
        state->mxcsr = 0x1f80;
        memset(state->_st, 0, sizeof(state->_st));
        memset(state->_xmm, 0, sizeof(state->_xmm));
        if (!run.running) {
                memcpy(run.home, regs, sizeof(gregset_t));
                run.running = true;
                run.count++;
                for (int i = REG_R8; i <= REG_RSP; i++)
                        regs[i] = SCRATCH_POINTER;
                regs[REG_RIP] = run.rip;
                for (unsigned i = 0; run.registers && i < 8; i++)
                        regs[modrm_registers[i]] = run.registers[i];
                regs[REG_EFL] = 0x202 | run.flags;
                if (run.cs)
                        regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~INT64_C(0xffff)) | run.cs;
                return;
        }
        run.outcome = (struct outcome){ regs[REG_RIP], (uint64_t)info->si_addr, regs[REG_ERR],
                                        number == SIGVTALRM ? TRAP_NONE : regs[REG_TRAPNO] };
        memcpy(run.registers_after, regs, sizeof(gregset_t));
        memcpy(regs, run.home, sizeof(gregset_t));
        run.running = false;
}

/* Runs bytes with exactly `count` of them before the end of the page.  True: it faulted fetching more. */
static bool run_wants_more(const uint8_t *bytes, unsigned count)
{
        uint64_t start = CODE_END - count;

        memset((void *)(SCRATCH_POINTER - 512), 0xff, 1024);
        memcpy((void *)start, bytes, count);
        run.rip = run.cs == CS_LDT_16 ? start - CODE_PAGE : start;
        raise(SIGUSR1);
        return run.outcome.trap == TRAP_PF && (run.outcome.error & ERROR_FETCH) && run.outcome.rip == run.rip &&
               run.outcome.address == CODE_END;
}

static void run_set_up(void)
{
        static const int signals[] = { SIGUSR1, SIGVTALRM, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE };
        struct sigaction action = { .sa_sigaction = run_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
        /* A run that neither ends nor faults is ended by the second tick that finds it. */
        struct itimerval tick = { .it_interval = { .tv_usec = 50000 }, .it_value = { .tv_usec = 50000 } };
        static uint8_t stack_bytes[1 << 18];
        static bool done;
        stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };

        if (done)                       /* CK_FORK=no */
                return;
        done = true;
        ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
        for (unsigned i = 0; i < COUNT(signals); i++)
                ck_assert_int_eq(sigaction(signals[i], &action, NULL), 0);
        ck_assert_int_eq(setitimer(ITIMER_VIRTUAL, &tick, NULL), 0);
        ck_assert(mmap((void *)CODE_PAGE, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)CODE_PAGE);
        memset((void *)CODE_PAGE, 0xff, 4096);          /* read by 16-bit code with a CS override */
        ck_assert_int_eq(mprotect((void *)CODE_END, 4096, PROT_NONE), 0);
        ck_assert(mmap((void *)SCRATCH, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)SCRATCH);
}

/* -- What the host has --------------------------------------------------------------------------- */

static uint64_t host_features[2];

static void host_feature(enum cpu_feature feature, bool present)
{
        if (present)
                host_features[feature >> 6] |= UINT64_C(1) << (feature & 63);
}

static void find_host_features(void)
{
        static const struct {
                uint8_t feature, reg, bit;
                uint32_t leaf;
        } bits[] = {
                { FEATURE_SSE3, 2, 0, 1 }, { FEATURE_PCLMUL, 2, 1, 1 }, { FEATURE_SSSE3, 2, 9, 1 }, { FEATURE_CX16, 2, 13, 1 },
                { FEATURE_SSE41, 2, 19, 1 }, { FEATURE_SSE42, 2, 20, 1 }, { FEATURE_MOVBE, 2, 22, 1 },
                { FEATURE_POPCNT, 2, 23, 1 }, { FEATURE_AES, 2, 25, 1 }, { FEATURE_XSAVE, 2, 27, 1 }, { FEATURE_RDRAND, 2, 30, 1 },
                { FEATURE_BMI1, 1, 3, 7 }, { FEATURE_RDSEED, 1, 18, 7 }, { FEATURE_ADX, 1, 19, 7 },
                { FEATURE_CLFLUSHOPT, 1, 23, 7 }, { FEATURE_CLWB, 1, 24, 7 }, { FEATURE_SHA, 1, 29, 7 },
                { FEATURE_GFNI, 2, 8, 7 }, { FEATURE_RDPID, 2, 22, 7 }, { FEATURE_MOVDIRI, 2, 27, 7 },
                { FEATURE_LAHF64, 2, 0, 0x80000001 }, { FEATURE_LZCNT, 2, 5, 0x80000001 },
                { FEATURE_PREFETCHW, 2, 8, 0x80000001 }, { FEATURE_RDTSCP, 3, 27, 0x80000001 },
        };
        static const uint8_t always[] = {
                FEATURE_FPU, FEATURE_TSC, FEATURE_MSR, FEATURE_CX8, FEATURE_SEP, FEATURE_CMOV, FEATURE_CLFSH, FEATURE_MMX,
                FEATURE_FXSR, FEATURE_SSE, FEATURE_SSE2, FEATURE_CPUID_INSN, FEATURE_I486, FEATURE_SYSCALL,
        };

        for (unsigned i = 0; i < COUNT(always); i++)
                host_feature(always[i], true);
        for (unsigned i = 0; i < COUNT(bits); i++) {
                uint32_t regs[4] = { 0 };

                if (__get_cpuid_count(bits[i].leaf, 0, &regs[0], &regs[1], &regs[2], &regs[3]))
                        host_feature(bits[i].feature, regs[bits[i].reg] >> bits[i].bit & 1);
        }
}

/* -- What is compared ---------------------------------------------------------------------------- */

/* Whether the complete instruction may be run here. */
static bool run_is_safe(const struct insn *insn)
{
        switch (insn->opcode->kind) {
        case KIND_POPF:                 /* AC and TF from memory would stay set in the handler */
                return false;
        case KIND_EXEC_END:
                /* System calls; IRET takes flags too. */
                return strncmp(insn->opcode->name, "sys", 3) && strncmp(insn->opcode->name, "int", 3) &&
                       strncmp(insn->opcode->name, "iret", 4);
        default:
                return true;
        }
}

/* Encodings the table leaves out and processors may have (opcodes.def says which); not run, since VMCALL,
 * WRPKRU, WRFSBASE and others of them do something.  key: map << 8 | code. */
static bool left_out(const struct insn *insn, uint64_t mode)
{
        switch (insn->map << 8 | insn->code) {
        case 0x62: case 0x8f: case 0xc4: case 0xc5:             /* EVEX, XOP, VEX */
        case 0xc6: case 0xc7:                                   /* XABORT, XBEGIN */
        case MAP_0F << 8 | 0x01:                                /* VMX, SMX, SGX, MPK, SMAP, CET ... */
        case MAP_0F << 8 | 0x37: case MAP_0F << 8 | 0x78: case MAP_0F << 8 | 0x79: case MAP_0F << 8 | 0xaa:
        case MAP_0F << 8 | 0xae: case MAP_0F << 8 | 0xc7:
        case MAP_0F38 << 8 | 0x80: case MAP_0F38 << 8 | 0x81: case MAP_0F38 << 8 | 0x82:
        case MAP_0F38 << 8 | 0xf5: case MAP_0F38 << 8 | 0xf6: case MAP_0F38 << 8 | 0xf8: case MAP_0F38 << 8 | 0xfc:
                return true;
        case MAP_0F << 8 | 0x05: case MAP_0F << 8 | 0x07:       /* AMD has them outside 64-bit mode */
                return !(mode & MODE_CODE64);
        case 0xf1: case 0xcd:
                return true;
        default:
                /* Key Locker, AMX: 0F 38 D8-DF with F3h and others */
                return insn->map == MAP_0F38 && insn->code >= 0xd8 && insn->code <= 0xdf;
        }
}

/* Forms that processors refuse outside CPL 0, or in a process, with #UD. */
static bool refused_at_cpl3(const struct insn *insn)
{
        return !strcmp(insn->opcode->name, "monitor") || !strcmp(insn->opcode->name, "mwait");
}

struct tally {
        unsigned long complete, refused;
        unsigned problems;
};

static void report(struct tally *tally, const uint8_t *bytes, unsigned count, const struct insn *insn, const char *what)
{
        if (tally->problems++ >= 40)
                return;
        for (unsigned i = 0; i < count; i++)
                fprintf(stderr, "%02x ", bytes[i]);
        fprintf(stderr, "(%s, %u): %s; trap %d error %lx at %+ld\n", insn->opcode ? insn->opcode->form : "#UD", insn->length, what,
                run.outcome.trap, (unsigned long)run.outcome.error, (long)(run.outcome.rip - run.rip));
}

static void compare(struct tally *tally, const uint8_t bytes[15], uint64_t mode)
{
        struct insn insn;
        enum decode_result result = insn_decode(&insn, bytes, 15, mode, host_features);

        if (result == DECODE_UD) {
                if (left_out(&insn, mode))
                        return;
                tally->refused++;
                run_wants_more(bytes, 15);
                if (run.outcome.trap != TRAP_UD)
                        report(tally, bytes, 15, &insn, "the processor takes it");
                return;
        }
        if (result != DECODE_OK) {
                report(tally, bytes, 15, &insn, "neither decoded nor refused");
                return;
        }
        tally->complete++;
        if (insn.length > 1 && !run_wants_more(bytes, insn.length - 1))
                report(tally, bytes, insn.length, &insn, "shorter");
        if (!run_is_safe(&insn))
                return;
        if (run_wants_more(bytes, insn.length))
                report(tally, bytes, insn.length, &insn, "longer");
        else if (run.outcome.trap == TRAP_NONE)
                report(tally, bytes, insn.length, &insn, "does not end");
        else if (run.outcome.trap == TRAP_UD && !refused_at_cpl3(&insn))
                report(tally, bytes, insn.length, &insn, "#UD");
}

/* -- Enumeration --------------------------------------------------------------------------------- */

/* Prefixes before the opcode; the last ones with REX for 64-bit mode only. */
static const char *const prefixes[] = {
        "", "\x66", "\xf3", "\xf2", "\x67", "\xf0", "\x2e", "\x66\xf3", "\xf2\x66", "\x67\x66", "\xf3\xf2",
        "\x48", "\x44", "\x41", "\x66\x48", "\xf3\x48", "\x48\x66", "\x66\x4f",
};
enum { LEGACY_PREFIXES = 11 };

/* For every reg: [rbx], [rax + disp8 through SIB], register 1; then other addresses with reg taking turns. */
static unsigned modrm_values(uint8_t values[64])
{
        static const uint8_t others[] = { 0x04, 0x05, 0x06, 0x81, 0x84, 0x86, 0xc0, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7 };
        unsigned count = 0;

        for (unsigned reg = 0; reg < 8; reg++) {
                values[count++] = reg << 3 | 0x03;
                values[count++] = reg << 3 | 0x44;
                values[count++] = reg << 3 | 0xc1;
        }
        for (unsigned i = 0; i < COUNT(others); i++)
                values[count++] = others[i] | (i & 7) << 3;
        return count;
}

static void compare_opcode(struct tally *tally, uint64_t mode, const char *prefix, unsigned map, unsigned code)
{
        uint8_t modrm[64], bytes[15];
        unsigned modrm_count = modrm_values(modrm), position = strlen(prefix);
        struct insn insn;

        memcpy(bytes, prefix, position);
        if (map != MAP_PRIMARY)
                bytes[position++] = 0x0f;
        if (map >= MAP_0F38)
                bytes[position++] = map == MAP_0F38 ? 0x38 : 0x3a;
        bytes[position++] = code;
        memset(bytes + position, 0, sizeof(bytes) - position);
        if (insn_decode(&insn, bytes, 15, mode, host_features) == DECODE_OK && !insn.has_modrm)
                modrm_count = 1;        /* an immediate or nothing: zero, so that branches go to the page's end */
        else if (!insn.has_modrm)
                modrm_count = 4;        /* not in the table whatever follows */
        for (unsigned i = 0; i < modrm_count; i++) {
                /* SIB, displacement and immediate bytes: small, so that branches and addresses stay near. */
                memset(bytes + position, 0, sizeof(bytes) - position);
                bytes[position] = modrm_count == 1 ? 0 : modrm[i];
                bytes[position + 1] = modrm_count > 1 && (modrm[i] & 7) == 4 ? (i & 1 ? 0x20 : 0x25) : 0;
                compare(tally, bytes, mode);
        }
}

static bool is_prefix(unsigned code, uint64_t mode)
{
        return code == 0x26 || code == 0x2e || code == 0x36 || code == 0x3e || (code >= 0x64 && code <= 0x67) ||
               code == 0xf0 || code == 0xf2 || code == 0xf3 || ((mode & MODE_CODE64) && (code & 0xf0) == 0x40);
}

static void compare_all(uint64_t mode, uint16_t cs)
{
        struct tally tally = { 0, 0, 0 };
        unsigned count = mode & MODE_CODE64 ? COUNT(prefixes) : LEGACY_PREFIXES;

        run.cs = cs;
        for (unsigned map = MAP_PRIMARY; map <= MAP_0F3A; map++) {
                for (unsigned code = 0; code < 256; code++) {
                        if ((map == MAP_PRIMARY && (code == 0x0f || is_prefix(code, mode))) ||
                            (map == MAP_0F && (code == 0x38 || code == 0x3a)))
                                continue;
                        for (unsigned i = 0; i < count; i++)
                                compare_opcode(&tally, mode, prefixes[i], map, code);
                }
        }
        ck_assert_msg(tally.problems == 0, "%u encodings differ", tally.problems);
        ck_assert_uint_gt(tally.complete, 10000);
}

/* Whether a process can run code of segment cs: NOP and INC eAX (40h, a REX prefix in 64-bit mode). */
static bool segment_usable(uint16_t cs)
{
        run.cs = cs;
        run_wants_more((const uint8_t *)"\x90\x40", 2);
        return run.outcome.trap == TRAP_PF && run.outcome.rip - run.rip == 2;
}

/* -- Flags --------------------------------------------------------------------------------------- */

static bool flags_comparable(const struct insn *insn)
{
        static const char *const handled[] = {
                "aaa", "aas", "aam", "aad", "daa", "das", "salc", "arpl", "lar", "lsl", "verr", "verw",
        };

        if (insn->is_memory || !strncmp(insn->opcode->name, "rd", 2))
                return false;           /* RDRAND, RDSEED: another result each time */
        if (insn->opcode->kind == KIND_COPY || insn->opcode->kind == KIND_BT_MEM)
                return true;
        for (unsigned i = 0; i < COUNT(handled); i++) {
                if (!strcmp(insn->opcode->name, handled[i]))
                        return true;
        }
        return false;
}

/* Runs a register form with one flag clear and set; the table must say what that changes.  Liveness analysis
 * relies on it: a flag neither written nor undefined passes through, one that is not read makes no difference. */
static void compare_flag(struct tally *tally, const uint8_t *bytes, const struct insn *insn, uint32_t flag, uint32_t others)
{
        const struct opcode *opcode = insn->opcode;
        uint32_t changed, after[2], loose = opcode->flags_undefined;
        gregset_t first;

        for (unsigned set = 0; set < 2; set++) {
                run.flags = (others & ~flag) | (set ? flag : 0);
                run_wants_more(bytes, insn->length);
                if (run.outcome.trap != TRAP_PF)
                        return;         /* #DE: no result */
                after[set] = run.registers_after[REG_EFL] & FLAGS_ARITH;
                if (!set)
                        memcpy(first, run.registers_after, sizeof(first));
        }
        if (opcode->attr & ATTR_COUNT_FLAGS)
                loose |= opcode->flags_written;
        if (!((opcode->flags_written | opcode->flags_undefined) & flag)) {
                if ((after[0] & flag) || !(after[1] & flag))
                        report(tally, bytes, insn->length, insn, "writes a flag that the table does not name");
                after[1] &= ~flag;
        }
        if (opcode->flags_read & flag)
                return;
        changed = (after[0] ^ after[1]) & ~loose;
        if (changed)
                report(tally, bytes, insn->length, insn, "what it writes depends on a flag that it does not read");
        for (unsigned i = 0; i < 8; i++) {
                if (first[modrm_registers[i]] != run.registers_after[modrm_registers[i]])
                        report(tally, bytes, insn->length, insn, "its result depends on a flag that it does not read");
        }
}

static void compare_flags_of_opcode(struct tally *tally, uint64_t mode, const char *prefix, unsigned map, unsigned code)
{
        static const uint64_t values[][8] = {
                { 0x12345678, 0x00000005, 0x9abcdef0, 0x80000000, 0x00000001, 0x7fffffff, 0xffffffff, 0x00000003 },
                { 0xffffff9a, 0x00000021, 0x00000000, 0x00000000, 0x0000ffff, 0x00000080, 0x00000010, 0x8000007f },
                { 0x00000000, 0x00000000, 0x00000000, 0x00000001, 0xfffffffe, 0x00008000, 0x55555555, 0x00000040 },
        };
        uint8_t bytes[15] = { 0 };
        unsigned position = strlen(prefix);
        struct insn insn;

        memcpy(bytes, prefix, position);
        if (map != MAP_PRIMARY)
                bytes[position++] = 0x0f;
        if (map >= MAP_0F38)
                bytes[position++] = map == MAP_0F38 ? 0x38 : 0x3a;
        bytes[position++] = code;
        bytes[position + 1] = 5;
        for (unsigned modrm = 0xc0; modrm < 0x100; modrm += 7) {
                bytes[position] = modrm;
                if (insn_decode(&insn, bytes, 15, mode, host_features) != DECODE_OK || !flags_comparable(&insn))
                        continue;
                tally->complete++;
                for (unsigned i = 0; i < COUNT(values); i++) {
                        run.registers = values[i];
                        for (uint32_t flag = FLAG_CF; flag <= FLAG_OF; flag <<= 1) {
                                if (flag & FLAGS_ARITH)
                                        compare_flag(tally, bytes, &insn, flag, i & 1 ? FLAGS_ARITH : 0);
                        }
                }
                run.registers = NULL;
                run.flags = 0;
        }
}

static void compare_flags(uint64_t mode, uint16_t cs)
{
        static const char *const sizes[] = { "", "\x66", "\xf3", "\xf2" };
        struct tally tally = { 0, 0, 0 };

        run.cs = cs;
        for (unsigned map = MAP_PRIMARY; map <= MAP_0F3A; map++) {
                for (unsigned code = 0; code < 256; code++) {
                        for (unsigned i = 0; i < COUNT(sizes); i++) {
                                if (map != MAP_PRIMARY || (code != 0x0f && !is_prefix(code, mode)))
                                        compare_flags_of_opcode(&tally, mode, sizes[i], map, code);
                        }
                }
        }
        ck_assert_msg(tally.problems == 0, "%u encodings differ", tally.problems);
        ck_assert_uint_gt(tally.complete, 1000);
}

START_TEST(flags_read_and_written_are_the_processors)
{
        run_set_up();
        find_host_features();
        compare_flags(MODE_PROTECTED | MODE_CODE64, 0);
        if (segment_usable(CS_32_COMPATIBLE))
                compare_flags(MODE_PROTECTED | MODE_CODE32, CS_32_COMPATIBLE);
}
END_TEST

/* -- The tests ----------------------------------------------------------------------------------- */

START_TEST(t1_t4_lengths_and_refusals_in_64_bit_mode)
{
        run_set_up();
        find_host_features();
        compare_all(MODE_PROTECTED | MODE_CODE32 | MODE_CODE64, 0);
}
END_TEST

START_TEST(t1_t4_lengths_and_refusals_in_32_bit_code)
{
        run_set_up();
        find_host_features();
        if (!segment_usable(CS_32_COMPATIBLE))
                fprintf(stderr, "this kernel runs no 32-bit code: not compared\n");
        else
                compare_all(MODE_PROTECTED | MODE_CODE32, CS_32_COMPATIBLE);
}
END_TEST

START_TEST(t1_t4_lengths_and_refusals_in_16_bit_code)
{
        struct user_desc code = { .base_addr = CODE_PAGE, .limit = 0xffff, .contents = 2, .useable = 1 };

        run_set_up();
        find_host_features();
        if (syscall(SYS_modify_ldt, 1, &code, sizeof(code)) || !segment_usable(CS_LDT_16))
                fprintf(stderr, "this kernel lets no process make 16-bit segments: not compared\n");
        else
                compare_all(MODE_PROTECTED, CS_LDT_16);
}
END_TEST

UNIT_MAIN("decode_host", t1_t4_lengths_and_refusals_in_64_bit_mode, t1_t4_lengths_and_refusals_in_32_bit_code,
          t1_t4_lengths_and_refusals_in_16_bit_code, flags_read_and_written_are_the_processors)
