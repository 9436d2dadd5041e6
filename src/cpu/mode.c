/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mode.c - RFLAGS as a whole, and what derives from mode and segment state: cpu->mode (mode.h), read_end, write_end.
 */
#include "cpu/cpu.h"
#include "cpu/mode.h"

enum {
        FLAGS_IMPLEMENTED = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM |
                FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID,
        /* Flags that cpu->mode depends on. */
        FLAGS_MODE = FLAG_TF | FLAG_IOPL | FLAG_VM | FLAG_AC,
};

enum { XCR0_AVX = 6 };          /* XMM and YMM state */

static const uint32_t four_gib_limit = 0xffffffff;

uint64_t cpu_rflags(const struct cpu *cpu)
{
        return cpu->rflags | FLAG_ONE | (cpu->iflag ? FLAG_IF : 0) | (cpu->df_step < 0 ? FLAG_DF : 0);
}

void cpu_set_rflags(struct cpu *cpu, uint64_t rflags)
{
        uint64_t changed = cpu->rflags ^ rflags;

        cpu->iflag = (rflags & FLAG_IF) != 0;
        cpu->df_step = rflags & FLAG_DF ? -1 : 1;
        cpu->rflags = (rflags & FLAGS_IMPLEMENTED & ~(uint64_t)(FLAG_IF | FLAG_DF)) | FLAG_ONE;
        if (changed & FLAGS_MODE)
                cpu_mode_changed(cpu);
}

uint64_t cpu_virtual_flags(const struct cpu *cpu)
{
        uint64_t flags = cpu_rflags(cpu) & 0xffff & ~(uint64_t)FLAG_IF;

        return flags | FLAG_IOPL | (cpu->rflags & FLAG_VIF ? FLAG_IF : 0);
}

bool cpu_virtual_flags_allowed(const struct cpu *cpu, uint64_t image)
{
        return !(image & FLAG_TF) && !((image & FLAG_IF) && (cpu->rflags & FLAG_VIP));
}

void cpu_set_virtual_flags(struct cpu *cpu, uint64_t image)
{
        uint64_t changes = (FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT) & 0xffff;
        uint64_t flags = (cpu_rflags(cpu) & ~(changes | FLAG_VIF | FLAG_RF)) | (image & changes);

        cpu_set_rflags(cpu, flags | (image & FLAG_IF ? FLAG_VIF : 0));
}

/* Whether accesses through the segment are never stopped by type or limit.  CS of type code counts
 * for reads and fetches only: the translator sends writes through CS to cpu_segment_check(). */
static bool segment_has_no_limit(const struct segment *segment, bool is_cs)
{
        unsigned type = segment->attr & SEG_TYPE;

        if (!segment->attr || segment->limit != four_gib_limit || !(type & SEG_TYPE_RW))
                return false;
        if (type & SEG_TYPE_CODE)
                return is_cs;
        return !(type & SEG_TYPE_EC);
}

/* The two bits of one segment.  In 64-bit mode ES, CS, SS and DS are flat whatever they hold, and no
 * segment has a limit (SDM 3A 3.4.4); FS and GS never count as flat there, so that SWAPGS and base moves
 * change no mode.  Canonical checks are the translator's. */
static uint64_t segment_bits(const struct cpu *cpu, unsigned segment, bool code64)
{
        const struct segment *seg = &cpu->seg[segment];
        uint64_t bits = 0;

        if (code64 ? segment != SEG_FS && segment != SEG_GS : seg->base == 0)
                bits |= MODE_SEG_ZERO_BASE(segment);
        if (code64 || segment_has_no_limit(seg, segment == SEG_CS))
                bits |= MODE_SEG_NO_LIMIT(segment);
        return bits;
}

static const uint64_t all_segment_bits = ~(UINT64_MAX << (MODE_SEG_SHIFT + 2 * (SEG_GS + 1))) & UINT64_MAX << MODE_SEG_SHIFT;

void cpu_mode_changed(struct cpu *cpu)
{
        bool code64 = cpu_code64(cpu), v86 = cpu_v86(cpu);
        uint64_t mode = cpu->mode & all_segment_bits;

        if (code64 != ((cpu->mode & MODE_CODE64) != 0)) {
                mode = 0;
                for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                        mode |= segment_bits(cpu, i, code64);
        }
        if (code64)
                mode |= MODE_CODE64;
        else if (cpu->seg[SEG_CS].attr & SEG_DB)
                mode |= MODE_CODE32;
        /* SS.B counts for nothing in 64-bit mode, where an interrupt leaves a null SS behind and SYSCALL a flat one. */
        if (!code64 && (cpu->seg[SEG_SS].attr & SEG_DB))
                mode |= MODE_STACK32;
        if (v86)
                mode |= MODE_V86;
        else if (cpu->cr0 & CR0_PE)
                mode |= MODE_PROTECTED;
        if (cpu->cpl == 3)
                mode |= MODE_USER;
        if (cpu->cpl == 0)
                mode |= MODE_CPL0;
        if (cpu->rflags & FLAG_TF)
                mode |= MODE_TF;
        if (cpu->cr0 & CR0_EM)
                mode |= MODE_FPU_EM;
        if (cpu->cr0 & CR0_TS)
                mode |= MODE_FPU_TS;
        if (cpu->cr0 & CR0_MP)
                mode |= MODE_FPU_MP;
        if (cpu->cr0 & CR0_NE)
                mode |= MODE_FPU_NE;
        if (cpu->cr4 & CR4_OSFXSR)
                mode |= MODE_OSFXSR;
        if ((cpu->cr4 & CR4_OSXSAVE) && (cpu->cr0 & CR0_PE) && !v86 && (cpu->xcr0 & XCR0_AVX) == XCR0_AVX)
                mode |= MODE_AVX;
        if (cpu->cr4 & CR4_OSXMMEXCPT)
                mode |= MODE_OSXMMEXCPT;
        if ((cpu->cr0 & CR0_AM) && (cpu->rflags & FLAG_AC) && cpu->cpl == 3)
                mode |= MODE_AC;
        if (cpu->cr4 & CR4_UMIP)
                mode |= MODE_UMIP;
        if (cpu->cr4 & CR4_TSD)
                mode |= MODE_TSD;
        /* In virtual-8086 mode ports are checked against the bitmap whatever IOPL is (SDM 1 19.5.2). */
        if (!v86 && cpu->cpl <= cpu_iopl(cpu))
                mode |= MODE_IO_FREE;
        cpu->mode = mode;
}

void cpu_segment_changed(struct cpu *cpu, enum cpu_segment segment)
{
        struct segment *seg = &cpu->seg[segment];
        unsigned type = seg->attr & SEG_TYPE;
        uint64_t end = (uint64_t)seg->limit + 1;
        bool code = type & SEG_TYPE_CODE;

        seg->read_end = 0;
        seg->write_end = 0;
        if (seg->attr && (seg->attr & SEG_S)) {
                if (code)
                        seg->read_end = type & SEG_TYPE_RW ? end : 0;
                else if (!(type & SEG_TYPE_EC)) {
                        seg->read_end = end;
                        seg->write_end = type & SEG_TYPE_RW ? end : 0;
                }
        }
        if (segment > SEG_GS)
                return;
        cpu->mode = (cpu->mode & ~(MODE_SEG_ZERO_BASE(segment) | MODE_SEG_NO_LIMIT(segment))) |
                    segment_bits(cpu, segment, cpu->mode & MODE_CODE64);
        /* The other segments say nothing about the rest of the mode. */
        if (segment == SEG_CS || segment == SEG_SS)
                cpu_mode_changed(cpu);
}
