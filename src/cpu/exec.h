/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec.h - every C handler the opcode table names.
 *
 * A handler carries out one decoded instruction that the translator does not copy, at the state of
 * *cpu.  Contract (see insn_handler in insn.h and rules C1-C5 in cpu.h):
 *
 * X1  cpu->rip is the instruction's address and cpu->next_rip = rip + length, wrapped to the mode's
 *     instruction pointer, on entry.  A handler that transfers control, or that must run again (a REP
 *     interrupted between two elements), sets next_rip.
 * X2  False: an exception was raised with cpu_raise*() and nothing the SDM calls unchanged has changed.
 * X3  The decoder has already refused what the encoding alone forbids: wrong mode (ATTR_NO_REAL,
 *     ATTR_NO_64), LOCK, register or memory form, missing feature, Sreg and CRn that do not exist.  Checks
 *     of ATTR_CPL0 and of CR0.EM/TS (ATTR_X87, ATTR_MMX, ATTR_SSE) are the handler's when it is called directly:
 *     it repeats them, since the interpreter used by tests calls handlers without a translator in front.
 * X4  Operands are found through insn->opcode->operands, insn->reg, insn->rm, insn->is_memory and so on; one
 *     handler serves all forms listed beside it.
 */
#ifndef LODGER_CPU_EXEC_H
#define LODGER_CPU_EXEC_H

#include "cpu/cpu.h"
#include "cpu/insn.h"

/* The segment register an instruction names other than by an override: PUSH and POP of a segment
 * register, MOV to and from Sreg, LES LDS LSS LFS LGS. */
static inline enum cpu_segment insn_segment_operand(const struct insn *insn)
{
        if (insn->map == MAP_PRIMARY) {
                switch (insn->code) {
                case 0x8c:
                case 0x8e:
                        return (enum cpu_segment)(insn->modrm >> 3 & 7);
                case 0xc4:
                        return SEG_ES;
                case 0xc5:
                        return SEG_DS;
                default:                /* 06 07 0E 16 17 1E 1F */
                        return (enum cpu_segment)(insn->code >> 3 & 7);
                }
        }
        switch (insn->code) {
        case 0xb2:
                return SEG_SS;
        case 0xb4:
                return SEG_FS;
        case 0xb5:
                return SEG_GS;
        default:                        /* 0F A0 A1 A8 A9 */
                return (enum cpu_segment)(insn->code >> 3 & 7);
        }
}

/* -- Segment registers and descriptor tables (exec_segment.c) ----------------------------------- */

insn_handler exec_mov_to_seg;           /* 8E: MOV Sw,Ew */
insn_handler exec_pop_seg;              /* 07 17 1F, 0F A1, 0F A9 */
insn_handler exec_load_far_pointer;     /* LES LDS LSS LFS LGS: Gv,Mp */
insn_handler exec_lgdt;                 /* Ms */
insn_handler exec_lidt;
insn_handler exec_sgdt;
insn_handler exec_sidt;
insn_handler exec_lldt;                 /* Ew */
insn_handler exec_sldt;                 /* Mw, Rv */
insn_handler exec_ltr;                  /* Ew */
insn_handler exec_str;                  /* Mw, Rv */
insn_handler exec_lar;                  /* Gv,Ew */
insn_handler exec_lsl;                  /* Gv,Ew */
insn_handler exec_verr;                 /* Ew */
insn_handler exec_verw;                 /* Ew */
insn_handler exec_arpl;                 /* Ew,Gw */
insn_handler exec_smsw;                 /* Mw, Rv */
insn_handler exec_lmsw;                 /* Ew */

/* -- Far transfers, interrupts, system calls (exec_far.c) --------------------------------------- */

insn_handler exec_jmp_far;              /* EA Ap (offset in imm, selector in imm2), FF /5 Mp */
insn_handler exec_call_far;             /* 9A Ap, FF /3 Mp */
insn_handler exec_ret_far;              /* CB, CA Iw */
insn_handler exec_iret;                 /* CF, operand_bytes wide */
insn_handler exec_int;                  /* CD Ib */
insn_handler exec_int3;                 /* CC */
insn_handler exec_int1;                 /* F1 */
insn_handler exec_into;                 /* CE */
insn_handler exec_sysenter;
insn_handler exec_sysexit;
insn_handler exec_syscall;
insn_handler exec_sysret;

