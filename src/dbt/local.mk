# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/dbt/block.c \
        src/dbt/cache.c \
        src/dbt/check.h \
        src/dbt/check_report.c \
        src/dbt/dbt.c \
        src/dbt/dbt.h \
        src/dbt/dump.c \
        src/dbt/emit.h \
        src/dbt/internal.h \
        src/dbt/profile.c \
        src/dbt/profile.h \
        src/dbt/signals.c \
        src/dbt/slow.h \
        src/dbt/smp.c \
        src/dbt/statistics.c \
        src/dbt/stubs.c \
        src/dbt/translate.c \
        src/dbt/translate.h \
        src/dbt/translate_copy.c \
        src/dbt/translate_flow.c \
        src/dbt/translate_memory.c \
        src/dbt/translate_span.c \
        src/dbt/translate_stack.c \
        src/dbt/translate_string.c \
        src/dbt/translate_system.c

# block_find() is called by the dispatcher, so it lives here with what may run under guest vector state.
lodger_gpr_SOURCES += \
        src/dbt/check.c \
        src/dbt/dispatch.c \
        src/dbt/find.c \
        src/dbt/helpers.c \
        src/dbt/restore.c
