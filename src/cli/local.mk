# SPDX-License-Identifier: GPL-2.0-or-later
lodger_SOURCES += \
        src/cli/bench.c \
        src/cli/cli.h \
        src/cli/client.c \
        src/cli/client.h \
        src/cli/create.c \
        src/cli/define.c \
        src/cli/doctor.c \
        src/cli/eject.c \
        src/cli/image.c \
        src/cli/image.h \
        src/cli/image_print.c \
        src/cli/engine.c \
        src/cli/info.c \
        src/cli/insert.c \
        src/cli/key.c \
        src/cli/list.c \
        src/cli/main.c \
        src/cli/mouse.c \
        src/cli/net.c \
        src/cli/pause.c \
        src/cli/reset.c \
        src/cli/resume.c \
        src/cli/run.c \
        src/cli/screen.c \
        src/cli/screenshot.c \
        src/cli/script.c \
        src/cli/script.h \
        src/cli/session.c \
        src/cli/session.h \
        src/cli/snapshot.c \
        src/cli/snapshot_show.c \
        src/cli/snapshot_show.h \
        src/cli/start.c \
        src/cli/stats.c \
        src/cli/stop.c \
        src/cli/type.c
