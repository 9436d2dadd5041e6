# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/cpu/cpu.h \
        src/cpu/insn.h \
        src/cpu/mode.h

# State, memory and system instructions: all of it runs while a guest's vector registers may be live.
lodger_gpr_SOURCES += \
        src/cpu/access.c \
        src/cpu/cpu.c \
        src/cpu/exception.c \
        src/cpu/exception.h \
        src/cpu/exec_far.c \
        src/cpu/exec_far.h \
        src/cpu/exec_gate.c \
        src/cpu/exec_iret.c \
        src/cpu/exec_segment.c \
        src/cpu/mode.c \
        src/cpu/operand.c \
        src/cpu/operand.h \
        src/cpu/paging.c \
        src/cpu/segment.c \
        src/cpu/segment.h \
        src/cpu/task.c \
        src/cpu/tlb.c \
        src/cpu/tlb.h
