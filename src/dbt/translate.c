/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate.c - one block: fetch, decode, and give each instruction to its emitter.
 *
 * A block is straight-line guest code within one page: conditional branches leave it sideways, anything
 * else that changes RIP ends it.  An instruction that crosses into the next page makes a block of its
 * own, since its second page can be remapped separately.
 *
 * Layout in the cache: the entry that checks the mapping and the main part; elsewhere everything out of line.
 *
 * Invariants:
 * 1  PAGE_HOLDS_CODE is set, and write permission gone from every TLB and every vCPU's hands, before a byte is
 *    read (block_page_arm): a write that races with translation finds the block or is seen by it.
 * 2  If the first instruction cannot be fetched the guest faults and there is no block; if a later one
 *    cannot, the block ends before it.
 */
#include <string.h>
#include "base/log.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/tlb.h"
#include "dbt/translate.h"

/* -- Out-of-line code -------------------------------------------------------------------------- */

struct cold *translate_new_cold(struct translator *t, enum cold_kind kind, uint8_t *jump)
{
        g_assert(t->colds < MAX_COLD);
        struct cold *cold = &t->cold[t->colds++];
        *cold = (struct cold){ .kind = kind, .jump = jump, .insn = (uint16_t)t->index };
        return cold;
}

static struct insn_origin *new_map(struct translator *t)
{
        g_assert(t->maps < MAX_MAPS);
        struct insn_origin *map = &t->map[t->maps++];
        map->host_offset = (uint32_t)(t->e.p - t->part);
        return map;
}

/* Room for whatever one more instruction may need, and for the maps of all out-of-line paths. */
static bool has_room(const struct translator *t)
{
        enum { INSN_COLD = 8, INSN_EXITS = 4, INSN_CALLOUTS = 4, INSN_BYTES = 2048, COLD_BYTES = 192 };
        size_t used = (size_t)(t->e.p - t->dbt->cache.p);

        return t->colds + INSN_COLD <= MAX_COLD && t->exits + INSN_EXITS <= MAX_EXITS &&
               t->callouts + INSN_CALLOUTS <= MAX_CALLOUTS && t->maps + t->colds + INSN_COLD + 2 <= MAX_MAPS &&
               used + t->colds * COLD_BYTES + INSN_BYTES <= BLOCK_MAX_BYTES;
}

static void emit_callout_call(struct translator *t, const struct callout *callout)
{
        emit_mov64_imm(&t->e, H_R10, (uint64_t)(uintptr_t)callout);
        emit_call(&t->e, t->stubs->callout);
}

