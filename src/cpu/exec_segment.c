/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_segment.c - instructions that load, store and inspect segment registers and descriptor tables.
 */
#include "cpu/exec.h"
#include "cpu/mode.h"
#include "cpu/operand.h"
#include "cpu/segment.h"
#include "cpu/tlb.h"

static bool require_cpl0(struct cpu *cpu)
{
        return cpu->cpl == 0 || cpu_raise_error(cpu, EXC_GP, 0);
}

/* CR4.UMIP keeps SGDT, SIDT, SLDT, STR and SMSW from ring 3 (SDM 3A 2.5). */
static bool require_no_umip(struct cpu *cpu)
{
        return !(cpu->cr4 & CR4_UMIP) || cpu->cpl == 0 || cpu_raise_error(cpu, EXC_GP, 0);
}

/* -- Segment registers ------------------------------------------------------------------------------- */

/* Interrupts and single steps wait for the instruction after a load of SS, which sets ESP (SDM 3A 6.8.3). */
static void after_load(struct cpu *cpu, enum cpu_segment segment)
{
        if (segment == SEG_SS)
                cpu->shadow = SHADOW_SS;
}

bool exec_mov_to_seg(struct cpu *cpu, const struct insn *insn)
{
        enum cpu_segment segment = insn_segment_operand(insn);
        uint64_t selector;

        if (!operand_read_rm(cpu, insn, 2, &selector) || !segment_load(cpu, segment, (uint16_t)selector))
                return false;
        after_load(cpu, segment);
        return true;
}

bool exec_pop_seg(struct cpu *cpu, const struct insn *insn)
{
        enum cpu_segment segment = insn_segment_operand(insn);
        struct stack stack;
        uint64_t selector;

        /* Only the selector is read, whatever the operand size moves the stack pointer by. */
        stack_begin(cpu, &stack);
        if (!stack_pop(cpu, &stack, &selector, 2))
                return false;
        stack_adjust(&stack, insn->operand_bytes - 2);
        if (!segment_load(cpu, segment, (uint16_t)selector))
                return false;
        /* The pointer moves by the stack's size before the load, so a new SS.B does not count. */
        stack_commit(cpu, &stack);
        after_load(cpu, segment);
        return true;
}

bool exec_load_far_pointer(struct cpu *cpu, const struct insn *insn)
{
        unsigned bytes = insn->operand_bytes;
        uint64_t address, offset = 0;
        uint8_t pointer[10];
        uint16_t selector;

        operand_address(cpu, insn, &address);
        if (!cpu_read(cpu, insn->segment, address, pointer, bytes + 2))
                return false;
        if (bytes == 2)
                __builtin_memcpy(&offset, pointer, 2);
        else if (bytes == 4)
                __builtin_memcpy(&offset, pointer, 4);
        else
                __builtin_memcpy(&offset, pointer, 8);
        __builtin_memcpy(&selector, pointer + bytes, 2);
        if (!segment_load(cpu, insn_segment_operand(insn), selector))
                return false;
        operand_set_modrm_reg(cpu, insn, bytes, offset);
        return true;
}

/* -- Descriptor table registers ------------------------------------------------------------------------ */

static bool load_table(struct cpu *cpu, const struct insn *insn, struct descriptor_table *table)
{
        bool code64 = cpu_code64(cpu);
        unsigned base_bytes = code64 ? 8 : 4;
        uint8_t bytes[10];
        uint64_t address, base = 0;
        uint16_t limit;

        if (!require_cpl0(cpu))
                return false;
        operand_address(cpu, insn, &address);
        if (!cpu_read(cpu, insn->segment, address, bytes, 2 + base_bytes))
                return false;
        __builtin_memcpy(&limit, bytes, 2);
        if (code64)
                __builtin_memcpy(&base, bytes + 2, 8);
        else
                __builtin_memcpy(&base, bytes + 2, 4);
        if (code64 && (uint64_t)((int64_t)(base << 16) >> 16) != base)
                return cpu_raise_error(cpu, EXC_GP, 0);
        /* A 16-bit operand loads 24 bits of base (SDM 2A, LGDT). */
        if (!code64 && insn->operand_bytes == 2)
                base &= 0xffffff;
        *table = (struct descriptor_table){ .base = base, .limit = limit };
        return true;
}

static bool store_table(struct cpu *cpu, const struct insn *insn, const struct descriptor_table *table)
{
        unsigned base_bytes = cpu_code64(cpu) ? 8 : 4;
        uint16_t limit = (uint16_t)table->limit;
        uint8_t bytes[10];
        uint64_t address;

        if (!require_no_umip(cpu))
                return false;
        /* Since the 386 all of the base is stored, for a 16-bit operand too. */
        __builtin_memcpy(bytes, &limit, 2);
        __builtin_memcpy(bytes + 2, &table->base, 8);
        operand_address(cpu, insn, &address);
        return cpu_write(cpu, insn->segment, address, bytes, 2 + base_bytes);
}

