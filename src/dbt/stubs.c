/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stubs.c - the pieces of host code between C and translated code, emitted once at the cache's start.
 *
 * Stack: a vCPU's helpers run on the stack below its struct dbt_cpu.  In translated code RSP points
 * at the struct itself, so that every field is at a fixed offset; `call stub` pushes the return
 * address just below it, and C called from a stub goes on downwards.
 *
 * Invariants:
 * 1  C sees all eight guest registers and RFLAGS in struct cpu, DF clear, and RSP aligned as the ABI wants.
 * 2  A stub that returns to translated code leaves the guest's registers and flags as C left them in
 *    struct cpu (callout), or as they were (memory, commit), and its vector state reloaded if a
 *    helper called cpu_host_begin().
 * 3  Once a signal handler or a stub has stored the state, the way out is `leave`, which touches only
 *    host state.
 */
#include "dbt/internal.h"

/* The first NARROW_REGISTERS hold in every mode, the rest in 64-bit mode. */
static const struct { uint8_t host, guest; } register_map[] = {
        { H_RAX, RAX }, { H_RDX, RDX }, { H_RBX, RBX }, { H_RBP, RBP }, { H_RSI, RSI }, { H_RDI, RDI },
        { H_GUEST_RSP, RSP }, { H_GUEST_RCX, RCX }, { H_R8, R8 }, { H_R9, R12 },
};
enum { NARROW_REGISTERS = 8 };

static unsigned register_count(bool wide) { return wide ? G_N_ELEMENTS(register_map) : NARROW_REGISTERS; }

static struct host_mem below(struct host_mem m, int32_t pushed)        /* after `pushed` bytes of pushes */
{
        m.disp += pushed;
        return m;
}

static struct host_mem guest_reg(unsigned guest, int32_t pushed)
{
        return HOST_MEM(H_RSP, (int32_t)(offsetof(struct cpu, regs) + 8 * guest) + pushed);
}

static void emit_save_regs(struct emit *e, bool wide, int32_t pushed)
{
        for (unsigned i = 0; i < register_count(wide); i++)
                emit_store64(e, guest_reg(register_map[i].guest, pushed), register_map[i].host);
}

static void emit_load_regs(struct emit *e, bool wide, int32_t pushed)
{
        for (unsigned i = 0; i < register_count(wide); i++)
                emit_load64(e, register_map[i].host, guest_reg(register_map[i].guest, pushed));
}

static void emit_push(struct emit *e, uint8_t reg)
{
        emit_rex(e, false, 0, H_NONE, reg, false);
        emit8(e, 0x50 | (reg & 7));
}

static void emit_pop(struct emit *e, uint8_t reg)
{
        emit_rex(e, false, 0, H_NONE, reg, false);
        emit8(e, 0x58 | (reg & 7));
}

static void emit_alu32_imm(struct emit *e, unsigned op, uint8_t reg, uint32_t v)       /* writes flags; op: /4 and, /1 or */
{
        emit_op_rr(e, false, 0x81, (uint8_t)op, reg);
        emit32(e, v);
}

/* RFLAGS image on top of the stack -> cpu->rflags' arithmetic bits.  Clobbers RAX, RCX, flags. */
static void emit_flags_to_state(struct emit *e, int32_t pushed_after)
{
        emit_pop(e, H_RAX);
        emit_alu32_imm(e, 4, H_RAX, FLAGS_ARITH);
        emit_load32(e, H_RCX, below(STATE(rflags), pushed_after));
        emit_alu32_imm(e, 4, H_RCX, ~(uint32_t)FLAGS_ARITH);
        emit_op_rr(e, false, 0x0b, H_RCX, H_RAX);
        emit_store32(e, below(STATE(rflags), pushed_after), H_RCX);
}

/* cpu->rflags' arithmetic bits -> RFLAGS: OF by an addition that overflows or not, the others by SAHF, since POPF is slow.
 * Clobbers RAX, RCX. */