static void emit_cold(struct translator *t, const struct cold *cold, const struct insn_origin *main_map)
{
        struct emit *e = &t->e;
        struct insn_origin *map = new_map(t);
        uint32_t offset = map->host_offset;

        *map = main_map[cold->insn];
        map->host_offset = offset;
        if (cold->jump && !e->full)
                emit_patch_rel32(cold->jump, e->p);
        if (cold->guess) {
                bool write = cold->descriptor & (cold->kind == COLD_SPAN ? ACCESS_DESC_SPAN_WRITE : ACCESS_DESC_WRITE);
                emit_lea64_place(e, H_R10, cold->guess);
                emit_mov32_imm(e, H_RCX, cold->probe_bytes - 1u);
                emit_call(e, t->stubs->guess[write][mode_has(t, MODE_USER)]);
                emit_jmp(e, cold->probed);
        }
        switch (cold->kind) {
        case COLD_LOAD:
        case COLD_STORE:
                emit_mov32_imm(e, H_RCX, cold->descriptor);
                emit_call(e, t->stubs->memory);
                emit_jmp(e, cold->back);
                if (cold->kind == COLD_STORE) {
                        g_assert(cold->tail_end);
                        emit_bytes(e, cold->back, (size_t)(cold->tail_end - cold->back));
                        emit_call(e, t->stubs->commit);
                        emit_jmp(e, cold->tail_end);
                }
                break;
        case COLD_SPAN:
                if (t->wide)
                        emit_lea64(e, H_LINEAR, HOST_MEM(cold->base, cold->disp));
                else
                        emit_lea32(e, H_LINEAR, HOST_MEM(cold->base, cold->disp));
                emit_store16_imm(e, DSTATE(span_before), cold->span_before);
                emit_store16_imm(e, DSTATE(span_bytes), cold->span_bytes);
                emit_store32_imm(e, DSTATE(span_disp), (uint32_t)cold->span_disp);
                emit_mov32_imm(e, H_RCX, cold->descriptor);
                emit_call(e, t->stubs->memory);
                uint8_t *reached = emit_jmp(e, NULL);
                cold->exit->place = translate_exit_jmp(t);
                if (!e->full)
                        emit_patch_rel32(reached, e->p);
                translate_span_addend(t, cold->reg, cold->base, cold->disp);
                emit_jmp(e, cold->back);
                break;
        case COLD_POLL_EXIT:
                emit_load32(e, H_RCX, STATE(quiet));
                emit_jrcxz(e, 0);
                uint8_t *quiet = e->p;
                cold->exit->place = translate_exit_jmp(t);
                if (!e->full)
                        quiet[-1] = (uint8_t)(e->p - quiet);
                emit_mov64_imm(e, H_LINEAR, cold->rip);
                emit_jmp(e, t->stubs->leave_rip);
                break;
        case COLD_EDGE:
                cold->exit->place = translate_exit_jmp(t);
                break;
        case COLD_EXIT:
                cold->exit->stub = e->p;
                /* The exit's final place is known when the block is finished: finish_block() fills it in. */
                emit8(e, 0x49);
                emit8(e, 0xba);
                emit64(e, 0);
                emit_jmp(e, t->stubs->leave_link);
                if (!e->full)
                        emit_patch_rel32(cold->exit->place, cold->exit->stub);
                break;
        case COLD_LEAVE:
                emit_mov64_imm(e, H_LINEAR, cold->rip);
                emit_jmp(e, translate_leave_stub(t));
                break;
        case COLD_RAISE:
                emit_callout_call(t, cold->callout);
                break;
        case COLD_INDIRECT:
                emit_mov64_imm(e, H_R10, (uint64_t)(uintptr_t)cold->callout);
                emit_store64(e, DSTATE(branch), H_R10);
                emit_jmp(e, t->stubs->leave_indirect);
                break;
        }
}

/* -- Callouts ---------------------------------------------------------------------------------- */

struct callout *translate_new_callout(struct translator *t, insn_handler *handler)
{
        struct callout *callout = cache_meta(&t->dbt->cache, sizeof *callout);
        callout->handler = handler;
        callout->rip = t->rip;
        callout->next_rip = t->next_rip;
        callout->mode = t->mode & ~MODE_TRANSLATOR;
        callout->insn = t->insn;
        g_assert(t->callouts < MAX_CALLOUTS);
        t->callout[t->callouts++] = callout;
        return callout;
}

void translate_callout(struct translator *t, insn_handler *handler, bool ends)
{
        struct callout *callout = translate_new_callout(t, handler);
        callout->ends = ends;
        t->called = true;
        emit_callout_call(t, callout);
        if (ends)
                t->ended = true;
}

void translate_raise(struct translator *t, insn_handler *raise)
{
        translate_callout(t, raise, true);
}

/* Leaves if something waits for the vCPU; the next instruction is at rip. */
static void emit_poll(struct translator *t, uint64_t rip)
{
        emit_load32(&t->e, H_RCX, STATE(request));
        emit_jrcxz(&t->e, 5);
        struct cold *cold = translate_new_cold(t, COLD_LEAVE, emit_jmp(&t->e, NULL));
        cold->rip = rip;
}

/* -- One instruction --------------------------------------------------------------------------- */

