/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msr.c - model-specific registers and the TSC under KVM.
 *
 * Most registers are the CPU's or KVM's while the guest runs there, and are carried over by list.  Those whose meaning is
 * a device or a clock of Lodger's stay Lodger's: the local APIC in x2APIC mode and its TSC deadline, the paravirtual
 * clock and steal time, and writes that move the TSC.  KVM hands accesses to them over, and with them every access
 * that it knows no answer to, so that a guest finds the same registers under both engines.
 *
 * The clock a guest computes from the TSC (cpu/paravirt.c) goes on over a move by itself, since the TSC does.
 *
 * The TSC: KVM's offset attribute makes it exact.  Without it the guest's TSC is set a little ahead when it
 * enters KVM, and the offset that came of it is read back, so that it never goes back.
 */
#include <string.h>

#include "cpu/msr.h"
#include "cpu/paravirt.h"
#include "engine/kvm/internal.h"

enum { TSC_AHEAD = 200000, MSRS_MAX = 48 };

/* -- Carried over -------------------------------------------------------------------------------- */

/* Every MSR that is neither in the segments nor in the control registers. */
struct msr_place {
        uint32_t index;
        uint64_t *value;
};

static unsigned list_msrs(struct cpu *cpu, struct msr_place places[MSRS_MAX])
{
        const struct msr_place fixed[] = {
                { MSR_SYSENTER_CS, &cpu->sysenter_cs }, { MSR_SYSENTER_ESP, &cpu->sysenter_esp },
                { MSR_SYSENTER_EIP, &cpu->sysenter_eip }, { MSR_STAR, &cpu->star }, { MSR_LSTAR, &cpu->lstar },
                { MSR_CSTAR, &cpu->cstar }, { MSR_SFMASK, &cpu->sfmask }, { MSR_KERNEL_GS_BASE, &cpu->kernel_gs_base },
                { MSR_TSC_AUX, &cpu->tsc_aux }, { MSR_TSC_ADJUST, &cpu->tsc_adjust }, { MSR_PAT, &cpu->pat }, { MSR_MISC_ENABLE, &cpu->misc_enable },
                { MSR_SPEC_CTRL, &cpu->spec_ctrl }, { MSR_MTRR_DEF_TYPE, &cpu->mtrr_def_type },
                { MSR_MTRR_FIX64K, &cpu->mtrr_fixed[0] }, { MSR_MTRR_FIX16K, &cpu->mtrr_fixed[1] },
                { MSR_MTRR_FIX16K_A0000, &cpu->mtrr_fixed[2] },
        };
        unsigned n = 0;

        for (; n < G_N_ELEMENTS(fixed); n++)
                places[n] = fixed[n];
        for (unsigned i = 0; i < 8; i++)
                places[n++] = (struct msr_place){ MSR_MTRR_FIX4K + i, &cpu->mtrr_fixed[3 + i] };
        for (unsigned i = 0; i < 16; i++)
                places[n++] = (struct msr_place){ MSR_MTRR_VAR + i, &cpu->mtrr_var[i] };
        return n;
}

struct msr_buffer {
        struct kvm_msrs head;
        struct kvm_msr_entry entries[MSRS_MAX];
};

/* KVM stops at the first register it does not take: those that this host's KVM lacks are left out, and keep the
 * value they have in struct cpu. */
static void transfer_msrs(struct kvm_vcpu *vcpu, unsigned long request)
{
        struct msr_place places[MSRS_MAX];
        unsigned n = list_msrs(vcpu->cpu, places), done = 0;

        while (done < n) {
                struct msr_buffer buffer = { .head.nmsrs = n - done };
                int result;

                for (unsigned i = done; i < n; i++)
                        buffer.entries[i - done] = (struct kvm_msr_entry){ .index = places[i].index, .data = *places[i].value };
                result = kvm_call(vcpu->fd, request, &buffer);
                if (result < 0)
                        result = 0;
                if (request == KVM_GET_MSRS)
                        for (unsigned i = 0; i < MIN((unsigned)result, n - done); i++)
                                *places[done + i].value = buffer.entries[i].data;
                done += (unsigned)result + 1;
        }
}

