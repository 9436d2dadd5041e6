/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_xsave.c - XSAVE and XRSTOR in standard format for x87, SSE and AVX; XCR0 (SDM 1 chapter 13).
 *
 * XSETBV ends the block, since vector instructions appear or go.  Decoded for models with FEATURE_XSAVE
 * only.  The requested features are masked by the guest's XCR0 (traps.md T17); what the host's header
 * says is in its initial state is so for the guest too.
 */
#include "cpu/exec.h"
#include "cpu/fpu.h"
#include "cpu/operand.h"

enum { AREA_BYTES = 832, HEADER_BYTES = 64 };

static bool general_protection(struct cpu *cpu)
{
        return cpu_raise_error(cpu, EXC_GP, 0);
}

static uint64_t xcr0_supported(const struct cpu *cpu)
{
        return XSTATE_X87 | XSTATE_SSE | (cpu_has(cpu, FEATURE_AVX) ? XSTATE_AVX : 0);
}

bool exec_xgetbv(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        if (!(cpu->cr4 & CR4_OSXSAVE))
                return cpu_raise(cpu, EXC_UD);
        if ((uint32_t)cpu->regs[RCX])
                return general_protection(cpu);
        cpu->regs[RAX] = (uint32_t)cpu->xcr0;
        cpu->regs[RDX] = cpu->xcr0 >> 32;
        return true;
}

bool exec_xsetbv(struct cpu *cpu, const struct insn *insn)
{
        uint64_t value = cpu->regs[RDX] << 32 | (uint32_t)cpu->regs[RAX];

        (void)insn;
        if (!(cpu->cr4 & CR4_OSXSAVE))
                return cpu_raise(cpu, EXC_UD);
        if (cpu->cpl || (uint32_t)cpu->regs[RCX] || !(value & XSTATE_X87) || (value & ~xcr0_supported(cpu)) ||
            (value & (XSTATE_SSE | XSTATE_AVX)) == XSTATE_AVX)
                return general_protection(cpu);
        cpu_host_begin(cpu);            /* saves what the old value enables */
        cpu->xcr0 = value;
        cpu_mode_changed(cpu);
        return true;
}

/* Common checks: #UD without OSXSAVE, #NM by TS, #GP(0) unless aligned to 64. */
static bool area_begin(struct cpu *cpu, const struct insn *insn, unsigned access, unsigned bytes, gva_t *linear)
{
        uint64_t offset;

        if (!(cpu->cr4 & CR4_OSXSAVE))
                return cpu_raise(cpu, EXC_UD);
        if (cpu->cr0 & CR0_TS)
                return cpu_raise(cpu, EXC_NM);
        operand_address(cpu, insn, &offset);
        if (!cpu_segment_check(cpu, (enum cpu_segment)insn->segment, offset, bytes, access, linear))
                return false;
        return !(*linear & 63) || general_protection(cpu);
}

static uint64_t requested(const struct cpu *cpu)
{
        return (cpu->regs[RDX] << 32 | (uint32_t)cpu->regs[RAX]) & cpu->xcr0;
}

/* Half of the vector registers exist outside 64-bit mode. */
static unsigned vector_bytes(const struct cpu *cpu)
{
        return cpu_code64(cpu) ? 256 : 128;
}

static unsigned area_bytes(uint64_t features)
{
        return features & XSTATE_AVX ? AREA_BYTES : FPU_HEADER + HEADER_BYTES;
}

