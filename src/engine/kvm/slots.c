/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots.c - guest memory as KVM sees it.
 *
 * Slots follow the physical map (memory.h): RAM and, read-only, ROM; what is in no slot exits as MMIO and goes
 * where the translator's accesses go.  A slot cannot be changed, only removed and made anew, so an access may
 * find neither for a moment: it then exits as MMIO too, and vcpu.c serves it.
 *
 * KVM writes to memory without asking the table of page states.  So
 *      blocks of code           are dropped when the translator takes over (engine.c);
 *      a picture of RAM         is taken with KVM's log of dirty pages (memory/track.h, at "ahead");
 *      pages still to be loaded are waited for, all of them, before KVM is entered (machine/manage.c).
 */
#include <errno.h>

#include "engine/kvm/internal.h"
#include "memory/track.h"

static bool slot_put(struct kvm *kvm, unsigned number, const struct kvm_slot *slot, bool present)
{
        struct kvm_userspace_memory_region region = {
                .slot = number, .flags = slot->read_only ? KVM_MEM_READONLY : kvm->logging ? KVM_MEM_LOG_DIRTY_PAGES : 0,
                .guest_phys_addr = slot->gpa,
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

/* In the memory's file. */
static uint64_t first_page(const struct kvm *kvm, const struct kvm_slot *slot)
{
        return (uint64_t)(slot->host - memory_ram(kvm->memory)) >> PAGE_SHIFT;
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

/* What the log of a slot that goes away has seen is not known: anything. */
static void forget_log(struct kvm *kvm, const struct kvm_slot *slot)
{
        uint64_t first = first_page(kvm, slot);

        for (uint64_t i = 0; !slot->read_only && i < slot->size >> PAGE_SHIFT; i++)
                memory_track_written(kvm->memory, first + i);
}

void kvm_refresh(struct kvm *kvm)
{
        GArray *wanted = g_array_new(FALSE, FALSE, sizeof(struct kvm_slot));

        memory_for_each_backed(kvm->memory, want, wanted);
        for (guint i = 0; i < kvm->slots->len; i++) {
                struct kvm_slot *slot = &g_array_index(kvm->slots, struct kvm_slot, i);

                if (slot->used && !contains(wanted, slot)) {
                        if (kvm->logging)
                                forget_log(kvm, slot);
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

/* -- The log ------------------------------------------------------------------------------------- */

/* Machine lock held. */
static bool collect_slot(struct kvm *kvm, unsigned number)
{
        const struct kvm_slot *slot = &g_array_index(kvm->slots, struct kvm_slot, number);
        uint64_t pages = slot->size >> PAGE_SHIFT, first = first_page(kvm, slot);
        uint64_t *bits = g_new0(uint64_t, pages / 64 + 1);
        struct kvm_dirty_log log = { .slot = number, .dirty_bitmap = bits };
        bool ok = kvm_call(kvm->vm, KVM_GET_DIRTY_LOG, &log) >= 0;

        for (uint64_t word = 0; ok && word <= pages / 64; word++)
                for (uint64_t left = bits[word]; left; left &= left - 1)
                        memory_track_written(kvm->memory, first + word * 64 + (unsigned)__builtin_ctzll(left));
        g_free(bits);
        return ok;
}

bool kvm_collect_writes(struct kvm *kvm)
{
        bool ok = kvm->logging;

        for (guint i = 0; ok && i < kvm->slots->len; i++) {
                const struct kvm_slot *slot = &g_array_index(kvm->slots, struct kvm_slot, i);

                if (slot->used && !slot->read_only)
                        ok = collect_slot(kvm, i);
        }
        return ok;
}

bool kvm_log_writes(struct kvm *kvm, bool on)
{
        bool ok = true;

        kvm->logging = on;
        for (guint i = 0; i < kvm->slots->len; i++) {
                const struct kvm_slot *slot = &g_array_index(kvm->slots, struct kvm_slot, i);

                if (slot->used && !slot->read_only)
                        ok = slot_put(kvm, i, slot, true) && ok;
        }
        if (!ok)
                kvm->logging = false;
        return ok;
}

/* -- Beginning and end --------------------------------------------------------------------------- */

void kvm_slots_begin(struct kvm *kvm)
{
        kvm->slots = g_array_new(FALSE, FALSE, sizeof(struct kvm_slot));
        kvm->listener = (struct memory_listener){ .map_changed = map_changed, .opaque = kvm };
        memory_add_listener(kvm->memory, &kvm->listener);
}

void kvm_slots_free(struct kvm *kvm)
{
        if (kvm->slots)
                g_array_free(kvm->slots, TRUE);
        g_free(kvm->broken);
}
