# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/backend/backend.h \
        src/backend/display.c \
        src/backend/display.h \
        src/backend/png.c \
        src/backend/serial.c \
        src/backend/serial.h \
        src/backend/serial_file.c \
        src/backend/serial_pty.c \
        src/backend/serial_stdio.c \
        src/backend/serial_unix.c
