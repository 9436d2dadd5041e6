/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_codegen.c - the host code of representative blocks, at least one for each way to access memory and to leave a block, compared with tests/codegen/expected.
 *
 * A change of the translator shows here as a change of that file, to be read and committed with it:
 * UPDATE=1 rewrites it.  Addresses are replaced by what they mean, displacements from the vCPU's state by
 * "+state", so that only the choice of instructions and registers counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include "cpu/mode.h"
#include "cpu/tlb.h"
#include "dbt/internal.h"
#include "../unit/dbt_fixture.h"

struct sample {
        const char *name, *code;
        unsigned size;
        bool wide;
};
#define SAMPLE(name, code) { name, code, sizeof code - 1, false }
#define SAMPLE64(name, code) { name, code, sizeof code - 1, true }

static const struct sample samples[] = {
        SAMPLE("register arithmetic", "\x01\xc8\x41\x89\xe5\xf7\xd9\xf4"),
        SAMPLE("load", "\x8b\x43\x08\xf4"),
        SAMPLE("store", "\x89\x4c\x93\x10\xf4"),
        SAMPLE("read, modify, write", "\x83\x00\x01\xf4"),
        SAMPLE("fs override", "\x64\x8b\x05\x04\x00\x00\x00\xf4"),
        SAMPLE("high byte beside memory", "\x00\x26\xf4"),
        SAMPLE("shift by cl", "\xd3\x20\xf4"),
        SAMPLE("push and pop", "\x50\x59\xf4"),
        SAMPLE("conditional branch", "\x85\xc0\x74\x10\xf4"),
        SAMPLE("backward branch", "\x48\x75\xfd\xf4"),
        SAMPLE("loop", "\xe2\xfe\xf4"),
        SAMPLE("call", "\xe8\x10\x00\x00\x00"),
        SAMPLE("ret", "\xc3"),
        SAMPLE("indirect jump", "\xff\x20"),
        SAMPLE("stosd", "\xab\xf4"),
        SAMPLE("x87 load", "\xd9\x06\xf4"),
        SAMPLE("cli and sti", "\xfa\xfb\x90\xf4"),
        SAMPLE("callout", "\x0f\xa2\xf4"),
        SAMPLE64("64-bit registers in memory", "\x4d\x01\xf2\xf4"),
        SAMPLE("several accesses through one base: a span", "\x8b\x43\x04\x8b\x53\x08\x89\x4b\x0c\xf4"),
        SAMPLE("span over a stack frame", "\x8b\x44\x24\x04\x03\x44\x24\x08\x89\x45\xfc\xf4"),
        SAMPLE("locked read, modify, write", "\xf0\xff\x03\xf4"),
        SAMPLE("cmpxchg", "\xf0\x0f\xb1\x0b\xf4"),
        SAMPLE("absolute address", "\xa1\x00\x00\x02\x00\xf4"),
        SAMPLE("16-bit addressing", "\x67\x8b\x47\x10\xf4"),
        SAMPLE("unaligned size, byte store", "\x88\x4b\x03\xf4"),
        SAMPLE("sse load and store", "\x0f\x10\x03\x0f\x11\x43\x10\xf4"),
        SAMPLE("sse aligned load", "\x0f\x28\x03\xf4"),
        SAMPLE("sse arithmetic with memory", "\xf2\x0f\x58\x03\xf4"),
        SAMPLE("rep movsd", "\xf3\xa5\xf4"),
        SAMPLE("rep stosd", "\xf3\xab\xf4"),
        SAMPLE("lodsb", "\xac\xf4"),
        SAMPLE("jump within the page", "\xeb\x10"),
        SAMPLE("jump to another page", "\xe9\x00\x20\x00\x00"),
        SAMPLE("indirect jump through a register", "\xff\xe0"),
        SAMPLE("indirect call through a register", "\xff\xd0"),
        SAMPLE("indirect call through memory", "\xff\x53\x08"),
        SAMPLE("ret with immediate", "\xc2\x08\x00"),
        SAMPLE("jecxz", "\xe3\x10\xf4"),
        SAMPLE("setcc and cmov", "\x0f\x94\xc0\x0f\x45\xd1\xf4"),
        SAMPLE("pushf and popf", "\x9c\x9d\xf4"),
        SAMPLE("leave", "\xc9\xf4"),
        SAMPLE("pusha", "\x60\xf4"),
        SAMPLE("int", "\xcd\x80"),
        SAMPLE("iret", "\xcf"),
        SAMPLE("segment load", "\x8e\xd8\xf4"),
        SAMPLE("rdtsc", "\x0f\x31\xf4"),
        SAMPLE("divide", "\xf7\xf3\xf4"),
        SAMPLE64("64-bit store", "\x48\x89\x43\x08\xf4"),
        SAMPLE64("64-bit read, modify, write", "\x48\x83\x03\x01\xf4"),
        SAMPLE64("64-bit span", "\x48\x8b\x43\x08\x48\x8b\x53\x10\x48\x89\x4b\x18\xf4"),
        SAMPLE64("64-bit span over a stack frame", "\x48\x8b\x44\x24\x08\x48\x89\x44\x24\x10\xf4"),
        SAMPLE64("rip-relative", "\x48\x8b\x05\x00\x10\x00\x00\xf4"),
        SAMPLE64("gs override", "\x65\x48\x8b\x04\x25\x28\x00\x00\x00\xf4"),
        SAMPLE64("access through registers in memory", "\x4b\x8b\x04\xd1\xf4"),
        SAMPLE64("64-bit push and pop", "\x50\x41\x56\x41\x5e\x59\xf4"),
        SAMPLE64("64-bit call", "\xe8\x10\x00\x00\x00"),
        SAMPLE64("64-bit ret", "\xc3"),
        SAMPLE64("64-bit indirect call", "\xff\xd0"),
        SAMPLE64("64-bit indirect jump through a table", "\xff\x24\xc5\x00\x00\x02\x00"),
        SAMPLE64("64-bit conditional branch backwards", "\x48\xff\xc8\x75\xfb\xf4"),
        SAMPLE64("64-bit sse load", "\xf2\x0f\x10\x04\xcb\xf4"),
        SAMPLE64("64-bit rep movsb", "\xf3\xa4\xf4"),
        SAMPLE64("syscall", "\x0f\x05"),
        SAMPLE64("sysret", "\x48\x0f\x07"),
        SAMPLE64("swapgs", "\x0f\x01\xf8\xf4"),
        SAMPLE64("mov to cr3", "\x0f\x22\xd8\xf4"),
        SAMPLE64("invlpg", "\x0f\x01\x3b\xf4"),
        SAMPLE64("64-bit iret", "\x48\xcf"),
        SAMPLE64("64-bit load", "\x4c\x8b\x5b\x08\xf4"),
};

