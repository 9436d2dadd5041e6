/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * note.h - how a vCPU tells of a write it made to a page that has state bits set.
 */
#ifndef LODGER_MEMORY_NOTE_H
#define LODGER_MEMORY_NOTE_H

#include "memory/memory.h"

/* Bytes [gpa, gpa+size), within one page, were written through the host address that memory_page() gave:
 * calls code_written if the page holds code by now.  Called after the write, so that a block
 * translated from the old bytes meanwhile is caught too.  Any thread, without the machine lock;
 * on a vCPU's, after cpu_host_begin(). */
void memory_note_write(struct memory *memory, gpa_t gpa, size_t size);

#endif
