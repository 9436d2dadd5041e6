/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment.c - descriptor fetches and checks, loads of segment registers, frames of far transfers.
 */
#include "cpu/segment.h"
#include "cpu/tlb.h"

enum {
        DESCRIPTOR_BYTES = 8,
        /* Data, writable, accessed, present; DPL 0 in real mode and 3 in virtual-8086 mode. */
        ATTR_REAL = SEG_P | SEG_S | SEG_TYPE_RW | SEG_TYPE_ACCESSED,
        ATTR_V86 = ATTR_REAL | 3 << SEG_DPL_SHIFT,
        LIMIT_64K = 0xffff,
};

/* -- Descriptors --------------------------------------------------------------------------------- */

uint32_t descriptor_limit(uint64_t raw)
{
        uint32_t limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));

        return descriptor_attr(raw) & SEG_G ? limit << 12 | 0xfff : limit;
}

/* Linear address of size bytes at the selector's place in its table; false when beyond the limit. */
static bool descriptor_locate(const struct cpu *cpu, uint16_t selector, unsigned size, gva_t *linear)
{
        uint32_t offset = selector & ~7u;

        if (selector & SELECTOR_TI) {
                const struct segment *ldt = &cpu->seg[SEG_LDTR];
                if (!ldt->attr || offset + size - 1 > ldt->limit)
                        return false;
                *linear = ldt->base + offset;
        } else {
                if (offset + size - 1 > cpu->gdt.limit)
                        return false;
                *linear = cpu->gdt.base + offset;
        }
        return true;
}

bool descriptor_read_quietly(struct cpu *cpu, uint16_t selector, struct descriptor *descriptor, bool *found)
{
        *found = descriptor_locate(cpu, selector, DESCRIPTOR_BYTES, &descriptor->linear);
        return !*found || cpu_read_linear(cpu, descriptor->linear, &descriptor->raw, DESCRIPTOR_BYTES, ACCESS_IMPLICIT);
}

bool descriptor_read(struct cpu *cpu, uint16_t selector, enum exception vector, uint32_t error,
                     struct descriptor *descriptor)
{
        bool found;

        if (!descriptor_read_quietly(cpu, selector, descriptor, &found))
                return false;
        return found || cpu_raise_error(cpu, vector, error);
}

bool descriptor_read_high(struct cpu *cpu, uint16_t selector, const struct descriptor *descriptor,
                          enum exception vector, uint64_t *high)
{
        gva_t linear;

        *high = 0;
        if (!cpu_long_mode(cpu))
                return true;
        if (!descriptor_locate(cpu, selector, 2 * DESCRIPTOR_BYTES, &linear))
                return cpu_raise_error(cpu, vector, selector_error(selector));
        return cpu_read_linear(cpu, descriptor->linear + DESCRIPTOR_BYTES, high, DESCRIPTOR_BYTES, ACCESS_IMPLICIT);
}

bool descriptor_set_accessed(struct cpu *cpu, struct descriptor *descriptor)
{
        uint64_t accessed = (uint64_t)SEG_TYPE_ACCESSED << 40;

        /* A set bit is not written again, so tables in ROM work when their bits are set. */
        if (descriptor->raw & accessed)
                return true;
        if (!access_lock_or(cpu, descriptor->linear + 5, SEG_TYPE_ACCESSED))
                return false;
        descriptor->raw |= accessed;
        return true;
}

/* -- Segment registers ---------------------------------------------------------------------------- */

void segment_from_descriptor(struct segment *segment, uint16_t selector, uint64_t raw)
{
        segment->selector = selector;
        segment->attr = descriptor_attr(raw);
        segment->limit = descriptor_limit(raw);
        segment->base = descriptor_base(raw);
        segment->read_end = segment->write_end = 0;
}

void segment_install(struct cpu *cpu, enum cpu_segment segment, const struct segment *value)
{
        cpu->seg[segment] = *value;
        cpu_segment_changed(cpu, segment);
}

void segment_install_real(struct cpu *cpu, enum cpu_segment segment, uint16_t selector)
{
        struct segment *seg = &cpu->seg[segment];

        seg->selector = selector;
        seg->base = (uint64_t)selector << 4;
        if (cpu_v86(cpu)) {
                seg->attr = ATTR_V86;
                seg->limit = LIMIT_64K;
        } else {
                /* Real mode keeps limit, granularity and size, which "unreal mode" lives on. */
                seg->attr = (seg->attr & (SEG_G | SEG_DB | SEG_AVL)) | ATTR_REAL;
        }
        cpu_segment_changed(cpu, segment);
}

