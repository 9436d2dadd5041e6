# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/cpu/cpu.h \
        src/cpu/insn.h \
        src/cpu/mode.h
