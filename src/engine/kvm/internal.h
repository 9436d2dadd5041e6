/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of src/engine/kvm share.
 *
 * kvm.c has the machine's part (descriptor), slots.c its memory, vcpu.c runs, state.c and msr.c convert, probe.c tries.
 */
#ifndef LODGER_ENGINE_KVM_INTERNAL_H
#define LODGER_ENGINE_KVM_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include "engine/kvm/kvm.h"

/* Makes a KVM_RUN return; its handler does nothing. */
#define KVM_KICK_SIGNAL (SIGRTMIN + 2)

struct kvm_slot {
        gpa_t gpa;
        uint64_t size;
        uint8_t *host;
        bool read_only;
        bool used;
};

struct kvm {
        struct memory *memory;
        struct memory_listener listener;
        int fd, vm;                     /* /dev/kvm and the virtual machine */
        size_t run_bytes;               /* of the area shared with the kernel for each vCPU */
        bool has_tsc_attribute;
        bool has_msr_exits;             /* accesses to MSRs that are Lodger's come to it */
        bool believed;                  /* self-test passed: a shutdown is the guest's own doing */
        bool crawls;                    /* supervisor code was seen to be slow */
        struct kvm_cpuid2 *supported;
        /* Machine lock. */
        GArray *slots;                  /* of struct kvm_slot; the index is the slot's number */
        bool active;
        bool logging;                   /* the slots have KVM_MEM_LOG_DIRTY_PAGES */
        char *broken;                   /* what went wrong with a slot; then no vCPU runs on.  Atomic pointer. */
        uint64_t exits;                 /* atomic */
};

struct kvm_vcpu {
        struct kvm *kvm;
        struct cpu *cpu;
        int fd;
        struct kvm_run *run;
        pthread_t thread;
        bool running;                   /* between the last look at requests and the return of KVM_RUN.  Atomic */
        bool loaded;                    /* the state is KVM's; struct cpu is stale */
        bool completing;                /* the exit that was served last is finished by the next KVM_RUN */
        bool debugging;                 /* a debugger has the debug registers, or steps */
        bool in_service;                /* thread-bound things are set up */
        uint64_t exits;
        uint64_t crawl_samples;         /* looks in a row that found supervisor code */
        uint64_t sampled_ns;            /* the thread's CPU time at the last look */
        timer_t sampler;
        bool sampling;
        char *reason;
};

static inline int kvm_call(int fd, unsigned long request, void *argument) { return kvm_ops->ioctl(fd, request, argument); }

static inline bool kvm_has(const struct kvm *kvm, int capability)
{
        return kvm_call(kvm->fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)capability) > 0;
}

/* -- state.c: false with vcpu->reason set: KVM refused ------------------------------------------ */

bool kvm_state_load(struct kvm_vcpu *vcpu);
bool kvm_state_unload(struct kvm_vcpu *vcpu);
bool kvm_state_set_cpuid(struct kvm_vcpu *vcpu, GError **error);
/* Notes why KVM cannot run on; gives false. */
bool kvm_vcpu_fail(struct kvm_vcpu *vcpu, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -- slots.c --------------------------------------------------------------------------------------- */

/* Follows the physical map from now on. */
void kvm_slots_begin(struct kvm *kvm);
void kvm_slots_free(struct kvm *kvm);

/* -- debug.c --------------------------------------------------------------------------------------- */

/* After kvm_state_load().  False with vcpu->reason set: only the translator can do what the debugger asks for. */
bool kvm_debug_load(struct kvm_vcpu *vcpu);
/* KVM_EXIT_DEBUG: sets cpu->debug_stop. */
void kvm_debug_serve(struct kvm_vcpu *vcpu);

/* -- msr.c ---------------------------------------------------------------------------------------- */

/* The virtual machine's part, before there are vCPUs. */
void kvm_msrs_prepare(struct kvm *kvm);
void kvm_msrs_load(struct kvm_vcpu *vcpu);
void kvm_msrs_unload(struct kvm_vcpu *vcpu);
/* KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR. */
void kvm_msr_serve(struct kvm_vcpu *vcpu);

/* -- probe.c -------------------------------------------------------------------------------------- */

/* Opens /dev/kvm and checks version and capabilities.  -1: *why and *remedy say it. */
int kvm_open_device(char **why, char **remedy);
/* Runs the self-test.  False: *why says what went wrong.  *mips is measured in any case if it can be. */
bool kvm_self_test(int fd, double *mips, char **why);

#endif
