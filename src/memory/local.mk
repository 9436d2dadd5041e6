# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/memory/memory.h \
        src/memory/ports.h
