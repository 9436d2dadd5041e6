# SPDX-License-Identifier: GPL-2.0-or-later
# Pictures of the screen: compared with QEMU's where there is one.
noinst_PROGRAMS += tests/display/screendump
tests_display_screendump_SOURCES = tests/display/screendump.c
tests_display_screendump_LDADD = $(lodger_libs)
