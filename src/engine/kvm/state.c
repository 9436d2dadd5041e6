/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - the architectural state, between struct cpu and KVM's form of it.
 *
 * The order of loading matters: CPUID decides which bits CR4, EFER and XCR0 may have, CR4 decides whether
 * XCR0 may be set, and events come last because setting registers drops them.
 *
 * Two things have no place in struct cpu.  An external interrupt that KVM has accepted and not yet delivered is
 * delivered here, in C.  A software interrupt on its way is done again: RIP is still in front of it.
 *
 * Model-specific registers and the TSC are in msr.c.
 */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/fpu.h"
#include "cpu/lapic.h"
#include "cpu/paravirt.h"
#include "cpu/tlb.h"
#include "dbt/dbt.h"
#include "engine/kvm/internal.h"

enum { CPUID_ENTRIES_MAX = 64, CPUID_1C_X2APIC = 1 << 21, CPUID_1C_TSC_DEADLINE = 1 << 24 };
enum { LEAF_PARAVIRT_FEATURES = 0x40000001 };
static const uint32_t paravirt_leaves[] = { 0x40000000, LEAF_PARAVIRT_FEATURES, 0x40000010 };

bool kvm_vcpu_fail(struct kvm_vcpu *vcpu, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        g_free(vcpu->reason);
        vcpu->reason = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        return false;
}

static bool call(struct kvm_vcpu *vcpu, unsigned long request, void *argument, const char *name)
{
        if (kvm_call(vcpu->fd, request, argument) >= 0)
                return true;
        return kvm_vcpu_fail(vcpu, "%s: %s", name, g_strerror(errno));
}
#define CALL(vcpu, request, argument) call(vcpu, request, argument, #request)

/* -- Segments ------------------------------------------------------------------------------------ */

static struct kvm_segment segment_out(const struct cpu *cpu, enum cpu_segment which)
{
        const struct segment *segment = &cpu->seg[which];
        struct kvm_segment out = {
                .base = segment->base, .limit = segment->limit, .selector = segment->selector,
                .type = segment->attr & SEG_TYPE, .s = !!(segment->attr & SEG_S), .dpl = SEG_DPL(segment->attr),
                .present = !!(segment->attr & SEG_P), .avl = !!(segment->attr & SEG_AVL), .l = !!(segment->attr & SEG_L),
                .db = !!(segment->attr & SEG_DB), .g = !!(segment->attr & SEG_G), .unusable = !segment->attr,
        };

        if (which == SEG_SS)            /* KVM takes CPL from here, a null selector or not */
                out.dpl = cpu->cpl;
        return out;
}

static void segment_in(struct cpu *cpu, enum cpu_segment which, const struct kvm_segment *in)
{
        struct segment *segment = &cpu->seg[which];
        unsigned attr = (in->type & SEG_TYPE) | (in->s ? SEG_S : 0) | (unsigned)(in->dpl & 3) << SEG_DPL_SHIFT | (in->present ? SEG_P : 0) |
                        (in->avl ? SEG_AVL : 0) | (in->l ? SEG_L : 0) | (in->db ? SEG_DB : 0) | (in->g ? SEG_G : 0);

        segment->selector = in->selector;
        segment->base = in->base;
        segment->limit = in->limit;
        segment->attr = (uint16_t)(in->unusable ? 0 : attr);
        cpu_segment_changed(cpu, which);
}

static struct kvm_segment *segment_field(struct kvm_sregs *sregs, enum cpu_segment which)
{
        switch (which) {
        case SEG_ES: return &sregs->es;
        case SEG_CS: return &sregs->cs;
        case SEG_SS: return &sregs->ss;
        case SEG_DS: return &sregs->ds;
        case SEG_FS: return &sregs->fs;
        case SEG_GS: return &sregs->gs;
        case SEG_LDTR: return &sregs->ldt;
        default: return &sregs->tr;
        }
}

/* -- General and control registers --------------------------------------------------------------- */

/* KVM's order is that of the encoding but for RSI, RDI, RSP and RBP. */
static __u64 *register_field(struct kvm_regs *regs, unsigned i)
{
        __u64 *const fields[CPU_REGS] = {
                &regs->rax, &regs->rcx, &regs->rdx, &regs->rbx, &regs->rsp, &regs->rbp, &regs->rsi, &regs->rdi,
                &regs->r8, &regs->r9, &regs->r10, &regs->r11, &regs->r12, &regs->r13, &regs->r14, &regs->r15,
        };

        return fields[i];
}

