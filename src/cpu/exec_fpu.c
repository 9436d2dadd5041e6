/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_fpu.c - instructions that show or replace x87 and SSE state as a whole, and MASKMOV.
 *
 * Everything here works on cpu->fpu.image after cpu_host_begin().  The instruction and data pointers in
 * what a guest sees come from cpu->fpu.ip and its fellows (traps.md T10).
 *
 * The x87 environment has four layouts, by operand size and mode (SDM 1 8.1.10, figures 8-9 to 8-12):
 *
 *      words of 16 (or 32) bits:   0    1    2    3         4                     5         6
 *      protected                   FCW  FSW  FTW  FIP       FCS | FOP << 16 (32)  FDP       FDS
 *      real, virtual-8086          FCW  FSW  FTW  FIP low   FOP | FIP high << 12  FDP low   FDP high << 12
 *
 * where real mode's FIP and FDP are linear addresses.  Reserved upper halves are stored as ones.
 */
#include "cpu/exec.h"
#include "cpu/fpu.h"
#include "cpu/operand.h"

enum { ENV_WORDS = 7, X87_STACK_BYTES = 80, FXSAVE_BYTES = 512, FOP_MASK = 0x7ff };
enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

/* -- Shared with exec_xsave.c ------------------------------------------------------------------ */

void fpu_update_summary(struct cpu *cpu)
{
        uint8_t *image = cpu->fpu.image;
        uint16_t fcw = fpu_get16(image + FPU_FCW), fsw = fpu_get16(image + FPU_FSW);

        fsw &= (uint16_t)~(FSW_ES | FSW_BUSY);
        if (fsw & ~fcw & FSW_EXCEPTIONS)
                fsw |= FSW_ES | FSW_BUSY;
        fpu_put16(image + FPU_FSW, fsw);
}

/* Replaces the status word.  Registers stay where they are physically, and the image is ordered from the top
 * of the stack: with another TOP it turns. */
static void set_status(struct cpu *cpu, uint16_t fsw)
{
        uint8_t turned[8 * FPU_ST_STRIDE], *image = cpu->fpu.image;
        unsigned by = (fsw >> 11 & 7) - fpu_top(cpu);

        fpu_put16(image + FPU_FSW, fsw);
        if (!(by & 7))
                return;
        for (unsigned i = 0; i < 8; i++)
                fpu_copy(turned + i * FPU_ST_STRIDE, image + FPU_ST + ((i + by) & 7) * FPU_ST_STRIDE, FPU_ST_STRIDE);
        fpu_copy(image + FPU_ST, turned, sizeof(turned));
}

void fpu_init_x87(struct cpu *cpu)
{
        uint8_t *image = cpu->fpu.image;

        fpu_put16(image + FPU_FCW, FCW_INIT);
        set_status(cpu, 0);
        image[FPU_TAGS] = 0;
        cpu->fpu.ip = cpu->fpu.dp = 0;
        cpu->fpu.cs = cpu->fpu.ds = cpu->fpu.op = 0;
        fpu_changed(cpu, XSTATE_X87);
}

void fpu_put_pointers(const struct cpu *cpu, uint8_t *image, bool wide)
{
        fpu_put16(image + FPU_FOP, cpu->fpu.op & FOP_MASK);
        if (wide) {
                fpu_put64(image + FPU_FIP, cpu->fpu.ip);
                fpu_put64(image + FPU_FDP, cpu->fpu.dp);
                return;
        }
        fpu_put32(image + FPU_FIP, (uint32_t)cpu->fpu.ip);
        fpu_put32(image + FPU_FCS, fpu_shown_selector(cpu, cpu->fpu.cs));
        fpu_put32(image + FPU_FDP, (uint32_t)cpu->fpu.dp);
        fpu_put32(image + FPU_FDS, fpu_shown_selector(cpu, cpu->fpu.ds));
}