void segment_install_null(struct cpu *cpu, enum cpu_segment segment, uint16_t selector)
{
        /* The limit cannot be seen until real mode loads the register, which keeps it: 64 KiB is right then. */
        cpu->seg[segment] = (struct segment){ .selector = selector, .limit = LIMIT_64K };
        cpu_segment_changed(cpu, segment);
}

static bool is_writable_data(uint64_t raw)
{
        return (descriptor_attr(raw) & (SEG_S | SEG_TYPE_CODE | SEG_TYPE_RW)) == (SEG_S | SEG_TYPE_RW);
}

static bool is_readable(uint64_t raw)
{
        unsigned attr = descriptor_attr(raw);

        return (attr & SEG_S) && (!(attr & SEG_TYPE_CODE) || (attr & SEG_TYPE_RW));
}

bool segment_prepare_stack(struct cpu *cpu, uint16_t selector, unsigned cpl, enum exception vector, uint32_t ext,
                           struct segment *segment)
{
        uint32_t error = selector_error(selector) | ext;
        struct descriptor descriptor;

        if (selector_is_null(selector))
                return cpu_raise_error(cpu, vector, ext);
        if (!descriptor_read(cpu, selector, vector, error, &descriptor))
                return false;
        if ((selector & SELECTOR_RPL) != cpl || descriptor_dpl(descriptor.raw) != cpl || !is_writable_data(descriptor.raw))
                return cpu_raise_error(cpu, vector, error);
        if (!descriptor_present(descriptor.raw))
                return cpu_raise_error(cpu, EXC_SS, error);
        if (!descriptor_set_accessed(cpu, &descriptor))
                return false;
        segment_from_descriptor(segment, selector, descriptor.raw);
        return true;
}

static bool segment_load_stack(struct cpu *cpu, uint16_t selector)
{
        struct segment value;

        /* 64-bit code below ring 3 may hold a null SS whose RPL is its CPL. */
        if (selector_is_null(selector) && cpu_code64(cpu) && cpu->cpl < 3 && (selector & SELECTOR_RPL) == cpu->cpl) {
                segment_install_null(cpu, SEG_SS, selector);
                return true;
        }
        if (!segment_prepare_stack(cpu, selector, cpu->cpl, EXC_GP, 0, &value))
                return false;
        segment_install(cpu, SEG_SS, &value);
        return true;
}

bool segment_load(struct cpu *cpu, enum cpu_segment segment, uint16_t selector)
{
        uint32_t error = selector_error(selector);
        unsigned rpl = selector & SELECTOR_RPL;
        struct descriptor descriptor;
        struct segment value;

        if (!cpu_protected(cpu)) {
                segment_install_real(cpu, segment, selector);
                return true;
        }
        if (segment == SEG_SS)
                return segment_load_stack(cpu, selector);
        if (selector_is_null(selector)) {
                segment_install_null(cpu, segment, selector);
                return true;
        }
        if (!descriptor_read(cpu, selector, EXC_GP, error, &descriptor))
                return false;
        if (!is_readable(descriptor.raw))
                return cpu_raise_error(cpu, EXC_GP, error);
        if (!(descriptor_is_code(descriptor.raw) && descriptor_is_conforming(descriptor.raw))) {
                unsigned dpl = descriptor_dpl(descriptor.raw);
                if (rpl > dpl || cpu->cpl > dpl)
                        return cpu_raise_error(cpu, EXC_GP, error);
        }
        if (!descriptor_present(descriptor.raw))
                return cpu_raise_error(cpu, EXC_NP, error);
        if (!descriptor_set_accessed(cpu, &descriptor))
                return false;
        segment_from_descriptor(&value, selector, descriptor.raw);
        segment_install(cpu, segment, &value);
        return true;
}

void segment_drop_inner(struct cpu *cpu)
{
        static const uint8_t data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

        for (unsigned i = 0; i < sizeof(data); i++) {
                struct segment *segment = &cpu->seg[data[i]];
                unsigned attr = segment->attr;
                bool conforming = (attr & (SEG_TYPE_CODE | SEG_TYPE_EC)) == (SEG_TYPE_CODE | SEG_TYPE_EC);
                if (!attr)
                        segment->selector = 0;          /* a null one loses its RPL (SDM 2A, IRET) and keeps its base */
                else if (SEG_DPL(attr) < cpu->cpl && !conforming)
                        segment_install_null(cpu, data[i], 0);
        }
}

