/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_far.c - far JMP, CALL and RET, software interrupts, and SYSENTER, SYSEXIT, SYSCALL, SYSRET.
 *
 * Order of checks: SDM 2A and 2B, the pseudo-code of each instruction.  Call gates are in exec_gate.c, IRET is in
 * exec_iret.c.
 */
#include "cpu/exception.h"
#include "cpu/exec.h"
#include "cpu/exec_far.h"
#include "cpu/operand.h"
#include "cpu/tlb.h"

/* -- Code segments ------------------------------------------------------------------------------------ */

static bool prepare_present(struct cpu *cpu, struct descriptor *descriptor, uint16_t selector, unsigned cpl,
                            struct segment *cs)
{
        if (!descriptor_present(descriptor->raw))
                return cpu_raise_error(cpu, EXC_NP, selector_error(selector));
        if (!descriptor_set_accessed(cpu, descriptor))
                return false;
        segment_from_descriptor(cs, (uint16_t)(selector_error(selector) | cpl), descriptor->raw);
        return true;
}

/* In long mode a code segment with both L and D is reserved. */
static bool is_valid_code(const struct cpu *cpu, uint64_t raw)
{
        return descriptor_is_code(raw) &&
               !(cpu_long_mode(cpu) && (descriptor_attr(raw) & (SEG_L | SEG_DB)) == (SEG_L | SEG_DB));
}

bool far_prepare_code(struct cpu *cpu, const struct descriptor *descriptor, uint16_t selector, struct segment *cs)
{
        struct descriptor code = *descriptor;
        unsigned dpl = descriptor_dpl(code.raw);
        bool allowed = descriptor_is_conforming(code.raw)
                ? dpl <= cpu->cpl : dpl == cpu->cpl && (selector & SELECTOR_RPL) <= cpu->cpl;

        if (!is_valid_code(cpu, code.raw) || !allowed)
                return cpu_raise_error(cpu, EXC_GP, selector_error(selector));
        return prepare_present(cpu, &code, selector, cpu->cpl, cs);
}

bool far_prepare_return(struct cpu *cpu, uint16_t selector, struct segment *cs, unsigned *cpl)
{
        unsigned rpl = selector & SELECTOR_RPL, dpl;
        struct descriptor code;

        if (selector_is_null(selector))
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!descriptor_read(cpu, selector, EXC_GP, selector_error(selector), &code))
                return false;
        dpl = descriptor_dpl(code.raw);
        if (!is_valid_code(cpu, code.raw) || rpl < cpu->cpl ||
            (descriptor_is_conforming(code.raw) ? dpl > rpl : dpl != rpl))
                return cpu_raise_error(cpu, EXC_GP, selector_error(selector));
        *cpl = rpl;
        return prepare_present(cpu, &code, selector, rpl, cs);
}

bool far_prepare_outer_stack(struct cpu *cpu, uint16_t selector, const struct segment *cs, unsigned cpl,
                             struct segment *ss)
{
        if (selector_is_null(selector) && segment_is_code64(cpu, cs) && cpl < 3 && (selector & SELECTOR_RPL) == cpl) {
                *ss = (struct segment){ .selector = selector, .limit = 0xffff };
                return true;
        }
        return segment_prepare_stack(cpu, selector, cpl, EXC_GP, 0, ss);
}

/* -- JMP and CALL --------------------------------------------------------------------------------------- */

/* Pushes CS and the return address for a call that stays at its privilege level. */
static bool push_return(struct cpu *cpu, unsigned width)
{
        bool code64 = cpu_code64(cpu);
        struct frame frame = { .width = width };
        struct frame_stack stack = {
                .segment = code64 ? NULL : &cpu->seg[SEG_SS],
                .mask = code64 ? ~UINT64_C(0) : stack_mask(&cpu->seg[SEG_SS]), .access = cpu_user_access(cpu),
        };

        stack.sp = cpu->regs[RSP] & stack.mask;
        frame_add(&frame, cpu->seg[SEG_CS].selector);
        frame_add(&frame, cpu->next_rip);
        if (!frame_push(cpu, &frame, &stack))
                return false;
        frame_set_rsp(cpu, stack.sp, stack.mask);
        return true;
}

static bool far_real(struct cpu *cpu, uint16_t selector, uint64_t offset, unsigned width, bool is_call)
{
        /* A 32-bit operand can name an offset that real-mode code cannot have. */
        if (offset > cpu->seg[SEG_CS].limit)
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (is_call && !push_return(cpu, width))
                return false;
        segment_install_real(cpu, SEG_CS, selector);
        cpu->next_rip = offset;
        return true;
}