void fpu_get_pointers(struct cpu *cpu, const uint8_t *image, bool wide)
{
        cpu->fpu.op = fpu_get16(image + FPU_FOP) & FOP_MASK;
        cpu->fpu.ip = wide ? fpu_get64(image + FPU_FIP) : fpu_get32(image + FPU_FIP);
        cpu->fpu.dp = wide ? fpu_get64(image + FPU_FDP) : fpu_get32(image + FPU_FDP);
        cpu->fpu.cs = wide ? 0 : fpu_get16(image + FPU_FCS);
        cpu->fpu.ds = wide ? 0 : fpu_get16(image + FPU_FDS);
}

uint32_t fpu_mxcsr_mask(const struct cpu *cpu)
{
        uint32_t mask = fpu_get32(cpu->fpu.image + FPU_MXCSR_MASK);

        return mask ? mask : 0xffbf;
}

/* -- Checks before ----------------------------------------------------------------------------- */

/* x87 instructions and FXSAVE: #NM by EM or TS. */
static bool x87_available(struct cpu *cpu)
{
        return !(cpu->cr0 & (CR0_EM | CR0_TS)) || cpu_raise(cpu, EXC_NM);
}

/* Instructions that wait: a pending unmasked exception comes first.  (Without CR0.NE the engine makes FERR# of it.) */
static bool x87_no_pending(struct cpu *cpu)
{
        return !(fpu_get16(cpu->fpu.image + FPU_FSW) & FSW_ES) || cpu_raise(cpu, EXC_MF);
}

/* -- Tag word ---------------------------------------------------------------------------------- */

/* What a register that is not empty holds (SDM 1 8.1.7). */
static unsigned tag_of(const uint8_t *st)
{
        uint64_t significand = fpu_get64(st);
        unsigned exponent = fpu_get16(st + 8) & 0x7fff;

        if (exponent == 0x7fff)
                return TAG_SPECIAL;
        if (!exponent)
                return significand ? TAG_SPECIAL : TAG_ZERO;
        return significand >> 63 ? TAG_VALID : TAG_SPECIAL;
}

/* Two bits a physical register, from the image's one bit and the contents, which are kept by ST(i). */
static uint16_t full_tags(const struct cpu *cpu)
{
        const uint8_t *image = cpu->fpu.image;
        unsigned top = fpu_top(cpu);
        uint16_t tags = 0;

        for (unsigned i = 0; i < 8; i++) {
                unsigned tag = TAG_EMPTY;

                if (image[FPU_TAGS] >> i & 1)
                        tag = tag_of(image + FPU_ST + ((i - top) & 7) * FPU_ST_STRIDE);
                tags |= (uint16_t)(tag << 2 * i);
        }
        return tags;
}

static uint8_t abridged_tags(uint16_t full)
{
        uint8_t tags = 0;

        for (unsigned i = 0; i < 8; i++)
                if ((full >> 2 * i & 3) != TAG_EMPTY)
                        tags |= (uint8_t)(1u << i);
        return tags;
}

/* -- The environment --------------------------------------------------------------------------- */

static void put_word(uint8_t *env, unsigned index, unsigned width, uint32_t value)
{
        if (width == 2)
                fpu_put16(env + index * 2, (uint16_t)value);
        else
                fpu_put32(env + index * 4, value);
}

static uint32_t get_word(const uint8_t *env, unsigned index, unsigned width)
{
        return width == 2 ? fpu_get16(env + index * 2) : fpu_get32(env + index * 4);
}

