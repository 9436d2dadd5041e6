# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/machine/machine.h \
        src/machine/pci.c \
        src/machine/pci.h
