# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/block/block.c \
        src/block/block.h \
        src/block/driver.h \
        src/block/file_lock.c \
        src/block/image_io.c \
        src/block/internal.h \
        src/block/open.c \
        src/block/overlay.c \
        src/block/raw.c