bool exec_lgdt(struct cpu *cpu, const struct insn *insn)
{
        return load_table(cpu, insn, &cpu->gdt);
}

bool exec_lidt(struct cpu *cpu, const struct insn *insn)
{
        return load_table(cpu, insn, &cpu->idt);
}

bool exec_sgdt(struct cpu *cpu, const struct insn *insn)
{
        return store_table(cpu, insn, &cpu->gdt);
}

bool exec_sidt(struct cpu *cpu, const struct insn *insn)
{
        return store_table(cpu, insn, &cpu->idt);
}

/* -- LDTR and TR ------------------------------------------------------------------------------------------ */

/* Stores a selector or CR0: 16 bits to memory, the operand size to a register. */
static bool store_word(struct cpu *cpu, const struct insn *insn, uint64_t value)
{
        if (!require_no_umip(cpu))
                return false;
        return operand_write_rm(cpu, insn, insn->is_memory ? 2 : insn->operand_bytes, value);
}

bool exec_sldt(struct cpu *cpu, const struct insn *insn)
{
        if (!cpu_protected(cpu))
                return cpu_raise(cpu, EXC_UD);
        return store_word(cpu, insn, cpu->seg[SEG_LDTR].selector);
}

bool exec_str(struct cpu *cpu, const struct insn *insn)
{
        if (!cpu_protected(cpu))
                return cpu_raise(cpu, EXC_UD);
        return store_word(cpu, insn, cpu->seg[SEG_TR].selector);
}

/* Reads a system descriptor for LLDT or LTR: in the GDT, of one of the types in the bit set. */
static bool read_system(struct cpu *cpu, uint16_t selector, unsigned types, struct descriptor *descriptor,
                        struct segment *value)
{
        uint32_t error = selector_error(selector);
        uint64_t high;

        if (selector & SELECTOR_TI)
                return cpu_raise_error(cpu, EXC_GP, error);
        if (!descriptor_read(cpu, selector, EXC_GP, error, descriptor))
                return false;
        if (!descriptor_is_system(descriptor->raw) || !(types >> descriptor_type(descriptor->raw) & 1))
                return cpu_raise_error(cpu, EXC_GP, error);
        if (!descriptor_present(descriptor->raw))
                return cpu_raise_error(cpu, EXC_NP, error);
        if (!descriptor_read_high(cpu, selector, descriptor, EXC_GP, &high))
                return false;
        segment_from_descriptor(value, selector, descriptor->raw);
        value->base |= high << 32;
        return true;
}

bool exec_lldt(struct cpu *cpu, const struct insn *insn)
{
        struct descriptor descriptor;
        struct segment value;
        uint64_t selector;

        if (!cpu_protected(cpu))
                return cpu_raise(cpu, EXC_UD);
        if (!require_cpl0(cpu) || !operand_read_rm(cpu, insn, 2, &selector))
                return false;
        if (selector_is_null((uint16_t)selector)) {
                segment_install_null(cpu, SEG_LDTR, (uint16_t)selector);
                return true;
        }
        if (!read_system(cpu, (uint16_t)selector, 1 << TYPE_LDT, &descriptor, &value))
                return false;
        segment_install(cpu, SEG_LDTR, &value);
        return true;
}

bool exec_ltr(struct cpu *cpu, const struct insn *insn)
{
        unsigned types = cpu_long_mode(cpu) ? 1 << TYPE_TSS32 : 1 << TYPE_TSS16 | 1 << TYPE_TSS32;
        struct descriptor descriptor;
        struct segment value;
        uint64_t selector;

        if (!cpu_protected(cpu))
                return cpu_raise(cpu, EXC_UD);
        if (!require_cpl0(cpu) || !operand_read_rm(cpu, insn, 2, &selector))
                return false;
        if (selector_is_null((uint16_t)selector))
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!read_system(cpu, (uint16_t)selector, types, &descriptor, &value) ||
            !access_lock_or(cpu, descriptor.linear + 5, TYPE_TSS_BUSY))
                return false;
        value.attr |= TYPE_TSS_BUSY;
        segment_install(cpu, SEG_TR, &value);
        return true;
}

/* -- LAR, LSL, VERR, VERW, ARPL ------------------------------------------------------------------------------ */

/* System types LAR and LSL show; long mode has fewer (SDM 2A, LAR table 3-50, LSL table 3-57). */
enum {
        LAR_TYPES = 1 << TYPE_TSS16 | 1 << TYPE_LDT | 1 << TYPE_TSS16_BUSY | 1 << TYPE_CALL16 | 1 << TYPE_TASK_GATE |
                1 << TYPE_TSS32 | 1 << TYPE_TSS32_BUSY | 1 << TYPE_CALL32,
        LAR_TYPES_LONG = 1 << TYPE_LDT | 1 << TYPE_TSS32 | 1 << TYPE_TSS32_BUSY | 1 << TYPE_CALL32,
        LSL_TYPES = 1 << TYPE_TSS16 | 1 << TYPE_LDT | 1 << TYPE_TSS16_BUSY | 1 << TYPE_TSS32 | 1 << TYPE_TSS32_BUSY,
        LSL_TYPES_LONG = 1 << TYPE_LDT | 1 << TYPE_TSS32 | 1 << TYPE_TSS32_BUSY,
};