/* A KVM that fails its self-test may drop what it cannot do (paging, IOPL) and say nothing. */
static bool took_registers(struct kvm_vcpu *vcpu, const struct kvm_regs *regs, const struct kvm_sregs *sregs)
{
        struct kvm_regs regs_now;
        struct kvm_sregs sregs_now;

        if (!CALL(vcpu, KVM_GET_REGS, &regs_now) || !CALL(vcpu, KVM_GET_SREGS, &sregs_now))
                return false;
        if (regs_now.rflags != regs->rflags)
                return kvm_vcpu_fail(vcpu, "it does not take RFLAGS=%#llx", (unsigned long long)regs->rflags);
        if (sregs_now.cr0 != sregs->cr0 || sregs_now.cr4 != sregs->cr4 || sregs_now.efer != sregs->efer)
                return kvm_vcpu_fail(vcpu, "it does not take CR0=%#llx CR4=%#llx EFER=%#llx", (unsigned long long)sregs->cr0,
                                     (unsigned long long)sregs->cr4, (unsigned long long)sregs->efer);
        return true;
}

static bool load_registers(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        struct kvm_regs regs = { .rip = cpu->rip, .rflags = cpu_rflags(cpu) };
        struct kvm_sregs sregs = {
                .gdt = { .base = cpu->gdt.base, .limit = (uint16_t)cpu->gdt.limit },
                .idt = { .base = cpu->idt.base, .limit = (uint16_t)cpu->idt.limit },
                .cr0 = cpu->cr0, .cr2 = cpu->cr2, .cr3 = cpu->cr3, .cr4 = cpu->cr4, .cr8 = cpu->cr8, .efer = cpu->efer,
                .apic_base = cpu->apic_base,
        };

        if (cpu->exception.pending && cpu->exception.vector == EXC_PF)
                sregs.cr2 = cpu->exception.cr2;
        for (unsigned i = 0; i < CPU_REGS; i++)
                *register_field(&regs, i) = cpu->regs[i];
        for (unsigned i = 0; i < CPU_SEGMENTS; i++)
                *segment_field(&sregs, i) = segment_out(cpu, i);
        vcpu->run->cr8 = cpu->cr8;
        return CALL(vcpu, KVM_SET_SREGS, &sregs) && CALL(vcpu, KVM_SET_REGS, &regs) &&
               (vcpu->kvm->believed || took_registers(vcpu, &regs, &sregs));
}

/* With PAE paging outside long mode the CPU holds copies of the four top entries; KVM keeps its own. */
static void unload_pdptes(struct cpu *cpu)
{
        if (!(cpu->cr0 & CR0_PG) || !(cpu->cr4 & CR4_PAE) || (cpu->efer & EFER_LMA))
                return;
        for (unsigned i = 0; i < 4; i++) {
                struct page_info page = memory_page(cpu->memory, cpu->cr3 & PAGE_MASK);

                if (page.host)
                        memcpy(&cpu->pdpte[i], page.host + (cpu->cr3 & 0xfe0) + 8 * i, 8);
        }
}

static bool unload_registers(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        struct kvm_regs regs;
        struct kvm_sregs sregs;

        if (!CALL(vcpu, KVM_GET_REGS, &regs) || !CALL(vcpu, KVM_GET_SREGS, &sregs))
                return false;
        for (unsigned i = 0; i < CPU_REGS; i++)
                cpu->regs[i] = *register_field(&regs, i);
        cpu->rip = cpu->next_rip = regs.rip;
        cpu->gdt = (struct descriptor_table){ sregs.gdt.base, sregs.gdt.limit };
        cpu->idt = (struct descriptor_table){ sregs.idt.base, sregs.idt.limit };
        cpu->cr0 = sregs.cr0;
        cpu->cr2 = sregs.cr2;
        cpu->cr3 = sregs.cr3;
        cpu->cr4 = sregs.cr4;
        cpu->cr8 = sregs.cr8;
        cpu->efer = sregs.efer;
        if (cpu->apic_base != sregs.apic_base) {
                cpu->apic_base = sregs.apic_base;
                if (cpu->lapic)
                        lapic_base_changed(cpu->lapic);
        }
        for (unsigned i = 0; i < CPU_SEGMENTS; i++)
                segment_in(cpu, i, segment_field(&sregs, i));
        cpu->cpl = cpu_real_mode(cpu) ? 0 : regs.rflags & FLAG_VM ? 3 : sregs.ss.dpl & 3;
        cpu_set_rflags(cpu, regs.rflags);
        unload_pdptes(cpu);
        return true;
}

