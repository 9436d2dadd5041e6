# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/base/clock.c \
        src/base/clock.h \
        src/base/i18n.h \
        src/base/log.c \
        src/base/log.h \
        src/base/socket.c \
        src/base/socket.h \
        src/base/state.c \
        src/base/state.h \
        src/base/symbols.c \
        src/base/symbols.h

lodger_gpr_SOURCES += \
        src/base/lock.c \
        src/base/lock.h
