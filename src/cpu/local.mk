# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/cpu/lapic.c \
        src/cpu/lapic.h \
        src/cpu/model.c \
        src/cpu/paravirt.c \
        src/cpu/paravirt.h \
        src/cpu/state.c \
        src/cpu/state.h \
        src/cpu/x2apic.c

# State, memory and instructions: all of it runs while a guest's vector registers may be live.
lodger_gpr_SOURCES += \
        src/cpu/access.c \
        src/cpu/cpu.c \
        src/cpu/cpu.h \
        src/cpu/cpuid.c \
        src/cpu/cpuid.h \
        src/cpu/debug.c \
        src/cpu/debug.h \
        src/cpu/decode.c \
        src/cpu/exception.c \
        src/cpu/exception.h \
        src/cpu/exec.h \
        src/cpu/exec_control.c \
        src/cpu/exec_far.c \
        src/cpu/exec_far.h \
        src/cpu/exec_fpu.c \
        src/cpu/exec_gate.c \
        src/cpu/exec_integer.c \
        src/cpu/exec_io.c \
        src/cpu/exec_iret.c \
        src/cpu/exec_long.c \
        src/cpu/exec_segment.c \
        src/cpu/exec_string.c \
        src/cpu/exec_system.c \
        src/cpu/exec_avx.c \
        src/cpu/exec_xsave.c \
        src/cpu/fpu.h \
        src/cpu/insn.h \
        src/cpu/io.h \
        src/cpu/mode.c \
        src/cpu/mode.h \
        src/cpu/msr.c \
        src/cpu/msr.h \
        src/cpu/opcode_table.c \
        src/cpu/opcode_table.h \
        src/cpu/opcodes.def \
        src/cpu/opcodes_integer.def \
        src/cpu/opcodes_sse.def \
        src/cpu/opcodes_vex.def \
        src/cpu/opcodes_system.def \
        src/cpu/opcodes_x87.def \
        src/cpu/operand.c \
        src/cpu/operand.h \
        src/cpu/paging.c \
        src/cpu/segment.c \
        src/cpu/segment.h \
        src/cpu/task.c \
        src/cpu/tlb.c \
        src/cpu/tlb.h
