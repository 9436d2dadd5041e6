# SPDX-License-Identifier: GPL-2.0-or-later
if HAVE_CHECK
check_PROGRAMS += \
        tests/unit/test_clock \
        tests/unit/test_dbt \
        tests/unit/test_lock \
        tests/unit/test_log \
        tests/unit/test_memory \
        tests/unit/test_parse \
        tests/unit/test_state
endif

tests_unit_test_clock_SOURCES = tests/unit/test_clock.c tests/unit/unit.h
tests_unit_test_clock_LDADD = $(test_libs)

tests_unit_test_dbt_SOURCES = tests/unit/test_dbt.c
tests_unit_test_dbt_LDADD = $(test_libs)

tests_unit_test_lock_SOURCES = tests/unit/test_lock.c
tests_unit_test_lock_LDADD = $(test_libs)

tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = $(test_libs)

tests_unit_test_memory_SOURCES = tests/unit/test_memory.c
tests_unit_test_memory_LDADD = $(test_libs)

tests_unit_test_parse_SOURCES = tests/unit/test_parse.c src/cli/parse.c
tests_unit_test_parse_LDADD = $(test_libs)

tests_unit_test_state_SOURCES = tests/unit/test_state.c
tests_unit_test_state_LDADD = $(test_libs)
