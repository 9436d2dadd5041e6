/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm.h - hardware virtualization through /dev/kvm, as the engine sees it.
 *
 * One struct kvm a machine, one struct kvm_vcpu a vCPU.  Interrupt controllers, timers and all devices are
 * Lodger's own (no in-kernel irqchip), so they are the same under both engines.  The architectural state is in
 * struct cpu except while kvm_vcpu_run() is on; state.c carries it there and back.
 *
 * Nothing of this is needed for a machine to run: whatever fails here is a reason, in words, to go on under
 * the translator.
 */
#ifndef LODGER_ENGINE_KVM_KVM_H
#define LODGER_ENGINE_KVM_KVM_H

#include <glib.h>
#include <stdbool.h>
#include "cpu/cpu.h"

/* The host's interface, in one place so that tests can stand in for it. */
struct kvm_ops {
        int (*open)(const char *path);
        int (*ioctl)(int fd, unsigned long request, void *argument);    /* -1 with errno set */
        void *(*map)(int fd, size_t bytes);                             /* NULL with errno set */
};
extern const struct kvm_ops *kvm_ops;

/* -- probe.c ------------------------------------------------------------------------------------- */

struct kvm_report {
        bool usable;            /* opens, and has what Lodger needs */
        bool correct;           /* and the self-test ran right */
        bool works;             /* and not slowly: what "auto" wants */
        double mips;            /* supervisor code, million instructions a second; 0: not measured */
        char *why, *remedy;     /* for a person; remedy may be NULL */
};

/* Looks at the host; kvm_report_clear() frees the texts. */
void kvm_probe(struct kvm_report *report);
void kvm_report_clear(struct kvm_report *report);
/* Below this rate a guest is better off under the translator. */
#define KVM_CRAWL_MIPS 50.0

/* -- kvm.c --------------------------------------------------------------------------------------- */

struct kvm;
struct kvm_vcpu;

/* NULL with error set: what is missing, and the remedy. */
struct kvm *kvm_new(struct memory *memory, GError **error);
void kvm_free(struct kvm *kvm);
/* Before vCPUs run under KVM again: the physical map as it is now.  Machine lock held. */
void kvm_refresh(struct kvm *kvm);
/* While false, changes of the physical map are not followed. */
void kvm_set_active(struct kvm *kvm, bool active);
/* While on, KVM logs the pages it writes to.  Machine lock held; false: it cannot. */
bool kvm_log_writes(struct kvm *kvm, bool on);
/* Tells memory/track.h what was written to since the last time.  Machine lock held. */
bool kvm_collect_writes(struct kvm *kvm);
uint64_t kvm_exits(const struct kvm *kvm);

struct kvm_vcpu *kvm_vcpu_new(struct kvm *kvm, struct cpu *cpu, GError **error);
void kvm_vcpu_free(struct kvm_vcpu *vcpu);

enum kvm_stop {
        KVM_STOP_REQUEST,       /* CPU_REQUEST_EXIT was raised (and has been cleared) */
        KVM_STOP_DEBUG,         /* a debugger's breakpoint, watchpoint or step: cpu->debug_stop */
        KVM_STOP_SHUTDOWN,      /* triple fault, on hardware that is to be believed */
        KVM_STOP_FAILED,        /* KVM cannot run on: kvm_vcpu_reason() */
};

/* Runs the vCPU on the calling thread, always the same one.  State is in struct cpu before and after, at an
 * instruction boundary. */
enum kvm_stop kvm_vcpu_run(struct kvm_vcpu *vcpu);
const char *kvm_vcpu_reason(const struct kvm_vcpu *vcpu);
uint64_t kvm_vcpu_exits(const struct kvm_vcpu *vcpu);

#endif
