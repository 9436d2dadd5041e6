/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lazy.c - RAM whose bytes are still to come: the loader's side.  Waiting is in pages.c. */
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory/internal.h"
#include "memory/lazy.h"

void memory_lazy_expect(struct memory *memory, uint64_t page)
{
        __atomic_fetch_or(&memory->states[page], PAGE_ABSENT, __ATOMIC_SEQ_CST);
}

void memory_lazy_arrived(struct memory *memory, uint64_t page)
{
        __atomic_fetch_and(&memory->states[page], (uint8_t)~PAGE_ABSENT, __ATOMIC_SEQ_CST);
}

void memory_lazy_wake(struct memory *memory)
{
        __atomic_fetch_add(&memory->lazy_generation, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &memory->lazy_generation, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

uint64_t memory_lazy_wanted(struct memory *memory)
{
        uint64_t wanted = __atomic_exchange_n(&memory->lazy_wanted, 0, __ATOMIC_SEQ_CST);

        return wanted - 1;
}

void memory_lazy_ensure(struct memory *memory, uint64_t offset, size_t size)
{
        for (uint64_t page = offset >> PAGE_SHIFT; size && page <= (offset + size - 1) >> PAGE_SHIFT; page++)
                if (__atomic_load_n(&memory->states[page], __ATOMIC_ACQUIRE) & PAGE_ABSENT)
                        memory_wait_present(memory, page);
}
