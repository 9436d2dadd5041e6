/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_kick.c - T8: requests from another thread reach a vCPU in loops of every shape, and soon.
 *
 * KICKS: how many in all; by default 100,000, or fewer when the machine is too busy for that in the
 * time allowed.  A kick that is not answered within seconds is a lost one.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "dbt/internal.h"
#include "dbt_fixture.h"

enum { LOST_SECONDS = 10, DEFAULT_KICKS = 100000, DEFAULT_SECONDS = 8 };

static const struct shape {
        const char *name, *code;
        unsigned size;
} shapes[] = {
#define SHAPE(name, code) { name, code, sizeof code - 1 }
        SHAPE("jump to itself", "\xeb\xfe"),
        SHAPE("two jumps", "\xeb\x01\x90\xeb\xfb"),
        SHAPE("conditional jump", "\x31\xc0\x85\xc0\x74\xfc\xeb\xf8"),
        SHAPE("long loop", "\x40\x4b\x8d\x0c\x03\x89\xca\xeb\xf7"),
        SHAPE("loop instruction", "\xb9\xff\xff\xff\x7f\xe2\xfe\xeb\xf7"),
        SHAPE("call and ret", "\xe8\x02\x00\x00\x00\xeb\xf9\xc3"),
        SHAPE("push and ret", "\x68\x00\x00\x01\x00\xc3"),
        SHAPE("indirect jump", "\xba\x05\x00\x01\x00\xff\xe2"),
        SHAPE("indirect call", "\xba\x0b\x00\x01\x00\xff\xd2\xeb\xfc\x90\x90\xc3"),
        SHAPE("loads and stores", "\xbf\x00\x00\x02\x00\x89\x07\x8b\x47\x04\xeb\xf4"),
        SHAPE("rep stosb", "\xbf\x00\x00\x02\x00\xb9\x00\x00\x10\x00\xf3\xaa\xeb\xf2"),
        SHAPE("rep movsd", "\xbe\x00\x00\x02\x00\xbf\x00\x00\x30\x00\xb9\x00\x00\x01\x00\xf3\xa5\xeb\xed"),
        SHAPE("cli and sti", "\xfa\xfb\x90\xeb\xfb"),
        SHAPE("cli and popf", "\x9c\xfa\x9d\xeb\xfb"),
#undef SHAPE
};

static uint64_t answered;               /* atomic */
static uint64_t answered_ns;

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The vCPU is ready to take an interrupt: the line goes down again, so it takes none. */
static int take(struct cpu *c)
{
        answered_ns = now_ns();
        __atomic_and_fetch(&c->request, ~(uint32_t)CPU_REQUEST_INTR, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&answered, 1, __ATOMIC_SEQ_CST);
        return -1;
}

struct kicker {
        unsigned kicks, done;
        uint64_t deadline_ns;           /* 0: none */
        bool lost;
        uint64_t *latency;
};

static void *kick(void *opaque)
{
        struct kicker *k = opaque;
        uint32_t random = 12345;

        for (k->done = 0; k->done < k->kicks && (!k->deadline_ns || now_ns() < k->deadline_ns); k->done++) {
                random = random * 1664525 + 1013904223;
                for (volatile unsigned spin = random >> 20; spin; spin--)
                        ;
                uint64_t before = __atomic_load_n(&answered, __ATOMIC_SEQ_CST), start = now_ns();
                cpu_request(cpu, CPU_REQUEST_INTR);
                for (unsigned looks = 0; __atomic_load_n(&answered, __ATOMIC_SEQ_CST) == before; looks++) {
                        if (looks % 1024 != 1023)
                                continue;
                        if (now_ns() - start > (uint64_t)LOST_SECONDS * 1000000000) {
                                k->lost = true;
                                goto out;
                        }
                        sched_yield();
                }
                k->latency[k->done] = answered_ns - start;
        }
out:
        cpu_request(cpu, CPU_REQUEST_EXIT);
        return NULL;
}

static int compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
        return x < y ? -1 : x > y;
}

static void setup(void)
{
        dbt_fixture_open((struct dbt_options){ 0 });
        dbt_cpu(cpu)->interrupt_vector = take;
}

START_TEST(T8_kicks_arrive)
{
        const struct shape *shape = &shapes[_i];
        const char *wanted = getenv("KICKS");
        unsigned kicks = (wanted ? (unsigned)atoi(wanted) : DEFAULT_KICKS) / G_N_ELEMENTS(shapes) + 1;
        struct kicker k = { .kicks = kicks, .latency = g_new0(uint64_t, kicks) };
        pthread_t thread;

        if (!wanted)
                k.deadline_ns = now_ns() + (uint64_t)DEFAULT_SECONDS * 1000000000 / G_N_ELEMENTS(shapes);
        place(CODE, shape->code, shape->size);
        cpu->rip = CODE;
        cpu->regs[RSP] = STACK;
        cpu->iflag = 1;
        ck_assert_int_eq(pthread_create(&thread, NULL, kick, &k), 0);
        enum dbt_stop stop = dbt_run(cpu, 0);
        pthread_join(thread, NULL);
        ck_assert_msg(!k.lost, "%s: kick %u was lost", shape->name, k.done);
        ck_assert_int_eq(stop, DBT_STOP_REQUEST);
        ck_assert_uint_gt(k.done, 0);
        qsort(k.latency, k.done, sizeof *k.latency, compare);
        printf("%-18s %8u kicks, microseconds: median %.1f, 99.9 %% %.1f, maximum %.1f\n", shape->name, k.done,
               (double)k.latency[k.done / 2] / 1000, (double)k.latency[k.done - 1 - k.done / 1000] / 1000,
               (double)k.latency[k.done - 1] / 1000);
        fflush(stdout);
        g_free(k.latency);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("kick");
        TCase *tcase = tcase_create("kick");

        tcase_set_timeout(tcase, 600);
        tcase_add_checked_fixture(tcase, setup, dbt_fixture_close);
        tcase_add_loop_test(tcase, T8_kicks_arrive, 0, (int)G_N_ELEMENTS(shapes));
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
