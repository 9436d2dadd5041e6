# SPDX-License-Identifier: GPL-2.0-or-later
# What the program does with a guest: exit statuses, connections, traces, under which sandboxes.
noinst_PROGRAMS += tests/cli/deny
tests_cli_deny_SOURCES = tests/cli/deny.c

test_scripts += tests/cli/check-import
if HAVE_M32
test_scripts += tests/check-run tests/cli/check-bad-input tests/cli/check-clone tests/cli/check-named tests/cli/check-snapshot
check_DATA += tests/cli/actor.elf
endif

tests/cli/actor.elf: tests/cli/actor.c
	@$(MKDIR_P) tests/cli
	$(AM_V_GUEST)$(CC) $(guest_compile_options) -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-N,-Ttext=0x100000 \
	        -o $@ $(srcdir)/tests/cli/actor.c

EXTRA_DIST += tests/cli/actor.c tests/README.md
CLEANFILES += tests/cli/actor.elf
