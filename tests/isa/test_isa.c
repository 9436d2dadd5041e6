/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_isa.c - every row of the opcode table on the host's CPU and under the translator, compared.
 *
 * Environment (README.md):
 *   ISA_CASES=N        cases per form
 *   ISA_FORM=TEXT      only forms that contain TEXT ("add Eb,Gb", "fld"); reports every mismatch
 *   ISA_CASE=N         only case number N of those forms, with its state
 *   ISA_SEED=N         another seed
 *   ISA_REPORTS=N      mismatches to report in full per form
 *   ISA_NATIVE=1       no translator: native against native, and the decoder's lengths against the CPU
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "compare.h"
#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "generate.h"
#include "selfcheck.h"

enum { DEFAULT_CASES = 200, REPORTS_PER_FORM = 2, TEXT_BYTES = 8192 };

struct reasons;

struct run {
        struct isa_generator *generator;
        struct isa_runner *native, *other;
        bool native_only, verbose;
        unsigned reports;               /* per form */
        struct reasons *known;
        unsigned cases, mismatches, undefined, lengths, known_mismatches;
        unsigned vectors[32];           /* cases by the vector that ended them natively */
        unsigned numbers[ISA_BATCH];    /* of the cases in the batch, within their forms */
};

/* -- Forms without a test ---------------------------------------------------------------------- */

struct reasons {
        unsigned n;
        struct reason {
                char form[320];
                char why[320];
                bool used;
        } *reason;
};

/* Lines "form<TAB>reason", or in known.mismatches "form<TAB>[special] reason"; # starts a comment. */
static bool load_reasons(struct reasons *reasons, const char *path)
{
        FILE *file = fopen(path, "r");
        char line[320];

        if (!file) {
                perror(path);
                return false;
        }
        while (fgets(line, sizeof(line), file)) {
                char *tab = strchr(line, '\t');

                line[strcspn(line, "\n")] = 0;
                if (line[0] == '#' || line[0] == 0)
                        continue;
                if (!tab || !tab[strspn(tab, "\t ")]) {
                        fprintf(stderr, "%s: no reason in \"%s\"\n", path, line);
                        fclose(file);
                        return false;
                }
                *tab = 0;
                reasons->reason = realloc(reasons->reason, (reasons->n + 1) * sizeof(*reasons->reason));
                memset(&reasons->reason[reasons->n], 0, sizeof(*reasons->reason));
                snprintf(reasons->reason[reasons->n].form, sizeof(reasons->reason[0].form), "%s", line);
                snprintf(reasons->reason[reasons->n].why, sizeof(reasons->reason[0].why), "%s", tab + 1 + strspn(tab + 1, "\t "));
                reasons->n++;
        }
        fclose(file);
        return true;
}

static struct reason *find_reason(struct reasons *reasons, const char *form)
{
        for (unsigned i = 0; i < reasons->n; i++)
                if (!strcmp(reasons->reason[i].form, form))
                        return &reasons->reason[i];
        return NULL;
}

/* A mismatch that known.mismatches lists: "form<TAB>[special] why"; "*" stands for all forms. */
static bool is_known(struct reasons *known, const struct isa_case *c, const char *form)
{
        size_t length = strlen(c->what);

        for (unsigned i = 0; i < known->n; i++) {
                const struct reason *reason = &known->reason[i];

                if (strcmp(reason->form, "*") && strcmp(reason->form, form))
                        continue;
                if (!strncmp(reason->why, "[*]", 3) ||
                    (reason->why[0] == '[' && !strncmp(reason->why + 1, c->what, length) && reason->why[1 + length] == ']'))
                        return true;
        }
        return false;
}

static bool offered(const uint64_t features[2], const struct opcode *opcode)
{
        return features[opcode->feature / 64] >> (opcode->feature % 64) & 1;
}

/* Why a form that is not in the list cannot have a case here; NULL: it should have one. */
static const char *why_not(const uint64_t features[2], const struct opcode *opcode)
{
        if (opcode->attr & ATTR_ONLY_64)
                return "64-bit mode only";
        return offered(features, opcode) ? NULL : "the CPU model does not offer it on this host";
}

/* Writes untested.txt and checks it against the reasons: every form without a case has one, and no
 * reason is left over. */