static void emit_flags_from_state(struct emit *e, int32_t pushed)
{
        struct host_mem low = below(STATE(rflags), pushed), high = low;

        high.disp++;
        emit_load8zx(e, H_RAX, high);
        emit_alu32_imm(e, 4, H_RAX, FLAG_OF >> 8);
        emit_load8zx(e, H_RCX, low);
        emit_op_rr(e, false, 0xc1, 4, H_RCX);                   /* shl ecx, 8 */
        emit8(e, 8);
        emit_op_rr(e, false, 0x0b, H_RAX, H_RCX);               /* or */
        emit8(e, 0x04);                                         /* add al, 78h: 8 + 78h overflows */
        emit8(e, 0x80 - (FLAG_OF >> 8));
        emit8(e, 0x9e);                                         /* sahf */
}

/* Reloads guest vector state when a helper put it away.  Clobbers RAX, RDX, flags. */
static void emit_load_vectors(const struct dbt *dbt, struct emit *e, int32_t pushed)
{
        emit_op_mem(e, false, 0x80, 7, below(STATE(vector_live), pushed));     /* cmp byte, 0 */
        emit8(e, 0);
        uint8_t *skip = emit_jcc(e, 5, NULL);
        struct host_mem image = HOST_MEM(H_RSP, (int32_t)(offsetof(struct cpu, fpu) + offsetof(struct cpu_fpu, image)) + pushed);
        if (dbt->xsave) {
                emit_mov32_imm(e, H_RAX, (uint32_t)dbt->xsave_mask);
                emit_mov32_imm(e, H_RDX, 0);
                emit_op_mem(e, true, 0x0fae, 5, image);         /* xrstor64 */
        } else {
                emit_op_mem(e, true, 0x0fae, 1, image);         /* fxrstor64 */
        }
        emit_store8_imm(e, below(STATE(vector_live), pushed), 1);
        emit_patch_rel32(skip, e->p);
}

static const uint8_t callee_saved[] = { H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15 };

static uint8_t *start(struct emit *e)
{
        while ((uintptr_t)e->p & 15)
                emit8(e, 0xcc);
        return e->p;
}

static void emit_enter(struct dbt *dbt, struct emit *e, bool wide)
{
        uint8_t *at = start(e);
        for (unsigned i = 0; i < sizeof callee_saved; i++)
                emit_push(e, callee_saved[i]);
        emit_store64(e, HOST_MEM(H_RDI, (int32_t)offsetof(struct dbt_cpu, host_rsp)), H_RSP);
        emit_mov64(e, H_RSP, H_RDI);
        emit_mov64(e, H_R10, H_RSI);
        emit_load_vectors(dbt, e, 0);
        emit_flags_from_state(e, 0);
        emit_load_regs(e, wide, 0);
        emit_jmp_reg(e, H_R10);
        void *function = at + e->delta;
        memcpy(&dbt->stubs[wide].enter, &function, sizeof function);
}

/* RAX: what enter() returns.  All guest state is in struct cpu; RSP is anywhere at or below it, RDI not needed. */
static uint8_t *emit_leave(struct emit *e)
{
        uint8_t *at = start(e);
        emit_load64(e, H_RSP, DSTATE(host_rsp));
        for (unsigned i = sizeof callee_saved; i-- > 0;)
                emit_pop(e, callee_saved[i]);
        emit8(e, 0xc3);
        return at;
}

/* Stores everything, returns R10. */
static uint8_t *emit_leave_saving(struct emit *e, bool wide, const uint8_t *leave)
{
        uint8_t *at = start(e);
        emit_save_regs(e, wide, 0);
        emit8(e, 0x9c);         /* pushfq */
        emit_flags_to_state(e, 0);
        emit_mov64(e, H_RAX, H_R10);
        emit_jmp(e, leave);
        return at;
}

static uint8_t *emit_leave_rip(struct emit *e, const uint8_t *leave_saving, enum leave_reason reason)
{
        uint8_t *at = start(e);
        emit_store64(e, STATE(rip), H_R11);
        emit_mov32_imm(e, H_R10, reason);
        emit_jmp(e, leave_saving);
        return at;
}

/* RIP has been stored. */
static uint8_t *emit_leave_indirect(struct emit *e, const uint8_t *leave_saving)
{
        uint8_t *at = start(e);
        emit_mov32_imm(e, H_R10, LEAVE_RIP);
        emit_jmp(e, leave_saving);
        return at;
}

