/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * track.h - a picture of RAM at one instant, taken while the guest runs on.
 *
 * memory_track_begin() marks every page of RAM PAGE_TRACKED: from then on whoever writes to one calls
 * memory_before_write() first, which puts the old bytes aside.  One thread then fetches each page once, as it
 * was at that instant; a page that has been fetched is not tracked any more.  Nothing is spent on
 * pages that nobody writes to, and nothing at all while no picture is being taken.
 *
 * Hardware does not call memory_before_write(), but logs the pages it writes to.  For it RAM is copied ahead, while the guest
 * runs, and the picture is taken by copying once more what was written to since:
 *
 *      memory_track_ahead()    memory_track_copy() and memory_track_written(), again and again    memory_track_begin()
 */
#ifndef LODGER_MEMORY_TRACK_H
#define LODGER_MEMORY_TRACK_H

#include "memory/memory.h"

/* vCPUs stopped, machine lock held.  False with error set: the host has no address space for it. */
bool memory_track_ahead(struct memory *memory, GError **error);
/* One thread, without locks: copies what has not been copied, or was written to since. */
void memory_track_copy(struct memory *memory);
/* The same thread: hardware has written to that page of the memory's file. */
void memory_track_written(struct memory *memory, uint64_t page);
/* vCPUs stopped, machine lock held.  False with error set: the host has no address space for it. */
bool memory_track_begin(struct memory *memory, GError **error);
/* One thread, without locks: the bytes that RAM pages [first, first+count) had at that instant. */
void memory_track_fetch(struct memory *memory, uint64_t first, unsigned count, uint8_t *to);
/* Any thread, without locks; also when not all pages were fetched. */
void memory_track_end(struct memory *memory);
/* Bytes that had to be put aside so far, or were copied while the vCPUs stood still. */
uint64_t memory_track_copied(struct memory *memory);
/* Reads [offset, +size) of the memory's file, RAM and what follows it, without making pages of holes. */
void memory_read_file(struct memory *memory, uint64_t offset, size_t size, uint8_t *to);
/* Makes [offset, +size), whole pages, zero and gives the host their memory back.  Machine lock held, vCPUs stopped. */
void memory_forget_file(struct memory *memory, uint64_t offset, size_t size);

#endif
