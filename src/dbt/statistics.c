/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * statistics.c - all that the translator and its vCPUs count, as text.
 *
 * Everything here is counted always: an addition on a path that costs a hundred times as much.  What would cost more
 * (where guest time goes) is profile.c's, and only while it is asked for.
 */
#include "dbt/internal.h"

static const char *const counter_names[] = {
#define X(id, text) text,
        DBT_COUNTERS(X)
#undef X
};

static const char *const vector_names[32] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9", "#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM",
        "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
};

static void add(GPtrArray *lines, const char *group, const char *name, uint64_t value)
{
        g_ptr_array_add(lines, g_strdup_printf("%s%s: %llu\n", group, name, (unsigned long long)value));
}

uint64_t dbt_counter(const struct dbt *dbt, enum dbt_counter counter)
{
        uint64_t sum = __atomic_load_n(&dbt->counter[counter], __ATOMIC_RELAXED);

        for (guint i = 0; i < dbt->cpus->len; i++)
                sum += __atomic_load_n(&dbt_cpu(g_ptr_array_index(dbt->cpus, i))->counter[counter], __ATOMIC_RELAXED);
        return sum;
}

/* The sum over all vCPUs of a uint64_t at this offset in struct dbt_cpu. */
static uint64_t sum_at(const struct dbt *dbt, size_t offset)
{
        uint64_t sum = 0;

        for (guint i = 0; i < dbt->cpus->len; i++)
                sum += __atomic_load_n((const uint64_t *)((const char *)g_ptr_array_index(dbt->cpus, i) + offset), __ATOMIC_RELAXED);
        return sum;
}
#define SUM(dbt, field) sum_at(dbt, offsetof(struct dbt_cpu, field))

uint64_t dbt_cycles_ms(const struct dbt *dbt, uint64_t cycles)
{
        uint64_t all = __builtin_ia32_rdtsc() - dbt->started_tsc;
        uint64_t ns = (uint64_t)g_get_monotonic_time() * 1000 - dbt->started_ns;

        return all ? (uint64_t)((double)cycles * (double)ns / (double)all / 1e6) : 0;
}

struct callout_list {
        const struct dbt *dbt;
        GPtrArray *lines;
};

static void add_callouts(const struct opcode *opcode, void *opaque)
{
        const struct callout_list *list = opaque;
        uint64_t count = sum_at(list->dbt, offsetof(struct dbt_cpu, callouts) + opcode_row(opcode) * sizeof(uint64_t));

        if (count)
                add(list->lines, "executed in C: ", opcode->form, count);
}

void dbt_statistics(const struct dbt *dbt, GPtrArray *lines)
{
        struct callout_list list = { dbt, lines };

        for (unsigned i = 0; i < DBT_COUNTS; i++)
                add(lines, "", counter_names[i], dbt_counter(dbt, (enum dbt_counter)i));
        for (unsigned i = 0; i < G_N_ELEMENTS(vector_names); i++) {
                uint64_t count = sum_at(dbt, offsetof(struct dbt_cpu, exceptions) + i * sizeof(uint64_t));
                if (count)
                        add(lines, "exceptions delivered: ", vector_names[i], count);
        }
        opcode_each(add_callouts, &list);
        add(lines, "", "TLB: page walks (fills and faults)", SUM(dbt, cpu.counts.walks));
        add(lines, "", "TLB: flushes, address space loaded", SUM(dbt, cpu.counts.address_spaces));
        add(lines, "", "TLB: flushes, CR0 or CR4 changed", SUM(dbt, cpu.counts.flushes));
        add(lines, "", "TLB: pages flushed by INVLPG", SUM(dbt, cpu.counts.page_flushes));
        add(lines, "", "devices: reads", SUM(dbt, cpu.counts.device_reads));
        add(lines, "", "devices: writes", SUM(dbt, cpu.counts.device_writes));
        add(lines, "", "time: devices, ms", dbt_cycles_ms(dbt, SUM(dbt, cpu.counts.device_cycles)));
        add(lines, "", "time: translating, ms", dbt_cycles_ms(dbt, SUM(dbt, translating_cycles)));
}
