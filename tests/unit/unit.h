/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit.h - the main() every unit test ends with. */
#ifndef LODGER_TESTS_UNIT_H
#define LODGER_TESTS_UNIT_H

#include <check.h>

/* Runs one suite with the test cases given (a NULL-terminated array of TTest) and gives the exit
 * status.  CK_VERBOSITY and CK_FORK are obeyed. */
static inline int unit_run(const char *name, const TTest *const *tests)
{
        Suite *suite = suite_create(name);
        TCase *test_case = tcase_create(name);
        SRunner *runner;
        int failed;

        /* Sanitizers and a loaded machine are slow; a hang still ends. */
        tcase_set_timeout(test_case, 120);
        for (; *tests != NULL; tests++)
                tcase_add_test(test_case, *tests);
        suite_add_tcase(suite, test_case);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}

#define UNIT_MAIN(name, ...) \
        int main(void) { return unit_run(name, (const TTest *const[]){ __VA_ARGS__, NULL }); }

#endif