/* -- 64-bit mode only (exec_long.c) -------------------------------------------------------------- */

insn_handler exec_swapgs;
insn_handler exec_rd_segment_base;      /* RDFSBASE, RDGSBASE: Ry */
insn_handler exec_wr_segment_base;      /* WRFSBASE, WRGSBASE: Ry */

/* -- System registers --------------------------------------------------------------------------- */

insn_handler exec_cpuid;
insn_handler exec_rdmsr;
insn_handler exec_wrmsr;
insn_handler exec_rdtsc;
insn_handler exec_rdtscp;
insn_handler exec_rdpmc;
insn_handler exec_rdpid;                /* Ry */
insn_handler exec_mov_from_cr;          /* Ry,Cd: register in rm, CR number in reg */
insn_handler exec_mov_to_cr;            /* Cd,Ry */
insn_handler exec_mov_from_dr;          /* Ry,Dd */
insn_handler exec_mov_to_dr;            /* Dd,Ry */
insn_handler exec_clts;
insn_handler exec_invlpg;               /* M */
insn_handler exec_invpcid;              /* Gy,Mdq */
insn_handler exec_invd;
insn_handler exec_wbinvd;
insn_handler exec_hlt;
insn_handler exec_monitor;
insn_handler exec_mwait;
insn_handler exec_cli;
insn_handler exec_sti;
insn_handler exec_pushf;                /* operand_bytes wide */
insn_handler exec_popf;
insn_handler exec_xgetbv;
insn_handler exec_xsetbv;

/* -- Ports --------------------------------------------------------------------------------------- */

insn_handler exec_in;                   /* AL,Ib  eAX,Ib  AL,DX  eAX,DX */
insn_handler exec_out;                  /* Ib,AL  Ib,eAX  DX,AL  DX,eAX */
insn_handler exec_ins;                  /* Yb,DX  Yv,DX (at most 4 bytes), with or without REP */
insn_handler exec_outs;                 /* DX,Xb  DX,Xv */

/* -- Integer instructions without a 64-bit counterpart, and slow ways ----------------------------- */

insn_handler exec_aaa;
insn_handler exec_aas;
insn_handler exec_aam;                  /* Ib */
insn_handler exec_aad;                  /* Ib */
insn_handler exec_daa;
insn_handler exec_das;
insn_handler exec_salc;
insn_handler exec_bound;                /* Gv,Ma */
insn_handler exec_enter;                /* Iw,Ib: size in imm, level in imm2 */
insn_handler exec_pusha;
insn_handler exec_popa;
insn_handler exec_string;               /* MOVS STOS LODS CMPS SCAS, b and v, with or without REP */
/* What REP does to the upper halves of its registers with 32-bit addresses in 64-bit mode. */
void exec_string_truncate(struct cpu *cpu, const struct insn *insn);
insn_handler exec_bt_mem;               /* BT BTS BTR BTC Ev,Gv, memory and register form, LOCK */
insn_handler exec_xlat;
insn_handler exec_cmpxchg16b;           /* Mdq */

/* -- Vector and floating-point state -------------------------------------------------------------- */

insn_handler exec_fnstenv;              /* M: 14 or 28 bytes by operand_bytes */
insn_handler exec_fldenv;
insn_handler exec_fnsave;               /* M: 94 or 108 bytes */
insn_handler exec_frstor;
insn_handler exec_fxsave;               /* M: 512 bytes, also with REX.W */
insn_handler exec_fxrstor;
insn_handler exec_maskmov;              /* MASKMOVQ Pq,Nq  MASKMOVDQU Vx,Ux */
insn_handler exec_vmaskmov;             /* VMASKMOVPS/PD VPMASKMOVD/Q: Vx,Hx,Mx and Mx,Hx,Vx */
insn_handler exec_gather;               /* VGATHER* VPGATHER*: Vx,Mvsib,Hx */
insn_handler exec_xsave;                /* M, also with REX.W */
insn_handler exec_xrstor;

#endif
