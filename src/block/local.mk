# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/block/block.c \
        src/block/block.h \
        src/block/driver.h \
        src/block/file_lock.c \
        src/block/overlay.c \
        src/block/raw.c