/* What the FPU and SSE enable bits make of the instruction: a handler that raises, or NULL. */
static insn_handler *vector_fault(const struct translator *t)
{
        uint32_t attr = t->insn.opcode->attr;

        if (attr & ATTR_AVX) {
                if (!mode_has(t, MODE_AVX))
                        return dbt_raise_ud;
                return mode_has(t, MODE_FPU_TS) ? dbt_raise_nm : NULL;
        }
        if (attr & ATTR_SSE) {
                if (mode_has(t, MODE_FPU_EM) || !mode_has(t, MODE_OSFXSR))
                        return dbt_raise_ud;
                return mode_has(t, MODE_FPU_TS) ? dbt_raise_nm : NULL;
        }
        if (attr & ATTR_MMX) {
                if (mode_has(t, MODE_FPU_EM))
                        return dbt_raise_ud;
                return mode_has(t, MODE_FPU_TS) ? dbt_raise_nm : NULL;
        }
        if (attr & ATTR_X87) {
                if (t->insn.map == MAP_PRIMARY && t->insn.code == 0x9b)       /* WAIT: MP and TS, whatever EM says */
                        return mode_has(t, MODE_FPU_MP | MODE_FPU_TS) ? dbt_raise_nm : NULL;
                return t->mode & (MODE_FPU_EM | MODE_FPU_TS) ? dbt_raise_nm : NULL;
        }
        return NULL;
}

static bool writes_ss(const struct insn *insn)
{
        return (insn->opcode->exec == exec_mov_to_seg || insn->opcode->exec == exec_pop_seg) &&
               insn_segment_operand(insn) == SEG_SS;
}

static bool is_pause(const struct insn *insn) { return insn->map == MAP_PRIMARY && insn->code == 0x90 && insn->mandatory == 0xf3; }

static void translate_insn(struct translator *t)
{
        const struct opcode *op = t->insn.opcode;
        insn_handler *fault = vector_fault(t);

        if (fault) {
                translate_raise(t, fault);
                return;
        }
        if ((op->attr & ATTR_CPL0) && !mode_has(t, MODE_CPL0)) {
                translate_raise(t, dbt_raise_gp0);
                return;
        }
        switch ((enum insn_kind)op->kind) {
        case KIND_INVALID:
                translate_raise(t, dbt_raise_ud);
                break;
        case KIND_COPY:
                if (t->dbt->smp && is_pause(&t->insn)) {
                        translate_callout(t, dbt_pause, false);
                        break;
                }
                translate_copy(t);
                break;
        case KIND_HOST_X87_CONTROL:
                translate_copy(t);
                break;
        case KIND_NOP:
                break;
        case KIND_LEA:
                translate_lea(t);
                break;
        case KIND_MOFFS:
                translate_moffs(t);
                break;
        case KIND_PUSH:
                translate_push(t);
                break;
        case KIND_POP:
                translate_pop(t);
                break;
        case KIND_LEAVE:
                translate_leave(t);
                break;
        case KIND_PUSH_SEG:
                translate_push_seg(t);
                break;
        case KIND_MOV_FROM_SEG:
                translate_mov_from_seg(t);
                break;
        case KIND_STRING:
                translate_string(t);
                break;
        case KIND_JCC:
                translate_jcc(t);
                break;
        case KIND_JMP:
                translate_jmp(t);
                break;
        case KIND_JMP_IND:
        case KIND_CALL_IND:
                translate_indirect(t);
                break;
        case KIND_CALL:
                translate_call(t);
                break;
        case KIND_RET:
                translate_ret(t);
                break;
        case KIND_LOOP:
                translate_loop(t);
                break;
        case KIND_BT_MEM:
                if (t->insn.is_memory)
                        translate_callout(t, op->exec, false);
                else
                        translate_copy(t);
                break;
        case KIND_CLI:
                if (mode_has(t, MODE_IO_FREE))
                        emit_store8_imm(&t->e, STATE(iflag), 0);
                else
                        translate_callout(t, op->exec, false);
                break;
        case KIND_STI:
                if (mode_has(t, MODE_IO_FREE)) {
                        /* It inhibits interrupts if IF was clear: shadow = 1 - IF. */
                        emit_load8zx(&t->e, H_RCX, STATE(iflag));
                        emit_not64(&t->e, H_RCX);
                        emit_lea32(&t->e, H_RCX, HOST_MEM(H_RCX, 2));
                        emit_op_mem(&t->e, false, 0x88, H_RCX, STATE(shadow));
                        emit_store8_imm(&t->e, STATE(iflag), 1);
                        t->shadow_known = true;
                } else {
                        translate_callout(t, op->exec, false);
                }
                t->shadow = true;
                break;
        case KIND_CLD_STD:
                emit_op_mem(&t->e, true, 0xc7, 0, STATE(df_step));
                emit32(&t->e, t->insn.code & 1 ? UINT32_MAX : 1);
                break;
        case KIND_POPF:
                translate_callout(t, op->exec, false);
                t->poll_after = true;
                break;
        case KIND_PUSHF:
                if (!translate_pushf(t))
                        translate_callout(t, op->exec, false);
                break;
        case KIND_POP_SEG:
        case KIND_PUSHA: case KIND_POPA: case KIND_ENTER: case KIND_XLAT:
        case KIND_EXEC:
                if (op->exec == exec_rdtsc && translate_rdtsc(t))
                        break;
                if (op->exec == exec_swapgs) {
                        translate_swapgs(t);
                        break;
                }
                translate_callout(t, op->exec, false);
                t->shadow = writes_ss(&t->insn);
                break;
        case KIND_EXEC_END:
                translate_callout(t, op->exec, true);
                break;
        }
}

