/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm.c - the machine's part of KVM: the host's interface, and the virtual machine's descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/kvm/internal.h"

/* -- The host's interface ------------------------------------------------------------------------ */

static int host_open(const char *path) { return open(path, O_RDWR | O_CLOEXEC); }
static int host_ioctl(int fd, unsigned long request, void *argument) { return ioctl(fd, request, argument); }

static void *host_map(int fd, size_t bytes)
{
        void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        return area == MAP_FAILED ? NULL : area;
}

static const struct kvm_ops host_ops = { host_open, host_ioctl, host_map };
const struct kvm_ops *kvm_ops = &host_ops;

/* -- Making and freeing -------------------------------------------------------------------------- */

struct kvm *kvm_new(struct memory *memory, GError **error)
{
        struct kvm *kvm;
        char *why = NULL, *remedy = NULL, *problem = NULL;
        double mips = 0;
        int fd = kvm_open_device(&why, &remedy), size;

        if (fd < 0) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "--engine kvm: %s%s%s", why, remedy ? "; " : "", remedy ? remedy : "");
                g_free(why);
                g_free(remedy);
                return NULL;
        }
        kvm = g_new0(struct kvm, 1);
        kvm->memory = memory;
        kvm->fd = fd;
        kvm->believed = kvm_self_test(fd, &mips, &problem);
        g_free(problem);
        kvm->crawls = mips < KVM_CRAWL_MIPS;
        kvm->vm = kvm_call(fd, KVM_CREATE_VM, NULL);
        size = kvm->vm < 0 ? -1 : kvm_call(fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
        if (kvm->vm < 0 || size < (int)sizeof(struct kvm_run)) {
                g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "--engine kvm: %s: %s; use --engine dbt",
                            kvm->vm < 0 ? "KVM_CREATE_VM" : "KVM_GET_VCPU_MMAP_SIZE", g_strerror(errno));
                kvm_free(kvm);
                return NULL;
        }
        kvm->run_bytes = (size_t)size;
        /* Intel's CPUs without unrestricted guest need three pages of their own for real mode: in the hole below the
         * firmware, where the PC has nothing. */
        if (kvm_has(kvm, KVM_CAP_SET_TSS_ADDR))
                kvm_call(kvm->vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)0xfeffd000u);
        kvm->has_tsc_attribute = kvm_has(kvm, KVM_CAP_VCPU_ATTRIBUTES);
        kvm_msrs_prepare(kvm);
        kvm_slots_begin(kvm);
        return kvm;
}

void kvm_free(struct kvm *kvm)
{
        if (!kvm)
                return;
        kvm->active = false;
        if (kvm->vm >= 0)
                close(kvm->vm);
        close(kvm->fd);
        kvm_slots_free(kvm);
        g_free(kvm);
}

uint64_t kvm_exits(const struct kvm *kvm) { return __atomic_load_n(&kvm->exits, __ATOMIC_RELAXED); }
