# SPDX-License-Identifier: GPL-2.0-or-later
check_PROGRAMS += tests/isa/test_isa tests/isa/test_isa64

tests_isa_test_isa_SOURCES = \
        tests/isa/compare.c tests/isa/compare.h \
        tests/isa/generate.c tests/isa/generate.h \
        tests/isa/isa.h \
        tests/isa/native.c \
        tests/isa/runner.c \
        tests/isa/selfcheck.c tests/isa/selfcheck.h \
        tests/isa/test_isa.c \
        tests/isa/translator.c \
        tests/isa/values.c \
        tests/isa/world.c
tests_isa_test_isa_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/isa
tests_isa_test_isa_LDADD = $(lodger_libs)

tests_isa_test_isa64_SOURCES = \
        tests/isa/generate64.c \
        tests/isa/isa64.h \
        tests/isa/native64.c \
        tests/isa/test_isa64.c \
        tests/isa/translator64.c \
        tests/isa/values.c \
        tests/isa/world.c tests/isa/world64.c
tests_isa_test_isa64_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/isa
tests_isa_test_isa64_LDADD = $(lodger_libs)
EXTRA_DIST += tests/isa/README.md tests/isa/known.mismatches tests/isa/untested.reasons
CLEANFILES += tests/isa/untested.txt
