/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_report.c - what the self-check prints when a block's two runs differ: the block, what it started
 * from, and what differs.
 */
#include "base/log.h"
#include "dbt/check.h"

static void report_value(const char *name, uint64_t before, uint64_t stepped, uint64_t run)
{
        g_printerr("  %c %-9s %016" G_GINT64_MODIFIER "x  %016" G_GINT64_MODIFIER "x  %016" G_GINT64_MODIFIER "x\n",
                   stepped == run ? ' ' : '*', name, before, stepped, run);
}

static uint64_t exception_word(const struct pending_exception *e)
{
        return e->pending ? (uint64_t)1 << 63 | (uint64_t)e->vector << 32 | e->error : 0;
}

static uint64_t image_word(const uint8_t *image, unsigned at)
{
        uint64_t word = 0;

        for (unsigned i = 0; i < 8; i++)
                if (check_image_byte(at + i))
                        word |= (uint64_t)image[at + i] << 8 * i;
        return word;
}

static void report_states(const struct check *check, bool vector)
{
        static const char *const names[CPU_REGS] = {
                "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        };
        const struct check_state *b = &check->before, *s = &check->stepped, *r = &check->run;

        g_printerr("    %-9s %-16s  %-16s  %-16s\n", "", "before", "step by step", "as a block");
        for (unsigned i = 0; i < CPU_REGS; i++)
                report_value(names[i], b->regs[i], s->regs[i], r->regs[i]);
        report_value("rip", b->rip, s->rip, r->rip);
        report_value("flags", b->rflags, s->rflags, r->rflags);
        report_value("DF step", (uint64_t)b->df_step, (uint64_t)s->df_step, (uint64_t)r->df_step);
        report_value("IF", b->iflag, s->iflag, r->iflag);
        report_value("shadow", b->shadow, s->shadow, r->shadow);
        report_value("gs base", b->gs_base, s->gs_base, r->gs_base);
        report_value("other gs", b->kernel_gs_base, s->kernel_gs_base, r->kernel_gs_base);
        report_value("exception", exception_word(&b->exception), exception_word(&s->exception), exception_word(&r->exception));
        report_value("cr2 of it", b->exception.cr2, s->exception.cr2, r->exception.cr2);
        if (!vector)
                return;
        report_value("fpu ip", b->fpu_ip, s->fpu_ip, r->fpu_ip);
        report_value("fpu dp", b->fpu_dp, s->fpu_dp, r->fpu_dp);
        report_value("fpu op", b->fpu_op, s->fpu_op, r->fpu_op);
        for (unsigned i = 0; i < CHECK_IMAGE_BYTES; i += 8) {
                if (image_word(s->image, i) == image_word(r->image, i))
                        continue;
                char name[16];
                g_snprintf(name, sizeof name, "image+%u", i);
                report_value(name, image_word(b->image, i), image_word(s->image, i), image_word(r->image, i));
        }
}

void check_report(struct cpu *cpu, const struct block *block)
{
        const struct check *check = dbt_cpu(cpu)->check;
        char *text = dbt_describe_block(dbt_cpu(cpu)->dbt, block);

        log_error("the translator's self-check failed: a block did not do what its instructions do one at a time; "
                  "this is a defect of lodger, please report it with what follows");
        g_printerr("%s", text);
        g_free(text);
        report_states(check, block->vector);
        for (unsigned p = 0; p < check->places; p++) {
                const struct check_place *place = &check->place[p];
                for (unsigned i = 0; i < place->size; i++)
                        if (place->host[i] != check->new[place->at + i])
                                g_printerr("  * memory %" G_GINT64_MODIFIER "x  %02x  %02x  %02x\n", place->linear + i,
                                           check->old[place->at + i], check->new[place->at + i], place->host[i]);
        }
}
