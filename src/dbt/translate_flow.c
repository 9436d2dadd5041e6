/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_flow.c - near branches: how control leaves a block.
 *
 * An edge to a known address starts as a jump to its stub, which leaves to the dispatcher; once the
 * target is translated the jump is patched to lead there (block.c).  Every cycle of chained edges has a
 * backward one, and backward edges look for a kick, so that a request is seen within the longest
 * straight run of blocks (T8).  Indirect branches look in the jump cache; a kick spoils its key.
 */
#include "dbt/translate.h"

static struct block_exit *new_exit(struct translator *t, uint64_t target)
{
        g_assert(t->exits < MAX_EXITS);
        struct block_exit *exit = &t->exit[t->exits++];
        uint64_t linear = t->context->cs_base + target, first = t->context->cs_base + t->block_rip;
        *exit = (struct block_exit){
                .target = target,
                .same_page = (t->wide ? linear >> PAGE_SHIFT == first >> PAGE_SHIFT
                                      : (uint32_t)linear >> PAGE_SHIFT == (uint32_t)first >> PAGE_SHIFT),
        };
        return exit;
}

struct block_exit *translate_careful_exit(struct translator *t)
{
        struct block_exit *exit = new_exit(t, t->rip);
        exit->careful = true;
        struct cold *stub = translate_new_cold(t, COLD_EXIT, NULL);
        stub->exit = exit;
        return exit;
}

/* Whether a displacement can be changed in one store while other vCPUs execute it (block.c, invariant 6). */
static bool patchable(const uint8_t *place) { return (uintptr_t)place % 16 <= 12; }

uint8_t *translate_exit_jmp(struct translator *t)
{
        while (t->dbt->smp && !patchable(t->e.p + 1))
                emit8(&t->e, 0x90);
        return emit_jmp(&t->e, NULL);
}

/* An edge whose jump instruction has its rel32 at `jump`. */
static void emit_edge(struct translator *t, uint8_t *jump, uint64_t target)
{
        struct block_exit *exit = new_exit(t, target);

        if (target <= t->rip) {
                struct cold *poll = translate_new_cold(t, COLD_POLL_EXIT, jump);
                poll->exit = exit;
                poll->rip = target;
        } else if (t->dbt->smp && !patchable(jump)) {
                struct cold *edge = translate_new_cold(t, COLD_EDGE, jump);
                edge->exit = exit;
        } else {
                exit->place = jump;
        }
        struct cold *stub = translate_new_cold(t, COLD_EXIT, NULL);
        stub->exit = exit;
}

/* The jump that leaves the block for rip. */
static void emit_exit(struct translator *t, uint64_t rip)
{
        struct block_exit *exit = new_exit(t, rip);

        exit->place = translate_exit_jmp(t);
        struct cold *stub = translate_new_cold(t, COLD_EXIT, NULL);
        stub->exit = exit;
}

static void patch_rel8(struct translator *t, uint8_t *place)
{
        if (!t->e.full)
                *place = (uint8_t)(t->e.p - (place + 1));
}

/* The same backwards, with its look for a kick: a loop takes no other branch than this jump. */
static void emit_polled_exit(struct translator *t, uint64_t rip)
{
        emit_load32(&t->e, H_RCX, STATE(quiet));
        emit_jrcxz(&t->e, 0);
        uint8_t *kicked = t->e.p - 1;
        emit_exit(t, rip);
        patch_rel8(t, kicked);
        struct cold *out = translate_new_cold(t, COLD_LEAVE, emit_jmp(&t->e, NULL));
        out->rip = rip;
}

/* After this instruction the dispatcher must look: no chaining. */
static bool must_leave(const struct translator *t) { return (t->mode & (MODE_ONE_INSN | MODE_TF)) || t->poll_after; }

uint8_t *translate_leave_stub(const struct translator *t)
{
        return mode_has(t, MODE_ONE_INSN) ? t->stubs->leave_one : t->stubs->leave_rip;
}

