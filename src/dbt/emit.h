/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emit.h - writes single host (x86-64) instructions.  No policy: callers choose registers and forms.
 *
 * Code is written through the writable mapping of the code cache; `delta` turns such an address into
 * the one at which it executes.  Running out of space sets `full` and writes nothing more: callers
 * check once at the end.
 *
 * None of these instructions touches the flags unless its name says so: guest flags live in RFLAGS
 * the whole time translated code runs.
 */
#ifndef LODGER_DBT_EMIT_H
#define LODGER_DBT_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum host_reg {
        H_RAX, H_RCX, H_RDX, H_RBX, H_RSP, H_RBP, H_RSI, H_RDI, H_R8, H_R9, H_R10, H_R11, H_R12, H_R13, H_R14, H_R15,
        H_NONE = 0xff
};

struct emit {
        uint8_t *p, *end;
        ptrdiff_t delta;        /* executable address minus writable address */
        bool full;
};

struct host_mem {
        uint8_t base, index, scale;     /* scale: 0 to 3 */
        int32_t disp;
};

#define HOST_MEM(base_, disp_) ((struct host_mem){ .base = (base_), .index = H_NONE, .disp = (disp_) })
#define HOST_MEM_INDEX(base_, index_, scale_, disp_) \
        ((struct host_mem){ .base = (base_), .index = (index_), .scale = (scale_), .disp = (disp_) })
/* A field of struct cpu (or dbt_cpu): the state pointer is RSP. */
#define STATE(field) HOST_MEM(H_RSP, (int32_t)offsetof(struct cpu, field))
#define DSTATE(field) HOST_MEM(H_RSP, (int32_t)offsetof(struct dbt_cpu, field))

static inline void emit_bytes(struct emit *e, const void *bytes, size_t n)
{
        if ((size_t)(e->end - e->p) < n) {
                e->full = true;
                return;
        }
        memcpy(e->p, bytes, n);
        e->p += n;
}

static inline void emit8(struct emit *e, uint8_t v) { emit_bytes(e, &v, 1); }
static inline void emit16(struct emit *e, uint16_t v) { emit_bytes(e, &v, 2); }
static inline void emit32(struct emit *e, uint32_t v) { emit_bytes(e, &v, 4); }
static inline void emit64(struct emit *e, uint64_t v) { emit_bytes(e, &v, 8); }

/* REX for the given registers; `w` and `force` as needed. */
static inline void emit_rex(struct emit *e, bool w, uint8_t reg, uint8_t index, uint8_t base, bool force)
{
        uint8_t rex = 0x40 | (w ? 8 : 0) | ((reg & 8) ? 4 : 0) | (index != H_NONE && (index & 8) ? 2 : 0) |
                      (base != H_NONE && (base & 8) ? 1 : 0);
        if (rex != 0x40 || force)
                emit8(e, rex);
}

/* ModRM, SIB and displacement of a memory operand; reg: low three bits are used. */
static inline void emit_modrm_mem(struct emit *e, uint8_t reg, struct host_mem m)
{
        uint8_t r = (reg & 7) << 3;

        if (m.base == H_NONE) {
                /* disp32, or index*scale + disp32, absolute */
                emit8(e, r | 4);
                emit8(e, m.scale << 6 | (m.index == H_NONE ? 4 : m.index & 7) << 3 | 5);
                emit32(e, (uint32_t)m.disp);
                return;
        }
        uint8_t mod = m.disp == 0 && (m.base & 7) != H_RBP ? 0 : m.disp == (int8_t)m.disp ? 1 : 2;
        if (m.index != H_NONE || (m.base & 7) == H_RSP) {
                emit8(e, mod << 6 | r | 4);
                emit8(e, m.scale << 6 | (m.index == H_NONE ? 4 : m.index & 7) << 3 | (m.base & 7));
        } else {
                emit8(e, mod << 6 | r | (m.base & 7));
        }
        if (mod == 1)
                emit8(e, (uint8_t)m.disp);
        else if (mod == 2)
                emit32(e, (uint32_t)m.disp);
}