static unsigned check_untested(struct run *run, struct reasons *reasons, const uint64_t features[2], const char *path)
{
        FILE *file = fopen(path, "w");
        unsigned failures = 0;

        for (unsigned i = 0; i < isa_generator_forms(run->generator); i++) {
                const struct isa_form *form = isa_generator_form(run->generator, i);
                struct reason *reason = find_reason(reasons, form->opcode->form);
                const char *why = why_not(features, form->opcode);

                if (reason)
                        reason->used = true;
                if (form->cases || form->opcode->attr & ATTR_VEX)       /* VEX: test_isa64 */
                        continue;
                if (file)
                        fprintf(file, "%s\t%s\n", form->opcode->form, reason ? reason->why : why ? why : "no reason");
                if (!reason && why)
                        continue;
                if (!reason) {
                        printf("FAIL untested: \"%s\" has no case and no reason (%u encodings)\n", form->opcode->form, form->encodings);
                        failures++;
                }
        }
        if (file)
                fclose(file);
        for (unsigned i = 0; i < reasons->n; i++)
                if (!reasons->reason[i].used) {
                        printf("FAIL untested: the table has no form \"%s\"\n", reasons->reason[i].form);
                        failures++;
                }
        return failures;
}

/* -- Batches ----------------------------------------------------------------------------------- */

/* The decoder's length against the CPU's: a copied instruction that ran ended at its INT3. */
static bool length_is_right(const struct isa_case *c, const struct opcode *opcode, const struct isa_result *native)
{
        bool straight = opcode->kind == KIND_COPY || opcode->kind == KIND_NOP || opcode->kind == KIND_LEA ||
                        opcode->kind == KIND_PUSH || opcode->kind == KIND_POP || opcode->kind == KIND_STRING ||
                        opcode->kind == KIND_HOST_X87_CONTROL || opcode->kind == KIND_BT_MEM;

        if (!straight || native->vector != EXC_BP || (c->before.eflags & FLAG_TF) || c->code_bytes != c->length)
                return true;
        return native->after.eip == c->before.eip + c->length + 1;
}

static void compare_case(struct run *run, unsigned i)
{
        const struct isa_shared *native = isa_runner_shared(run->native), *other = isa_runner_shared(run->other);
        const struct isa_case *c = &native->cases[i];
        struct isa_form *form = isa_generator_form(run->generator, c->form);
        const struct isa_result *expected = &native->results[i];
        static char difference[TEXT_BYTES], description[TEXT_BYTES];
        enum isa_verdict verdict = isa_compare(c, form->opcode, expected, &other->results[i], difference, sizeof(difference));

        if (verdict == ISA_DIFFERENT && is_known(run->known, c, form->opcode->form)) {
                run->known_mismatches++;
                verdict = ISA_EQUAL;
        }
        run->cases++;
        form->cases++;
        if (expected->vector < 32) {
                form->vectors |= 1u << expected->vector;
                run->vectors[expected->vector]++;
        }
        if (!length_is_right(c, form->opcode, expected)) {
                isa_describe_case(c, form->opcode, description, sizeof(description));
                printf("FAIL length: %s: decoder says %u, the CPU stopped at %+d\n", description, c->length,
                       (int)(expected->after.eip - c->before.eip));
                run->lengths++;
        }
        if (verdict == ISA_UNDEFINED_DIFFERS) {
                run->undefined++;
                form->undefined++;
        } else if (verdict == ISA_DIFFERENT) {
                run->mismatches++;
                form->mismatches++;
        }
        if ((verdict == ISA_DIFFERENT && form->mismatches <= run->reports) || run->verbose) {
                isa_describe_case(c, form->opcode, description, sizeof(description));
                printf("%s #%u %s\n    native vector %u error %x eip %+d eflags %x;%s\n", verdict == ISA_DIFFERENT ? "FAIL" : "case",
                       run->numbers[i], description, expected->vector, expected->error,
                       (int)(expected->after.eip - c->before.eip), expected->after.eflags, difference);
        }
}

static void run_batch(struct run *run)
{
        struct isa_shared *native = isa_runner_shared(run->native), *other = isa_runner_shared(run->other);

        if (!native->count)
                return;
        memcpy(other->cases, native->cases, native->count * sizeof(native->cases[0]));
        other->count = native->count;
        isa_runner_run(run->native);
        isa_runner_run(run->other);
        for (unsigned i = 0; i < native->count; i++)
                compare_case(run, i);
        native->count = 0;
}

