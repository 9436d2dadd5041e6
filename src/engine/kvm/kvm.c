/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm.c - the machine's part of KVM: the virtual machine's descriptor and its memory slots.
 *
 * Slots follow the physical map (memory.h): RAM and, read-only, ROM; what is in no slot exits as MMIO and goes
 * where the translator's accesses go.  A slot cannot be changed, only removed and made anew, so an access may
 * find neither for a moment: it then exits as MMIO too, and memory_read() and memory_write() serve it.
 *
 * KVM writes to memory without asking the table of page states.  Its blocks are dropped when the translator
 * takes over (engine.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
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

/* -- Memory slots -------------------------------------------------------------------------------- */

static bool slot_put(struct kvm *kvm, unsigned number, const struct kvm_slot *slot, bool present)
{
        struct kvm_userspace_memory_region region = {
                .slot = number, .flags = slot->read_only ? KVM_MEM_READONLY : 0, .guest_phys_addr = slot->gpa,
                .memory_size = present ? slot->size : 0, .userspace_addr = (uintptr_t)slot->host,
        };

        if (kvm_call(kvm->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0)
                return true;
        if (!__atomic_load_n(&kvm->broken, __ATOMIC_SEQ_CST))
                __atomic_store_n(&kvm->broken,
                                 g_strdup_printf("KVM_SET_USER_MEMORY_REGION %#llx: %s", (unsigned long long)slot->gpa, g_strerror(errno)),
                                 __ATOMIC_SEQ_CST);
        return false;
}

static bool same(const struct kvm_slot *a, const struct kvm_slot *b)
{
        return a->gpa == b->gpa && a->size == b->size && a->host == b->host && a->read_only == b->read_only;
}

static bool contains(const GArray *slots, const struct kvm_slot *wanted)
{
        for (guint i = 0; i < slots->len; i++) {
                const struct kvm_slot *slot = &g_array_index(slots, struct kvm_slot, i);

                if (slot->used && same(slot, wanted))
                        return true;
        }
        return false;
}

/* What lies side by side in the guest and in the host is one slot. */
static void want(void *opaque, gpa_t gpa, uint64_t size, uint8_t *host, bool read_only)
{
        GArray *wanted = opaque;
        struct kvm_slot *last = wanted->len ? &g_array_index(wanted, struct kvm_slot, wanted->len - 1) : NULL;
        struct kvm_slot slot = { gpa, size, host, read_only, true };

        if (last && last->gpa + last->size == gpa && last->host + last->size == host && last->read_only == read_only)
                last->size += size;
        else
                g_array_append_val(wanted, slot);
}

static void slot_add(struct kvm *kvm, const struct kvm_slot *slot)
{
        guint number = 0;

        while (number < kvm->slots->len && g_array_index(kvm->slots, struct kvm_slot, number).used)
                number++;
        if (number == kvm->slots->len)
                g_array_append_val(kvm->slots, *slot);
        else
                g_array_index(kvm->slots, struct kvm_slot, number) = *slot;
        slot_put(kvm, number, slot, true);
}

void kvm_refresh(struct kvm *kvm)
{
        GArray *wanted = g_array_new(FALSE, FALSE, sizeof(struct kvm_slot));

        memory_for_each_backed(kvm->memory, want, wanted);
        for (guint i = 0; i < kvm->slots->len; i++) {
                struct kvm_slot *slot = &g_array_index(kvm->slots, struct kvm_slot, i);

                if (slot->used && !contains(wanted, slot)) {
                        slot_put(kvm, i, slot, false);
                        slot->used = false;
                }
        }
        for (guint i = 0; i < wanted->len; i++) {
                const struct kvm_slot *slot = &g_array_index(wanted, struct kvm_slot, i);

                if (!contains(kvm->slots, slot))
                        slot_add(kvm, slot);
        }
        g_array_free(wanted, TRUE);
}

/* Machine lock held, whichever thread. */
static void map_changed(void *opaque)
{
        struct kvm *kvm = opaque;

        if (kvm->active)
                kvm_refresh(kvm);
}

void kvm_set_active(struct kvm *kvm, bool active) { kvm->active = active; }

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
        kvm->slots = g_array_new(FALSE, FALSE, sizeof(struct kvm_slot));
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
        if (kvm_call(fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)KVM_CAP_SET_TSS_ADDR) > 0)
                kvm_call(kvm->vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)0xfeffd000u);
        kvm->has_tsc_attribute = kvm_call(fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)KVM_CAP_VCPU_ATTRIBUTES) > 0;
        kvm->listener = (struct memory_listener){ .map_changed = map_changed, .opaque = kvm };
        memory_add_listener(memory, &kvm->listener);
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
        g_array_free(kvm->slots, TRUE);
        g_free(kvm->broken);
        g_free(kvm);
}

uint64_t kvm_exits(const struct kvm *kvm) { return __atomic_load_n(&kvm->exits, __ATOMIC_RELAXED); }
