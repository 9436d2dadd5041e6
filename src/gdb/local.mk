# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/gdb/commands.c \
        src/gdb/gdb.h \
        src/gdb/internal.h \
        src/gdb/registers.c \
        src/gdb/server.c