/* -- Vector state -------------------------------------------------------------------------------- */

static bool load_vectors(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        struct kvm_xsave xsave;
        struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = cpu->xcr0 } };

        if (!CALL(vcpu, KVM_SET_XCRS, &xcrs))
                return false;
        memcpy(&xsave, cpu->fpu.image, sizeof(xsave));
        fpu_put_pointers(cpu, (uint8_t *)&xsave, true);
        return CALL(vcpu, KVM_SET_XSAVE, &xsave);
}

/* The kernel keeps pointers of 64 bits, without selectors.  Those of an instruction that is still the last one are
 * known; another one of 32-bit code ran, in all likelihood, in the segments of now. */
static void unload_pointers(struct cpu *cpu)
{
        uint64_t ip = cpu->fpu.ip, dp = cpu->fpu.dp;
        uint16_t cs = cpu->fpu.cs, ds = cpu->fpu.ds;
        bool wide = cpu_code64(cpu);

        fpu_get_pointers(cpu, cpu->fpu.image, true);
        cpu->fpu.cs = cpu->fpu.ip == ip ? cs : wide ? 0 : cpu->seg[SEG_CS].selector;
        cpu->fpu.ds = cpu->fpu.dp == dp ? ds : wide ? 0 : cpu->seg[SEG_DS].selector;
}

static bool unload_vectors(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        struct kvm_xsave xsave;
        struct kvm_xcrs xcrs = { 0 };

        if (!CALL(vcpu, KVM_GET_XCRS, &xcrs) || !CALL(vcpu, KVM_GET_XSAVE, &xsave))
                return false;
        for (unsigned i = 0; i < xcrs.nr_xcrs && i < KVM_MAX_XCRS; i++)
                if (xcrs.xcrs[i].xcr == 0)
                        cpu->xcr0 = xcrs.xcrs[i].value;
        memcpy(cpu->fpu.image, &xsave, sizeof(xsave));
        /* Components that no model has are not ours to reload. */
        cpu->fpu.image[FPU_HEADER] &= XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;
        memset(cpu->fpu.image + FPU_HEADER + 1, 0, 63);
        unload_pointers(cpu);
        return true;
}

/* -- Debug registers and events ------------------------------------------------------------------ */

static bool load_debug(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        struct kvm_debugregs debug = { .dr6 = cpu->dr[6], .dr7 = cpu->dr[7] };

        for (unsigned i = 0; i < 4; i++)
                debug.db[i] = cpu->dr[i];
        return CALL(vcpu, KVM_SET_DEBUGREGS, &debug);
}

static bool unload_debug(struct kvm_vcpu *vcpu)
{
        struct kvm_debugregs debug = { 0 };

        if (!CALL(vcpu, KVM_GET_DEBUGREGS, &debug))
                return false;
        for (unsigned i = 0; i < 4; i++)
                vcpu->cpu->dr[i] = debug.db[i];
        vcpu->cpu->dr[6] = debug.dr6;
        vcpu->cpu->dr[7] = debug.dr7;
        return true;
}

static bool load_events(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        struct kvm_vcpu_events events = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW };

        if (cpu->exception.pending) {
                events.exception.injected = 1;
                events.exception.nr = cpu->exception.vector;
                events.exception.has_error_code = cpu->exception.has_error;
                events.exception.error_code = cpu->exception.error;
        }
        events.interrupt.shadow = cpu->shadow ? KVM_X86_SHADOW_INT_STI : 0;
        events.nmi.masked = cpu->nmi_blocked;
        if (!CALL(vcpu, KVM_SET_VCPU_EVENTS, &events))
                return false;
        cpu->exception.pending = false;
        return true;
}

