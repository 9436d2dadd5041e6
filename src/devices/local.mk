# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/devices/chipset/ferr.c \
        src/devices/chipset/ferr.h \
        src/devices/chipset/fw_cfg.c \
        src/devices/chipset/fw_cfg.h \
        src/devices/chipset/i440fx.c \
        src/devices/chipset/i440fx.h \
        src/devices/chipset/i8237.c \
        src/devices/chipset/i8237.h \
        src/devices/chipset/ioapic.c \
        src/devices/chipset/ioapic.h \
        src/devices/chipset/pic.c \
        src/devices/chipset/pic.h \
        src/devices/chipset/piix3.c \
        src/devices/chipset/piix3.h \
        src/devices/chipset/piix4_pm.c \
        src/devices/chipset/piix4_pm.h \
        src/devices/chipset/pit.c \
        src/devices/chipset/pit.h \
        src/devices/chipset/port92.c \
        src/devices/chipset/rtc.c \
        src/devices/chipset/rtc.h \
        src/devices/device.c \
        src/devices/device.h \
        src/devices/dma.h \
        src/devices/input/i8042.c \
        src/devices/input/i8042.h \
        src/devices/serial/uart16550.c \
        src/devices/serial/uart16550.h \
        src/devices/storage/ata_common.h \
        src/devices/storage/ata_disk.c \
        src/devices/storage/atapi_cd.c \
        src/devices/storage/floppy.c \
        src/devices/storage/floppy.h \
        src/devices/storage/ide.c \
        src/devices/storage/ide.h \
        src/devices/test/debug.c
