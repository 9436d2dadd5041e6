/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_isa64.c - every row of the opcode table in 64-bit mode on the host's CPU and under the translator, compared.
 *
 * Environment, as for test_isa: ISA_CASES, ISA_FORM, ISA_CASE, ISA_SEED, ISA_REPORTS; ISA_MODEL names a CPU model.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/insn.h"
#include "isa64.h"

enum { DEFAULT_CASES = 120, REPORTS_PER_FORM = 2, HANG_SECONDS = 60, FLAGS_COMPARED = 0x254dd5 | FLAG_RF };

struct run {
        struct isa64_generator *generator;
        struct isa64_shared *native, *other;
        unsigned reports, cases, mismatches, undefined, lengths, deaths;
        unsigned form, form_mismatches, vectors[32];
        bool verbose, avx;
};

/* -- Children ---------------------------------------------------------------------------------- */

static void run_batch_in(struct run *run, struct isa64_shared *shared, isa64_child *child)
{
        shared->next = 0;
        while (shared->next < shared->count) {
                int status;
                pid_t pid = fork();

                if (pid == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        alarm(child == isa64_native_child ? 0 : HANG_SECONDS);
                        child(shared);
                        _exit(0);
                }
                if (pid < 0 || waitpid(pid, &status, 0) != pid) {
                        perror("isa: child");
                        exit(2);
                }
                if (status == 0)
                        continue;
                if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
                        exit(2);
                shared->results[shared->next].vector = ISA_VECTOR_CRASH;
                shared->results[shared->next].error = (uint32_t)status;
                shared->next++;
                run->deaths++;
        }
}

/* -- Comparing --------------------------------------------------------------------------------- */

static const char *const names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };

static bool is_memory_fault(uint32_t vector)
{
        return vector == EXC_SS || vector == EXC_GP || vector == EXC_PF;
}

static void print_bytes(const char *name, const uint8_t *bytes, unsigned n)
{
        printf(" %s ", name);
        for (unsigned i = 0; i < n; i++)
                printf("%02x", bytes[i]);
}

/* What the SDM leaves to each processor, and what a process cannot see as it is (compare.c says why). */
static void agree_on_choices(const struct isa64_case *c, const struct opcode *opcode, struct isa64_result *expected,
                             struct isa64_result *got)
{
        struct isa_fx before, e, g;

        memcpy(&before, c->before.xsave, sizeof(before));
        memcpy(&e, expected->after.xsave, sizeof(e));
        memcpy(&g, got->after.xsave, sizeof(g));
        if (e.fop == before.fop)
                e.fop = g.fop;
        if (e.dp == before.dp)
                e.dp = g.dp;
        if ((opcode->attr & ATTR_MMX) && is_memory_fault(expected->vector)) {
                e.fsw = g.fsw;
                e.ftw = g.ftw;
                memcpy(e.st, g.st, sizeof(g.st));
        }
        memcpy(expected->after.xsave, &e, sizeof(e));
        /* Linux tells processes that every page past their last one is present. */
        if (expected->vector == EXC_PF && expected->cr2 >> 12 == 0x7ffffffff)
                got->error |= PF_PRESENT;
        /* Which byte of a masked store is reported, or whether masked-off ones fault (SDM 2B, MASKMOVQ). */
        if (strstr(opcode->name, "maskmov") && !strstr(opcode->name, "vmaskmovp") && !strstr(opcode->name, "vpmaskmov") &&
            is_memory_fault(expected->vector)) {
                *got = *expected;
                return;
        }
        /* Between two elements CMPS and SCAS may show the flags of the last one, or those from before. */
        if (opcode->kind == KIND_STRING && expected->vector == EXC_DB && expected->after.rip == c->before.rip)
                expected->after.rflags = (expected->after.rflags & ~(uint64_t)FLAGS_ARITH) | (got->after.rflags & FLAGS_ARITH);
        /* The parts of a ten-byte store are checked one by one. */
        if (opcode->operands[0] == OPERAND_Mt && expected->vector == EXC_PF && got->vector == EXC_GP) {
                *got = *expected;
                return;
        }
        /* Where in a page that a masked store crosses into, and which of two faults a crossing has, are choices too. */
        if ((strstr(opcode->name, "vmaskmovp") || strstr(opcode->name, "vpmaskmov")) && is_memory_fault(expected->vector) &&
            is_memory_fault(got->vector) && (expected->vector != EXC_PF || got->vector != EXC_PF || (expected->cr2 ^ got->cr2) < 4096)) {
                *got = *expected;
                return;
        }
        /* A conversion may have set its flags before its store faults. */
        if (!strcmp(opcode->name, "vcvtps2ph") && is_memory_fault(expected->vector))
                memcpy(expected->after.xsave + offsetof(struct isa_fx, mxcsr), got->after.xsave + offsetof(struct isa_fx, mxcsr), 4);
        /* The order in which the parts of a state image are touched. */
        bool image = opcode->operands[0] == OPERAND_M && is_memory_fault(expected->vector) && is_memory_fault(got->vector);

