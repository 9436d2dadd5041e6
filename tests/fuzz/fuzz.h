/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz.h - the entry of a fuzz target.
 *
 * One source serves three uses: libFuzzer (link with -fsanitize=fuzzer and without replay.c), AFL++
 * (its libAFLDriver), and `make check`, where replay.c runs the saved corpus through it.
 */
#ifndef LODGER_TESTS_FUZZ_H
#define LODGER_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* How many variants of each saved input replay.c runs; a target may leave it out. */
extern const unsigned fuzz_variants __attribute__((weak));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
