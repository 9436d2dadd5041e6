/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate_memory.c - the check in front of every guest memory access.
 *
 * The software TLB (cpu.h) is asked inline.  For an access of `size` bytes at linear address A:
 *
 *      r11 = A
 *      r10 = (A >> 12) & 1023
 *      rcx = neg_tag[r10] + A + size-1         0 .. 4095 when the page is right and not crossed
 *      rcx >>= 12                              (32-bit modes: rotated, and JECXZ looks at the lower half)
 *      jrcxz hit ; jmp out-of-line
 *  hit:
 *      r10 = addend[r10]
 *      the instruction, on [r10 + r11]
 *
 * Not one of these writes RFLAGS, so the guest's flags need not be saved, and are exact at every fault.
 * RORX and PEXT need BMI2; without it the shift goes through memory (a store, and a load from two bytes
 * further on of the value times 16), and the index is computed between PUSHF and POPF, slowly.
 *
 * Most accesses need the entry that they needed last time.  So the index is not computed but guessed, from a place of the
 * access's own: the tag and the addend are then there before the address is, and the access waits for its address alone.
 * A wrong guess is put right out of line (stubs.guess).  Where guesses are wrong all the time, as in a walk over many
 * pages, the block is made again with the index computed.
 *
 * Out of line, stubs.memory looks the page up.  When RAM can serve the access directly the instruction
 * runs where it stands; otherwise (device, crossing, page with translated code) on the bounce buffer,
 * and for stores the tail's copy is followed by the commit.
 *
 * Segments: in a flat segment the offset is the linear address.  Where the limit can stop an access the
 * offset is compared first; what is not a plain expand-up segment always takes the out-of-line way,
 * because its read_end or write_end is 0.
 */
#include "dbt/translate.h"

/* to = the sum, in the given width. */
static void emit_lea(struct translator *t, uint8_t to, struct host_mem m, bool wide)
{
        if (wide)
                emit_lea64(&t->e, to, m);
        else
                emit_lea32(&t->e, to, m);
}

/* to = the memory operand's offset in its segment, plus `extra`; cut to 32 bits unless `wide`. */
static void emit_address(struct translator *t, const struct insn *insn, int32_t extra, uint8_t to, bool wide)
{
        struct emit *e = &t->e;
        int64_t disp = insn->disp + extra;
        struct host_mem m = { .base = H_NONE, .index = H_NONE, .scale = insn->scale, .disp = (int32_t)disp };

        if (insn->rip_relative) {
                uint64_t target = t->next_rip + (uint64_t)disp;
                emit_mov64_imm(e, to, wide ? target : (uint32_t)target);
                return;
        }
        if (insn->base != REG_NONE)
                m.base = translate_get(t, insn->base, H_LINEAR);
        if (insn->index != REG_NONE)
                m.index = translate_get(t, insn->index, H_ADDEND);
        if (m.base == H_NONE && m.index != H_NONE && m.scale == 0) {
                m.base = m.index;
                m.index = H_NONE;
        }
        if (m.base == H_NONE && m.index == H_NONE) {
                emit_mov64_imm(e, to, insn->address_bytes == 2 ? (uint16_t)disp : wide ? (uint64_t)disp : (uint32_t)disp);
                return;
        }
        if (m.index == H_NONE && m.disp == 0 && insn->address_bytes != 2) {
                if (wide)
                        emit_mov64(e, to, m.base);
                else
                        emit_mov32(e, to, m.base);
        } else {
                emit_lea(t, to, m, wide);
        }
        if (insn->address_bytes == 2)
                emit_movzx16(e, to, to);
}

void translate_address(struct translator *t, const struct insn *insn, int32_t extra)
{
        emit_address(t, insn, extra, H_LINEAR, insn->address_bytes == 8);
}

void translate_lea(struct translator *t)
{
        const struct insn *insn = &t->insn;
        uint8_t to = host_reg(insn->reg);
        bool straight = to != H_NONE && insn->operand_bytes != 2;

        emit_address(t, insn, 0, straight ? to : H_LINEAR, insn->address_bytes == 8 && insn->operand_bytes == 8);
        if (!straight)
                translate_set(t, insn->reg, H_LINEAR, insn->operand_bytes);
}

/* R10 = the TLB index of R11. */
static void emit_index(struct translator *t)
{
        struct emit *e = &t->e;

        if (t->dbt->bmi2) {
                emit_pext64(e, H_ADDEND, H_LINEAR, DSTATE(index_mask));
                return;
        }
        /* No instruction before BMI2 masks bits and spares the flags. */
        emit_mov64(e, H_ADDEND, H_LINEAR);
        emit8(e, 0x9c);                                         /* pushfq */
        emit_op_rr(e, false, 0xc1, 5, H_ADDEND);                /* shr r10d, 12 */
        emit8(e, PAGE_SHIFT);
        emit_op_rr(e, false, 0x81, 4, H_ADDEND);                /* and */
        emit32(e, TLB_ENTRIES - 1);
        emit8(e, 0x9d);                                         /* popfq */
}

