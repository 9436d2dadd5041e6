# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/import/import.c \
        src/import/import.h \
        src/import/ovf.c \
        src/import/tar.c \
        src/import/tar.h \
        src/import/vbox.c \
        src/import/xml.c \
        src/import/xml.h
