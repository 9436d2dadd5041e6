/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernels.h - the user-mode work of `lodger bench`: one object file, linked into the program and into the guest.
 */
#ifndef LODGER_BENCH_KERNELS_H
#define LODGER_BENCH_KERNELS_H

#include <stdint.h>

/* Does so many operations; what it gives back depends on all of them. */
typedef uint64_t bench_work(uint64_t count);

struct bench_kernel {
        const char *name;
        bench_work *work;
};

enum { BENCH_KERNELS = 8 };
extern const struct bench_kernel bench_kernels[BENCH_KERNELS];

/* Host cycles of 1000 operations: the least of many rounds, short ones for a busy host, of about round_cycles each. */
uint64_t bench_measure(bench_work *work, uint64_t round_cycles);

#endif