void translate_leave_to(struct translator *t, uint64_t rip)
{
        emit_mov64_imm(&t->e, H_LINEAR, rip);
        emit_jmp(&t->e, translate_leave_stub(t));
        t->ended = true;
}

void translate_go(struct translator *t, uint64_t rip)
{
        t->ended = true;
        if (must_leave(t)) {
                translate_leave_to(t, rip);
                return;
        }
        if (rip <= t->rip)
                emit_polled_exit(t, rip);
        else
                emit_exit(t, rip);
}

static uint64_t branch_target(const struct translator *t)
{
        uint64_t target = t->next_rip + t->insn.imm;
        return t->insn.operand_bytes == 2 ? (uint16_t)target : target & t->rip_mask;
}

/* A direct target beyond the code segment's limit, or not canonical, faults at the branch. */
static bool beyond_limit(const struct translator *t, uint64_t target)
{
        if (t->wide)
                return (uint64_t)((int64_t)(target << 16) >> 16) != target;
        return target > t->context->cs_limit;
}

/* Emits the branch "if the jump at `jump` is taken, go to target". */
static void emit_taken(struct translator *t, uint8_t *jump, uint64_t target)
{
        if (beyond_limit(t, target)) {
                struct cold *cold = translate_new_cold(t, COLD_RAISE, jump);
                cold->callout = translate_new_callout(t, dbt_raise_gp0);
        } else if (must_leave(t)) {
                struct cold *cold = translate_new_cold(t, COLD_LEAVE, jump);
                cold->rip = target;
        } else {
                emit_edge(t, jump, target);
        }
}

void translate_jcc(struct translator *t)
{
        uint64_t target = branch_target(t);
        unsigned condition = t->insn.code & 15;

        if (target <= t->rip && !beyond_limit(t, target) && !must_leave(t)) {
                emit8(&t->e, (uint8_t)(0x70 | (condition ^ 1)));
                emit8(&t->e, 0);
                uint8_t *not_taken = t->e.p - 1;
                emit_polled_exit(t, target);
                patch_rel8(t, not_taken);
        } else {
                emit_taken(t, emit_jcc(&t->e, (uint8_t)condition, NULL), target);
        }
}

void translate_jmp(struct translator *t)
{
        uint64_t target = branch_target(t);

        if (beyond_limit(t, target))
                translate_raise(t, dbt_raise_gp0);
        else
                translate_go(t, target);
}

void translate_call(struct translator *t)
{
        uint64_t target = branch_target(t);

        if (beyond_limit(t, target)) {
                translate_raise(t, dbt_raise_gp0);
                return;
        }
        translate_push_value(t, H_NONE, t->next_rip, t->insn.operand_bytes);
        translate_go(t, target);
}

/* Goes to the address in R11: through the jump cache. */
static void emit_indirect(struct translator *t)
{
        struct emit *e = &t->e;

        t->ended = true;
        /* A target that is not canonical faults at the branch; the dispatcher sees to that (undo_branch). */
        struct callout *branch = t->wide ? translate_new_callout(t, dbt_raise_gp0) : NULL;
        if (must_leave(t)) {
                if (branch) {
                        emit_mov64_imm(e, H_R10, (uint64_t)(uintptr_t)branch);
                        emit_store64(e, DSTATE(branch), H_R10);
                }
                emit_jmp(e, translate_leave_stub(t));
                return;
        }
        _Static_assert(sizeof(struct jc_entry) == 16 && JC_ENTRIES == 65536, "index arithmetic below");
        emit_store64(e, STATE(rip), H_LINEAR);
        emit_movzx16(e, H_R10, H_LINEAR);
        emit_lea32(e, H_R10, HOST_MEM_INDEX(H_R10, H_R10, 0, 0));
        emit_load64(e, H_RCX, HOST_MEM_INDEX(H_RSP, H_R10, 3, (int32_t)(offsetof(struct dbt_cpu, jc) + offsetof(struct jc_entry, neg_key))));
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_LINEAR, 0, 0));
        emit_load64(e, H_LINEAR, DSTATE(jc_key));
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_LINEAR, 0, 0));
        emit_jrcxz(e, 5);
        if (branch) {
                struct cold *cold = translate_new_cold(t, COLD_INDIRECT, emit_jmp(e, NULL));
                cold->callout = branch;
        } else {
                emit_jmp(e, t->stubs->leave_indirect);
        }
        emit_jmp_mem(e, HOST_MEM_INDEX(H_RSP, H_R10, 3, (int32_t)(offsetof(struct dbt_cpu, jc) + offsetof(struct jc_entry, host))));
}

