# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/engine/engine.c \
        src/engine/engine.h \
        src/engine/kvm/debug.c \
        src/engine/kvm/internal.h \
        src/engine/kvm/kvm.c \
        src/engine/kvm/kvm.h \
        src/engine/kvm/msr.c \
        src/engine/kvm/probe.c \
        src/engine/kvm/slots.c \
        src/engine/kvm/state.c \
        src/engine/kvm/vcpu.c