static void put_environment(const struct cpu *cpu, uint8_t *env, unsigned width)
{
        const struct cpu_fpu *fpu = &cpu->fpu;
        const uint32_t ones = 0xffff0000;

        put_word(env, 0, width, ones | fpu_get16(fpu->image + FPU_FCW));
        put_word(env, 1, width, ones | fpu_get16(fpu->image + FPU_FSW));
        put_word(env, 2, width, ones | full_tags(cpu));
        if (cpu_protected(cpu)) {
                put_word(env, 3, width, (uint32_t)fpu->ip);
                put_word(env, 4, width, fpu_shown_selector(cpu, fpu->cs) | (uint32_t)(fpu->op & FOP_MASK) << 16);
                put_word(env, 5, width, (uint32_t)fpu->dp);
                put_word(env, 6, width, ones | fpu_shown_selector(cpu, fpu->ds));
        } else {
                uint32_t ip = (uint32_t)fpu->ip + ((uint32_t)fpu->cs << 4);
                uint32_t dp = (uint32_t)fpu->dp + ((uint32_t)fpu->ds << 4);

                put_word(env, 3, width, ones | (ip & 0xffff));
                put_word(env, 4, width, ip >> 16 << 12 | (fpu->op & FOP_MASK));
                put_word(env, 5, width, ones | (dp & 0xffff));
                put_word(env, 6, width, dp >> 16 << 12);
        }
}

static void get_environment(struct cpu *cpu, const uint8_t *env, unsigned width)
{
        struct cpu_fpu *fpu = &cpu->fpu;

        fpu_put16(fpu->image + FPU_FCW, (uint16_t)((get_word(env, 0, width) & 0x1f3f) | 0x40));
        set_status(cpu, (uint16_t)get_word(env, 1, width));
        fpu->image[FPU_TAGS] = abridged_tags((uint16_t)get_word(env, 2, width));
        if (cpu_protected(cpu)) {
                uint32_t selector = get_word(env, 4, width);

                fpu->ip = get_word(env, 3, width);
                fpu->cs = (uint16_t)selector;
                /* The 16-bit layout has no place for the opcode. */
                fpu->op = width == 4 ? selector >> 16 & FOP_MASK : 0;
                fpu->dp = get_word(env, 5, width);
                fpu->ds = (uint16_t)get_word(env, 6, width);
        } else {
                uint32_t high = get_word(env, 4, width);

                fpu->ip = (get_word(env, 3, width) & 0xffff) | (high >> 12 & 0xffff) << 16;
                fpu->op = high & FOP_MASK;
                fpu->dp = (get_word(env, 5, width) & 0xffff) | (get_word(env, 6, width) >> 12 & 0xffff) << 16;
                fpu->cs = fpu->ds = 0;
        }
        fpu_update_summary(cpu);
        fpu_changed(cpu, XSTATE_X87);
}

static unsigned environment_width(const struct insn *insn)
{
        return insn->operand_bytes == 2 ? 2 : 4;
}

bool exec_fnstenv(struct cpu *cpu, const struct insn *insn)
{
        unsigned width = environment_width(insn);
        uint8_t env[ENV_WORDS * 4];
        uint64_t offset;

        if (!x87_available(cpu))
                return false;
        cpu_host_begin(cpu);
        put_environment(cpu, env, width);
        operand_address(cpu, insn, &offset);
        if (!cpu_write(cpu, (enum cpu_segment)insn->segment, offset, env, ENV_WORDS * width))
                return false;
        fpu_put16(cpu->fpu.image + FPU_FCW, fpu_get16(cpu->fpu.image + FPU_FCW) | FCW_MASKS);
        fpu_update_summary(cpu);
        fpu_changed(cpu, XSTATE_X87);
        return true;
}

bool exec_fldenv(struct cpu *cpu, const struct insn *insn)
{
        unsigned width = environment_width(insn);
        uint8_t env[ENV_WORDS * 4];
        uint64_t offset;

        if (!x87_available(cpu))
                return false;
        cpu_host_begin(cpu);
        operand_address(cpu, insn, &offset);
        if (!x87_no_pending(cpu) || !cpu_read(cpu, (enum cpu_segment)insn->segment, offset, env, ENV_WORDS * width))
                return false;
        get_environment(cpu, env, width);
        return true;
}

