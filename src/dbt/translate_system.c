/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_system.c - system instructions that kernels execute so often that they are worth host code:
 * RDTSC, PUSHF, SWAPGS.  Everything else that is sensitive is a callout.
 *
 * PEXT and PDEP stand in for AND and shifts, which would write flags; without BMI2 these are callouts too.
 */
#include "dbt/translate.h"

bool translate_rdtsc(struct translator *t)
{
        struct emit *e = &t->e;

        if (!t->dbt->bmi2 || t->cpu->env.tsc || (mode_has(t, MODE_TSD) && !mode_has(t, MODE_CPL0)))
                return false;
        emit8(e, 0x0f);
        emit8(e, 0x31);                                                 /* rdtsc */
        emit_rorx(e, true, H_RDX, H_RDX, 32);
        emit_lea64(e, H_RAX, HOST_MEM_INDEX(H_RAX, H_RDX, 0, 0));
        emit_load64(e, H_RCX, STATE(tsc_offset));
        emit_lea64(e, H_RAX, HOST_MEM_INDEX(H_RAX, H_RCX, 0, 0));
        emit_rorx(e, true, H_RDX, H_RAX, 32);
        emit_mov32(e, H_RDX, H_RDX);
        emit_mov32(e, H_RAX, H_RAX);
        return true;
}

/* RCX = RFLAGS as PUSHF shows it: arithmetic flags from the host, IF and DF from their bytes (cpu.h C1). */
static void emit_compose_flags(struct translator *t)
{
        struct emit *e = &t->e;

        emit8(e, 0x9c);                                                 /* pushfq */
        emit8(e, 0x41);
        emit8(e, 0x5b);                                                 /* pop r11 */
        emit_pext64(e, H_R11, H_R11, DSTATE(arith_mask));
        emit_pdep64(e, H_RCX, H_R11, DSTATE(arith_mask));
        emit_load64(e, H_R11, STATE(rflags));
        emit_pext64(e, H_R11, H_R11, DSTATE(pushed_mask));
        emit_pdep64(e, H_R11, H_R11, DSTATE(pushed_mask));
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_R11, 0, 0));
        /* df_step is 1 or -1: its bit 10 is DF. */
        emit_load64(e, H_R11, STATE(df_step));
        emit_pext64(e, H_R11, H_R11, DSTATE(df_mask));
        emit_load8zx(e, H_R10, STATE(iflag));
        emit_lea64(e, H_R10, HOST_MEM_INDEX(H_R10, H_R11, 1, 0));
        emit_pdep64(e, H_R10, H_R10, DSTATE(if_df_mask));
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_R10, 0, 0));
}

bool translate_pushf(struct translator *t)
{
        if (!t->dbt->bmi2 || mode_has(t, MODE_V86))
                return false;
        emit_compose_flags(t);
        emit_store64(&t->e, DSTATE(temp), H_RCX);
        translate_push_temp(t, t->insn.operand_bytes);
        return true;
}

void translate_swapgs(struct translator *t)
{
        struct emit *e = &t->e;

        emit_load64(e, H_RCX, STATE(seg[SEG_GS].base));
        emit_load64(e, H_R10, STATE(kernel_gs_base));
        emit_store64(e, STATE(kernel_gs_base), H_RCX);
        emit_store64(e, STATE(seg[SEG_GS].base), H_R10);
}
