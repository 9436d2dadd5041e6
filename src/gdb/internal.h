/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of the GDB server share.
 *
 * server.c has the sockets and the framing of packets, commands.c what packets ask for, registers.c the registers and
 * their description.  All of it runs on the main-loop thread.
 */
#ifndef LODGER_GDB_INTERNAL_H
#define LODGER_GDB_INTERNAL_H

#include <gio/gio.h>
#include <stdbool.h>
#include "cpu/debug.h"
#include "gdb/gdb.h"
#include "machine/debug.h"

enum gdb_arch { GDB_ARCH_AUTO, GDB_ARCH_I386, GDB_ARCH_X86_64 };

enum { GDB_PACKET_MAX = 16384, GDB_OUT_MAX = 1 << 20 };

struct gdb_server {
        struct machine *machine;
        GSocketListener *listener;
        GCancellable *cancel;
        char *path;                     /* of the UNIX socket, to be removed */
        enum gdb_arch arch_asked;
        bool wait;                      /* stands still until the first debugger lets it go */

        /* The debugger; connection is NULL when there is none. */
        GSocketConnection *connection;
        GSource *in_source, *out_source;
        GByteArray *in, *out;
        bool no_ack;
        bool running;                   /* let go by c, s or vCont: a stop is to be reported */
        bool physical;                  /* memory packets take physical addresses */
        unsigned current;               /* vCPU that g, G, p, P and memory packets mean */
        enum gdb_arch arch;             /* as described to this debugger */
        struct cpu_debugger points;
        uint8_t point_type[DEBUG_POINTS_MAX];   /* 0-4, of Z packets */
};

/* -- server.c -- */

void gdb_send(struct gdb_server *server, const char *text);
void gdb_send_binary(struct gdb_server *server, const char *bytes, size_t length);
/* Lets the machine go on without a debugger. */
void gdb_disconnect(struct gdb_server *server);

/* -- commands.c -- */

/* One packet, without frame; text is writable and ends with a NUL. */
void gdb_command(struct gdb_server *server, char *text, size_t length);
/* All vCPUs stand still, by themselves or because of the debugger's ^C. */
void gdb_report_stop(struct gdb_server *server, bool interrupted);
void gdb_points_changed(struct gdb_server *server);

/* -- registers.c -- */

/* The description of the registers, for GDB. */
GString *gdb_target_xml(enum gdb_arch arch);
unsigned gdb_register_count(enum gdb_arch arch);
unsigned gdb_register_bytes(enum gdb_arch arch, unsigned number);
void gdb_register_get(const struct cpu *cpu, enum gdb_arch arch, unsigned number, uint8_t *bytes);
/* False: the register cannot be set to that. */
bool gdb_register_set(struct cpu *cpu, enum gdb_arch arch, unsigned number, const uint8_t *bytes);

#endif