/* -- TSC ------------------------------------------------------------------------------------------- */

static struct kvm_device_attr tsc_attribute(__u64 *offset)
{
        return (struct kvm_device_attr){ .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)offset };
}

static void unload_tsc(struct kvm_vcpu *vcpu)
{
        __u64 offset;
        struct kvm_device_attr attribute = tsc_attribute(&offset);
        struct msr_buffer buffer = { .head.nmsrs = 1 };
        uint64_t before;

        if (vcpu->kvm->has_tsc_attribute) {
                if (kvm_call(vcpu->fd, KVM_GET_DEVICE_ATTR, &attribute) == 0)
                        vcpu->cpu->tsc_offset = offset;
                return;
        }
        buffer.entries[0].index = MSR_TSC;
        before = __builtin_ia32_rdtsc();
        if (kvm_call(vcpu->fd, KVM_GET_MSRS, &buffer) == 1)
                vcpu->cpu->tsc_offset = buffer.entries[0].data - before;
}

static void load_tsc(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        __u64 offset = cpu->tsc_offset;
        struct kvm_device_attr attribute = tsc_attribute(&offset);
        struct msr_buffer buffer = { .head.nmsrs = 1 };

        if (vcpu->kvm->has_tsc_attribute && kvm_call(vcpu->fd, KVM_SET_DEVICE_ATTR, &attribute) == 0)
                return;
        vcpu->kvm->has_tsc_attribute = false;
        buffer.entries[0] = (struct kvm_msr_entry){ .index = MSR_TSC, .data = __builtin_ia32_rdtsc() + cpu->tsc_offset + TSC_AHEAD };
        kvm_call(vcpu->fd, KVM_SET_MSRS, &buffer);
        unload_tsc(vcpu);
}

void kvm_msrs_load(struct kvm_vcpu *vcpu)
{
        transfer_msrs(vcpu, KVM_SET_MSRS);
        load_tsc(vcpu);
}

void kvm_msrs_unload(struct kvm_vcpu *vcpu)
{
        transfer_msrs(vcpu, KVM_GET_MSRS);
        unload_tsc(vcpu);
}

/* -- Handed over ----------------------------------------------------------------------------------- */

void kvm_msrs_prepare(struct kvm *kvm)
{
        struct kvm_enable_cap enable = {
                .cap = KVM_CAP_X86_USER_SPACE_MSR,
                .args = { KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER },
        };
        /* A bit that is clear denies the register to KVM.  (Those of the x2APIC cannot be listed; without an APIC of its
         * own KVM knows no answer to them.) */
        __u8 none[8] = { 0 };
        const __u32 both = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
        struct kvm_msr_filter filter = {
                .flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
                .ranges = {
                        { both, 3, MSR_TSC, none },             /* and the two old ones of the paravirtual clock */
                        { both, 1, MSR_TSC_ADJUST, none },
                        { both, 1, MSR_TSC_DEADLINE, none },
                        { both, 8, MSR_PV_WALL_CLOCK, none },
                },
        };

        kvm->has_msr_exits = kvm_has(kvm, KVM_CAP_X86_USER_SPACE_MSR) && kvm_has(kvm, KVM_CAP_X86_MSR_FILTER) &&
                             kvm_call(kvm->vm, KVM_ENABLE_CAP, &enable) == 0 &&
                             kvm_call(kvm->vm, KVM_X86_SET_MSR_FILTER, &filter) == 0;
}

void kvm_msr_serve(struct kvm_vcpu *vcpu)
{
        struct kvm_run *run = vcpu->run;
        struct cpu *cpu = vcpu->cpu;
        uint64_t value = run->msr.data, offset = cpu->tsc_offset;
        bool ok;

        if (run->exit_reason == KVM_EXIT_X86_RDMSR)
                ok = msr_read(cpu, run->msr.index, &value);
        else
                ok = msr_write(cpu, run->msr.index, value);
        /* The exception that was raised is KVM's to deliver. */
        cpu->exception.pending = false;
        run->msr.error = !ok;
        run->msr.data = value;
        if (cpu->tsc_offset != offset)
                load_tsc(vcpu);
        vcpu->completing = true;
}
