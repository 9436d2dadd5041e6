/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task.c - hardware task switches (SDM 3A chapter 8).
 *
 * A switch has two halves.  Up to the commit everything is checked and every page that will be touched is
 * looked at; a fault belongs to the old task, which goes on as if nothing had happened.  After it the
 * registers are the new task's, and what is wrong with the segments it asks for is raised in the new task,
 * at its first instruction, with the selectors loaded but not their descriptors (SDM 3A 8.3, table 8-1).
 */
#include "cpu/debug.h"
#include "cpu/segment.h"
#include "cpu/tlb.h"

enum {
        TSS_BYTES_MAX = 104, TRAP_OFFSET = 0x64, CR3_OFFSET = 0x1c,
        DR7_LOCAL = 0x155,      /* L0 to L3 and LE */
};

/* Where the two formats keep things (SDM 3A figures 8-2 and 8-10); the registers follow one another. */
struct tss_format {
        uint8_t bytes;          /* the least limit, plus one */
        uint8_t width;          /* of general registers */
        uint8_t ip, flags, regs, segments, ldt;
        uint8_t segment_count, segment_step;
};

static const struct tss_format format16 = {
        .bytes = 44, .width = 2, .ip = 0x0e, .flags = 0x10, .regs = 0x12, .segments = 0x22, .ldt = 0x2a,
        .segment_count = 4, .segment_step = 2,
};
static const struct tss_format format32 = {
        .bytes = 104, .width = 4, .ip = 0x20, .flags = 0x24, .regs = 0x28, .segments = 0x48, .ldt = 0x60,
        .segment_count = 6, .segment_step = 4,
};

static const struct tss_format *tss_format(unsigned type) { return type & TYPE_32BIT ? &format32 : &format16; }

/* What the new task's TSS holds. */
struct task_image {
        uint64_t rip, flags, cr3;
        uint64_t regs[8];
        uint16_t segments[6];           /* in the order of enum cpu_segment */
        uint16_t ldt;
        bool trap;
};

/* -- Before the commit ----------------------------------------------------------------------------- */

/* A JMP, CALL or interrupt goes to an available TSS, IRET back to a busy one. */
static bool check_descriptor(struct cpu *cpu, uint16_t selector, enum task_switch_reason reason, uint32_t ext,
                             struct descriptor *descriptor)
{
        bool back = reason == TASK_IRET;
        unsigned types = back ? 1 << TYPE_TSS16_BUSY | 1 << TYPE_TSS32_BUSY : 1 << TYPE_TSS16 | 1 << TYPE_TSS32;
        enum exception vector = back ? EXC_TS : EXC_GP;
        uint32_t error = selector_error(selector) | ext;

        /* Entry 0 of the GDT is no TSS, so a null selector fails like any other. */
        if (selector_is_null(selector) || (selector & SELECTOR_TI))
                return cpu_raise_error(cpu, vector, error);
        if (!descriptor_read(cpu, selector, vector, error, descriptor))
                return false;
        if (!descriptor_is_system(descriptor->raw) || !(types >> descriptor_type(descriptor->raw) & 1))
                return cpu_raise_error(cpu, vector, error);
        if (!descriptor_present(descriptor->raw))
                return cpu_raise_error(cpu, EXC_NP, error);
        if (descriptor_limit(descriptor->raw) + UINT64_C(1) < tss_format(descriptor_type(descriptor->raw))->bytes)
                return cpu_raise_error(cpu, EXC_TS, error);
        return true;
}