bool exec_xsave(struct cpu *cpu, const struct insn *insn)
{
        uint64_t features = requested(cpu), in_use;
        uint8_t area[AREA_BYTES], *image = cpu->fpu.image;
        unsigned bytes = area_bytes(features), user = cpu_user_access(cpu);
        gva_t linear;

        if (!area_begin(cpu, insn, ACCESS_WRITE, bytes, &linear))
                return false;
        cpu_host_begin(cpu);
        /* What is not requested keeps its bytes. */
        if (!cpu_probe_write(cpu, linear, bytes, user) || !cpu_read_linear(cpu, linear, area, bytes, user))
                return false;
        if (features & XSTATE_X87) {
                fpu_copy(area, image, FPU_MXCSR);
                area[FPU_TAGS + 1] = 0;
                fpu_put_pointers(cpu, area, insn->rex & 8);
                fpu_copy(area + FPU_ST, image + FPU_ST, FPU_XMM - FPU_ST);
        }
        if (features & (XSTATE_SSE | XSTATE_AVX)) {
                fpu_put32(area + FPU_MXCSR, fpu_get32(image + FPU_MXCSR));
                fpu_put32(area + FPU_MXCSR_MASK, fpu_mxcsr_mask(cpu));
        }
        if (features & XSTATE_SSE)
                fpu_copy(area + FPU_XMM, image + FPU_XMM, vector_bytes(cpu));
        if (features & XSTATE_AVX)
                fpu_copy(area + FPU_AVX, image + FPU_AVX, vector_bytes(cpu));
        in_use = fpu_get64(image + FPU_HEADER);
        fpu_put64(area + FPU_HEADER, (fpu_get64(area + FPU_HEADER) & ~features) | (in_use & features));
        return cpu_write_linear(cpu, linear, area, bytes, user);
}

bool exec_xrstor(struct cpu *cpu, const struct insn *insn)
{
        uint64_t features = requested(cpu), present;
        uint8_t area[AREA_BYTES], *image = cpu->fpu.image;
        unsigned bytes = area_bytes(features);
        gva_t linear;

        if (!area_begin(cpu, insn, ACCESS_READ, bytes, &linear))
                return false;
        cpu_host_begin(cpu);
        if (!cpu_read_linear(cpu, linear, area, bytes, cpu_user_access(cpu)))
                return false;
        present = fpu_get64(area + FPU_HEADER);
        /* XCOMP_BV and the eight bytes after it are zero in standard format. */
        if ((present & ~cpu->xcr0) || fpu_get64(area + FPU_HEADER + 8) || fpu_get64(area + FPU_HEADER + 16))
                return general_protection(cpu);
        if ((features & (XSTATE_SSE | XSTATE_AVX)) && (fpu_get32(area + FPU_MXCSR) & ~fpu_mxcsr_mask(cpu)))
                return general_protection(cpu);

        if (features & ~present & XSTATE_X87) {
                fpu_init_x87(cpu);
                fpu_zero(image + FPU_ST, FPU_XMM - FPU_ST);
        } else if (features & XSTATE_X87) {
                fpu_put16(image + FPU_FCW, (uint16_t)((fpu_get16(area + FPU_FCW) & 0x1f3f) | 0x40));
                fpu_put16(image + FPU_FSW, fpu_get16(area + FPU_FSW));
                image[FPU_TAGS] = area[FPU_TAGS];
                fpu_get_pointers(cpu, area, insn->rex & 8);
                fpu_zero(image + FPU_ST, FPU_XMM - FPU_ST);
                for (unsigned i = 0; i < 8; i++)
                        fpu_copy(image + FPU_ST + i * FPU_ST_STRIDE, area + FPU_ST + i * FPU_ST_STRIDE, FPU_ST_BYTES);
                fpu_update_summary(cpu);
        }
        if (features & (XSTATE_SSE | XSTATE_AVX))
                fpu_put32(image + FPU_MXCSR, fpu_get32(area + FPU_MXCSR));
        if (features & ~present & XSTATE_SSE)
                fpu_zero(image + FPU_XMM, vector_bytes(cpu));
        else if (features & XSTATE_SSE)
                fpu_copy(image + FPU_XMM, area + FPU_XMM, vector_bytes(cpu));
        if (features & ~present & XSTATE_AVX)
                fpu_zero(image + FPU_AVX, vector_bytes(cpu));
        else if (features & XSTATE_AVX)
                fpu_copy(image + FPU_AVX, area + FPU_AVX, vector_bytes(cpu));
        /* Exact initial-state tracking: what was initialised says so to the next XSAVE. */
        fpu_put64(image + FPU_HEADER, (fpu_get64(image + FPU_HEADER) & ~features) | (present & features));
        return true;
}