/* opcode: one byte, or 0F00h | byte. */
static inline void emit_opcode(struct emit *e, unsigned opcode)
{
        if (opcode > 0xff)
                emit8(e, 0x0f);
        emit8(e, (uint8_t)opcode);
}

static inline void emit_op_mem(struct emit *e, bool w, unsigned opcode, uint8_t reg, struct host_mem m)
{
        emit_rex(e, w, reg, m.index, m.base, false);
        emit_opcode(e, opcode);
        emit_modrm_mem(e, reg, m);
}

static inline void emit_op_rr(struct emit *e, bool w, unsigned opcode, uint8_t reg, uint8_t rm)
{
        emit_rex(e, w, reg, H_NONE, rm, false);
        emit_opcode(e, opcode);
        emit8(e, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* -- Moves ------------------------------------------------------------------------------------- */

static inline void emit_load32(struct emit *e, uint8_t to, struct host_mem m) { emit_op_mem(e, false, 0x8b, to, m); }
static inline void emit_load64(struct emit *e, uint8_t to, struct host_mem m) { emit_op_mem(e, true, 0x8b, to, m); }
static inline void emit_load8zx(struct emit *e, uint8_t to, struct host_mem m) { emit_op_mem(e, false, 0x0fb6, to, m); }
static inline void emit_load16zx(struct emit *e, uint8_t to, struct host_mem m) { emit_op_mem(e, false, 0x0fb7, to, m); }
static inline void emit_store32(struct emit *e, struct host_mem m, uint8_t from) { emit_op_mem(e, false, 0x89, from, m); }
static inline void emit_store64(struct emit *e, struct host_mem m, uint8_t from) { emit_op_mem(e, true, 0x89, from, m); }

static inline void emit_store16(struct emit *e, struct host_mem m, uint8_t from)
{
        emit8(e, 0x66);
        emit_op_mem(e, false, 0x89, from, m);
}

static inline void emit_store8_imm(struct emit *e, struct host_mem m, uint8_t v)
{
        emit_op_mem(e, false, 0xc6, 0, m);
        emit8(e, v);
}

static inline void emit_store16_imm(struct emit *e, struct host_mem m, uint16_t v)
{
        emit8(e, 0x66);
        emit_op_mem(e, false, 0xc7, 0, m);
        emit16(e, v);
}

/* Of a place within 2 GiB of the code cache, which is where the code runs. */
static inline void emit_op_place(struct emit *e, bool w, unsigned opcode, uint8_t reg, const void *place)
{
        emit_rex(e, w, reg, H_NONE, H_NONE, false);
        emit_opcode(e, opcode);
        emit8(e, (reg & 7) << 3 | 5);
        emit32(e, (uint32_t)((const uint8_t *)place - (e->p + 4 + e->delta)));
}

static inline void emit_load32_place(struct emit *e, uint8_t to, const void *place) { emit_op_place(e, false, 0x8b, to, place); }
static inline void emit_lea64_place(struct emit *e, uint8_t to, const void *place) { emit_op_place(e, true, 0x8d, to, place); }

static inline void emit_store32_imm(struct emit *e, struct host_mem m, uint32_t v)
{
        emit_op_mem(e, false, 0xc7, 0, m);
        emit32(e, v);
}

static inline void emit_mov32(struct emit *e, uint8_t to, uint8_t from) { emit_op_rr(e, false, 0x8b, to, from); }
static inline void emit_mov64(struct emit *e, uint8_t to, uint8_t from) { emit_op_rr(e, true, 0x8b, to, from); }

static inline void emit_mov16(struct emit *e, uint8_t to, uint8_t from)        /* upper bits of `to` stay */
{
        emit8(e, 0x66);
        emit_op_rr(e, false, 0x8b, to, from);
}

static inline void emit_mov32_imm(struct emit *e, uint8_t to, uint32_t v)
{
        emit_rex(e, false, 0, H_NONE, to, false);
        emit8(e, 0xb8 | (to & 7));
        emit32(e, v);
}

static inline void emit_mov64_imm(struct emit *e, uint8_t to, uint64_t v)
{
        if (v == (uint32_t)v) {
                emit_mov32_imm(e, to, (uint32_t)v);
                return;
        }
        emit_rex(e, true, 0, H_NONE, to, false);
        emit8(e, 0xb8 | (to & 7));
        emit64(e, v);
}

static inline void emit_movzx16(struct emit *e, uint8_t to, uint8_t from) { emit_op_rr(e, false, 0x0fb7, to, from); }

static inline void emit_lea32(struct emit *e, uint8_t to, struct host_mem m) { emit_op_mem(e, false, 0x8d, to, m); }
static inline void emit_lea64(struct emit *e, uint8_t to, struct host_mem m) { emit_op_mem(e, true, 0x8d, to, m); }
static inline void emit_not64(struct emit *e, uint8_t reg) { emit_op_rr(e, true, 0xf7, 2, reg); }

/* -- BMI2 -------------------------------------------------------------------------------------- */

static inline void emit_rorx(struct emit *e, bool w, uint8_t to, uint8_t from, uint8_t count)
{
        emit8(e, 0xc4);
        emit8(e, (to & 8 ? 0 : 0x80) | 0x40 | (from & 8 ? 0 : 0x20) | 3);
        emit8(e, (w ? 0x80 : 0) | 0x7b);
        emit8(e, 0xf0);
        emit8(e, 0xc0 | (to & 7) << 3 | (from & 7));
        emit8(e, count);
}

static inline void emit_bit_gather(struct emit *e, uint8_t prefix, uint8_t to, uint8_t from, struct host_mem mask)
{
        emit8(e, 0xc4);
        emit8(e, (to & 8 ? 0 : 0x80) | (mask.index != H_NONE && (mask.index & 8) ? 0 : 0x40) | (mask.base & 8 ? 0 : 0x20) | 2);
        emit8(e, 0x80 | (~from & 15) << 3 | prefix);
        emit8(e, 0xf5);
        emit_modrm_mem(e, to, mask);
}

/* to = the bits of from that the mask in memory selects, packed; PDEP: the reverse. */
static inline void emit_pext64(struct emit *e, uint8_t to, uint8_t from, struct host_mem mask) { emit_bit_gather(e, 2, to, from, mask); }
static inline void emit_pdep64(struct emit *e, uint8_t to, uint8_t from, struct host_mem mask) { emit_bit_gather(e, 3, to, from, mask); }

/* -- Control flow ------------------------------------------------------------------------------ */

/* All targets are writable-side addresses.  Each returns the place of the rel32 for later patching. */
static inline void emit_patch_rel32(uint8_t *place, const uint8_t *target)
{
        int32_t rel = (int32_t)(target - (place + 4));
        memcpy(place, &rel, 4);
}

static inline uint8_t *emit_rel32(struct emit *e, const uint8_t *target)
{
        uint8_t *place = e->p;
        emit32(e, 0);
        if (target && !e->full)
                emit_patch_rel32(place, target);
        return place;
}

static inline uint8_t *emit_jmp(struct emit *e, const uint8_t *target)
{
        emit8(e, 0xe9);
        return emit_rel32(e, target);
}

static inline uint8_t *emit_call(struct emit *e, const uint8_t *target)
{
        emit8(e, 0xe8);
        return emit_rel32(e, target);
}

static inline uint8_t *emit_jcc(struct emit *e, uint8_t condition, const uint8_t *target)
{
        emit8(e, 0x0f);
        emit8(e, 0x80 | condition);
        return emit_rel32(e, target);
}

/* JRCXZ over `skip` bytes. */
static inline void emit_jrcxz(struct emit *e, int8_t skip)
{
        emit8(e, 0xe3);
        emit8(e, (uint8_t)skip);
}

static inline void emit_jmp_mem(struct emit *e, struct host_mem m) { emit_op_mem(e, false, 0xff, 4, m); }

static inline void emit_jmp_reg(struct emit *e, uint8_t reg)
{
        emit_rex(e, false, 0, H_NONE, reg, false);
        emit8(e, 0xff);
        emit8(e, 0xe0 | (reg & 7));
}

static inline void emit_call_c(struct emit *e, const void *function)           /* clobbers RAX */
{
        emit_mov64_imm(e, H_RAX, (uint64_t)(uintptr_t)function);
        emit8(e, 0xff);
        emit8(e, 0xd0);
}

#endif