        if (image) {
                got->vector = expected->vector;
                got->error = expected->error;
                got->cr2 = expected->cr2;
        }
        /* Ones that fault may have stored a part before. */
        if (is_memory_fault(expected->vector) && expected->vector == got->vector &&
            (image || opcode->kind == KIND_CALL_IND || opcode->kind == KIND_ENTER || opcode->operands[0] == OPERAND_Mt)) {
                got->first = expected->first;
                got->last = expected->last;
                got->hash = expected->hash;
        }
}

static bool equal_xsave(const struct run *run, const uint8_t *a, const uint8_t *b)
{
        struct isa_fx x, y;

        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        if (x.fcw != y.fcw || x.fsw != y.fsw || x.ftw != y.ftw || x.fop != y.fop || x.ip != y.ip || x.dp != y.dp || x.mxcsr != y.mxcsr)
                return false;
        for (unsigned i = 0; i < 8; i++)
                if (memcmp(x.st[i], y.st[i], 10))
                        return false;
        return !memcmp(x.xmm, y.xmm, sizeof(x.xmm)) &&
               (!run->avx || !memcmp(a + ISA64_YMM_HIGH, b + ISA64_YMM_HIGH, 256));
}

static void report(const struct run *run, const struct isa64_case *c, const struct opcode *opcode, const struct isa64_result *e,
                   const struct isa64_result *g)
{
        struct isa_fx x, y;

        printf("%s #%u %s (%s)", "FAIL", c->number, opcode->form, c->what);
        print_bytes("code", c->code, c->length);
        printf(" at %" PRIx64 " operand %" PRIx64 "\n    vector %u/%u error %x/%x cr2 %" PRIx64 "/%" PRIx64 " rip +%" PRId64 "/+%" PRId64
               " flags %" PRIx64 "->%" PRIx64 "/%" PRIx64 "\n   ", c->before.rip, c->operand_linear, e->vector, g->vector, e->error, g->error,
               e->cr2, g->cr2, (int64_t)(e->after.rip - c->before.rip), (int64_t)(g->after.rip - c->before.rip), c->before.rflags,
               e->after.rflags, g->after.rflags);
        for (unsigned i = 0; i < 16; i++)
                if (e->after.gpr[i] != g->after.gpr[i])
                        printf(" %s %" PRIx64 "->%" PRIx64 "/%" PRIx64, names[i], c->before.gpr[i], e->after.gpr[i], g->after.gpr[i]);
                else if (run->verbose)
                        printf(" %s %" PRIx64 "->%" PRIx64, names[i], c->before.gpr[i], e->after.gpr[i]);
        memcpy(&x, e->after.xsave, sizeof(x));
        memcpy(&y, g->after.xsave, sizeof(y));
        if (x.fcw != y.fcw || x.fsw != y.fsw || x.ftw != y.ftw || x.mxcsr != y.mxcsr)
                printf(" fcw %x/%x fsw %x/%x ftw %x/%x mxcsr %x/%x", x.fcw, y.fcw, x.fsw, y.fsw, x.ftw, y.ftw, x.mxcsr, y.mxcsr);
        if (x.fop != y.fop || x.ip != y.ip || x.dp != y.dp)
                printf(" fop %x/%x ip %" PRIx64 "/%" PRIx64 " dp %" PRIx64 "/%" PRIx64, x.fop, y.fop, x.ip, y.ip, x.dp, y.dp);
        for (unsigned i = 0; i < 8; i++)
                if (memcmp(x.st[i], y.st[i], 10)) {
                        printf(" st%u", i);
                        print_bytes("", x.st[i], 10);
                        print_bytes("/", y.st[i], 10);
                }
        for (unsigned i = 0; i < 16; i++) {
                const uint8_t *eh = e->after.xsave + ISA64_YMM_HIGH + 16 * i, *gh = g->after.xsave + ISA64_YMM_HIGH + 16 * i;

                if (memcmp(x.xmm[i], y.xmm[i], 16) || (run->avx && memcmp(eh, gh, 16))) {
                        printf(" ymm%u", i);
                        print_bytes("", x.xmm[i], 16);
                        print_bytes("", eh, 16);
                        print_bytes("/", y.xmm[i], 16);
                        print_bytes("", gh, 16);
                }
        }
        if (e->first != g->first || e->last != g->last || e->hash != g->hash) {
                printf(" memory %x-%x", e->first, e->last);
                print_bytes("", e->bytes, 32);
                printf(" / %x-%x", g->first, g->last);
                print_bytes("", g->bytes, 32);
        }
        printf("\n");
}