static void emit_callout(struct dbt *dbt, struct emit *e, bool wide, const uint8_t *leave)
{
        dbt->stubs[wide].callout = start(e);
        emit_save_regs(e, wide, 8);
        emit8(e, 0x9c);
        emit_flags_to_state(e, 8);
        emit_lea64(e, H_RDI, HOST_MEM(H_RSP, 8));
        emit_mov64(e, H_RSI, H_R10);
        emit_lea64(e, H_RSP, HOST_MEM(H_RSP, -8));
        emit_call_c(e, DBT_STUB_TARGET(dbt_callout));
        emit_lea64(e, H_RSP, HOST_MEM(H_RSP, 8));
        emit_op_rr(e, true, 0x85, H_RAX, H_RAX);
        uint8_t *out = emit_jcc(e, 5, NULL);
        emit_load_vectors(dbt, e, 8);
        emit_flags_from_state(e, 8);
        emit_load_regs(e, wide, 8);
        emit8(e, 0xc3);
        emit_patch_rel32(out, e->p);
        emit_lea64(e, H_RSP, HOST_MEM(H_RSP, 8));
        emit_op_rr(e, true, 0x81, 7, H_RAX);                    /* cmp: a reason, or code to go on with? */
        emit32(e, LEAVE_REASONS);
        emit_jcc(e, 2, leave);                                  /* below */
        emit_mov64(e, H_R10, H_RAX);
        emit_load_vectors(dbt, e, 0);
        emit_flags_from_state(e, 0);
        emit_load_regs(e, wide, 0);
        emit_jmp_reg(e, H_R10);
}

/* What C may have clobbered, but for R10, R11 and RCX. */
static void emit_load_clobbered(struct emit *e, bool wide)
{
        emit_load64(e, H_RAX, guest_reg(RAX, 16));
        emit_load64(e, H_RDX, guest_reg(RDX, 16));
        emit_load64(e, H_RSI, guest_reg(RSI, 16));
        emit_load64(e, H_RDI, guest_reg(RDI, 16));
        if (wide) {
                emit_load64(e, H_R8, guest_reg(R8, 16));
                emit_load64(e, H_R9, guest_reg(R12, 16));
        }
}

static void emit_memory(struct dbt *dbt, struct emit *e, bool wide, const uint8_t *leave)
{
        dbt->stubs[wide].memory = start(e);
        emit_save_regs(e, wide, 8);
        emit8(e, 0x9c);                                         /* pushfq: two words below the struct now */
        emit_lea64(e, H_RDI, HOST_MEM(H_RSP, 16));
        emit_mov64(e, H_RSI, H_LINEAR);
        emit_mov32(e, H_RDX, H_RCX);
        emit_load64(e, H_RCX, HOST_MEM(H_RSP, 8));
        emit_call_c(e, DBT_STUB_TARGET(dbt_memory));
        emit_op_rr(e, true, 0x85, H_RAX, H_RAX);
        uint8_t *fault = emit_jcc(e, 4, NULL);
        emit_load64(e, H_LINEAR, below(DSTATE(linear), 16));
        emit_mov64(e, H_ADDEND, H_RAX);
        emit_op_rr(e, true, 0x2b, H_ADDEND, H_LINEAR);         /* sub */
        emit_load32(e, H_RCX, below(DSTATE(bounce_skip), 16));
        emit_op_mem(e, true, 0x01, H_RCX, HOST_MEM(H_RSP, 8));  /* add [return address], rcx */
        emit_load_vectors(dbt, e, 16);
        emit_load_clobbered(e, wide);
        emit8(e, 0x9d);
        emit8(e, 0xc3);
        emit_patch_rel32(fault, e->p);
        emit_flags_to_state(e, 8);
        emit_mov32_imm(e, H_RAX, LEAVE_EXCEPTION);
        emit_lea64(e, H_RSP, HOST_MEM(H_RSP, 8));
        emit_jmp(e, leave);
}

static void emit_commit(struct dbt *dbt, struct emit *e, bool wide, const uint8_t *leave)
{
        dbt->stubs[wide].commit = start(e);
        emit_save_regs(e, wide, 8);
        emit_store64(e, below(DSTATE(spill), 8), H_LINEAR);
        emit8(e, 0x9c);
        emit_lea64(e, H_RDI, HOST_MEM(H_RSP, 16));
        emit_load64(e, H_RSI, HOST_MEM(H_RSP, 8));
        emit_call_c(e, DBT_STUB_TARGET(dbt_commit));
        emit_op_rr(e, false, 0x85, H_RAX, H_RAX);
        uint8_t *out = emit_jcc(e, 5, NULL);
        emit_load_vectors(dbt, e, 16);
        emit_load_clobbered(e, wide);
        emit_load64(e, H_LINEAR, below(DSTATE(spill), 16));
        emit8(e, 0x9d);
        emit8(e, 0xc3);
        emit_patch_rel32(out, e->p);
        emit_flags_to_state(e, 8);
        emit_mov32_imm(e, H_RAX, LEAVE_COMMIT);
        emit_lea64(e, H_RSP, HOST_MEM(H_RSP, 8));
        emit_jmp(e, leave);
}

