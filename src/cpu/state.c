/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - a vCPU's state as a table: what a snapshot holds of it, and what it may hold.
 *
 * A loaded state may come from anybody.  A guest can do no harm to the host whatever its registers say, but the
 * invariants that translated code relies on (cpu.h, C1 and C5; the XSAVE image, which the host's own XRSTOR
 * loads) must hold.
 */
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/fpu.h"
#include "cpu/state.h"

enum { IMAGE_BYTES = sizeof(((struct cpu_fpu *)0)->image), IMAGE_HEADER_END = FPU_HEADER + 64 };
enum { REQUESTS_SAVED = CPU_REQUEST_NMI | CPU_REQUEST_NMI_AGAIN | CPU_REQUEST_INIT | CPU_REQUEST_SIPI | CPU_REQUEST_RESET };

/* -- Tables ------------------------------------------------------------------------------------- */

static const struct state_field segment_fields[] = {
        STATE_U16(struct segment, selector),
        STATE_U16(struct segment, attr),
        STATE_U32(struct segment, limit),
        STATE_U64(struct segment, base),
        STATE_SKIP(struct segment, read_end, "derived by cpu_segment_changed()"),
        STATE_SKIP(struct segment, write_end, "derived by cpu_segment_changed()"),
        STATE_END
};

static const struct state_field table_fields[] = {
        STATE_U64(struct descriptor_table, base),
        STATE_U32(struct descriptor_table, limit),
        STATE_END
};

static const struct state_field exception_fields[] = {
        STATE_BOOL(struct pending_exception, pending),
        STATE_BOOL(struct pending_exception, has_error),
        STATE_BOOL(struct pending_exception, software),
        STATE_U8(struct pending_exception, vector),
        STATE_U32(struct pending_exception, error),
        STATE_U64(struct pending_exception, cr2),
        STATE_END
};

static const struct state_field fpu_fields[] = {
        STATE_BYTES(struct cpu_fpu, image),
        STATE_U64(struct cpu_fpu, ip),
        STATE_U64(struct cpu_fpu, dp),
        STATE_U16(struct cpu_fpu, cs),
        STATE_U16(struct cpu_fpu, ds),
        STATE_U16(struct cpu_fpu, op),
        STATE_END
};

static const struct state_field paravirt_fields[] = {
        STATE_U64(struct cpu_paravirt, system_time),
        STATE_U64(struct cpu_paravirt, wall_clock),
        STATE_U64(struct cpu_paravirt, steal_time),
        STATE_U64(struct cpu_paravirt, eoi),
        STATE_U64(struct cpu_paravirt, steal_ns),
        STATE_U32(struct cpu_paravirt, clock_version),
        STATE_U32(struct cpu_paravirt, wall_version),
        STATE_U32(struct cpu_paravirt, steal_version),
        STATE_SKIP(struct cpu_paravirt, steal_seen_ns, "of a thread of this host"),
        STATE_SKIP(struct cpu_paravirt, steal_tsc, "of this host"),
        STATE_END
};

