# SPDX-License-Identifier: GPL-2.0-or-later
# Boot sectors, linked where the firmware loads them.
boot_sectors = tests/boot/disk.bin tests/boot/floppy.bin
check_DATA += $(boot_sectors)
CLEANFILES += $(boot_sectors)
EXTRA_DIST += tests/boot/disk.S tests/boot/floppy.S
test_scripts += tests/boot/check-boot

boot_link = $(CC) -m32 -nostdlib -static -no-pie -Wl,-Ttext=0x7c00,--oformat=binary,-e,0x7c00,--build-id=none
tests/boot/disk.bin: $(srcdir)/tests/boot/disk.S
	$(AM_V_GEN)$(MKDIR_P) tests/boot && $(boot_link) -o $@ $(srcdir)/tests/boot/disk.S
tests/boot/floppy.bin: $(srcdir)/tests/boot/floppy.S
	$(AM_V_GEN)$(MKDIR_P) tests/boot && $(boot_link) -o $@ $(srcdir)/tests/boot/floppy.S
