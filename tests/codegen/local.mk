# SPDX-License-Identifier: GPL-2.0-or-later
if HAVE_CHECK
check_PROGRAMS += tests/codegen/test_codegen
endif

tests_codegen_test_codegen_SOURCES = tests/codegen/test_codegen.c tests/unit/dbt_fixture.h
tests_codegen_test_codegen_LDADD = $(test_libs)
EXTRA_DIST += tests/codegen/expected
CLEANFILES += codegen.out