const struct state_field cpu_state[] = {
        STATE_U64(struct cpu, regs),
        STATE_U64(struct cpu, rip),
        STATE_SKIP(struct cpu, next_rip, "of an instruction that is being executed"),
        STATE_U64(struct cpu, rflags),
        STATE_S64(struct cpu, df_step),
        STATE_SKIP(struct cpu, quiet, "of the engine"),
        STATE_U8(struct cpu, iflag),
        STATE_U8(struct cpu, cpl),
        STATE_U8(struct cpu, shadow),
        STATE_U8(struct cpu, halted),
        STATE_SKIP(struct cpu, mode, "derived by cpu_mode_changed()"),
        STATE_ARRAY(struct cpu, seg, CPU_SEGMENTS, segment_fields),
        STATE_STRUCT(struct cpu, gdt, table_fields),
        STATE_STRUCT(struct cpu, idt, table_fields),
        STATE_U64(struct cpu, cr0),
        STATE_U64(struct cpu, cr2),
        STATE_U64(struct cpu, cr3),
        STATE_U64(struct cpu, cr4),
        STATE_U64(struct cpu, cr8),
        STATE_U64(struct cpu, efer),
        STATE_U64(struct cpu, dr),
        STATE_U64(struct cpu, pdpte),
        STATE_SKIP(struct cpu, tsc_offset, "to this host's counter; tsc_stopped is the guest's"),
        STATE_U64(struct cpu, tsc_adjust),
        STATE_U64(struct cpu, tsc_stopped),
        STATE_U64(struct cpu, sysenter_cs),
        STATE_U64(struct cpu, sysenter_esp),
        STATE_U64(struct cpu, sysenter_eip),
        STATE_U64(struct cpu, star),
        STATE_U64(struct cpu, lstar),
        STATE_U64(struct cpu, cstar),
        STATE_U64(struct cpu, sfmask),
        STATE_U64(struct cpu, kernel_gs_base),
        STATE_U64(struct cpu, tsc_aux),
        STATE_U64(struct cpu, pat),
        STATE_U64(struct cpu, apic_base),
        STATE_U64(struct cpu, misc_enable),
        STATE_U64(struct cpu, spec_ctrl),
        STATE_U64(struct cpu, mtrr_def_type),
        STATE_U64(struct cpu, mtrr_fixed),
        STATE_U64(struct cpu, mtrr_var),
        STATE_U64(struct cpu, xcr0),
        STATE_STRUCT(struct cpu, pv, paravirt_fields),
        STATE_STRUCT(struct cpu, exception, exception_fields),
        STATE_STRUCT(struct cpu, fpu, fpu_fields),
        STATE_BOOL(struct cpu, nmi_blocked),
        STATE_BOOL(struct cpu, waiting_for_sipi),
        STATE_BOOL(struct cpu, a20),
        STATE_U32(struct cpu, request),
        STATE_SKIP(struct cpu, vector_live, "false while stopped"),
        STATE_SKIP(struct cpu, debug_key, "derived by cpu_debug_changed()"),
        STATE_U32(struct cpu, debug_hits),
        STATE_SKIP(struct cpu, debug_watch, "derived by cpu_debug_changed()"),
        STATE_SKIP(struct cpu, debug_io, "derived by cpu_debug_changed()"),
        STATE_SKIP(struct cpu, debug_step, "the debugger's"),
        STATE_SKIP(struct cpu, debug_stop, "the debugger's"),
        STATE_SKIP(struct cpu, debug_watch_kind, "the debugger's"),
        STATE_SKIP(struct cpu, debug_watch_linear, "the debugger's"),
        STATE_SKIP(struct cpu, debugger, "host pointer"),
        STATE_SKIP(struct cpu, others, "of the machine's making"),
        STATE_SKIP(struct cpu, index, "identity"),
        STATE_SKIP(struct cpu, model, "identity; the snapshot names it"),
        STATE_SKIP(struct cpu, memory, "host pointer"),
        STATE_SKIP(struct cpu, lapic, "host pointer"),
        STATE_SKIP(struct cpu, env, "host pointers"),
        STATE_SKIP(struct cpu, engine, "host pointer"),
        STATE_SKIP(struct cpu, counts, "of this process"),
        STATE_SKIP(struct cpu, tlb, "derived: a cache"),
        STATE_SKIP(struct cpu, bounce, "scratch within one instruction"),
        STATE_END
};

/* -- Judging ------------------------------------------------------------------------------------ */

static bool refuse(const struct cpu *cpu, const char *what, GError **error)
{
        g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "cpu%u: %s", cpu->index, what);
        return false;
}

/* What XRSTOR would fault on, and components that this guest cannot have. */
static void image_tidy(struct cpu *cpu)
{
        uint8_t *image = cpu->fpu.image;
        uint64_t present = fpu_get64(image + FPU_HEADER) & (XSTATE_X87 | XSTATE_SSE | XSTATE_AVX);

        memset(image + FPU_HEADER, 0, IMAGE_HEADER_END - FPU_HEADER);
        fpu_put64(image + FPU_HEADER, present);
        fpu_put32(image + FPU_MXCSR, fpu_get32(image + FPU_MXCSR) & fpu_mxcsr_mask(cpu));
}