/* Whether CPL and RPL may look at the descriptor; conforming code is open to all. */
static bool may_see(const struct cpu *cpu, uint16_t selector, uint64_t raw)
{
        unsigned dpl = descriptor_dpl(raw);

        if (descriptor_is_code(raw) && descriptor_is_conforming(raw))
                return true;
        return cpu->cpl <= dpl && (selector & SELECTOR_RPL) <= dpl;
}

/* Common start: *visible when the selector names a descriptor of a fit type that may be looked at. */
static bool inspect(struct cpu *cpu, const struct insn *insn, unsigned system_types, uint64_t *raw, bool *visible)
{
        struct descriptor descriptor;
        uint64_t selector;
        bool found;

        *visible = false;
        if (!cpu_protected(cpu))
                return cpu_raise(cpu, EXC_UD);
        if (!operand_read_rm(cpu, insn, 2, &selector))
                return false;
        if (selector_is_null((uint16_t)selector))
                return true;
        if (!descriptor_read_quietly(cpu, (uint16_t)selector, &descriptor, &found))
                return false;
        if (!found)
                return true;
        *raw = descriptor.raw;
        if (descriptor_is_system(*raw) && !(system_types >> descriptor_type(*raw) & 1))
                return true;
        *visible = may_see(cpu, (uint16_t)selector, *raw);
        return true;
}

static void set_zf(struct cpu *cpu, bool value)
{
        cpu->rflags = (cpu->rflags & ~(uint64_t)FLAG_ZF) | (value ? FLAG_ZF : 0);
}

bool exec_lar(struct cpu *cpu, const struct insn *insn)
{
        uint64_t raw;
        bool visible;

        if (!inspect(cpu, insn, cpu_long_mode(cpu) ? LAR_TYPES_LONG : LAR_TYPES, &raw, &visible))
                return false;
        set_zf(cpu, visible);
        if (visible)
                operand_set_modrm_reg(cpu, insn, insn->operand_bytes,
                                      raw >> 32 & (insn->operand_bytes == 2 ? 0xff00 : 0x00f0ff00));
        return true;
}

bool exec_lsl(struct cpu *cpu, const struct insn *insn)
{
        uint64_t raw;
        bool visible;

        if (!inspect(cpu, insn, cpu_long_mode(cpu) ? LSL_TYPES_LONG : LSL_TYPES, &raw, &visible))
                return false;
        set_zf(cpu, visible);
        if (visible)
                operand_set_modrm_reg(cpu, insn, insn->operand_bytes, descriptor_limit(raw));
        return true;
}

bool exec_verr(struct cpu *cpu, const struct insn *insn)
{
        uint64_t raw;
        bool visible;

        if (!inspect(cpu, insn, 0, &raw, &visible))
                return false;
        set_zf(cpu, visible && (!descriptor_is_code(raw) || (descriptor_attr(raw) & SEG_TYPE_RW)));
        return true;
}

bool exec_verw(struct cpu *cpu, const struct insn *insn)
{
        uint64_t raw;
        bool visible;

        if (!inspect(cpu, insn, 0, &raw, &visible))
                return false;
        set_zf(cpu, visible && !descriptor_is_code(raw) && (descriptor_attr(raw) & SEG_TYPE_RW));
        return true;
}

bool exec_arpl(struct cpu *cpu, const struct insn *insn)
{
        uint64_t selector, rpl = operand_get_modrm_reg(cpu, insn, 2) & SELECTOR_RPL;
        bool lower;

        if (!cpu_protected(cpu))
                return cpu_raise(cpu, EXC_UD);
        /* Writes only what it changes: a read-only operand that is left as it is does not fault. */
        if (!operand_read_rm(cpu, insn, 2, &selector))
                return false;
        lower = (selector & SELECTOR_RPL) < rpl;
        if (lower && !operand_write_rm(cpu, insn, 2, (selector & ~(uint64_t)SELECTOR_RPL) | rpl))
                return false;
        set_zf(cpu, lower);
        return true;
}

/* -- The machine status word ------------------------------------------------------------------------------------ */

bool exec_smsw(struct cpu *cpu, const struct insn *insn)
{
        return store_word(cpu, insn, cpu->cr0);
}

bool exec_lmsw(struct cpu *cpu, const struct insn *insn)
{
        const uint64_t loadable = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
        uint64_t value;

        if (!require_cpl0(cpu) || !operand_read_rm(cpu, insn, 2, &value))
                return false;
        /* PE can be set, not cleared. */
        cpu->cr0 = (cpu->cr0 & ~(loadable & ~(uint64_t)CR0_PE)) | (value & loadable);
        cpu_mode_changed(cpu);
        return true;
}