static void compare_case(struct run *run, unsigned i)
{
        const struct isa64_case *c = &run->native->cases[i];
        const struct opcode *opcode = isa64_generator_opcode(run->generator, c->form);
        static struct isa64_result e, g;
        uint64_t flags = FLAGS_COMPARED & ~(uint64_t)opcode->flags_undefined;
        bool equal;

        e = run->native->results[i];
        g = run->other->results[i];
        if (run->form != c->form) {
                run->form = c->form;
                run->form_mismatches = 0;
        }
        run->cases++;
        if (e.vector < 32)
                run->vectors[e.vector]++;
        agree_on_choices(c, opcode, &e, &g);
        equal = e.vector == g.vector && e.error == g.error && e.cr2 == g.cr2 && e.after.rip == g.after.rip &&
                !memcmp(e.after.gpr, g.after.gpr, sizeof(e.after.gpr)) && !((e.after.rflags ^ g.after.rflags) & flags) &&
                e.first == g.first && e.last == g.last && e.hash == g.hash && equal_xsave(run, e.after.xsave, g.after.xsave);
        if (equal && (e.after.rflags ^ g.after.rflags) & FLAGS_COMPARED)
                run->undefined++;
        if (opcode->kind == KIND_COPY && e.vector == EXC_BP && !(c->before.rflags & FLAG_TF) && c->code_bytes == c->length &&
            e.after.rip != c->before.rip + c->length + 1)
                run->lengths++;
        if (!equal) {
                run->mismatches++;
                run->form_mismatches++;
        }
        if ((!equal && run->form_mismatches <= run->reports) || run->verbose)
                report(run, c, opcode, &e, &g);
}

static void run_batch(struct run *run)
{
        if (!run->native->count)
                return;
        memcpy(run->other->cases, run->native->cases, run->native->count * sizeof(run->native->cases[0]));
        run->other->count = run->native->count;
        run_batch_in(run, run->native, isa64_native_child);
        run_batch_in(run, run->other, isa64_translator_child);
        for (unsigned i = 0; i < run->native->count; i++)
                compare_case(run, i);
        run->native->count = 0;
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
        const char *text = getenv(variable);

        return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

static struct isa64_shared *new_shared(void)
{
        void *shared = mmap(NULL, sizeof(struct isa64_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (shared == MAP_FAILED) {
                perror("isa: shared memory");
                exit(2);
        }
        return shared;
}

int main(void)
{
        const char *only = getenv("ISA_FORM");
        unsigned cases = (unsigned)number_from("ISA_CASES", DEFAULT_CASES), tested = 0;
        unsigned long single = number_from("ISA_CASE", ~0ul);
        struct run run = { .native = new_shared(), .other = new_shared(), .form = ~0u, .verbose = single != ~0ul,
                           .reports = (unsigned)number_from("ISA_REPORTS", only ? 20 : REPORTS_PER_FORM) };
        uint64_t features[2];

        setvbuf(stdout, NULL, _IOLBF, 0);
        isa64_translator_features(features);
        run.avx = features[FEATURE_AVX / 64] >> (FEATURE_AVX % 64) & 1;
        run.generator = isa64_generator_new(number_from("ISA_SEED", 1), features);
        for (unsigned form = 0; form < isa64_generator_forms(run.generator); form++) {
                unsigned made = 0;

                if ((only && !strstr(isa64_generator_opcode(run.generator, form)->form, only)) ||
                    !isa64_generator_testable(run.generator, form))
                        continue;
                for (unsigned n = 0; n < cases; n++) {
                        if ((single != ~0ul && n != single) || !isa64_generate(run.generator, form, n, &run.native->cases[run.native->count]))
                                continue;
                        made++;
                        if (++run.native->count == ISA64_BATCH)
                                run_batch(&run);
                }
                tested += made != 0;
                if (!made)
                        printf("no case: %s\n", isa64_generator_opcode(run.generator, form)->form);
        }
        run_batch(&run);
        printf("cases by vector:");
        for (unsigned i = 0; i < 32; i++)
                if (run.vectors[i])
                        printf(" %u: %u", i, run.vectors[i]);
        printf("\n%u of %u forms, %u cases: %u mismatches, %u wrong lengths, %u with other undefined flags; children died %u times\n", tested,
               isa64_generator_forms(run.generator), run.cases, run.mismatches, run.lengths, run.undefined, run.deaths);
        isa64_generator_free(run.generator);
        return run.mismatches || run.lengths ? 1 : 0;
}
