# SPDX-License-Identifier: GPL-2.0-or-later
# Pictures of the screen: compared with QEMU's where there is one.
noinst_PROGRAMS += tests/display/screendump
tests_display_screendump_SOURCES = tests/display/screendump.c
tests_display_screendump_LDADD = $(lodger_libs)

if HAVE_M32
test_scripts += tests/display/compare-with-qemu
check_DATA += tests/display/modes.elf
endif
EXTRA_DIST += tests/display/compare-with-qemu tests/display/modes.c tests/display/modes.ld
CLEANFILES += tests/display/modes.elf

tests/display/modes.elf: $(srcdir)/tests/display/modes.c $(srcdir)/tests/display/modes.ld
	@$(MKDIR_P) tests/display
	$(AM_V_GUEST)$(CC) -m16 -march=i686 -std=gnu17 -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector \
	        -fcf-protection=none -fno-asynchronous-unwind-tables -mgeneral-regs-only -Os -Wall -Wextra \
	        -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments \
	        -T $(srcdir)/tests/display/modes.ld -o $@ $(srcdir)/tests/display/modes.c