/* -- Fetching ---------------------------------------------------------------------------------- */

/* The bytes of a page of code; NULL when it is not memory, or not ready to be read: then t->unready says so. */
static const uint8_t *code_page(struct translator *t, gpa_t gpa)
{
        struct page_info page = memory_page(t->dbt->memory, gpa);

        if (page.host && !block_page_arm(t->dbt, gpa, page.host)) {
                t->unready = gpa;
                return NULL;
        }
        return page.host;
}

/* Decodes the instruction at t->rip.  FETCH_STOP: there is none to be had here: an exception is raised
 * if it is the first of the block.  *gpa2: set when the instruction reaches into another page. */
static enum fetch_result fetch(struct translator *t, gpa_t *gpa2)
{
        struct cpu *cpu = t->cpu;
        gva_t linear = context_linear(t->context, t->rip);
        uint8_t buffer[16];
        const uint8_t *bytes;
        size_t in_page = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
        uint64_t to_limit = t->wide ? UINT64_MAX : t->rip > t->context->cs_limit ? 0 : t->context->cs_limit - t->rip + 1;
        size_t available = MIN(in_page, to_limit);
        const uint8_t *page = code_page(t, t->page);

        *gpa2 = ~(gpa_t)0;
        if (t->unready != ~(gpa_t)0)
                return FETCH_STOP;
        if (page) {
                bytes = page + (linear & (PAGE_SIZE - 1));
        } else {
                /* Code in device memory or nowhere: the dispatcher has read what the first instruction needs. */
                available = t->index ? 0 : MIN(available, sizeof dbt_cpu(cpu)->device_code);
                bytes = dbt_cpu(cpu)->device_code;
        }
        enum decode_result result = insn_decode(&t->insn, bytes, available, t->mode, cpu->model->features);
        if (result == DECODE_SHORT && in_page < to_limit && available < 15) {
                /* Crosses into the next page. */
                if (t->index > 0)
                        return FETCH_STOP;
                gva_t next = context_linear(t->context, t->rip + in_page);
                gpa_t second;
                if (!tlb_fetch(cpu, next, &second))
                        return FETCH_STOP;
                memcpy(buffer, bytes, available);
                size_t more = MIN(15 - available, to_limit - available);
                const uint8_t *page2 = code_page(t, second & PAGE_MASK);
                if (t->unready != ~(gpa_t)0)
                        return FETCH_STOP;
                for (size_t i = 0; i < more; i++)
                        buffer[available + i] = page2 ? page2[i] : 0xff;
                result = insn_decode(&t->insn, buffer, available + more, t->mode, cpu->model->features);
                if (t->insn.length > available)
                        *gpa2 = second & PAGE_MASK;
        }
        switch (result) {
        case DECODE_OK:
                return FETCH_OK;
        case DECODE_UD:
                return FETCH_INVALID;
        case DECODE_GP:
                return FETCH_GP;
        case DECODE_SHORT:              /* runs past the limit of CS */
                break;
        }
        if (t->index > 0)
                return FETCH_STOP;
        cpu->rip = t->rip;
        cpu_raise_error(cpu, EXC_GP, 0);
        return FETCH_STOP;
}

