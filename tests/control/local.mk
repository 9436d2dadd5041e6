# SPDX-License-Identifier: GPL-2.0-or-later
test_scripts += tests/control/check-completion tests/control/check-control

noinst_PROGRAMS += tests/control/hostile
tests_control_hostile_SOURCES = tests/control/hostile.c
tests_control_hostile_LDADD = $(GLIB_LIBS)

noinst_PROGRAMS += tests/control/watch
tests_control_watch_SOURCES = tests/control/watch.c
tests_control_watch_LDADD = $(test_libs)

if HAVE_M32
check_DATA += tests/control/echo.elf
endif
tests/control/echo.elf: tests/guest/lib/guest-lib.o tests/guest/lib/guest.h tests/guest/lib/guest.ld
EXTRA_DIST += tests/control/echo.c
CLEANFILES += tests/control/echo.elf
