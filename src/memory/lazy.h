/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lazy.h - RAM whose bytes are still to come: the guest runs before all of it is there.
 *
 * Pages marked PAGE_ABSENT are brought by one loader thread.  memory_page(), and with it every vCPU and device,
 * waits for a page that it needs, and the loader is told which that is; afterwards the page is as any other.
 * The check costs nothing while no page is absent: it is one more bit of a state that is looked at anyway.
 */
#ifndef LODGER_MEMORY_LAZY_H
#define LODGER_MEMORY_LAZY_H

#include "memory/memory.h"

/* A page of RAM, by its number in the memory's file, is to be waited for.  Before vCPUs run. */
void memory_lazy_expect(struct memory *memory, uint64_t page);
/* The loader's: its bytes are in place.  Then, after some pages, whoever waits is woken. */
void memory_lazy_arrived(struct memory *memory, uint64_t page);
void memory_lazy_wake(struct memory *memory);
/* A page that somebody waits for; UINT64_MAX: none. */
uint64_t memory_lazy_wanted(struct memory *memory);
/* Waits until [offset, +size) of the memory's file is there: for what does not go through memory_page(). */
void memory_lazy_ensure(struct memory *memory, uint64_t offset, size_t size);

#endif
