# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/snapshot/compress.c \
        src/snapshot/compress.h \
        src/snapshot/crc32c.c \
        src/snapshot/crc32c.h \
        src/snapshot/fields.c \
        src/snapshot/fields.h \
        src/snapshot/format.h \
        src/snapshot/info.c \
        src/snapshot/info.h \
        src/snapshot/pages.c \
        src/snapshot/pages.h \
        src/snapshot/reader.c \
        src/snapshot/reader.h \
        src/snapshot/writer.c \
        src/snapshot/writer.h