/* A wrong guess: looks the page up, and remembers. */
static uint8_t *emit_guess(struct emit *e, bool write, bool user)
{
        size_t view = offsetof(struct cpu, tlb) + (user ? sizeof(struct tlb_view) : 0);
        size_t tags = view + (write ? offsetof(struct tlb_view, write_neg_tag) : offsetof(struct tlb_view, read_neg_tag));
        struct host_mem index_mask = below(DSTATE(index_mask), 8);
        uint8_t *at = start(e);

        emit_store64(e, below(DSTATE(guess), 8), H_R10);
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_LINEAR, 0, 0));
        emit_pext64(e, H_R10, H_LINEAR, index_mask);
        emit_load64(e, H_R10, HOST_MEM_INDEX(H_RSP, H_R10, 3, (int32_t)tags + 8));
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_R10, 0, 0));
        emit_pext64(e, H_RCX, H_RCX, below(DSTATE(page_mask), 8));
        emit_jrcxz(e, 0);
        uint8_t *hit = e->p;

        uint8_t *miss = e->p;
        emit_load64(e, H_RCX, HOST_MEM(H_RSP, 0));
        emit_lea64(e, H_RCX, HOST_MEM(H_RCX, 5));
        emit_store64(e, HOST_MEM(H_RSP, 0), H_RCX);
        emit8(e, 0xc3);

        hit[-1] = (uint8_t)(e->p - hit);
        emit_load64(e, H_RCX, below(DSTATE(guess), 8));
        emit_pext64(e, H_R10, H_LINEAR, index_mask);
        emit_store32(e, HOST_MEM(H_RCX, offsetof(struct guess, index)), H_R10);
        emit_load32(e, H_R10, HOST_MEM(H_RCX, offsetof(struct guess, credit)));
        emit_lea32(e, H_R10, HOST_MEM(H_R10, -1));
        emit_store32(e, HOST_MEM(H_RCX, offsetof(struct guess, credit)), H_R10);
        emit_mov32(e, H_RCX, H_R10);
        emit_jrcxz(e, 0);
        uint8_t *tired = e->p;
        emit_pext64(e, H_R10, H_LINEAR, index_mask);
        emit_load64(e, H_R10, HOST_MEM_INDEX(H_RSP, H_R10, 3, (int32_t)(view + offsetof(struct tlb_view, addend)) + 8));
        emit8(e, 0xc3);

        tired[-1] = (uint8_t)(e->p - tired);
        emit_load64(e, H_RCX, below(DSTATE(guess), 8));
        emit_store64(e, below(DSTATE(tired), 8), H_RCX);
        emit_jmp(e, miss);
        return at;
}

void stubs_emit(struct dbt *dbt, struct emit *e)
{
        uint8_t *leave = emit_leave(e);

        for (unsigned i = 0; i < 4 && dbt->bmi2; i++)
                dbt->stubs[0].guess[i / 2][i % 2] = dbt->stubs[1].guess[i / 2][i % 2] = emit_guess(e, i / 2, i % 2);
        for (unsigned wide = 0; wide < 2; wide++) {
                struct stubs *stubs = &dbt->stubs[wide];
                emit_enter(dbt, e, wide);
                uint8_t *saving = emit_leave_saving(e, wide, leave);
                stubs->leave_signal = leave;
                stubs->leave_link = saving;
                stubs->leave_rip = emit_leave_rip(e, saving, LEAVE_RIP);
                stubs->leave_indirect = emit_leave_indirect(e, saving);
                stubs->leave_one = emit_leave_rip(e, saving, LEAVE_ONE);
                emit_callout(dbt, e, wide, leave);
                emit_memory(dbt, e, wide, leave);
                emit_commit(dbt, e, wide, leave);
        }
        g_assert(!e->full);
}
