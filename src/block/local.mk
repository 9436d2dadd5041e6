# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/block/block.c \
        src/block/block.h \
        src/block/driver.h \
        src/block/file_lock.c \
        src/block/image_io.c \
        src/block/instant.c \
        src/block/internal.h \
        src/block/nbd.c \
        src/block/nbd.h \
        src/block/open.c \
        src/block/overlay.c \
        src/block/qcow2.c \
        src/block/qcow2.h \
        src/block/qcow2_cache.c \
        src/block/qcow2_check.c \
        src/block/qcow2_compress.c \
        src/block/qcow2_create.c \
        src/block/qcow2_header.c \
        src/block/qcow2_map.c \
        src/block/qcow2_refcount.c \
        src/block/qcow2_snapshot.c \
        src/block/raw.c \
        src/block/serve.c \
        src/block/tool.c \
        src/block/tool.h \
        src/block/tool_chain.c \
        src/block/uring.c \
        src/block/uring.h