bool cpu_post_load(struct cpu *cpu, GError **error)
{
        uint64_t avx = cpu_has(cpu, FEATURE_AVX) ? XSTATE_AVX : 0;
        bool paging = cpu->cr0 & CR0_PG;
        uint64_t rflags;

        if (cpu->cpl > 3 || cpu->iflag > 1 || cpu->shadow > SHADOW_SS || cpu->halted > 1 || (cpu->df_step != 1 && cpu->df_step != -1))
                return refuse(cpu, "cpl, iflag, shadow, halted or df_step: impossible value", error);
        if (cpu->exception.vector >= 32 && !cpu->exception.software)
                return refuse(cpu, "exception.vector: no exception", error);
        if (paging && !(cpu->cr0 & CR0_PE))
                return refuse(cpu, "cr0: paging without protection", error);
        if (((cpu->efer & EFER_LMA) != 0) != (paging && (cpu->efer & EFER_LME)) ||
            ((cpu->efer & EFER_LMA) && !(cpu->cr4 & CR4_PAE)))
                return refuse(cpu, "efer: contradicts cr0 and cr4", error);
        if ((cpu->efer & EFER_LME) && !cpu_has(cpu, FEATURE_LM))
                return refuse(cpu, "efer: this CPU model has no long mode", error);
        if ((cpu->rflags & FLAG_VM) && (cpu->cpl != 3 || !(cpu->cr0 & CR0_PE) || (cpu->efer & EFER_LMA)))
                return refuse(cpu, "rflags: virtual-8086 mode cannot be", error);
        if (!(cpu->xcr0 & XSTATE_X87) || (cpu->xcr0 & ~(XSTATE_X87 | XSTATE_SSE | avx)))
                return refuse(cpu, "xcr0: state that this CPU does not have", error);
        if (cpu->seg[SEG_CS].attr & SEG_L && cpu->seg[SEG_CS].attr & SEG_DB && cpu_long_mode(cpu))
                return refuse(cpu, "seg[1].attr: neither 64-bit nor 32-bit code", error);
        /* C1 */
        rflags = cpu_rflags(cpu);
        cpu_set_rflags(cpu, rflags);
        /* C5 */
        if (!cpu_code64(cpu)) {
                for (unsigned i = RAX; i <= (cpu_long_mode(cpu) ? RDI : R15); i++)
                        cpu->regs[i] = (uint32_t)cpu->regs[i];
                cpu->rip = (uint32_t)cpu->rip;
        }
        for (unsigned i = SEG_ES; i < CPU_SEGMENTS; i++)
                if (!cpu_long_mode(cpu))
                        cpu->seg[i].base = (uint32_t)cpu->seg[i].base;
        cpu->gdt.limit &= 0xffff;
        cpu->idt.limit &= 0xffff;
        cpu->cr8 &= 15;
        cpu->pv.steal_seen_ns = cpu->pv.steal_tsc = 0;
        cpu->next_rip = cpu->rip;
        cpu->request = (cpu->request & REQUESTS_SAVED) | CPU_REQUEST_FLUSH;
        image_tidy(cpu);
        return true;
}

/* -- The time stamp counter --------------------------------------------------------------------- */

void cpu_stop_tsc(struct cpu *const *cpus, unsigned count)
{
        uint64_t now = __builtin_ia32_rdtsc();

        for (unsigned i = 0; i < count; i++)
                cpus[i]->tsc_stopped = now + cpus[i]->tsc_offset;
}

void cpu_start_tsc(struct cpu *const *cpus, unsigned count)
{
        uint64_t now = __builtin_ia32_rdtsc();

        for (unsigned i = 0; i < count; i++)
                cpus[i]->tsc_offset = cpus[i]->tsc_stopped - now;
}
