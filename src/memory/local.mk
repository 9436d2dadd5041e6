# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/memory/access.c \
        src/memory/discard.c \
        src/memory/internal.h \
        src/memory/lazy.c \
        src/memory/lazy.h \
        src/memory/map.c \
        src/memory/memory.c \
        src/memory/memory.h \
        src/memory/note.c \
        src/memory/note.h \
        src/memory/ports.c \
        src/memory/ports.h \
        src/memory/share.c \
        src/memory/share.h \
        src/memory/track.c \
        src/memory/track.h

lodger_gpr_SOURCES += src/memory/pages.c
