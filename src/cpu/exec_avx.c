/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_avx.c - AVX instructions whose memory operand is many: masked moves and gathers (SDM 2C, VMASKMOV, VPMASKMOV,
 * VGATHER, VPGATHER).  Everything else of AVX runs on the host as it is.
 *
 * Element by element (traps.md T11): an element that is masked off is not accessed and cannot fault.  A masked store
 * checks every element before it writes any; a gather that faults keeps the elements it has, and their mask bits are
 * clear, so that the instruction goes on where it stopped.
 */
#include "cpu/exec.h"
#include "cpu/fpu.h"
#include "cpu/mode.h"
#include "cpu/operand.h"

enum { YMM_BYTES = 32, XMM_BYTES = 16, ELEMENTS_MAX = 8 };

/* The translator has looked already; rule X3. */
static bool avx_begin(struct cpu *cpu)
{
        if (!(cpu->mode & MODE_AVX))
                return cpu_raise(cpu, EXC_UD);
        if (cpu->cr0 & CR0_TS)
                return cpu_raise(cpu, EXC_NM);
        cpu_host_begin(cpu);
        return true;
}

/* Byte `at` of a vector register: the image keeps the halves apart. */
static uint8_t *ymm_byte(struct cpu *cpu, unsigned reg, unsigned at)
{
        return cpu->fpu.image + (at < XMM_BYTES ? FPU_XMM + at : FPU_AVX + at - XMM_BYTES) + XMM_BYTES * reg;
}

static uint64_t ymm_get(struct cpu *cpu, unsigned reg, unsigned element, unsigned size)
{
        const uint8_t *at = ymm_byte(cpu, reg, element * size);

        return size == 8 ? fpu_get64(at) : fpu_get32(at);
}

static void ymm_put(struct cpu *cpu, unsigned reg, unsigned element, unsigned size, uint64_t value)
{
        uint8_t *at = ymm_byte(cpu, reg, element * size);

        if (size == 8)
                fpu_put64(at, value);
        else
                fpu_put32(at, (uint32_t)value);
        fpu_changed(cpu, XSTATE_SSE | XSTATE_AVX);
}

static bool mask_bit(uint64_t element, unsigned size) { return element >> (size * 8 - 1) & 1; }

/* -- VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ ---------------------------------------------- */

static bool masked_load(struct cpu *cpu, const struct insn *insn, uint64_t offset, unsigned size, unsigned count)
{
        uint64_t value[ELEMENTS_MAX] = { 0 };

        for (unsigned i = 0; i < count; i++)
                if (mask_bit(ymm_get(cpu, insn->vvvv, i, size), size) &&
                    !cpu_read(cpu, (enum cpu_segment)insn->segment, offset + i * size, &value[i], size))
                        return false;
        for (unsigned i = 0; i < YMM_BYTES / size; i++)
                ymm_put(cpu, insn->reg, i, size, i < count ? value[i] : 0);
        return true;
}

static bool masked_store(struct cpu *cpu, const struct insn *insn, uint64_t offset, unsigned size, unsigned count)
{
        unsigned user = cpu_user_access(cpu);
        gva_t linear[ELEMENTS_MAX];
        bool wanted[ELEMENTS_MAX];

        for (unsigned i = 0; i < count; i++) {
                wanted[i] = mask_bit(ymm_get(cpu, insn->vvvv, i, size), size);
                if (wanted[i] && (!cpu_segment_check(cpu, (enum cpu_segment)insn->segment, offset + i * size, size, ACCESS_WRITE,
                                                     &linear[i]) ||
                                  !cpu_probe_write(cpu, linear[i], size, user)))
                        return false;
        }
        for (unsigned i = 0; i < count; i++) {
                uint64_t value = ymm_get(cpu, insn->reg, i, size);

                if (wanted[i] && !cpu_write_linear(cpu, linear[i], &value, size, user))
                        return false;
        }
        return true;
}

bool exec_vmaskmov(struct cpu *cpu, const struct insn *insn)
{
        /* 2C to 2F: the opcode tells the size; 8C, 8E: VEX.W does. */
        unsigned size = (insn->code & 0xf0) == 0x20 ? (insn->code & 1 ? 8 : 4) : (insn->rex & 8 ? 8 : 4);
        unsigned count = (insn->vex_l ? YMM_BYTES : XMM_BYTES) / size;
        uint64_t offset;

        if (!avx_begin(cpu))
                return false;
        operand_address(cpu, insn, &offset);
        if (insn->opcode->attr & ATTR_STORE)
                return masked_store(cpu, insn, offset, size, count);
        return masked_load(cpu, insn, offset, size, count);
}

/* -- Gathers ------------------------------------------------------------------------------------- */

/* Offset of one element: base + index * scale + displacement, in the address size. */
static uint64_t gather_offset(struct cpu *cpu, const struct insn *insn, unsigned element, unsigned index_size)
{
        uint64_t index = ymm_get(cpu, insn->index, element, index_size), offset = (uint64_t)insn->disp;

        if (index_size == 4)
                index = (uint64_t)(int64_t)(int32_t)index;
        if (insn->base != REG_NONE)
                offset += cpu->regs[insn->base];
        return operand_truncate(offset + (index << insn->scale), insn->address_bytes);
}

bool exec_gather(struct cpu *cpu, const struct insn *insn)
{
        unsigned index_size = insn->code & 1 ? 8 : 4, size = insn->rex & 8 ? 8 : 4;
        unsigned count = (insn->vex_l ? YMM_BYTES : XMM_BYTES) / (size > index_size ? size : index_size);
        unsigned mask = insn->vvvv, to = insn->reg;

        /* Destination, index and mask are three registers. */
        if (!avx_begin(cpu))
                return false;
        if (mask == to || mask == insn->index || to == insn->index)
                return cpu_raise(cpu, EXC_UD);
        /* Each element of the mask becomes all ones or zeros before the first access, its rest zero. */
        for (unsigned i = 0; i < YMM_BYTES / size; i++)
                ymm_put(cpu, mask, i, size, i < count && mask_bit(ymm_get(cpu, mask, i, size), size) ? UINT64_MAX : 0);
        for (unsigned i = 0; i < count; i++) {
                uint64_t value = 0;

                if (!mask_bit(ymm_get(cpu, mask, i, size), size))
                        continue;
                if (!cpu_read(cpu, (enum cpu_segment)insn->segment, gather_offset(cpu, insn, i, index_size), &value, size))
                        return false;
                ymm_put(cpu, to, i, size, value);
                ymm_put(cpu, mask, i, size, 0);
        }
        for (unsigned i = count; i < YMM_BYTES / size; i++)
                ymm_put(cpu, to, i, size, 0);
        return true;
}