/* Gives the vector of an interrupt that was accepted and not delivered, -1: none, -2: failure. */
static int unload_events(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        struct kvm_vcpu_events events = { 0 };

        if (!CALL(vcpu, KVM_GET_VCPU_EVENTS, &events))
                return -2;
        cpu->exception = (struct pending_exception){ .pending = events.exception.injected || events.exception.pending };
        if (cpu->exception.pending) {
                cpu->exception.vector = events.exception.nr;
                cpu->exception.has_error = events.exception.has_error_code;
                cpu->exception.error = events.exception.error_code;
                cpu->exception.cr2 = cpu->cr2;
        }
        cpu->shadow = events.interrupt.shadow != 0;
        cpu->nmi_blocked = events.nmi.masked;
        if (events.nmi.pending || events.nmi.injected) {
                /* One on its way already counts as blocked; it has not begun. */
                cpu->nmi_blocked = cpu->nmi_blocked && !events.nmi.injected;
                cpu_request(cpu, CPU_REQUEST_NMI);
        }
        return events.interrupt.injected && !events.interrupt.soft ? events.interrupt.nr : -1;
}

/* -- All of it ----------------------------------------------------------------------------------- */

bool kvm_state_load(struct kvm_vcpu *vcpu)
{
        if (!load_registers(vcpu) || !load_vectors(vcpu) || !load_debug(vcpu))
                return false;
        kvm_msrs_load(vcpu);
        if (!load_events(vcpu))
                return false;
        vcpu->loaded = true;
        return true;
}

bool kvm_state_unload(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        int vector;

        vcpu->loaded = false;
        if (!unload_registers(vcpu) || !unload_vectors(vcpu) || !unload_debug(vcpu))
                return false;
        kvm_msrs_unload(vcpu);
        vector = unload_events(vcpu);
        if (vector == -2)
                return false;
        dbt_state_changed(cpu);
        if (vector >= 0)
                cpu_deliver_interrupt(cpu, (uint8_t)vector);
        return true;
}

/* -- CPUID --------------------------------------------------------------------------------------- */

struct cpuid_buffer {
        struct kvm_cpuid2 head;
        struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

/* What a KVM that cannot hand registers over to Lodger (msr.c) would do by itself, and differently, is not offered. */
static void hide_msr_features(struct kvm_cpuid_entry2 *leaf)
{
        switch (leaf->function) {
        case 1:
                leaf->ecx &= ~(uint32_t)(CPUID_1C_X2APIC | CPUID_1C_TSC_DEADLINE);
                break;
        case LEAF_PARAVIRT_FEATURES:
                leaf->eax &= PV_NO_IO_DELAY;
                break;
        }
}

static void add_leaf(struct cpuid_buffer *buffer, const struct kvm_vcpu *vcpu, uint32_t leaf, uint32_t subleaf, bool indexed)
{
        struct kvm_cpuid_entry2 *entry = &buffer->entries[buffer->head.nent];
        uint32_t out[4];

        if (buffer->head.nent == CPUID_ENTRIES_MAX)
                return;
        cpuid_query(vcpu->cpu, leaf, subleaf, out);
        *entry = (struct kvm_cpuid_entry2){
                .function = leaf, .index = subleaf, .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
                .eax = out[0], .ebx = out[1], .ecx = out[2], .edx = out[3],
        };
        if (!vcpu->kvm->has_msr_exits)
                hide_msr_features(entry);
        buffer->head.nent++;
}

/* The model as the translator shows it: a guest that moves sees the same CPU. */
bool kvm_state_set_cpuid(struct kvm_vcpu *vcpu, GError **error)
{
        struct cpuid_buffer *buffer = g_new0(struct cpuid_buffer, 1);
        const struct cpu_model *model = vcpu->cpu->model;
        int result;

        for (uint32_t leaf = 0; leaf <= model->max_leaf; leaf++) {
                bool indexed = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd;

                for (uint32_t subleaf = 0; subleaf < (indexed ? 4u : 1u); subleaf++)
                        add_leaf(buffer, vcpu, leaf, subleaf, indexed);
        }
        for (size_t i = 0; model->hypervisor && i < G_N_ELEMENTS(paravirt_leaves); i++)
                add_leaf(buffer, vcpu, paravirt_leaves[i], 0, false);
        for (uint32_t leaf = 0x80000000; leaf <= model->max_extended; leaf++)
                add_leaf(buffer, vcpu, leaf, 0, false);
        result = kvm_call(vcpu->fd, KVM_SET_CPUID2, buffer);
        if (result < 0)
                g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "KVM_SET_CPUID2: %s; choose another --cpu, or --engine dbt",
                            g_strerror(errno));
        g_free(buffer);
        return result >= 0;
}