bool exec_fnsave(struct cpu *cpu, const struct insn *insn)
{
        unsigned width = environment_width(insn);
        uint8_t area[ENV_WORDS * 4 + X87_STACK_BYTES];
        uint64_t offset;

        if (!x87_available(cpu))
                return false;
        cpu_host_begin(cpu);
        put_environment(cpu, area, width);
        for (unsigned i = 0; i < 8; i++)
                fpu_copy(area + ENV_WORDS * width + i * FPU_ST_BYTES, cpu->fpu.image + FPU_ST + i * FPU_ST_STRIDE,
                         FPU_ST_BYTES);
        operand_address(cpu, insn, &offset);
        if (!cpu_write(cpu, (enum cpu_segment)insn->segment, offset, area, ENV_WORDS * width + X87_STACK_BYTES))
                return false;
        fpu_init_x87(cpu);
        return true;
}

bool exec_frstor(struct cpu *cpu, const struct insn *insn)
{
        unsigned width = environment_width(insn);
        uint8_t area[ENV_WORDS * 4 + X87_STACK_BYTES];
        uint64_t offset;

        if (!x87_available(cpu))
                return false;
        cpu_host_begin(cpu);
        operand_address(cpu, insn, &offset);
        if (!x87_no_pending(cpu) ||
            !cpu_read(cpu, (enum cpu_segment)insn->segment, offset, area, ENV_WORDS * width + X87_STACK_BYTES))
                return false;
        get_environment(cpu, area, width);
        for (unsigned i = 0; i < 8; i++)
                fpu_copy(cpu->fpu.image + FPU_ST + i * FPU_ST_STRIDE, area + ENV_WORDS * width + i * FPU_ST_BYTES,
                         FPU_ST_BYTES);
        return true;
}

/* -- FXSAVE ------------------------------------------------------------------------------------ */

/* Offset and alignment of the 512 bytes; #GP(0) unless the linear address is a multiple of 16. */
static bool fxsave_area(struct cpu *cpu, const struct insn *insn, unsigned access, gva_t *linear)
{
        uint64_t offset;

        operand_address(cpu, insn, &offset);
        if (!cpu_segment_check(cpu, (enum cpu_segment)insn->segment, offset, FXSAVE_BYTES, access, linear))
                return false;
        return !(*linear & 15) || cpu_raise_error(cpu, EXC_GP, 0);
}

/* XMM8-15 exist in 64-bit mode only; elsewhere their places, and the 96 bytes left to software, stay. */
static unsigned fxsave_bytes(const struct cpu *cpu)
{
        return cpu_code64(cpu) ? FPU_XMM_END64 : FPU_XMM_END32;
}

bool exec_fxsave(struct cpu *cpu, const struct insn *insn)
{
        uint8_t area[FPU_XMM_END64];
        unsigned bytes = fxsave_bytes(cpu);
        gva_t linear;

        if (!x87_available(cpu) || !fxsave_area(cpu, insn, ACCESS_WRITE, &linear))
                return false;
        cpu_host_begin(cpu);
        fpu_copy(area, cpu->fpu.image, bytes);
        area[FPU_TAGS + 1] = 0;
        fpu_put_pointers(cpu, area, insn->rex & 8);
        fpu_put32(area + FPU_MXCSR_MASK, fpu_mxcsr_mask(cpu));
        return cpu_probe_write(cpu, linear, FXSAVE_BYTES, cpu_user_access(cpu)) &&
               cpu_write_linear(cpu, linear, area, bytes, cpu_user_access(cpu));
}