/* -- The block --------------------------------------------------------------------------------- */

/* An instruction with a breakpoint is always the first of its block. */
static bool has_breakpoint(const struct translator *t)
{
        uint32_t hits;
        bool debugger;

        return t->context->debug_key && cpu_debug_executes(t->cpu, context_linear(t->context, t->rip), &hits, &debugger);
}

/* Where a block stands, to take its last instruction back. */
struct mark {
        uint8_t *p;
        unsigned colds, exits, maps, callouts;
        bool shadow, shadow_known;
};

static struct mark mark_set(const struct translator *t)
{
        return (struct mark){ t->e.p, t->colds, t->exits, t->maps, t->callouts, t->shadow, t->shadow_known };
}

static void mark_return(struct translator *t, const struct mark *mark)
{
        t->e.p = mark->p;
        t->colds = mark->colds;
        t->exits = mark->exits;
        t->maps = mark->maps;
        t->callouts = mark->callouts;
        t->shadow = mark->shadow;
        t->shadow_known = mark->shadow_known;
        t->ended = t->called = false;
}

/* Random numbers and the time. */
static bool never_the_same(const struct opcode *op)
{
        return op->feature == FEATURE_RDRAND || op->feature == FEATURE_RDSEED || op->exec == exec_rdtsc;
}

/* Where a checked block must end: it runs once by single instructions, which a branch to the very next
 * one, or a look at requests that come at any time, would make unlike the run as a whole. */
static bool ends_checked(const struct translator *t)
{
        bool branch = t->insn.opcode && (t->insn.opcode->kind == KIND_JCC || t->insn.opcode->kind == KIND_LOOP);

        return mode_has(t, MODE_CHECK) && (t->called || t->poll_after || (branch && !t->insn.imm));
}

/* "This linear page still comes from this physical page", or leave to the dispatcher. */
static void emit_page_check(struct translator *t, gva_t linear, gpa_t gpa, struct cold **cold)
{
        struct emit *e = &t->e;
        unsigned index = (linear >> PAGE_SHIFT) % ITLB_ENTRIES;
        uint64_t key = (linear >> PAGE_SHIFT) << 28 | gpa >> PAGE_SHIFT;
        size_t view = offsetof(struct cpu, tlb) + (mode_has(t, MODE_USER) ? sizeof(struct tlb_view) : 0);

        emit_load64(e, H_RCX, HOST_MEM(H_RSP, (int32_t)(view + offsetof(struct tlb_view, code) + 8 * index)));
        emit_mov64_imm(e, H_R10, -key);
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_R10, 0, 0));
        emit_jrcxz(e, 5);
        uint8_t *jump = emit_jmp(e, NULL);
        if (*cold)
                (*cold)->jump2 = jump;
        else
                *cold = translate_new_cold(t, COLD_LEAVE, jump);
        (*cold)->rip = t->block_rip;
}

static struct block *finish_block(struct translator *t, gpa_t gpa, gpa_t gpa2, uint8_t *main_part, unsigned main_maps)
{
        struct dbt *dbt = t->dbt;
        struct cache *cache = &dbt->cache;
        struct block *block = cache_meta(cache, sizeof *block);
        struct insn_origin first_maps[BLOCK_MAX_INSNS + 1];

        memcpy(first_maps, t->map, main_maps * sizeof *first_maps);
        uint8_t *main_end = t->e.p;
        t->part = t->e.p = cache->cold;
        t->e.end = cache->chunk[cache->current].end;
        for (unsigned i = 0; i < t->colds; i++) {
                if (t->cold[i].jump2)
                        emit_patch_rel32(t->cold[i].jump2, t->e.p);
                emit_cold(t, &t->cold[i], first_maps);
        }
        g_assert(!t->e.full);           /* has_room() kept the block within BLOCK_MAX_BYTES */

