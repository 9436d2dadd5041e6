# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/machine/acpi.c \
        src/machine/acpi.h \
        src/machine/boot.c \
        src/machine/boot.h \
        src/machine/boot_linux.c \
        src/machine/boot_multiboot.c \
        src/machine/checkpoint.c \
        src/machine/checkpoint.h \
        src/machine/checkpoint_disks.c \
        src/machine/checkpoint_disks.h \
        src/machine/checkpoint_fork.c \
        src/machine/checkpoint_lazy.c \
        src/machine/checkpoint_lazy.h \
        src/machine/checkpoint_parts.c \
        src/machine/checkpoint_parts.h \
        src/machine/checkpoint_restore.c \
        src/machine/debug.c \
        src/machine/debug.h \
        src/machine/disk_spec.c \
        src/machine/disk_spec.h \
        src/machine/firmware.c \
        src/machine/firmware.h \
        src/machine/image.c \
        src/machine/image.h \
        src/machine/internal.h \
        src/machine/machine.c \
        src/machine/machine.h \
        src/machine/manage.c \
        src/machine/manage.h \
        src/machine/network.c \
        src/machine/network.h \
        src/machine/pc.c \
        src/machine/pci.c \
        src/machine/pci.h \
        src/machine/smbios.c \
        src/machine/smbios.h \
        src/machine/pci_msi.c \
        src/machine/storage.c \
        src/machine/storage.h \
        src/machine/virtio.c \
        src/machine/virtio.h

# The ACPI tables and the option ROMs are assembled here and compiled in as arrays of bytes.
machine_blobs = src/machine/dsdt.h src/machine/rom_linux.h src/machine/rom_multiboot.h
machine_roms = src/machine/bootrom/linux.S src/machine/bootrom/multiboot.S
nodist_lodger_core_SOURCES = $(machine_blobs)
BUILT_SOURCES += $(machine_blobs)
CLEANFILES += $(machine_blobs) src/machine/dsdt.aml src/machine/rom_linux.bin src/machine/rom_multiboot.bin
EXTRA_DIST += $(machine_roms) src/machine/bootrom/rom.inc src/machine/bytes-to-c data/acpi/dsdt.asl

src/machine/dsdt.aml: $(srcdir)/data/acpi/dsdt.asl
	$(AM_V_GEN)$(MKDIR_P) src/machine && $(IASL) -vs -p src/machine/dsdt $(srcdir)/data/acpi/dsdt.asl >src/machine/dsdt.log || \
		{ cat src/machine/dsdt.log; exit 1; }
	@rm -f src/machine/dsdt.log

# 16-bit code, linked at 0: no libraries, no flags of the host's build.
rom_link = $(CC) -m32 -nostdlib -static -no-pie -Wl,-Ttext=0,--oformat=binary,-e,0,--build-id=none
src/machine/rom_linux.bin: $(srcdir)/src/machine/bootrom/linux.S $(srcdir)/src/machine/bootrom/rom.inc
	$(AM_V_GEN)$(MKDIR_P) src/machine && $(rom_link) -I $(srcdir)/src/machine/bootrom -o $@ $(srcdir)/src/machine/bootrom/linux.S
src/machine/rom_multiboot.bin: $(srcdir)/src/machine/bootrom/multiboot.S $(srcdir)/src/machine/bootrom/rom.inc
	$(AM_V_GEN)$(MKDIR_P) src/machine && $(rom_link) -I $(srcdir)/src/machine/bootrom -o $@ $(srcdir)/src/machine/bootrom/multiboot.S

src/machine/dsdt.h: src/machine/dsdt.aml $(srcdir)/src/machine/bytes-to-c
	$(AM_V_GEN)sh $(srcdir)/src/machine/bytes-to-c dsdt_aml src/machine/dsdt.aml >$@.tmp && mv $@.tmp $@
src/machine/rom_linux.h: src/machine/rom_linux.bin $(srcdir)/src/machine/bytes-to-c
	$(AM_V_GEN)sh $(srcdir)/src/machine/bytes-to-c rom_linux src/machine/rom_linux.bin >$@.tmp && mv $@.tmp $@
src/machine/rom_multiboot.h: src/machine/rom_multiboot.bin $(srcdir)/src/machine/bytes-to-c
	$(AM_V_GEN)sh $(srcdir)/src/machine/bytes-to-c rom_multiboot src/machine/rom_multiboot.bin >$@.tmp && mv $@.tmp $@
