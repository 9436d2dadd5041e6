# SPDX-License-Identifier: GPL-2.0-or-later
lodger_SOURCES += \
        src/cli/cli.h \
        src/cli/doctor.c \
        src/cli/main.c \
        src/cli/parse.c \
        src/cli/parse.h \
        src/cli/run.c
