/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shortcuts.c - writes to devices that need not stop the vCPU.
 *
 * Bells (memory_region_set_bells(): virtio's notifications) are eventfds that the kernel signals; the main loop then does
 * the write.  Late writes (memory_region_set_late_writes(): video memory) wait in a ring that the kernel fills, shared by all vCPUs.
 * Both are caught up with, in that order, before the state of a vCPU leaves KVM, so a pause or a snapshot finds nothing
 * under way; the ring also at each exit, and now and then for the sake of the picture.
 *
 * A host that lacks either, or has no room for more, lets the vCPU exit as for any other write.  Everything here is
 * protected by the machine lock; interrupts need no such thing, since the controllers are in this process (kvm.h).
 */
#include <glib-unix.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/kvm/internal.h"

enum { BELLS_MAX = 64, LATE_MAX = 8, PICTURE_MS = 50 };

struct late_range { gpa_t gpa; uint64_t size; };

struct bell {
        struct kvm *kvm;
        gpa_t gpa;
        int fd;
        GSource *source;
};

struct kvm_shortcuts {
        GMainContext *context;
        struct bell bell[BELLS_MAX];
        unsigned bells;
        struct late_range late[LATE_MAX];
        unsigned lates;
        struct kvm_coalesced_mmio_ring *ring;   /* NULL: the host has none, or there is no vCPU */
        unsigned ring_size;
        GSource *picture;
};

/* -- Bells --------------------------------------------------------------------------------------- */

static bool bell_call(struct bell *bell, uint32_t flags)
{
        struct kvm_ioeventfd request = { .addr = bell->gpa, .fd = bell->fd, .flags = flags };     /* whatever its width */

        return kvm_call(bell->kvm->vm, KVM_IOEVENTFD, &request) >= 0;
}

/* Machine lock held. */
static void bell_catch_up(struct bell *bell)
{
        static const uint16_t anything;
        uint64_t count;

        if (read(bell->fd, &count, sizeof(count)) == sizeof(count))
                memory_write(bell->kvm->memory, bell->gpa, &anything, sizeof(anything));
}

static gboolean on_bell(gint fd, GIOCondition condition, gpointer opaque)
{
        struct kvm *kvm = opaque;
        struct kvm_shortcuts *shortcuts = kvm->shortcuts;

        (void)condition;
        lock_acquire(kvm->machine_lock);
        for (unsigned i = 0; i < shortcuts->bells; i++)
                if (shortcuts->bell[i].fd == fd)
                        bell_catch_up(&shortcuts->bell[i]);
        lock_release(kvm->machine_lock);
        return G_SOURCE_CONTINUE;
}

static void bell_remove(struct bell *bell)
{
        bell_call(bell, KVM_IOEVENTFD_FLAG_DEASSIGN);
        bell_catch_up(bell);
        g_source_destroy(bell->source);
        g_source_unref(bell->source);
        close(bell->fd);
}

static void bell_add(struct kvm *kvm, gpa_t gpa)
{
        struct kvm_shortcuts *shortcuts = kvm->shortcuts;
        struct bell bell = { .kvm = kvm, .gpa = gpa, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };

        if (bell.fd < 0)
                return;
        if (!bell_call(&bell, 0)) {
                close(bell.fd);
                return;
        }
        bell.source = g_unix_fd_source_new(bell.fd, G_IO_IN);
        g_source_set_callback(bell.source, G_SOURCE_FUNC(on_bell), kvm, NULL);
        g_source_attach(bell.source, shortcuts->context);
        shortcuts->bell[shortcuts->bells++] = bell;
}

/* -- Late writes --------------------------------------------------------------------------------- */

static bool late_call(struct kvm *kvm, const struct late_range *range, unsigned long request)
{
        struct kvm_coalesced_mmio_zone zone = { .addr = range->gpa, .size = (uint32_t)range->size };

        return kvm_call(kvm->vm, request, &zone) >= 0;
}

static bool ring_is_empty(const struct kvm_shortcuts *shortcuts)
{
        struct kvm_coalesced_mmio_ring *ring = shortcuts->ring;

        return !ring || __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE) == __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
}

/* Machine lock held. */
static void ring_catch_up(struct kvm *kvm)
{
        struct kvm_coalesced_mmio_ring *ring = kvm->shortcuts->ring;

        while (!ring_is_empty(kvm->shortcuts)) {
                const struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[ring->first % kvm->shortcuts->ring_size];

                memory_write(kvm->memory, entry->phys_addr, entry->data, MIN(entry->len, sizeof(entry->data)));
                __atomic_store_n(&ring->first, (ring->first + 1) % kvm->shortcuts->ring_size, __ATOMIC_RELEASE);
        }
}

static gboolean on_picture(gpointer opaque)
{
        kvm_shortcuts_late(opaque);
        return G_SOURCE_CONTINUE;
}

void kvm_shortcuts_late(struct kvm *kvm)
{
        if (ring_is_empty(kvm->shortcuts))
                return;
        lock_acquire(kvm->machine_lock);
        ring_catch_up(kvm);
        lock_release(kvm->machine_lock);
}

/* -- Following the map --------------------------------------------------------------------------- */

struct wanted {
        gpa_t bell[BELLS_MAX];
        unsigned bells;
        struct late_range late[LATE_MAX];
        unsigned lates;
};

