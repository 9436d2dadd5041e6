/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * find.c - looking a block up: the part of block.c that the dispatcher runs under live vector state.
 *
 * The table is read without the lock.  A block stands in it complete or not at all; one that is dropped
 * meanwhile keeps its place in the list it was in, and its memory outlives the look-up (smp.c).
 */
#include "dbt/internal.h"

unsigned block_hash(const struct context *context, uint64_t rip, gpa_t gpa)
{
        uint64_t h = (rip ^ gpa * 0x9e3779b97f4a7c15u ^ (uint64_t)context->id << 40) * 0xff51afd7ed558ccdu;
        return (unsigned)(h >> 40) & (HASH_BUCKETS - 1);
}

struct block *block_find(struct dbt *dbt, const struct context *context, uint64_t rip, gpa_t gpa)
{
        struct block *const *at = &dbt->hash[block_hash(context, rip, gpa)];

        for (struct block *b; (b = __atomic_load_n(at, __ATOMIC_ACQUIRE)); at = &b->hash_next)
                if (b->rip == rip && b->gpa == gpa && b->context == context)
                        return b;
        return NULL;
}