        block->gpa = gpa;
        block->gpa2 = gpa2;
        block->rip = t->block_rip;
        block->context = t->context;
        block->guest_bytes = (uint16_t)t->bytes;
        block->insns = (uint16_t)t->index;
        block->checked = cache->p - cache->rw + cache->rx;
        block->host = gpa2 != ~(gpa_t)0 ? block->checked : main_part - cache->rw + cache->rx;
        block->host_bytes = (uint32_t)(main_end - cache->p);
        block->cold = cache->cold - cache->rw + cache->rx;
        block->cold_bytes = (uint32_t)(t->e.p - cache->cold);
        if (t->mode & MODE_CHECK) {
                block->callout = t->called;
                block->vector = t->vector;
                block->step = cache_meta(cache, block->insns * sizeof *block->step);
        }
        block->exits = (uint16_t)t->exits;
        block->exit = cache_meta(cache, MAX(1, t->exits) * sizeof *block->exit);
        for (unsigned i = 0; i < t->exits; i++) {
                block->exit[i] = t->exit[i];
                block->exit[i].from = block;
                uint64_t pointer = (uint64_t)(uintptr_t)&block->exit[i];
                memcpy(t->exit[i].stub + 2, &pointer, 8);
        }
        for (unsigned i = 0; i < t->callouts; i++)
                t->callout[i]->block = block;
        block->maps = (uint16_t)t->maps;
        block->main_maps = (uint16_t)main_maps;
        block->map = cache_meta(cache, t->maps * sizeof *block->map);
        memcpy(block->map, t->map, t->maps * sizeof *block->map);
        cache->p = (uint8_t *)(((uintptr_t)main_end + 15) & ~(uintptr_t)15);
        cache->cold = t->e.p;
        cache_add(cache, block);
        dbt_count_locked(dbt, DBT_COUNT_BLOCKS, 1);
        dbt_count_locked(dbt, DBT_COUNT_INSNS, t->index);
        dbt_count_locked(dbt, DBT_COUNT_CODE_BYTES, block->host_bytes + block->cold_bytes);
        return block;
}

/* Whether control never goes on to the next instruction of the block. */
static bool ends_plan(const struct planned *planned)
{
        if (planned->result != FETCH_OK)
                return true;
        switch ((enum insn_kind)planned->insn.opcode->kind) {
        case KIND_JMP: case KIND_JMP_IND: case KIND_CALL: case KIND_CALL_IND: case KIND_RET: case KIND_EXEC_END: case KIND_INVALID:
                return true;
        default:
                return false;
        }
}

/* Decodes up to max instructions into plan[].  False: the first raised an exception. */
static bool decode_block(struct translator *t, unsigned max, gpa_t *gpa2)
{
        uint64_t rip = t->rip;
        gva_t linear = context_linear(t->context, rip);

        t->planned = 0;
        for (;;) {
                struct planned *planned = &t->plan[t->planned];
                gpa_t crossing;
                t->index = t->planned;
                planned->result = t->planned && has_breakpoint(t) ? FETCH_STOP : fetch(t, &crossing);
                if (planned->result == FETCH_STOP)
                        break;
                planned->insn = t->insn;
                if (t->planned++ == 0)
                        *gpa2 = crossing;
                uint64_t next = (t->rip + t->insn.length) & t->rip_mask;
                if (t->planned >= max || ends_plan(planned) || next < t->rip || *gpa2 != ~(gpa_t)0 ||
                    (context_linear(t->context, next) ^ linear) >> PAGE_SHIFT)
                        break;
                t->rip = next;
        }
        t->index = 0;
        t->rip = rip;
        return t->planned;
}

/* Goes on to what follows; an inhibited interrupt stays so across the edge. */
static void end_falling_through(struct translator *t)
{
        if (t->shadow && !t->shadow_known)
                emit_store8_imm(&t->e, STATE(shadow), writes_ss(&t->insn) ? SHADOW_SS : SHADOW_STI);
        t->poll_after = t->shadow;
        translate_go(t, t->next_rip);
        t->index++;
}

