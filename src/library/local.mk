# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/library/clone.c \
        src/library/definition.c \
        src/library/guest_os.c \
        src/library/guest_os.h \
        src/library/library.c \
        src/library/library.h \
        src/library/option_check.c \
        src/library/option_config.c \
        src/library/option_table.h \
        src/library/options.c \
        src/library/options.h \
        src/library/parse.c \
        src/library/parse.h \
        src/library/timeline.c \
        src/library/timeline.h
