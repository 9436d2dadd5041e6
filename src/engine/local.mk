# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/engine/engine.c \
        src/engine/engine.h