/* Host code of a block, one instruction a line, without bytes and addresses. */
static void normalise(GString *out, const char *text)
{
        char **lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++) {
                char *host = strstr(*line, " 0x");
                if (strncmp(*line, "                    0x", 22)) {
                        if (strncmp(*line, "block", 5) && **line)
                                g_string_append_printf(out, "%s\n", g_strchomp(*line));
                        continue;
                }
                char *insn = strstr(host + 1, "  ");
                insn = insn ? strstr(insn + 2, "  ") : NULL;
                g_string_append(out, "        ");
                for (const char *p = insn ? insn + 2 : ""; *p;) {
                        char *end;
                        unsigned long long value = g_ascii_isdigit(*p) && !g_ascii_isalnum(p[-1]) ? strtoull(p, &end, 0) : 0;
                        if (value >= 0x100000000 && value < 0xffff000000000000) {
                                g_string_append(out, "ADDRESS");
                                p = end;
                        } else if (value >= 0x100 && strstr(insn, "[rip")) {
                                g_string_append(out, "GUESS");
                                p = end;
                        } else if (value >= 0x100 && strchr(insn, '[') && strstr(insn, "rsp")) {
                                g_string_append(out, "STATE");
                                p = end;
                        } else {
                                g_string_append_c(out, *p++);
                        }
                }
                while (out->len && out->str[out->len - 1] == ' ')
                        g_string_truncate(out, out->len - 1);
                g_string_append_c(out, '\n');
        }
        g_strfreev(lines);
}

static void enter_long_mode(void)
{
        cpu->efer = EFER_LME | EFER_LMA;
        cpu->seg[SEG_CS].attr = 0xa09b;
}

static char *describe(const struct sample *sample)
{
        GString *out = g_string_new(NULL);
        gpa_t gpa;

        dbt_fixture_open((struct dbt_options){ 0 });
        if (sample->wide)
                enter_long_mode();
        dbt_state_changed(cpu);
        place(CODE, sample->code, sample->size);
        cpu->rip = CODE;
        ck_assert(tlb_fetch(cpu, CODE, &gpa));
        lock_acquire(&dbt->lock);
        const struct context *context = context_intern(dbt, cpu->mode, cpu->seg[SEG_CS].base,
                                                               cpu->seg[SEG_CS].limit, 0);
        gpa_t unready;
        struct block *block = dbt_translate(cpu, context, CODE, CODE, 0, &unready);
        lock_release(&dbt->lock);
        ck_assert_ptr_nonnull(block);
        char *text = dbt_describe_block(dbt, block);
        g_string_append_printf(out, "== %s\n", sample->name);
        normalise(out, text);
        g_free(text);
        block->dead = true;             /* it is in no table */
        dbt_fixture_close();
        return g_string_free(out, FALSE);
}

START_TEST(emitted_code)
{
        char *path = g_build_filename(g_getenv("top_srcdir") ? g_getenv("top_srcdir") : "..", "tests", "codegen", "expected", NULL);
        GString *now = g_string_new("SPDX-License-Identifier: GPL-2.0-or-later\n");
        char *wanted = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(samples); i++) {
                char *text = describe(&samples[i]);
                g_string_append(now, text);
                g_free(text);
        }
        if (g_getenv("UPDATE")) {
                ck_assert(g_file_set_contents(path, now->str, -1, NULL));
        } else {
                ck_assert_msg(g_file_get_contents(path, &wanted, NULL, NULL), "%s is missing", path);
                if (strcmp(wanted, now->str)) {
                        ck_assert(g_file_set_contents("codegen.out", now->str, -1, NULL));
                        ck_abort_msg("the translator emits other code than %s says; see codegen.out here, and UPDATE=1", path);
                }
        }
        g_free(wanted);
        g_free(path);
        g_string_free(now, TRUE);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("codegen");
        TCase *tcase = tcase_create("codegen");

#ifndef HAVE_CAPSTONE
        printf("skipped: Capstone is missing\n");
        return 77;
#endif
        if (!__builtin_cpu_supports("bmi2")) {
                printf("skipped: the expectations are for a host with BMI2\n");
                return 77;
        }
        tcase_add_test(tcase, emitted_code);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