static void want(void *opaque, const struct memory_device *device)
{
        struct wanted *wanted = opaque;

        if (device->late_writes && wanted->lates < LATE_MAX && device->size <= UINT32_MAX)
                wanted->late[wanted->lates++] = (struct late_range){ device->gpa, device->size };
        for (unsigned i = 0; i < device->bells && wanted->bells < BELLS_MAX; i++)
                wanted->bell[wanted->bells++] = device->first_bell + (uint64_t)i * device->bell_step;
}

static void follow_bells(struct kvm *kvm, const struct wanted *wanted)
{
        struct kvm_shortcuts *shortcuts = kvm->shortcuts;
        bool there[BELLS_MAX] = { false };

        for (unsigned i = 0; i < shortcuts->bells;) {
                unsigned k = 0;

                while (k < wanted->bells && wanted->bell[k] != shortcuts->bell[i].gpa)
                        k++;
                if (k < wanted->bells) {
                        there[k] = true;
                        i++;
                } else {
                        struct bell gone = shortcuts->bell[i];

                        shortcuts->bell[i] = shortcuts->bell[--shortcuts->bells];
                        bell_remove(&gone);
                }
        }
        for (unsigned k = 0; k < wanted->bells && shortcuts->bells < BELLS_MAX; k++)
                if (!there[k])
                        bell_add(kvm, wanted->bell[k]);
}

/* They are few and move seldom: made anew when any is another. */
static void follow_late(struct kvm *kvm, const struct wanted *wanted)
{
        struct kvm_shortcuts *shortcuts = kvm->shortcuts;
        bool same = wanted->lates == shortcuts->lates;

        for (unsigned i = 0; same && i < wanted->lates; i++)
                same = wanted->late[i].gpa == shortcuts->late[i].gpa && wanted->late[i].size == shortcuts->late[i].size;
        if (same || !shortcuts->ring)
                return;
        ring_catch_up(kvm);
        for (unsigned i = 0; i < shortcuts->lates; i++)
                late_call(kvm, &shortcuts->late[i], KVM_UNREGISTER_COALESCED_MMIO);
        shortcuts->lates = 0;
        for (unsigned i = 0; i < wanted->lates; i++)
                if (late_call(kvm, &wanted->late[i], KVM_REGISTER_COALESCED_MMIO))
                        shortcuts->late[shortcuts->lates++] = wanted->late[i];
}

void kvm_shortcuts_follow(struct kvm *kvm)
{
        struct wanted wanted = { .bells = 0 };

        memory_for_each_device(kvm->memory, want, &wanted);
        follow_bells(kvm, &wanted);
        follow_late(kvm, &wanted);
}

void kvm_shortcuts_catch_up(struct kvm *kvm)
{
        struct kvm_shortcuts *shortcuts = kvm->shortcuts;

        lock_acquire(kvm->machine_lock);
        ring_catch_up(kvm);
        /* What a bell does may move others. */
        for (unsigned i = 0; i < shortcuts->bells; i++)
                bell_catch_up(&shortcuts->bell[i]);
        lock_release(kvm->machine_lock);
}

/* -- Beginning and end --------------------------------------------------------------------------- */

void kvm_shortcuts_new(struct kvm *kvm)
{
        kvm->shortcuts = g_new0(struct kvm_shortcuts, 1);
        kvm->shortcuts->context = g_main_context_ref_thread_default();
}

void kvm_shortcuts_add_ring(struct kvm *kvm, struct kvm_run *run)
{
        struct kvm_shortcuts *shortcuts = kvm->shortcuts;
        int page = kvm_call(kvm->fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)KVM_CAP_COALESCED_MMIO);

        if (page <= 0 || shortcuts->ring || ((size_t)page + 1) * PAGE_SIZE > kvm->run_bytes)
                return;
        shortcuts->ring = (struct kvm_coalesced_mmio_ring *)((uint8_t *)run + (size_t)page * PAGE_SIZE);
        shortcuts->ring_size = (PAGE_SIZE - sizeof(*shortcuts->ring)) / sizeof(shortcuts->ring->coalesced_mmio[0]);
        shortcuts->picture = g_timeout_source_new(PICTURE_MS);
        g_source_set_callback(shortcuts->picture, on_picture, kvm, NULL);
        g_source_attach(shortcuts->picture, shortcuts->context);
}

void kvm_shortcuts_lose_ring(struct kvm *kvm, struct kvm_run *run)
{
        struct kvm_shortcuts *shortcuts = kvm->shortcuts;

        if ((uint8_t *)shortcuts->ring < (uint8_t *)run || (uint8_t *)shortcuts->ring >= (uint8_t *)run + kvm->run_bytes)
                return;
        shortcuts->ring = NULL;
        g_source_destroy(shortcuts->picture);
        g_clear_pointer(&shortcuts->picture, g_source_unref);
}

void kvm_shortcuts_free(struct kvm *kvm)
{
        struct kvm_shortcuts *shortcuts = kvm->shortcuts;

        if (!shortcuts)
                return;
        for (unsigned i = 0; i < shortcuts->bells; i++) {
                g_source_destroy(shortcuts->bell[i].source);
                g_source_unref(shortcuts->bell[i].source);
                close(shortcuts->bell[i].fd);
        }
        g_main_context_unref(shortcuts->context);
        g_free(shortcuts);
}