struct block *dbt_translate(struct cpu *cpu, const struct context *context, uint64_t rip, gpa_t gpa, unsigned max_insns,
                            gpa_t *unready)
{
        struct dbt *dbt = dbt_cpu(cpu)->dbt;
        static __thread struct translator translator;
        struct translator *t = &translator;
        uint8_t *main_part;
        gpa_t gpa2 = ~(gpa_t)0;
        bool one = context->mode & (MODE_ONE_INSN | MODE_TF);

        t->cpu = cpu;
        t->dbt = dbt;
        t->context = context;
        t->mode = context->mode;
        t->wide = context_wide(context);
        t->stubs = &dbt->stubs[t->wide];
        t->rip_mask = t->wide ? UINT64_MAX : UINT32_MAX;
        t->e = (struct emit){ .p = dbt->cache.p, .end = dbt->cache.chunk[dbt->cache.current].cold,
                              .delta = dbt->cache.rx - dbt->cache.rw };
        t->part = t->e.p;
        t->block_rip = t->rip = rip;
        t->index = t->colds = t->exits = t->maps = t->open_store = t->callouts = t->bytes = 0;
        t->ended = t->shadow = t->poll_after = t->called = t->vector = t->shadow_known = false;
        t->page = gpa & PAGE_MASK;
        t->block_gpa = gpa;
        t->unready = ~(gpa_t)0;
        if (!max_insns || max_insns > BLOCK_MAX_INSNS)
                max_insns = BLOCK_MAX_INSNS;
        if (one)
                max_insns = 1;

        gva_t linear = context_linear(context, rip);
        bool decoded = decode_block(t, max_insns, &gpa2);
        *unready = t->unready;
        if (!decoded || t->unready != ~(gpa_t)0)
                return NULL;
        translate_plan(t);
        struct cold *check = NULL;
        emit_page_check(t, linear, gpa, &check);
        if (gpa2 != ~(gpa_t)0)
                emit_page_check(t, context_linear(context, rip + PAGE_SIZE - (linear & (PAGE_SIZE - 1))), gpa2, &check);
        main_part = t->e.p;
        uint64_t last = rip;
        bool breakpoint = has_breakpoint(t);
        for (;;) {
                const struct planned *planned = &t->plan[t->index];
                struct mark mark = mark_set(t);
                bool after_shadow = t->shadow;
                t->shadow = t->shadow_known = false;
                t->insn = planned->insn;
                t->poll_after = after_shadow;
                t->next_rip = (t->rip + t->insn.length) & t->rip_mask;

                struct insn_origin *map = new_map(t);
                map->guest_offset = (uint16_t)(t->rip - t->block_rip);
                map->length = t->insn.length;
                map->ends_block = false;
                if (after_shadow)
                        emit_store8_imm(&t->e, STATE(shadow), 0);
                if (breakpoint)
                        translate_callout(t, dbt_breakpoint, false);
                breakpoint = false;
                if (planned->result == FETCH_INVALID)
                        translate_raise(t, dbt_raise_ud);
                else if (planned->result == FETCH_GP)
                        translate_raise(t, dbt_raise_gp0);
                else
                        translate_insn(t);
                g_assert(!t->open_store);
                if (planned->result == FETCH_OK && never_the_same(t->insn.opcode))
                        t->called = true;       /* for the check as good as */
                if (t->called && t->index > 0 && mode_has(t, MODE_CHECK)) {
                        mark_return(t, &mark);
                        t->next_rip = t->rip;
                        t->rip = last;
                        t->index--;
                        end_falling_through(t);
                        break;
                }
                if (planned->result == FETCH_OK && t->insn.opcode->attr & (ATTR_X87 | ATTR_MMX | ATTR_SSE | ATTR_AVX))
                        t->vector = true;
                map->ends_block = t->ended;
                t->bytes += t->insn.length;
                if (t->ended) {
                        t->index++;
                        break;
                }
                if (t->poll_after && !one)
                        emit_poll(t, t->next_rip);
                last = t->rip;
                if (t->index + 1 < t->planned && has_room(t) && !ends_checked(t)) {
                        t->index++;
                        t->rip = t->next_rip;
                        continue;
                }
                end_falling_through(t);
                break;
        }
        unsigned main_maps = t->maps;
        return finish_block(t, gpa, gpa2, main_part, main_maps);
}