bool exec_fxrstor(struct cpu *cpu, const struct insn *insn)
{
        uint8_t area[FXSAVE_BYTES], *image = cpu->fpu.image;
        unsigned bytes = fxsave_bytes(cpu);
        gva_t linear;

        if (!x87_available(cpu) || !fxsave_area(cpu, insn, ACCESS_READ, &linear))
                return false;
        cpu_host_begin(cpu);
        if (!cpu_read_linear(cpu, linear, area, FXSAVE_BYTES, cpu_user_access(cpu)))
                return false;
        if (fpu_get32(area + FPU_MXCSR) & ~fpu_mxcsr_mask(cpu))
                return cpu_raise_error(cpu, EXC_GP, 0);
        fpu_put16(image + FPU_FCW, (uint16_t)((fpu_get16(area + FPU_FCW) & 0x1f3f) | 0x40));
        fpu_put16(image + FPU_FSW, fpu_get16(area + FPU_FSW));
        image[FPU_TAGS] = area[FPU_TAGS];
        fpu_get_pointers(cpu, area, insn->rex & 8);
        fpu_put32(image + FPU_MXCSR, fpu_get32(area + FPU_MXCSR));
        fpu_zero(image + FPU_ST, FPU_XMM - FPU_ST);
        for (unsigned i = 0; i < 8; i++)
                fpu_copy(image + FPU_ST + i * FPU_ST_STRIDE, area + FPU_ST + i * FPU_ST_STRIDE, FPU_ST_BYTES);
        fpu_copy(image + FPU_XMM, area + FPU_XMM, bytes - FPU_XMM);
        fpu_update_summary(cpu);
        fpu_changed(cpu, XSTATE_X87 | XSTATE_SSE);
        return true;
}

/* -- MASKMOVQ, MASKMOVDQU ---------------------------------------------------------------------- */

/* An MMX register is a physical x87 register, the image is ordered from the top of the stack. */
static uint8_t *mmx_register(struct cpu *cpu, unsigned number)
{
        return cpu->fpu.image + FPU_ST + ((number - fpu_top(cpu)) & 7) * FPU_ST_STRIDE;
}

/* Any MMX instruction makes all registers valid and TOP zero (SDM 1 9.5.1). */
static void enter_mmx(struct cpu *cpu)
{
        set_status(cpu, fpu_get16(cpu->fpu.image + FPU_FSW) & (uint16_t)~(7u << 11));
        cpu->fpu.image[FPU_TAGS] = 0xff;
        fpu_changed(cpu, XSTATE_X87);
}

/* Bytes of data whose mask byte has its top bit set go to memory.  All of them are checked before the first
 * is written (T11); bytes that are not selected raise nothing, which the SDM leaves to the processor. */
static bool masked_store(struct cpu *cpu, const struct insn *insn, const uint8_t *data, const uint8_t *mask,
                         unsigned bytes)
{
        enum cpu_segment segment = insn->segment_override ? (enum cpu_segment)insn->segment : SEG_DS;
        unsigned user = cpu_user_access(cpu);
        gva_t linear[16];

        for (unsigned i = 0; i < bytes; i++) {
                uint64_t offset = operand_truncate(cpu->regs[RDI] + i, insn->address_bytes);

                if (!(mask[i] & 0x80))
                        continue;
                if (!cpu_segment_check(cpu, segment, offset, 1, ACCESS_WRITE, &linear[i]) ||
                    !cpu_probe_write(cpu, linear[i], 1, user))
                        return false;
        }
        for (unsigned i = 0; i < bytes; i++)
                if ((mask[i] & 0x80) && !cpu_write_linear(cpu, linear[i], &data[i], 1, user))
                        return false;
        return true;
}

bool exec_maskmov(struct cpu *cpu, const struct insn *insn)
{
        bool sse = insn->mandatory == 0x66;

        /* Of the VEX form the translator has checked what it needs: XCR0 in place of EM and OSFXSR. */
        if (!insn->vex && ((cpu->cr0 & CR0_EM) || (sse && !(cpu->cr4 & CR4_OSFXSR))))
                return cpu_raise(cpu, EXC_UD);
        if (cpu->cr0 & CR0_TS)
                return cpu_raise(cpu, EXC_NM);
        cpu_host_begin(cpu);
        if (sse) {
                const uint8_t *xmm = cpu->fpu.image + FPU_XMM;

                return masked_store(cpu, insn, xmm + insn->reg * 16, xmm + insn->rm * 16, 16);
        }
        if (!x87_no_pending(cpu) ||
            !masked_store(cpu, insn, mmx_register(cpu, insn->reg & 7), mmx_register(cpu, insn->rm & 7), 8))
                return false;
        enter_mmx(cpu);
        return true;
}
