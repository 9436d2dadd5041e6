/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu.h - cpu->fpu.image seen from C: the XSAVE area in standard format (SDM 1 13.4).  [gpr]
 *
 * The image holds the guest's x87, SSE and AVX state after cpu_host_begin().  Its own FIP, FDP, FCS, FDS
 * and FOP fields mean nothing: cpu->fpu.ip and so on are the guest's (traps.md T10).
 */
#ifndef LODGER_CPU_FPU_H
#define LODGER_CPU_FPU_H

#include "cpu/cpu.h"
#include "cpu/cpuid.h"

/* Offsets, the same in FXSAVE's image. */
enum {
        FPU_FCW = 0, FPU_FSW = 2, FPU_TAGS = 4 /* one bit a physical register: not empty */, FPU_FOP = 6, FPU_FIP = 8,
        FPU_FCS = 12, FPU_FDP = 16, FPU_FDS = 20, FPU_MXCSR = 24, FPU_MXCSR_MASK = 28, FPU_ST = 32, FPU_XMM = 160,
        FPU_XMM_END32 = 288, FPU_XMM_END64 = 416, FPU_HEADER = 512, FPU_AVX = 576,
        FPU_ST_STRIDE = 16, FPU_ST_BYTES = 10,
};
enum { XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_AVX = 4 };
enum { FCW_INIT = 0x37f, FCW_MASKS = 0x3f, FSW_EXCEPTIONS = 0x3f, FSW_ES = 0x80, FSW_BUSY = 0x8000, MXCSR_INIT = 0x1f80 };

static inline uint16_t fpu_get16(const uint8_t *at) { uint16_t value; __builtin_memcpy(&value, at, 2); return value; }
static inline uint32_t fpu_get32(const uint8_t *at) { uint32_t value; __builtin_memcpy(&value, at, 4); return value; }
static inline uint64_t fpu_get64(const uint8_t *at) { uint64_t value; __builtin_memcpy(&value, at, 8); return value; }
static inline void fpu_put16(uint8_t *at, uint16_t value) { __builtin_memcpy(at, &value, 2); }
static inline void fpu_put32(uint8_t *at, uint32_t value) { __builtin_memcpy(at, &value, 4); }
static inline void fpu_put64(uint8_t *at, uint64_t value) { __builtin_memcpy(at, &value, 8); }

/* Sizes here are not constant, and no library function may be called (C4). */
static inline void fpu_copy(uint8_t *to, const uint8_t *from, unsigned bytes)
{
        uint64_t count = bytes;

        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static inline void fpu_zero(uint8_t *to, unsigned bytes)
{
        uint64_t count = bytes;

        __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
}

static inline unsigned fpu_top(const struct cpu *cpu) { return fpu_get16(cpu->fpu.image + FPU_FSW) >> 11 & 7; }

/* A component that was changed here must not count as being in its initial state when it is reloaded. */
static inline void fpu_changed(struct cpu *cpu, uint8_t components)
{
        cpu->fpu.image[FPU_HEADER] |= components;
}

/* Selectors as images show them: processors that deprecate FCS and FDS store zeros. */
static inline uint16_t fpu_shown_selector(const struct cpu *cpu, uint16_t selector)
{
        return cpu->model->no_fpu_cs_ds ? 0 : selector;
}

/* Sets ES and B from the exception flags and masks, as every load of the status word does. */
void fpu_update_summary(struct cpu *cpu);
/* What FNINIT does, but for the FPU's image. */
void fpu_init_x87(struct cpu *cpu);
/* FOP, FIP, FCS, FDP, FDS into or out of an FXSAVE-like image; wide: 64-bit offsets, no selectors. */
void fpu_put_pointers(const struct cpu *cpu, uint8_t *image, bool wide);
void fpu_get_pointers(struct cpu *cpu, const uint8_t *image, bool wide);
/* MXCSR bits that this CPU has. */
uint32_t fpu_mxcsr_mask(const struct cpu *cpu);

#endif
