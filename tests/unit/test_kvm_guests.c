/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_kvm_guests.c - the KVM engine on this host's KVM: the same programs under both engines, guests that move at random
 * moments, a debugger.
 *
 * A KVM without VT-x underneath cannot run all of them: the output says which, and why.  With no usable /dev/kvm it says
 * so and checks nothing.
 */
#include "cpu/debug.h"
#include "kvm_fixture.h"

static bool correct;            /* KVM's self-test ran right: what it does wrong is our fault */

static bool kvm_missing(void)
{
        struct kvm_report report;
        bool missing;

        kvm_probe(&report);
        missing = !report.usable;
        correct = report.correct;
        if (missing)
                printf("not checked: %s\n", report.why);
        kvm_report_clear(&report);
        return missing;
}

/* Gives what is to be said of it; *ran: under KVM, to its end, with the same result. */
static char *run_both(const struct program *program, bool *ran)
{
        g_autofree char *stayed = NULL, *why = NULL, *wrong = NULL;
        struct outcome expected = run_under("dbt", program, program->count, &stayed);
        struct outcome found = run_under("kvm", program, program->count, &why);

        wrong = difference(&expected, &found);
        *ran = !why && !wrong;
        if (why) {
                ck_assert_msg(!wrong, "%s, after KVM gave up (%s): %s", program->name, why, wrong);
                return g_strdup_printf("this KVM cannot run it, the translator ended it: %s", why);
        }
        ck_assert_msg(!wrong || !correct, "%s: %s", program->name, wrong);
        if (wrong)
                return g_strdup_printf("this KVM, which fails its self-test, runs it wrongly: %s", wrong);
        return g_strdup("ran under KVM, the same");
}

START_TEST(same_under_both)
{
        unsigned ran = 0;

        if (kvm_missing())
                return;
        for (size_t i = 0; i < G_N_ELEMENTS(programs); i++) {
                bool this_ran;
                char *text = run_both(&programs[i], &this_ran);

                printf("%s: %s\n", programs[i].name, text);
                ran += this_ran;
                g_free(text);
        }
        printf("%u of %zu ran under KVM to their end\n", ran, G_N_ELEMENTS(programs));
        fflush(stdout);
}
END_TEST

/* Gives the number of moves made in one run. */
static unsigned run_moving(const struct program *program, const struct outcome *expected, unsigned *gave_up)
{
        struct outcome found;
        unsigned moves = 0;

        ck_assert(open_machine("dbt", program, program->count, NULL));
        while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
                bool in_kvm = !strcmp(engine_name(engine), "kvm");

                ck_assert(engine_switch(engine, in_kvm ? "dbt" : "kvm", NULL));
                moves++;
                g_usleep((gulong)(g_random_int() % 300));
        }
        wait_done();
        found = take_outcome();
        *gave_up += engine_moved_why(engine) != NULL;
        close_machine();
        compare("a guest that moved", expected, &found);
        return moves;
}

START_TEST(moves_at_random_moments)
{
        const struct program *program = &loops[_i];
        int64_t end = g_get_monotonic_time() + 40 * G_USEC_PER_SEC;     /* a host under load makes fewer moves */
        unsigned moves = 0, runs = 0, gave_up = 0;
        struct outcome expected;
        char *why;

        if (kvm_missing())
                return;
        expected = run_under("dbt", program, program->count, &why);
        for (; moves < 1000 && g_get_monotonic_time() < end; runs++)
                moves += run_moving(program, &expected, &gave_up);
        printf("%s: %u moves in %u runs, all with the same result; KVM gave up by itself in %u of them\n", program->name, moves, runs,
               gave_up);
}
END_TEST

/* -- A debugger ---------------------------------------------------------------------------------- */

static bool stopped;

static void on_stop(void *opaque, struct cpu *which)
{
        (void)opaque;
        (void)which;
        __atomic_store_n(&stopped, true, __ATOMIC_SEQ_CST);
}

/* Lets the guest run until it stops for the debugger. */
static void run_to_stop(bool step)
{
        int64_t end = g_get_monotonic_time() + 100 * G_USEC_PER_SEC;

        cpu->debug_step = step;
        cpu->debug_stop = DEBUG_STOP_NONE;
        stopped = false;
        engine_debug_resume(engine);
        while (!__atomic_load_n(&stopped, __ATOMIC_SEQ_CST)) {
                ck_assert_msg(g_get_monotonic_time() < end, "it does not stop");
                g_usleep(200);
        }
        engine_debug_pause(engine);
}

START_TEST(a_debugger)
{
        enum { LOOP = CODE + 25, LOOP_INSN = 10 };              /* "1:" of the program, and its first instruction */
        static struct cpu_debugger points = { .point[0] = { LOOP, 1, DEBUG_EXECUTE }, .count = 1 };
        const struct program *program = &programs[2];
        struct outcome expected, found;
        char *why;

        if (kvm_missing())
                return;
        expected = run_under("dbt", program, 300, &why);
        ck_assert(open_machine("dbt", program, 300, NULL) && engine != NULL);
        engine_set_debug_stop(engine, on_stop, NULL);
        engine_debug_pause(engine);
        cpu->rip = CODE;                                        /* from the beginning, wherever it has got to */
        cpu->regs[RDI] = 300;
        memset(memory_ram(memory) + DATA, 0, DATA_BYTES);
        done = false;
        cpu->debugger = &points;
        dbt_state_changed(cpu);
        ck_assert(engine_switch(engine, "kvm", NULL));
        for (unsigned i = 0; i < 3; i++) {
                points.count = 1;
                cpu_debug_changed(cpu);
                run_to_stop(false);
                ck_assert_uint_eq(cpu->debug_stop, DEBUG_STOP_BREAK);
                ck_assert_uint_eq(cpu->rip, LOOP);
                ck_assert_uint_eq(cpu->regs[RDI], 300 - i);
                /* Past it, as debuggers do. */
                points.count = 0;
                cpu_debug_changed(cpu);
                run_to_stop(true);
                ck_assert_uint_eq(cpu->debug_stop, DEBUG_STOP_STEP);
                ck_assert_uint_eq(cpu->rip, LOOP + LOOP_INSN);
        }
        points.count = 1;
        points.point[0] = (struct debug_point){ STACK - 8, 8, DEBUG_WRITE };    /* what a call pushes */
        cpu_debug_changed(cpu);
        run_to_stop(false);
        ck_assert_uint_eq(cpu->debug_stop, DEBUG_STOP_WATCH);
        ck_assert_uint_eq(cpu->debug_watch_linear, STACK - 8);
        printf("a debugger under KVM: %s\n", engine_moved_why(engine) ? engine_moved_why(engine) : "breakpoint, step and watchpoint");
        cpu->debugger = NULL;
        cpu->debug_step = false;
        cpu_debug_changed(cpu);
        cpu->debug_stop = DEBUG_STOP_NONE;
        engine_debug_resume(engine);
        wait_done();
        found = take_outcome();
        close_machine();
        compare("a guest that was debugged", &expected, &found);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("kvm guests");
        TCase *test_case = tcase_create("kvm guests");
        SRunner *runner;
        int failed;

        setvbuf(stdout, NULL, _IOLBF, 0);       /* seen at once, whatever becomes of the test */
        tcase_set_timeout(test_case, 120);
        tcase_add_test(test_case, same_under_both);
        tcase_add_loop_test(test_case, moves_at_random_moments, 0, G_N_ELEMENTS(loops));
        tcase_add_test(test_case, a_debugger);
        suite_add_tcase(suite, test_case);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