static bool far_transfer(struct cpu *cpu, uint16_t selector, uint64_t offset, unsigned width, bool is_call)
{
        struct descriptor descriptor;
        struct segment cs;

        if (!cpu_protected(cpu))
                return far_real(cpu, selector, offset, width, is_call);
        if (selector_is_null(selector))
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!descriptor_read(cpu, selector, EXC_GP, selector_error(selector), &descriptor))
                return false;
        if (descriptor_is_system(descriptor.raw))
                return far_through_system(cpu, &descriptor, selector, is_call);
        if (!far_prepare_code(cpu, &descriptor, selector, &cs))
                return false;
        if (!segment_allows_rip(cpu, &cs, offset))
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (is_call && !push_return(cpu, width))
                return false;
        segment_install(cpu, SEG_CS, &cs);
        cpu->next_rip = offset;
        return true;
}

static bool far_insn(struct cpu *cpu, const struct insn *insn, bool is_call)
{
        unsigned width = insn->operand_bytes;
        uint64_t offset = 0, address;
        uint8_t pointer[10];
        uint16_t selector;

        if (!insn->is_memory) {
                selector = insn->imm2;
                offset = operand_truncate(insn->imm, width);
        } else {
                operand_address(cpu, insn, &address);
                if (!cpu_read(cpu, insn->segment, address, pointer, width + 2))
                        return false;
                for (unsigned i = 0; i < width; i++)
                        offset |= (uint64_t)pointer[i] << (8 * i);
                selector = (uint16_t)(pointer[width] | pointer[width + 1] << 8);
        }
        return far_transfer(cpu, selector, offset, width, is_call);
}

bool exec_jmp_far(struct cpu *cpu, const struct insn *insn)
{
        return far_insn(cpu, insn, false);
}

bool exec_call_far(struct cpu *cpu, const struct insn *insn)
{
        return far_insn(cpu, insn, true);
}

/* -- RET ---------------------------------------------------------------------------------------------------- */

static bool return_real(struct cpu *cpu, struct stack *stack, uint64_t rip, uint16_t selector, unsigned extra)
{
        if (rip > cpu->seg[SEG_CS].limit)
                return cpu_raise_error(cpu, EXC_GP, 0);
        stack_adjust(stack, extra);
        stack_commit(cpu, stack);
        segment_install_real(cpu, SEG_CS, selector);
        cpu->next_rip = rip;
        return true;
}

bool exec_ret_far(struct cpu *cpu, const struct insn *insn)
{
        unsigned width = insn->operand_bytes, cpl;
        unsigned extra = insn->imm_bytes ? (uint16_t)insn->imm : 0;
        uint64_t rip, selector, new_sp, new_ss;
        struct segment cs, ss;
        struct stack stack;

        stack_begin(cpu, &stack);
        if (!stack_pop(cpu, &stack, &rip, width) || !stack_pop(cpu, &stack, &selector, width))
                return false;
        if (!cpu_protected(cpu))
                return return_real(cpu, &stack, rip, (uint16_t)selector, extra);
        if (!far_prepare_return(cpu, (uint16_t)selector, &cs, &cpl))
                return false;
        stack_adjust(&stack, extra);
        if (cpl == cpu->cpl) {
                if (!segment_allows_rip(cpu, &cs, rip))
                        return cpu_raise_error(cpu, EXC_GP, 0);
                stack_commit(cpu, &stack);
                segment_install(cpu, SEG_CS, &cs);
                cpu->next_rip = rip;
                return true;
        }
        /* To an outer level: its SS:ESP lie above the parameters, which are released on both stacks. */
        if (!stack_pop(cpu, &stack, &new_sp, width) || !stack_pop(cpu, &stack, &new_ss, width) ||
            !far_prepare_outer_stack(cpu, (uint16_t)new_ss, &cs, cpl, &ss))
                return false;
        if (!segment_allows_rip(cpu, &cs, rip))
                return cpu_raise_error(cpu, EXC_GP, 0);
        cpu->cpl = (uint8_t)cpl;
        segment_install(cpu, SEG_CS, &cs);
        segment_install(cpu, SEG_SS, &ss);
        frame_set_rsp(cpu, new_sp + extra, segment_is_code64(cpu, &cs) ? ~UINT64_C(0) : stack_mask(&ss));
        segment_drop_inner(cpu);
        cpu->next_rip = rip;
        return true;
}

