# SPDX-License-Identifier: GPL-2.0-or-later
# Boot sectors, linked where the firmware loads them.
boot_sectors = tests/boot/disk.bin tests/boot/floppy.bin
check_DATA += $(boot_sectors)
CLEANFILES += $(boot_sectors)
EXTRA_DIST += tests/boot/disk.S tests/boot/floppy.S tests/boot/sector.inc
test_scripts += tests/boot/check-boot

boot_link = $(CC) -m32 -Wa,-I$(srcdir)/tests/boot -nostdlib -static -no-pie -Wl,-Ttext=0x7c00,--oformat=binary,-e,0x7c00,--build-id=none
tests/boot/disk.bin: $(srcdir)/tests/boot/disk.S $(srcdir)/tests/boot/sector.inc
	$(AM_V_GEN)$(MKDIR_P) tests/boot && $(boot_link) -o $@ $(srcdir)/tests/boot/disk.S
tests/boot/floppy.bin: $(srcdir)/tests/boot/floppy.S $(srcdir)/tests/boot/sector.inc
	$(AM_V_GEN)$(MKDIR_P) tests/boot && $(boot_link) -o $@ $(srcdir)/tests/boot/floppy.S

# A program of several sectors in C, in real mode.
if HAVE_M32
check_DATA += tests/boot/dos.bin
test_scripts += tests/boot/check-dos
endif
noinst_PROGRAMS += tests/boot/picture-sum
tests_boot_picture_sum_SOURCES = tests/boot/picture-sum.c
tests_boot_picture_sum_LDADD = $(GLIB_LIBS) $(PNG_LIBS)
CLEANFILES += tests/boot/dos.bin
EXTRA_DIST += tests/boot/check-dos tests/boot/dos.S tests/boot/dos.c tests/boot/dos.expect tests/boot/dos.ld
tests/boot/dos.bin: $(srcdir)/tests/boot/dos.S $(srcdir)/tests/boot/dos.c $(srcdir)/tests/boot/dos.ld
	@$(MKDIR_P) tests/boot
	$(AM_V_GUEST)$(CC) -m16 -march=i686 -std=gnu17 -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector \
	        -fcf-protection=none -fno-asynchronous-unwind-tables -mgeneral-regs-only -Os -Wall -Wextra \
	        -Wl,--build-id=none -Wl,--no-warn-rwx-segments -T $(srcdir)/tests/boot/dos.ld \
	        -o $@ $(srcdir)/tests/boot/dos.S $(srcdir)/tests/boot/dos.c