/* Skips `skip` bytes when RCX < 4096.  Clobbers RCX. */
static void emit_if_in_page(struct translator *t, int8_t skip)
{
        struct emit *e = &t->e;

        if (t->dbt->bmi2 && !t->wide) {
                /* Rotated, the page offset is out of JECXZ's sight; 44 bits are enough for 32-bit addresses. */
                emit_rorx(e, true, H_RCX, H_RCX, PAGE_SHIFT);
                emit8(e, 0x67);
        } else if (t->dbt->bmi2) {
                emit_pext64(e, H_RCX, H_RCX, DSTATE(page_mask));
        } else {
                emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_NONE, H_RCX, 3, 0));
                emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_RCX, 0, 0));
                emit_store64(e, DSTATE(spill), H_RCX);
                struct host_mem part = DSTATE(spill);
                part.disp += 2;
                emit_load64(e, H_RCX, part);    /* bits 12-59; spill_zero follows */
        }
        emit_jrcxz(e, skip);
}

/* A place for this access's guess; NULL: it makes none.  Nor do those whose address is known early (stack frames) or
 * which are not waited for (copies through vector registers): they would pay for a check that is longer. */
static struct guess *new_guess(struct translator *t, bool early)
{
        gpa_t gpa = t->page | ((t->block_gpa + (t->rip - t->block_rip)) & (PAGE_SIZE - 1));

        if (!t->dbt->bmi2 || early || (t->mode & (MODE_AC | MODE_BOUNCED | MODE_ONE_INSN | MODE_TF)) ||
            dbt_is_unguessable(t->dbt, gpa))
                return NULL;
        return cache_guess(&t->dbt->cache);
}

static bool aligned_suffices(unsigned size) { return size <= 8 && !(size & (size - 1)); }

/* RCX: the negated tag that was guessed.  RCX becomes 0 if [R11, R11+size) lies in its page.  Unlike with a computed
 * index the tag may be that of the next page, so that the first byte has to be asked about, and the last one too: where
 * the size allows, by asking for alignment. */
static void emit_guess_check(struct translator *t, unsigned size)
{
        struct emit *e = &t->e;

        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_LINEAR, 0, 0));
        if (aligned_suffices(size)) {
                struct host_mem mask = DSTATE(aligned_mask);
                mask.disp += 8 * __builtin_ctz(size);
                emit_pext64(e, H_RCX, H_RCX, mask);
                return;
        }
        emit_lea64(e, H_ADDEND, HOST_MEM(H_RCX, (int32_t)size - 1));
        emit_pext64(e, H_RCX, H_RCX, DSTATE(page_mask));
        emit_pext64(e, H_ADDEND, H_ADDEND, DSTATE(page_mask));
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_ADDEND, 0, 0));    /* two numbers of 52 bits */
}

struct cold *translate_tlb_probe(struct translator *t, enum cold_kind kind, unsigned size, bool write, bool early)
{
        struct emit *e = &t->e;
        struct guess *guess = new_guess(t, early);
        size_t view = offsetof(struct cpu, tlb) + (mode_has(t, MODE_USER) ? sizeof(struct tlb_view) : 0);
        size_t tags = view + (write ? offsetof(struct tlb_view, write_neg_tag) : offsetof(struct tlb_view, read_neg_tag));
        uint8_t *miss;

        /* With several vCPUs the guess is read once: tag and addend must be of one entry, whatever others make of it. */
        bool keep = guess && !aligned_suffices(size) && t->dbt->smp;

        if (guess)
                emit_load32_place(e, H_ADDEND, &guess->index);
        else
                emit_index(t);
        if (keep)
                emit_store64(e, DSTATE(spill), H_ADDEND);
        emit_load64(e, H_RCX, HOST_MEM_INDEX(H_RSP, H_ADDEND, 3, (int32_t)tags));
        if (guess) {
                emit_guess_check(t, size);
                emit_jrcxz(e, 5);
        } else {
                emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_LINEAR, 0, (int32_t)size - 1));
                if (!(t->mode & (MODE_AC | MODE_BOUNCED)))      /* where alignment is checked, always out of line */
                        emit_if_in_page(t, 5);
        }
        miss = emit_jmp(e, NULL);
        if (keep)
                emit_load64(e, H_ADDEND, DSTATE(spill));
        else if (guess && !aligned_suffices(size))              /* the check needed R10 */
                emit_load32_place(e, H_ADDEND, &guess->index);
        emit_load64(e, H_ADDEND, HOST_MEM_INDEX(H_RSP, H_ADDEND, 3, (int32_t)(view + offsetof(struct tlb_view, addend))));
        struct cold *cold = translate_new_cold(t, kind, miss);
        cold->guess = guess;
        cold->probed = e->p;
        cold->probe_bytes = (uint16_t)size;
        return cold;
}