/* -- INT n, INT3, INTO, INT1 ------------------------------------------------------------------------------------ */

/* The software interrupt redirection bitmap lies below the I/O bitmap: 32 bytes, a clear bit keeps INT n within the
 * virtual-8086 task (SDM 3A 20.3.3). */
static bool vme_redirected(struct cpu *cpu, uint8_t vector, bool *redirected)
{
        enum { IO_MAP_BASE = 0x66, BITMAP_BYTES = 32 };
        const struct segment *tr = &cpu->seg[SEG_TR];
        uint16_t base;
        uint8_t bits;

        *redirected = false;
        if (!(tr->attr & TYPE_32BIT) || tr->limit < IO_MAP_BASE + 1)
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!cpu_read_linear(cpu, tr->base + IO_MAP_BASE, &base, 2, ACCESS_IMPLICIT))
                return false;
        if (base < BITMAP_BYTES || base - BITMAP_BYTES + vector / 8u > tr->limit)
                return cpu_raise_error(cpu, EXC_GP, 0);
        if (!cpu_read_linear(cpu, tr->base + base - BITMAP_BYTES + vector / 8u, &bits, 1, ACCESS_IMPLICIT))
                return false;
        *redirected = !(bits >> vector % 8 & 1);
        return true;
}

/* INT n as an 8086 does it, through the table at linear 0; with IOPL below 3 IF is VIF. */
static bool vme_interrupt(struct cpu *cpu, uint8_t vector)
{
        bool virtual_if = cpu_iopl(cpu) < 3;
        struct frame frame = { .width = 2 };
        struct frame_stack stack = { .segment = &cpu->seg[SEG_SS], .mask = 0xffff, .access = ACCESS_USER };
        uint32_t address;

        if (!cpu_read_linear(cpu, vector * 4u, &address, 4, ACCESS_USER))
                return false;
        frame_add(&frame, virtual_if ? cpu_virtual_flags(cpu) : cpu_rflags(cpu));
        frame_add(&frame, cpu->seg[SEG_CS].selector);
        frame_add(&frame, cpu->next_rip);
        stack.sp = cpu->regs[RSP] & stack.mask;
        if (!frame_push(cpu, &frame, &stack))
                return false;
        frame_set_rsp(cpu, stack.sp, stack.mask);
        cpu_set_rflags(cpu, cpu_rflags(cpu) & ~(uint64_t)(FLAG_TF | FLAG_RF | (virtual_if ? FLAG_VIF : FLAG_IF)));
        segment_install_real(cpu, SEG_CS, (uint16_t)(address >> 16));
        cpu->next_rip = address & 0xffff;
        return true;
}

bool exec_int(struct cpu *cpu, const struct insn *insn)
{
        bool redirected;

        /* Only INT n is sensitive to IOPL in virtual-8086 mode (SDM 3A 20.2.4). */
        if (cpu_v86(cpu) && (cpu->cr4 & CR4_VME)) {
                if (!vme_redirected(cpu, (uint8_t)insn->imm, &redirected))
                        return false;
                if (redirected)
                        return vme_interrupt(cpu, (uint8_t)insn->imm);
        }
        if (cpu_v86(cpu) && cpu_iopl(cpu) < 3)
                return cpu_raise_error(cpu, EXC_GP, 0);
        return exception_software(cpu, (uint8_t)insn->imm, false);
}

bool exec_int3(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return exception_software(cpu, EXC_BP, false);
}

bool exec_int1(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return exception_software(cpu, EXC_DB, true);
}

bool exec_into(struct cpu *cpu, const struct insn *insn)
{
        (void)insn;
        return !(cpu->rflags & FLAG_OF) || exception_software(cpu, EXC_OF, false);
}

/* -- SYSENTER and friends ------------------------------------------------------------------------------------------ */

/* The fixed segments these instructions load without a look at the tables: base 0, limit 4 GiB, accessed. */
static void install_flat_code(struct cpu *cpu, uint16_t selector, unsigned dpl, bool code64)
{
        struct segment cs = {
                .selector = selector, .limit = 0xffffffff,
                .attr = (uint16_t)(SEG_P | SEG_S | SEG_TYPE_CODE | SEG_TYPE_RW | SEG_TYPE_ACCESSED | SEG_G |
                                   dpl << SEG_DPL_SHIFT | (code64 ? SEG_L : SEG_DB)),
        };

        segment_install(cpu, SEG_CS, &cs);
}

