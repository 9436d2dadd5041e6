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
# The system half of the CPU.
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_access tests/unit/test_exception tests/unit/test_paging tests/unit/test_segment
endif
tests_unit_test_access_SOURCES = tests/unit/test_access.c tests/unit/cpu_fixture.h
tests_unit_test_access_LDADD = $(test_libs)
tests_unit_test_exception_SOURCES = tests/unit/test_exception.c tests/unit/cpu_fixture.h
tests_unit_test_exception_LDADD = $(test_libs)
tests_unit_test_paging_SOURCES = tests/unit/test_paging.c tests/unit/cpu_fixture.h
tests_unit_test_paging_LDADD = $(test_libs)
tests_unit_test_segment_SOURCES = tests/unit/test_segment.c tests/unit/cpu_fixture.h
tests_unit_test_segment_LDADD = $(test_libs)