void translate_indirect(struct translator *t)
{
        const struct insn *insn = &t->insn;
        struct emit *e = &t->e;
        unsigned size = insn->operand_bytes;
        bool call = insn->opcode->kind == KIND_CALL_IND;

        if (insn->is_memory) {
                translate_operand(t, size, ACCESS_DESC_READ);
                translate_load(t, H_LINEAR, size);
        } else {
                uint8_t from = translate_get(t, insn->rm, H_LINEAR);
                if (size == 2)
                        emit_movzx16(e, H_LINEAR, from);
                else if (size == 4)
                        emit_mov32(e, H_LINEAR, from);
                else
                        emit_mov64(e, H_LINEAR, from);
        }
        translate_branch_limit(t);
        if (call) {
                emit_store64(e, DSTATE(temp), H_LINEAR);
                translate_push_value(t, H_NONE, t->next_rip, size);
                emit_load64(e, H_LINEAR, DSTATE(temp));
        }
        emit_indirect(t);
}

void translate_ret(struct translator *t)
{
        unsigned size = t->insn.operand_bytes;

        translate_stack_top(t, size);
        emit_mov64(&t->e, H_LINEAR, H_RCX);
        translate_branch_limit(t);
        translate_move_stack(t, (int32_t)(size + (t->insn.imm_bytes ? (uint16_t)t->insn.imm : 0)));
        emit_indirect(t);
}

/* RCX = the count minus one, in the width of the address size. */
static void emit_count_down(struct translator *t)
{
        if (t->insn.address_bytes == 8)
                emit_lea64(&t->e, H_RCX, HOST_MEM(H_GUEST_RCX, -1));
        else
                emit_lea32(&t->e, H_RCX, HOST_MEM(H_GUEST_RCX, -1));
        if (t->insn.address_bytes == 2)
                emit_movzx16(&t->e, H_RCX, H_RCX);
}

/* LOOP, LOOPE, LOOPNE, JCXZ: E0h to E3h.  The count is CX, ECX or RCX by address size; no flag changes. */
void translate_loop(struct translator *t)
{
        struct emit *e = &t->e;
        uint64_t target = branch_target(t);
        unsigned width = t->insn.address_bytes;

        if (t->insn.code == 0xe3) {
                if (width == 2)
                        emit_movzx16(e, H_RCX, H_GUEST_RCX);
                else if (width == 4)
                        emit_mov32(e, H_RCX, H_GUEST_RCX);
                else
                        emit_mov64(e, H_RCX, H_GUEST_RCX);
                emit_jrcxz(e, 5);
                uint8_t *not_taken = emit_jmp(e, NULL);
                uint8_t *taken = emit_jmp(e, NULL);     /* JRCXZ lands here */
                emit_patch_rel32(not_taken, e->p);
                emit_taken(t, taken, target);
                return;
        }
        bool faults = beyond_limit(t, target);          /* then the fault comes before the count changes */
        emit_count_down(t);
        if (!faults)
                translate_set(t, RCX, H_RCX, width);
        uint8_t *not_equal = NULL;
        if (t->insn.code != 0xe2)
                not_equal = emit_jcc(e, t->insn.code == 0xe1 ? 5 : 4, NULL);   /* LOOPE: leave on NZ; LOOPNE: on Z */
        emit_jrcxz(e, 5);
        uint8_t *taken = emit_jmp(e, NULL);
        if (not_equal)
                emit_patch_rel32(not_equal, e->p);
        emit_taken(t, taken, target);
        if (faults) {
                emit_count_down(t);
                translate_set(t, RCX, H_RCX, width);
        }
}