static void install_flat_stack(struct cpu *cpu, uint16_t selector, unsigned dpl)
{
        struct segment ss = {
                .selector = selector, .limit = 0xffffffff,
                .attr = (uint16_t)(SEG_P | SEG_S | SEG_TYPE_RW | SEG_TYPE_ACCESSED | SEG_G | SEG_DB |
                                   dpl << SEG_DPL_SHIFT),
        };

        segment_install(cpu, SEG_SS, &ss);
}

bool exec_sysenter(struct cpu *cpu, const struct insn *insn)
{
        bool wide = cpu_long_mode(cpu);
        uint16_t selector = (uint16_t)(cpu->sysenter_cs & 0xfffc);

        (void)insn;
        if (cpu_real_mode(cpu) || selector == 0)
                return cpu_raise_error(cpu, EXC_GP, 0);
        cpu->cpl = 0;
        cpu_set_rflags(cpu, cpu_rflags(cpu) & ~(uint64_t)(FLAG_VM | FLAG_IF | FLAG_RF));
        install_flat_code(cpu, selector, 0, wide);
        install_flat_stack(cpu, (uint16_t)(selector + 8), 0);
        cpu->regs[RSP] = wide ? cpu->sysenter_esp : (uint32_t)cpu->sysenter_esp;
        cpu->next_rip = wide ? cpu->sysenter_eip : (uint32_t)cpu->sysenter_eip;
        return true;
}

bool exec_sysexit(struct cpu *cpu, const struct insn *insn)
{
        bool to64 = insn->operand_bytes == 8;
        uint16_t selector = (uint16_t)(cpu->sysenter_cs & 0xfffc);

        if (!cpu_protected(cpu) || cpu->cpl != 0 || selector == 0)
                return cpu_raise_error(cpu, EXC_GP, 0);
        cpu->cpl = 3;
        install_flat_code(cpu, (uint16_t)(selector + (to64 ? 32 : 16)) | 3, 3, to64);
        install_flat_stack(cpu, (uint16_t)(selector + (to64 ? 40 : 24)) | 3, 3);
        cpu->regs[RSP] = to64 ? cpu->regs[RCX] : (uint32_t)cpu->regs[RCX];
        cpu->next_rip = to64 ? cpu->regs[RDX] : (uint32_t)cpu->regs[RDX];
        return true;
}

/* SYSCALL and SYSRET as Intel has them: in 64-bit mode only (the decoder refuses SYSCALL elsewhere too). */
bool exec_syscall(struct cpu *cpu, const struct insn *insn)
{
        uint16_t selector = (uint16_t)(cpu->star >> 32 & 0xfffc);

        (void)insn;
        if (!cpu_code64(cpu) || !(cpu->efer & EFER_SCE))
                return cpu_raise(cpu, EXC_UD);
        cpu->regs[RCX] = cpu->next_rip;
        cpu->regs[R11] = cpu_rflags(cpu) & ~(uint64_t)FLAG_RF;
        cpu->cpl = 0;
        cpu_set_rflags(cpu, cpu->regs[R11] & ~cpu->sfmask);
        install_flat_code(cpu, selector, 0, true);
        install_flat_stack(cpu, (uint16_t)(selector + 8), 0);
        cpu->next_rip = cpu->lstar;
        return true;
}

bool exec_sysret(struct cpu *cpu, const struct insn *insn)
{
        bool to64 = insn->operand_bytes == 8;
        uint16_t selector = (uint16_t)(cpu->star >> 48);

        if (!cpu_code64(cpu) || !(cpu->efer & EFER_SCE))
                return cpu_raise(cpu, EXC_UD);
        if (cpu->cpl != 0 ||
            (to64 && (uint64_t)((int64_t)(cpu->regs[RCX] << 16) >> 16) != cpu->regs[RCX]))
                return cpu_raise_error(cpu, EXC_GP, 0);
        cpu->cpl = 3;
        cpu_set_rflags(cpu, cpu->regs[R11] & ~(uint64_t)(FLAG_RF | FLAG_VM));
        install_flat_code(cpu, (uint16_t)(selector + (to64 ? 16 : 0)) | 3, 3, to64);
        install_flat_stack(cpu, (uint16_t)(selector + 8) | 3, 3);
        cpu->next_rip = to64 ? cpu->regs[RCX] : (uint32_t)cpu->regs[RCX];
        return true;
}
