/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - the translator's self-check: what a vCPU that checks its blocks keeps (check.c).
 */
#ifndef LODGER_DBT_CHECK_H
#define LODGER_DBT_CHECK_H

#include "dbt/internal.h"

enum { CHECK_STORES = 3 * BLOCK_MAX_INSNS, CHECK_STORE_BYTES = 16 * 1024, CHECK_IMAGE_BYTES = 1024 };

/* What instructions outside callouts can change, memory apart. */
struct check_state {
        uint64_t regs[CPU_REGS];
        uint64_t rip, rflags;
        int64_t df_step;
        uint8_t iflag, shadow;
        struct pending_exception exception;
        uint64_t gs_base, kernel_gs_base;
        uint64_t fpu_ip, fpu_dp;
        uint16_t fpu_cs, fpu_ds, fpu_op;
        uint8_t image[CHECK_IMAGE_BYTES] __attribute__((aligned(8)));
};

/* One store of the first pass: `size` bytes at `host`; what was there is old[at..], what came new[at..]. */
struct check_place {
        uint8_t *host;
        gva_t linear;
        uint32_t at, size;
};

struct check {
        bool stepping;                  /* the first pass is running */
        bool stopped;                   /* it ended before an instruction that it must not repeat */
        unsigned places, bytes;
        struct check_place place[CHECK_STORES];
        uint8_t old[CHECK_STORE_BYTES], new[CHECK_STORE_BYTES];
        struct check_state before, stepped, run;
};

enum check_result {
        CHECK_RUN,      /* not for checking: the caller runs the block */
        CHECK_DONE,     /* run, and found right or not comparable */
        CHECK_DIFFERS,  /* reported */
};

/* [gpr] Runs the block that the dispatcher was about to enter. */
enum check_result check_block(struct cpu *cpu, struct block *block);
/* [gpr] From dbt_memory() while stepping: whether the access may be made and repeated. */
bool check_access(struct cpu *cpu, gva_t linear, unsigned size, unsigned access);
/* [gpr] From dbt_commit() while stepping: the store is about to be made. */
void check_store(struct cpu *cpu, gva_t linear, unsigned size);

/* Whether bytes of the vector image belong to the guest (and not to the host that ran the block). */
static inline bool check_image_byte(unsigned i)
{
        /* Bytes 6-23 are FOP, FIP and FDP of host instructions (SDM 1 table 10-2); 28-31 the MXCSR mask. */
        return i < 6 || (i >= 24 && i < 28) || (i >= 32 && i < 416) || (i >= 576 && i < 832);
}

/* check_report.c: after cpu_host_begin(). */
void check_report(struct cpu *cpu, const struct block *block);

#endif