static uint32_t get(const uint8_t *bytes, unsigned width)
{
        uint32_t value = bytes[0] | bytes[1] << 8;

        return width == 2 ? value : value | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static bool read_image(struct cpu *cpu, gva_t tss, const struct tss_format *format, struct task_image *image)
{
        uint8_t bytes[TSS_BYTES_MAX];

        if (!cpu_read_linear(cpu, tss, bytes, format->bytes, ACCESS_IMPLICIT))
                return false;
        image->rip = get(bytes + format->ip, format->width);
        image->flags = get(bytes + format->flags, format->width);
        for (unsigned i = 0; i < 8; i++)
                image->regs[i] = get(bytes + format->regs + i * format->width, format->width);
        for (unsigned i = 0; i < 6; i++)        /* a 16-bit task has no FS and GS: they become null */
                image->segments[i] = i < format->segment_count
                        ? (uint16_t)get(bytes + format->segments + i * format->segment_step, 2) : 0;
        image->ldt = (uint16_t)get(bytes + format->ldt, 2);
        image->cr3 = format == &format32 ? get(bytes + CR3_OFFSET, 4) : cpu->cr3;
        image->trap = format == &format32 && (bytes[TRAP_OFFSET] & 1);
        return true;
}

/* Saves the old task, whose pages have been probed. */
static bool write_image(struct cpu *cpu, const struct tss_format *format, uint64_t rip, uint64_t flags)
{
        gva_t tss = cpu->seg[SEG_TR].base;
        unsigned access = ACCESS_IMPLICIT;

        if (!cpu_write_linear(cpu, tss + format->ip, &rip, format->width, access) ||
            !cpu_write_linear(cpu, tss + format->flags, &flags, format->width, access))
                return false;
        for (unsigned i = 0; i < 8; i++)
                if (!cpu_write_linear(cpu, tss + format->regs + i * format->width, &cpu->regs[i], format->width, access))
                        return false;
        for (unsigned i = 0; i < format->segment_count; i++)
                if (!cpu_write_linear(cpu, tss + format->segments + i * format->segment_step, &cpu->seg[i].selector, 2, access))
                        return false;
        return true;
}

/* The busy bit of the descriptor a selector names. */
static bool set_busy(struct cpu *cpu, gva_t descriptor, bool busy)
{
        return busy ? access_lock_or(cpu, descriptor + 5, TYPE_TSS_BUSY)
                    : access_lock_and(cpu, descriptor + 5, (uint8_t)~TYPE_TSS_BUSY);
}

/* -- After the commit: the new task's segments -------------------------------------------------------- */

static bool load_ldt(struct cpu *cpu, uint16_t selector, uint32_t ext)
{
        uint32_t error = selector_error(selector) | ext;
        struct descriptor descriptor;

        if (selector_is_null(selector))
                return true;
        if (selector & SELECTOR_TI)
                return cpu_raise_error(cpu, EXC_TS, error);
        if (!descriptor_read(cpu, selector, EXC_TS, error, &descriptor))
                return false;
        if (!descriptor_is_system(descriptor.raw) || descriptor_type(descriptor.raw) != TYPE_LDT ||
            !descriptor_present(descriptor.raw))
                return cpu_raise_error(cpu, EXC_TS, error);
        segment_from_descriptor(&cpu->seg[SEG_LDTR], selector, descriptor.raw);
        return true;
}

static bool read_code(struct cpu *cpu, uint16_t selector, uint32_t ext, struct descriptor *code)
{
        uint32_t error = selector_error(selector) | ext;
        unsigned rpl = selector & SELECTOR_RPL, dpl;

        if (selector_is_null(selector))
                return cpu_raise_error(cpu, EXC_TS, error);
        if (!descriptor_read(cpu, selector, EXC_TS, error, code))
                return false;
        dpl = descriptor_dpl(code->raw);
        if (!descriptor_is_code(code->raw) || (descriptor_is_conforming(code->raw) ? dpl > rpl : dpl != rpl))
                return cpu_raise_error(cpu, EXC_TS, error);
        return true;
}

static bool load_data(struct cpu *cpu, enum cpu_segment segment, uint16_t selector, uint32_t ext)
{
        uint32_t error = selector_error(selector) | ext;
        struct descriptor descriptor;
        struct segment value;
        unsigned attr, dpl;

        if (selector_is_null(selector))
                return true;
        if (!descriptor_read(cpu, selector, EXC_TS, error, &descriptor))
                return false;
        attr = descriptor_attr(descriptor.raw);
        dpl = SEG_DPL(attr);
        if (!(attr & SEG_S) || ((attr & SEG_TYPE_CODE) && !(attr & SEG_TYPE_RW)))
                return cpu_raise_error(cpu, EXC_TS, error);
        if (!descriptor_present(descriptor.raw))
                return cpu_raise_error(cpu, EXC_NP, error);
        if (!(descriptor_is_code(descriptor.raw) && descriptor_is_conforming(descriptor.raw)) &&
            (dpl < cpu->cpl || dpl < (selector & SELECTOR_RPL)))
                return cpu_raise_error(cpu, EXC_TS, error);
        if (!descriptor_set_accessed(cpu, &descriptor))
                return false;
        segment_from_descriptor(&value, selector, descriptor.raw);
        segment_install(cpu, segment, &value);
        return true;
}

static bool load_segments(struct cpu *cpu, const struct task_image *image, uint32_t ext)
{
        static const uint8_t data[] = { SEG_DS, SEG_ES, SEG_FS, SEG_GS };
        uint16_t cs_selector = image->segments[SEG_CS];
        struct descriptor code;
        struct segment cs, ss;

        if (!load_ldt(cpu, image->ldt, ext))
                return false;
        if (cpu_v86(cpu)) {
                for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                        segment_install_real(cpu, (enum cpu_segment)i, image->segments[i]);
                return image->rip <= cpu->seg[SEG_CS].limit || cpu_raise_error(cpu, EXC_GP, ext);
        }
        if (!read_code(cpu, cs_selector, ext, &code) ||
            !segment_prepare_stack(cpu, image->segments[SEG_SS], cpu->cpl, EXC_TS, ext, &ss))
                return false;
        if (!descriptor_present(code.raw))
                return cpu_raise_error(cpu, EXC_NP, selector_error(cs_selector) | ext);
        if (!descriptor_set_accessed(cpu, &code))
                return false;
        segment_from_descriptor(&cs, cs_selector, code.raw);
        segment_install(cpu, SEG_CS, &cs);
        segment_install(cpu, SEG_SS, &ss);
        for (unsigned i = 0; i < sizeof(data); i++)
                if (!load_data(cpu, (enum cpu_segment)data[i], image->segments[data[i]], ext))
                        return false;
        return image->rip <= cs.limit || cpu_raise_error(cpu, EXC_GP, ext);
}

/* The error code of the exception that came through a task gate, on the new task's stack. */
static bool push_error(struct cpu *cpu, const struct task_event *event, const struct tss_format *format)
{
        struct frame frame = { .width = format->width };
        struct frame_stack stack = {
                .segment = &cpu->seg[SEG_SS], .mask = stack_mask(&cpu->seg[SEG_SS]), .access = cpu_user_access(cpu),
                .error = event->ext,
        };

        stack.sp = cpu->regs[RSP] & stack.mask;
        frame_add(&frame, event->error);
        if (!frame_push(cpu, &frame, &stack))
                return false;
        frame_set_rsp(cpu, stack.sp, stack.mask);
        return true;
}

/* -- The switch ------------------------------------------------------------------------------------------ */

/* Registers become the new task's; segment registers hold selectors without descriptors. */
static void commit(struct cpu *cpu, const struct task_image *image)
{
        cpu->cr0 |= CR0_TS;
        cpu->dr[7] &= ~(uint64_t)DR7_LOCAL;
        cpu->shadow = 0;
        cpu->halted = 0;
        cpu->rip = cpu->next_rip = image->rip;
        for (unsigned i = 0; i < 8; i++)
                cpu->regs[i] = image->regs[i];
        cpu->cpl = image->flags & FLAG_VM ? 3 : image->segments[SEG_CS] & SELECTOR_RPL;
        cpu_set_rflags(cpu, image->flags);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                segment_install_null(cpu, (enum cpu_segment)i, image->segments[i]);
        cpu->seg[SEG_LDTR] = (struct segment){ .selector = image->ldt };
        cpu_debug_changed(cpu);
}

bool task_switch(struct cpu *cpu, uint16_t selector, enum task_switch_reason reason, const struct task_event *event)
{
        uint32_t ext = event->ext;
        const struct segment *tr = &cpu->seg[SEG_TR];
        const struct tss_format *old_format = tss_format(tr->attr), *format;
        bool nested = reason == TASK_CALL || reason == TASK_INTERRUPT;
        uint64_t old_flags = event->flags;
        uint16_t old_selector = tr->selector;
        struct descriptor descriptor, old;
        struct task_image image;
        struct segment new_tr;
        bool found;

        if (!check_descriptor(cpu, selector, reason, ext, &descriptor))
                return false;
        format = tss_format(descriptor_type(descriptor.raw));
        segment_from_descriptor(&new_tr, (uint16_t)selector_error(selector), descriptor.raw);
        if (!tr->attr || tr->limit + UINT64_C(1) < old_format->bytes)
                return cpu_raise_error(cpu, EXC_TS, selector_error(old_selector) | ext);
        if (!read_image(cpu, new_tr.base, format, &image) ||
            !cpu_probe_write(cpu, tr->base, old_format->bytes, ACCESS_IMPLICIT) ||
            (nested && !cpu_probe_write(cpu, new_tr.base, 2, ACCESS_IMPLICIT)) ||
            !descriptor_read_quietly(cpu, old_selector, &old, &found))
                return false;

        /* A descriptor table may still turn out to be read-only. */
        if (reason != TASK_IRET && !set_busy(cpu, descriptor.linear, true))
                return false;
        if (!nested && found && !set_busy(cpu, old.linear, false)) {
                struct pending_exception fault = cpu->exception;
                if (reason != TASK_IRET)
                        set_busy(cpu, descriptor.linear, false);
                cpu->exception = fault;
                return false;
        }
        if (reason == TASK_IRET)
                old_flags &= ~(uint64_t)FLAG_NT;
        if (!write_image(cpu, old_format, event->return_rip, old_flags))
                return false;
        if (nested) {
                if (!cpu_write_linear(cpu, new_tr.base, &old_selector, 2, ACCESS_IMPLICIT))
                        return false;
                image.flags |= FLAG_NT;
        }
        new_tr.attr |= TYPE_TSS_BUSY;
        cpu->seg[SEG_TR] = new_tr;
        commit(cpu, &image);
        if ((cpu->cr0 & CR0_PG) && format == &format32) {
                if ((cpu->cr4 & CR4_PAE) && !paging_load_pdptes(cpu, image.cr3))
                        return cpu_raise_error(cpu, EXC_GP, ext);
                cpu->cr3 = image.cr3;
                cpu_count(&cpu->counts.address_spaces, 1);
                tlb_flush(cpu, false);
        }
        if (!load_segments(cpu, &image, ext) || (event->has_error && !push_error(cpu, event, format)))
                return false;
        if (image.trap) {
                /* A trap, before the new task's first instruction (SDM 3B 18.3.1.5). */
                cpu->dr[6] |= DR6_BT;
                return cpu_raise(cpu, EXC_DB);
        }
        return true;
}