static unsigned self_check(struct run *run, bool has_ldt)
{
        struct isa_shared *native = isa_runner_shared(run->native), *other = isa_runner_shared(run->other);
        unsigned failures;

        isa_selfcheck_fill(native, has_ldt);
        isa_runner_run(run->native);
        failures = isa_selfcheck_verify(native, "native");
        isa_selfcheck_fill(other, has_ldt);
        isa_runner_run(run->other);
        failures += isa_selfcheck_verify(other, run->native_only ? "native" : "translator");
        printf("hand cases: %u, %u wrong\n", 2 * native->count, failures);
        native->count = 0;
        return failures;
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
        const char *text = getenv(variable);

        return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

static void report_forms(struct run *run)
{
        unsigned forms = isa_generator_forms(run->generator), tested = 0;

        for (unsigned i = 0; i < forms; i++) {
                const struct isa_form *form = isa_generator_form(run->generator, i);

                tested += form->cases != 0;
                if (form->mismatches)
                        printf("MISMATCH %-28s %u of %u\n", form->opcode->form, form->mismatches, form->cases);
                if (form->cases && form->vectors == 1u << EXC_UD && form->opcode->kind != KIND_INVALID)
                        printf("always #UD on the host: %s\n", form->opcode->form);
                if (form->undefined)
                        printf("undefined flags differ: %-28s %u of %u\n", form->opcode->form, form->undefined, form->cases);
        }
        printf("cases by vector:");
        for (unsigned i = 0; i < 32; i++)
                if (run->vectors[i])
                        printf(" %u: %u", i, run->vectors[i]);
        printf("\n%u of %u forms, %u cases: %u mismatches, %u known ones, %u wrong lengths, %u with other undefined flags; runners died %u + %u times\n",
               tested, forms, run->cases, run->mismatches, run->known_mismatches, run->lengths, run->undefined, isa_runner_deaths(run->native),
               isa_runner_deaths(run->other));
}

int main(void)
{
        const char *only = getenv("ISA_FORM"), *source = getenv("top_srcdir");
        unsigned cases = (unsigned)number_from("ISA_CASES", DEFAULT_CASES);
        unsigned long single = number_from("ISA_CASE", ~0ul);
        bool has_ldt = isa_native_has_ldt();
        struct run run = { .native_only = number_from("ISA_NATIVE", 0), .reports = (unsigned)number_from("ISA_REPORTS", only ? 20 : REPORTS_PER_FORM) };
        struct reasons reasons = { 0 }, known = { 0 };
        uint64_t features[2];
        char path[1024];
        unsigned failures = 0;

        isa_translator_features(features);
        run.native = isa_runner_new("native", isa_native_child);
        run.other = isa_runner_new(run.native_only ? "native" : "translator", run.native_only ? isa_native_child : isa_translator_child);
        run.generator = isa_generator_new(number_from("ISA_SEED", 1), cases, has_ldt, features);
        run.verbose = single != ~0ul;
        if (!has_ldt)
                printf("skipped: 16-bit code segments and 16-bit addresses that reach memory (modify_ldt is refused here)\n");
        snprintf(path, sizeof(path), "%s/tests/isa/untested.reasons", source ? source : ".");
        if (!load_reasons(&reasons, path))
                return 2;
        snprintf(path, sizeof(path), "%s/tests/isa/known.mismatches", source ? source : ".");
        if (!load_reasons(&known, path))
                return 2;
        run.known = &known;
        failures += self_check(&run, has_ldt);

        struct isa_shared *batch = isa_runner_shared(run.native);

        for (unsigned form = 0; form < isa_generator_forms(run.generator); form++) {
                const char *name = isa_generator_form(run.generator, form)->opcode->form;

                if ((only && !strstr(name, only)) || find_reason(&reasons, name))
                        continue;
                for (unsigned n = 0; n < cases; n++) {
                        if (single != ~0ul && n != single)
                                continue;
                        if (!isa_generate(run.generator, form, n, &batch->cases[batch->count]))
                                continue;
                        run.numbers[batch->count++] = n;
                        if (batch->count == ISA_BATCH)
                                run_batch(&run);
                }
        }
        run_batch(&run);
        report_forms(&run);
        if (!only && single == ~0ul)
                failures += check_untested(&run, &reasons, features, "tests/isa/untested.txt");
        failures += run.mismatches + run.lengths;
        isa_runner_free(run.native);
        isa_runner_free(run.other);
        isa_generator_free(run.generator);
        free(reasons.reason);
        free(known.reason);
        return failures ? 1 : 0;
}
