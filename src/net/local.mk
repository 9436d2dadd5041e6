# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/net/internal.h \
        src/net/net.c \
        src/net/net.h \
        src/net/offload.c \
        src/net/options.c \
        src/net/pcap.c \
        src/net/stream.c \
        src/net/tap.c

AM_CPPFLAGS += $(SLIRP_CFLAGS)
lodger_libs += $(SLIRP_LIBS)

if HAVE_SLIRP
lodger_core_SOURCES += src/net/slirp.c
endif
