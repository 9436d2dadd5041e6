/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_fixture.h - runs the C handlers of single instructions at the state of the fixture's vCPU. */
#ifndef LODGER_TESTS_EXEC_FIXTURE_H
#define LODGER_TESTS_EXEC_FIXTURE_H

#include "cpu/insn.h"
#include "cpu_fixture.h"

/* Decodes the bytes in the present mode and calls the row's handler. */
static bool run_bytes(const uint8_t *bytes, size_t size)
{
        uint8_t padded[15 + 16] = { 0 };
        struct insn insn;

        memcpy(padded, bytes, size);
        ck_assert_int_eq(insn_decode(&insn, padded, 15, cpu->mode, cpu->model->features), DECODE_OK);
        ck_assert_uint_eq(insn.length, size);
        ck_assert_ptr_nonnull((void *)(uintptr_t)insn.opcode->exec);
        cpu->next_rip = cpu->rip + insn.length;
        return insn.opcode->exec(cpu, &insn);
}

#define RUN(...) run_bytes((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define RUN_OK(...) ck_assert(RUN(__VA_ARGS__))

static __attribute__((unused)) void ck_fault(unsigned vector)
{
        ck_assert(cpu->exception.pending);
        ck_assert_uint_eq(cpu->exception.vector, vector);
        cpu->exception.pending = false;
}

/* 4 KiB paging over the first 4 MiB, identity, user and writable; then one page's entry may be changed. */
static __attribute__((unused)) void exec_paging(void)
{
        poke(TABLES_AT, (TABLES_AT + 0x1000) | 7, 4);
        for (unsigned i = 0; i < 1024; i++)
                poke(TABLES_AT + 0x1000 + i * 4, i << 12 | 7, 4);
        cpu->cr3 = TABLES_AT;
        cpu->cr0 |= CR0_PG;
        cpu_mode_changed(cpu);
        tlb_flush(cpu, true);
}

static __attribute__((unused)) void set_page(uint32_t linear, uint32_t flags)
{
        poke(TABLES_AT + 0x1000 + (linear >> 12) * 4, (linear & ~4095u) | flags, 4);
        tlb_flush(cpu, true);
}

#endif