static void emit_tlb_lookup(struct translator *t, unsigned segment, unsigned size, uint32_t access)
{
        bool write = access & ACCESS_DESC_WRITE;
        struct cold *cold = translate_tlb_probe(t, write ? COLD_STORE : COLD_LOAD, size, write, size > 8);

        cold->back = t->e.p;
        cold->descriptor = size | access | segment << ACCESS_DESC_SEGMENT_SHIFT;
        t->operand = HOST_MEM_INDEX(H_ADDEND, H_LINEAR, 0, 0);
        if (access & ACCESS_DESC_WRITE)
                t->open_store = t->colds;
}

/* Jumps out of line unless R11 + size <= *end.  Clobbers RCX, R10. */
static uint8_t *emit_limit_check(struct translator *t, struct host_mem end, unsigned size)
{
        struct emit *e = &t->e;

        emit_load64(e, H_RCX, end);
        emit_mov64(e, H_ADDEND, H_LINEAR);
        emit_not64(e, H_ADDEND);                                                /* -offset - 1 */
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_ADDEND, 0, 1 - (int32_t)size));    /* end - offset - size */
        emit_store64(e, DSTATE(spill), H_RCX);
        struct host_mem high = DSTATE(spill);
        high.disp += 4;
        emit_load32(e, H_RCX, high);                                            /* 0: not negative */
        emit_jrcxz(e, 5);
        return emit_jmp(e, NULL);
}

void translate_check(struct translator *t, unsigned segment, unsigned size, uint32_t access, bool keep_offset)
{
        struct emit *e = &t->e;
        bool write = access & ACCESS_DESC_WRITE;
        uint8_t *limit = NULL;

        if (keep_offset)
                emit_store64(e, DSTATE(temp), H_LINEAR);
        if (!mode_has(t, MODE_SEG_NO_LIMIT(segment)) || (segment == SEG_CS && write && mode_has(t, MODE_PROTECTED)))
                limit = emit_limit_check(t, HOST_MEM(H_RSP, (int32_t)(offsetof(struct cpu, seg) + segment * sizeof(struct segment) +
                                                                      (write ? offsetof(struct segment, write_end)
                                                                             : offsetof(struct segment, read_end)))), size);
        if (!mode_has(t, MODE_SEG_ZERO_BASE(segment))) {
                emit_load64(e, H_ADDEND, HOST_MEM(H_RSP, (int32_t)(offsetof(struct cpu, seg) + segment * sizeof(struct segment) +
                                                                   offsetof(struct segment, base))));
                emit_lea(t, H_LINEAR, HOST_MEM_INDEX(H_LINEAR, H_ADDEND, 0, 0), t->wide);
        }
        emit_tlb_lookup(t, segment, size, access);
        if (limit) {
                /* A second way out of line, with the offset still in R11; it joins at the same place. */
                struct cold *tlb = &t->cold[t->colds - 1];
                uint8_t *back = tlb->back;
                enum cold_kind kind = tlb->kind;
                struct cold *cold = translate_new_cold(t, kind, limit);
                cold->back = back;
                cold->descriptor = size | access | ACCESS_DESC_SEGMENT | segment << ACCESS_DESC_SEGMENT_SHIFT;
        }
}

void translate_operand(struct translator *t, unsigned size, uint32_t access)
{
        if (translate_span(t, false, (int32_t)t->insn.disp, size, access))
                return;
        translate_address(t, &t->insn, 0);
        translate_check(t, t->insn.segment, size, access, t->insn.opcode->attr & ATTR_X87);
}

void translate_close_store(struct translator *t)
{
        if (!t->open_store)
                return;
        for (unsigned i = t->open_store - 1; i < t->colds; i++)
                if (t->cold[i].kind == COLD_STORE && t->cold[i].insn == t->index)
                        t->cold[i].tail_end = t->e.p;
        t->open_store = 0;
}

void translate_branch_limit(struct translator *t)
{
        if (t->wide || t->context->cs_limit == UINT32_MAX || (t->insn.operand_bytes == 2 && t->context->cs_limit >= 0xffff))
                return;
        struct emit *e = &t->e;
        /* limit - target is negative when the target lies past the limit */
        emit_mov64(e, H_ADDEND, H_LINEAR);
        emit_not64(e, H_ADDEND);
        emit_mov32_imm(e, H_RCX, t->context->cs_limit);
        emit_lea64(e, H_RCX, HOST_MEM_INDEX(H_RCX, H_ADDEND, 0, 1));
        emit_store64(e, DSTATE(spill), H_RCX);
        struct host_mem high = DSTATE(spill);
        high.disp += 4;
        emit_load32(e, H_RCX, high);
        emit_jrcxz(e, 5);
        struct cold *cold = translate_new_cold(t, COLD_RAISE, emit_jmp(e, NULL));
        cold->callout = translate_new_callout(t, dbt_raise_gp0);
}