bool segment_allows_rip(const struct cpu *cpu, const struct segment *code, uint64_t rip)
{
        if (segment_is_code64(cpu, code))
                return (uint64_t)((int64_t)(rip << 16) >> 16) == rip;
        return rip <= code->limit;
}

/* -- Frames ------------------------------------------------------------------------------------------ */

/* Linear address of [offset, offset+size) on the stack; #SS when there is no room. */
static bool frame_locate(struct cpu *cpu, const struct frame_stack *stack, uint64_t offset, unsigned size,
                         gva_t *linear)
{
        if (!stack->segment) {
                *linear = offset;
                if ((uint64_t)((int64_t)(offset << 16) >> 16) != offset)
                        return cpu_raise_error(cpu, EXC_SS, stack->error);
                return true;
        }
        /* SS is unusable when a task switch could not load it. */
        if (!stack->segment->attr || !segment_limit_allows(stack->segment, offset, size))
                return cpu_raise_error(cpu, EXC_SS, stack->error);
        *linear = (uint32_t)(stack->segment->base + offset);
        return true;
}

static void store_value(uint8_t *at, uint64_t value, unsigned width)
{
        if (width == 2)
                __builtin_memcpy(at, &value, 2);
        else if (width == 4)
                __builtin_memcpy(at, &value, 4);
        else
                __builtin_memcpy(at, &value, 8);
}

/* Each value at its own address, since the pointer may wrap to the top of the stack on its way. */
static bool frame_push_each(struct cpu *cpu, const struct frame *frame, struct frame_stack *stack)
{
        uint64_t sp = stack->sp;
        gva_t linear[FRAME_VALUES_MAX];

        for (unsigned i = 0; i < frame->count; i++) {
                sp = (sp - frame->width) & stack->mask;
                if (!frame_locate(cpu, stack, sp, frame->width, &linear[i]) ||
                    !cpu_probe_write(cpu, linear[i], frame->width, stack->access))
                        return false;
        }
        for (unsigned i = 0; i < frame->count; i++)
                if (!cpu_write_linear(cpu, linear[i], &frame->value[i], frame->width, stack->access))
                        return false;
        stack->sp = sp;
        return true;
}

bool frame_push(struct cpu *cpu, const struct frame *frame, struct frame_stack *stack)
{
        uint8_t bytes[FRAME_VALUES_MAX * 8];
        unsigned size = frame->count * frame->width;
        uint64_t offset = stack->sp - size;
        gva_t linear;

        if (stack->sp < size)
                return frame_push_each(cpu, frame, stack);
        /* The usual case: the frame is one access. */
        for (unsigned i = 0; i < frame->count; i++)
                store_value(bytes + size - (i + 1) * frame->width, frame->value[i], frame->width);
        if (!frame_locate(cpu, stack, offset, size, &linear))
                return false;
        if (!cpu_write_linear(cpu, linear, bytes, size, stack->access)) {
                /* Values are pushed from the top down: CR2 is to name the first one that cannot be. */
                cpu->exception.pending = false;
                return frame_push_each(cpu, frame, stack);
        }
        stack->sp = offset;
        return true;
}

void frame_set_rsp(struct cpu *cpu, uint64_t sp, uint64_t mask)
{
        if (mask == 0xffff)
                cpu->regs[RSP] = (cpu->regs[RSP] & 0xffff0000) | (sp & 0xffff);         /* C5 */
        else
                cpu->regs[RSP] = sp & mask;
}

bool tss_read_stack(struct cpu *cpu, unsigned cpl, uint32_t ext, uint16_t *ss, uint64_t *sp)
{
        const struct segment *tr = &cpu->seg[SEG_TR];
        bool wide = tr->attr & TYPE_32BIT;
        unsigned pointer_bytes = cpu_long_mode(cpu) ? 8 : wide ? 4 : 2;
        unsigned offset = pointer_bytes == 8 ? 4 + 8 * cpl : (2 * cpl + 1) * pointer_bytes;
        unsigned size = pointer_bytes == 8 ? 8 : pointer_bytes + 2;
        uint64_t pointer = 0;

        if (!tr->attr || offset + size - 1 > tr->limit)
                return cpu_raise_error(cpu, EXC_TS, selector_error(tr->selector) | ext);
        if (!cpu_read_linear(cpu, tr->base + offset, &pointer, pointer_bytes, ACCESS_IMPLICIT))
                return false;
        *ss = 0;
        if (pointer_bytes != 8 &&
            !cpu_read_linear(cpu, tr->base + offset + pointer_bytes, ss, 2, ACCESS_IMPLICIT))
                return false;
        *sp = pointer;
        return true;
}
