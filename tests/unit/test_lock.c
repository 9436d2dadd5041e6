/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lock.c - locks exclude; checking builds notice a wrong order. */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include "base/lock.h"
#include "unit.h"

static struct lock machine, pages;

static void make_locks(void)
{
        lock_init(&machine, LOCK_RANK_MACHINE, "machine");
        lock_init(&pages, LOCK_RANK_PAGES, "pages");
}

START_TEST(rising_rank_is_fine)
{
        make_locks();
        lock_acquire(&machine);
        lock_acquire(&pages);
        ck_assert(lock_is_held(&machine));
        ck_assert(lock_is_held(&pages));
        lock_release(&machine);         /* out of order, allowed */
        ck_assert(lock_is_held(&pages));
        lock_release(&pages);
        lock_acquire(&machine);
        lock_release(&machine);
        lock_destroy(&machine);
        lock_destroy(&pages);
}
END_TEST

static int counter;

static void *count(void *unused)
{
        for (int i = 0; i < 20000; i++) {
                lock_acquire(&machine);
                counter++;
                lock_release(&machine);
        }
        return unused;
}

START_TEST(threads_exclude_each_other)
{
        pthread_t threads[2];

        make_locks();
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        ck_assert_int_eq(counter, 40000);
}
END_TEST

#ifdef LODGER_DEBUG
START_TEST(not_held_is_known)
{
        make_locks();
        ck_assert(!lock_is_held(&machine));
        lock_acquire(&machine);
        ck_assert(!lock_is_held(&pages));
        lock_release(&machine);
        ck_assert(!lock_is_held(&machine));
}
END_TEST

START_TEST(falling_rank_asserts)
{
        make_locks();
        lock_acquire(&pages);
        lock_acquire(&machine);
}
END_TEST

START_TEST(taking_twice_asserts)
{
        make_locks();
        lock_acquire(&pages);
        lock_acquire(&pages);
}
END_TEST

static int run_aborting(void)
{
        Suite *suite = suite_create("lock order");
        TCase *test_case = tcase_create("aborts");
        SRunner *runner;
        int failed;

        tcase_add_test_raise_signal(test_case, falling_rank_asserts, SIGABRT);
        tcase_add_test_raise_signal(test_case, taking_twice_asserts, SIGABRT);
        tcase_add_test(test_case, not_held_is_known);
        suite_add_tcase(suite, test_case);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
#else
static int run_aborting(void)
{
        return 0;
}
#endif

int main(void)
{
        const TTest *const tests[] = { rising_rank_is_fine, threads_exclude_each_other, NULL };

        return unit_run("lock", tests) | run_aborting();
}
