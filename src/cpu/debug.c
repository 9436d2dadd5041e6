/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug.c - matching of instruction, data and port accesses against DR0-DR3 and a debugger's points.
 */
#include "cpu/debug.h"
#include "cpu/tlb.h"

enum { RW_EXECUTE = 0, RW_WRITE = 1, RW_IO = 2, RW_ACCESS = 3, DEBUG_REGISTERS = 4 };

/* -- One debug register ------------------------------------------------------------------------------- */

static bool dr_enabled(const struct cpu *cpu, unsigned i) { return cpu->dr[7] >> (2 * i) & 3; }

static unsigned dr_kind(const struct cpu *cpu, unsigned i) { return cpu->dr[7] >> (16 + 4 * i) & 3; }

/* SDM 3B 18.2.4: LEN 2 means eight bytes. */
static unsigned dr_bytes(const struct cpu *cpu, unsigned i)
{
        static const uint8_t bytes[] = { 1, 2, 8, 4 };

        return bytes[cpu->dr[7] >> (18 + 4 * i) & 3];
}

/* The low bits that LEN covers do not count (SDM 3B 18.2.5). */
static uint64_t dr_address(const struct cpu *cpu, unsigned i)
{
        uint64_t address = cpu->dr[i] & ~(uint64_t)(dr_bytes(cpu, i) - 1);

        return cpu_long_mode(cpu) ? address : (uint32_t)address;
}

static bool dr_is_data(const struct cpu *cpu, unsigned i)
{
        return dr_enabled(cpu, i) && (dr_kind(cpu, i) == RW_WRITE || dr_kind(cpu, i) == RW_ACCESS);
}

static bool overlaps(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
        return a - b < b_bytes || b - a < a_bytes;
}

/* -- What is set ----------------------------------------------------------------------------------------- */

/* Spreads an address over 64 bits; the key of a set is the sum of its members'. */
static uint64_t mix(uint64_t value)
{
        value = (value ^ value >> 31) * UINT64_C(0x9fb21c651e98df25) + UINT64_C(0x632be59bd9b4e019);
        value = (value ^ value >> 29) * UINT64_C(0xd6e8feb86659fd93);
        return (value ^ value >> 32) | 1;
}

void cpu_debug_changed(struct cpu *cpu)
{
        bool watched = cpu->debug_watch;
        uint64_t key = 0;

        cpu->debug_watch = cpu->debug_io = false;
        for (unsigned i = 0; i < DEBUG_REGISTERS; i++) {
                if (!dr_enabled(cpu, i))
                        continue;
                switch (dr_kind(cpu, i)) {
                case RW_EXECUTE:
                        key += mix(cpu->dr[i]);
                        break;
                case RW_IO:
                        cpu->debug_io |= (cpu->cr4 & CR4_DE) != 0;
                        break;
                default:
                        cpu->debug_watch = true;
                        break;
                }
        }
        for (unsigned i = 0; cpu->debugger && i < cpu->debugger->count; i++) {
                const struct debug_point *point = &cpu->debugger->point[i];
                if (point->kind == DEBUG_EXECUTE)
                        key += mix(~point->linear);
                else
                        cpu->debug_watch = true;
        }
        if (key != cpu->debug_key)
                cpu->debug_hits |= DEBUG_CHANGED;
        cpu->debug_key = key;
        /* Entries of pages that are watched now must go. */
        if (watched || cpu->debug_watch)
                tlb_flush(cpu, true);
}

/* -- Instructions ------------------------------------------------------------------------------------------ */

bool cpu_debug_executes(const struct cpu *cpu, gva_t linear, uint32_t *hits, bool *debugger)
{
        *hits = 0;
        *debugger = false;
        for (unsigned i = 0; i < DEBUG_REGISTERS; i++)
                if (dr_enabled(cpu, i) && dr_kind(cpu, i) == RW_EXECUTE && dr_address(cpu, i) == linear)
                        *hits |= 1u << i;
        for (unsigned i = 0; cpu->debugger && i < cpu->debugger->count; i++)
                if (cpu->debugger->point[i].kind == DEBUG_EXECUTE && cpu->debugger->point[i].linear == linear)
                        *debugger = true;
        return *hits || *debugger;
}

/* -- Data ---------------------------------------------------------------------------------------------------- */

bool cpu_debug_watches_page(const struct cpu *cpu, gva_t linear)
{
        gva_t page = linear & PAGE_MASK;

        for (unsigned i = 0; i < DEBUG_REGISTERS; i++)
                if (dr_is_data(cpu, i) && (dr_address(cpu, i) & PAGE_MASK) == page)
                        return true;
        for (unsigned i = 0; cpu->debugger && i < cpu->debugger->count; i++) {
                const struct debug_point *point = &cpu->debugger->point[i];
                if (point->kind != DEBUG_EXECUTE && overlaps(page, PAGE_SIZE, point->linear, point->bytes))
                        return true;
        }
        return false;
}

static uint32_t data_hits(const struct cpu *cpu, gva_t linear, unsigned size, unsigned access, const struct debug_point **hit)
{
        bool write = access & ACCESS_WRITE;
        uint32_t hits = 0;

        for (unsigned i = 0; i < DEBUG_REGISTERS; i++)
                if (dr_is_data(cpu, i) && (write || dr_kind(cpu, i) == RW_ACCESS) &&
                    overlaps(linear, size, dr_address(cpu, i), dr_bytes(cpu, i)))
                        hits |= 1u << i;
        for (unsigned i = 0; cpu->debugger && i < cpu->debugger->count; i++) {
                const struct debug_point *point = &cpu->debugger->point[i];
                if (point->kind == DEBUG_EXECUTE || point->kind == (write ? DEBUG_READ : DEBUG_WRITE) ||
                    !overlaps(linear, size, point->linear, point->bytes))
                        continue;
                hits |= DEBUG_HIT_WATCH;
                *hit = point;
        }
        return hits;
}

bool cpu_debug_watches(const struct cpu *cpu, gva_t linear, unsigned size, unsigned access)
{
        const struct debug_point *point;

        return data_hits(cpu, linear, size, access, &point) != 0;
}

void cpu_debug_note_access(struct cpu *cpu, gva_t linear, unsigned size, unsigned access)
{
        const struct debug_point *point;
        uint32_t hits = data_hits(cpu, linear, size, access, &point);

        if (hits & DEBUG_HIT_WATCH) {
                cpu->debug_watch_linear = point->linear;
                cpu->debug_watch_kind = (uint8_t)point->kind;
        }
        cpu->debug_hits |= hits;
}

/* -- Ports ----------------------------------------------------------------------------------------------------- */

void cpu_debug_note_io(struct cpu *cpu, uint16_t port, unsigned size)
{
        for (unsigned i = 0; i < DEBUG_REGISTERS; i++)
                if (dr_enabled(cpu, i) && dr_kind(cpu, i) == RW_IO &&
                    overlaps(port, size, dr_address(cpu, i), dr_bytes(cpu, i)))
                        cpu->debug_hits |= 1u << i;
}
