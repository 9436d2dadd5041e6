/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * symbols.h - names of a guest kernel's functions, from its System.map, a copy of its /proc/kallsyms, or an
 * ELF file with a symbol table.
 *
 * Read once and never changed, so any thread may look in it.
 */
#ifndef LODGER_BASE_SYMBOLS_H
#define LODGER_BASE_SYMBOLS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct symbols;

struct symbols *symbols_load(const char *path, GError **error);
void symbols_free(struct symbols *symbols);
/* The function that address lies in, and how far behind its start; NULL: none is near. */
const char *symbols_find(const struct symbols *symbols, uint64_t address, uint64_t *offset);
/* False: there is no such function. */
bool symbols_address(const struct symbols *symbols, const char *name, uint64_t *address);

#endif
