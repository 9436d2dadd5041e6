/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands.c - what a debugger's packets ask for ("Debugging with GDB", appendix on the remote protocol).
 *
 * A packet comes from outside: every number is parsed with its bounds, what does not parse gets E16 (EINVAL), what
 * is not known an empty answer.
 */
#include <stdlib.h>
#include <string.h>
#include "gdb/internal.h"

enum { REGISTER_BYTES_MAX = 16, MEMORY_BYTES_MAX = GDB_PACKET_MAX / 2 - 32 };

static const char bad_request[] = "E16", bad_address[] = "E14";

/* -- Numbers and bytes --------------------------------------------------------------------------------- */

/* A hexadecimal number at *p, which moves behind it. */
static bool take_number(char **p, uint64_t *value)
{
        char *end = *p;

        *value = 0;
        for (; g_ascii_isxdigit(*end); end++) {
                if (*value >> 60)
                        return false;
                *value = *value << 4 | (unsigned)g_ascii_xdigit_value(*end);
        }
        if (end == *p)
                return false;
        *p = end;
        return true;
}

static bool take_char(char **p, char c)
{
        if (**p != c)
                return false;
        ++*p;
        return true;
}

static bool take_bytes(char **p, uint8_t *bytes, size_t count)
{
        for (size_t i = 0; i < count; i++, *p += 2) {
                if (!g_ascii_isxdigit((*p)[0]) || !g_ascii_isxdigit((*p)[1]))
                        return false;
                bytes[i] = (uint8_t)(g_ascii_xdigit_value((*p)[0]) << 4 | g_ascii_xdigit_value((*p)[1]));
        }
        return true;
}

static void append_bytes(GString *text, const uint8_t *bytes, size_t count)
{
        for (size_t i = 0; i < count; i++)
                g_string_append_printf(text, "%02x", bytes[i]);
}

static void send_string(struct gdb_server *server, GString *text)
{
        gdb_send_binary(server, text->str, text->len);
        g_string_free(text, TRUE);
}

static struct cpu *current_cpu(const struct gdb_server *server) { return machine_debug_cpu(server->machine, server->current); }

/* -- Registers ---------------------------------------------------------------------------------------------- */

static void read_registers(struct gdb_server *server)
{
        GString *text = g_string_new(NULL);
        uint8_t bytes[REGISTER_BYTES_MAX];

        for (unsigned i = 0; i < gdb_register_count(server->arch); i++) {
                gdb_register_get(current_cpu(server), server->arch, i, bytes);
                append_bytes(text, bytes, gdb_register_bytes(server->arch, i));
        }
        send_string(server, text);
}

/* All at once: what cannot be changed is passed over, as GDB sends every register when one was set. */
static void write_registers(struct gdb_server *server, char *p)
{
        uint8_t bytes[REGISTER_BYTES_MAX];

        for (unsigned i = 0; i < gdb_register_count(server->arch) && *p; i++) {
                if (!take_bytes(&p, bytes, gdb_register_bytes(server->arch, i))) {
                        gdb_send(server, bad_request);
                        return;
                }
                gdb_register_set(current_cpu(server), server->arch, i, bytes);
        }
        gdb_send(server, "OK");
}

static void one_register(struct gdb_server *server, char *p, bool write)
{
        uint8_t bytes[REGISTER_BYTES_MAX];
        uint64_t number;

        if (!take_number(&p, &number) || number >= gdb_register_count(server->arch)) {
                gdb_send(server, bad_request);
        } else if (!write) {
                GString *text = g_string_new(NULL);
                gdb_register_get(current_cpu(server), server->arch, (unsigned)number, bytes);
                append_bytes(text, bytes, gdb_register_bytes(server->arch, (unsigned)number));
                send_string(server, text);
        } else {
                bool done = take_char(&p, '=') && take_bytes(&p, bytes, gdb_register_bytes(server->arch, (unsigned)number)) &&
                            gdb_register_set(current_cpu(server), server->arch, (unsigned)number, bytes);
                gdb_send(server, done ? "OK" : bad_request);
        }
}

/* -- Memory --------------------------------------------------------------------------------------------------- */

/* Bytes done, up to the first page that is not there. */
static size_t access_memory(struct gdb_server *server, uint64_t address, uint8_t *bytes, size_t count, bool write)
{
        struct cpu *cpu = current_cpu(server);
        size_t done = 0;

        while (done < count) {
                gva_t at = cpu_long_mode(cpu) || server->physical ? address + done : (uint32_t)(address + done);
                size_t piece = MIN(count - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
                gpa_t gpa = at;

                if (!server->physical && !cpu_translate_debug(cpu, at, &gpa))
                        break;
                if (!(write ? machine_debug_write(server->machine, gpa, bytes + done, piece)
                            : machine_debug_read(server->machine, gpa, bytes + done, piece)))
                        break;
                done += piece;
        }
        return done;
}

static void read_memory(struct gdb_server *server, char *p)
{
        uint64_t address, count;

        if (!take_number(&p, &address) || !take_char(&p, ',') || !take_number(&p, &count) || *p || count > MEMORY_BYTES_MAX) {
                gdb_send(server, bad_request);
                return;
        }
        uint8_t *bytes = g_malloc(count + 1);
        size_t done = access_memory(server, address, bytes, count, false);
        if (!done && count) {
                gdb_send(server, bad_address);
        } else {
                GString *text = g_string_new(NULL);
                append_bytes(text, bytes, done);
                send_string(server, text);
        }
        g_free(bytes);
}

/* M, with hexadecimal digits, and X, with bytes in which } escapes the next. */
static void write_memory(struct gdb_server *server, char *p, const char *end, bool binary)
{
        uint64_t address, count;

        if (!take_number(&p, &address) || !take_char(&p, ',') || !take_number(&p, &count) || !take_char(&p, ':') ||
            count > MEMORY_BYTES_MAX) {
                gdb_send(server, bad_request);
                return;
        }
        uint8_t *bytes = g_malloc(count + 1);
        bool good = true;
        if (binary) {
                size_t i = 0;
                for (; i < count && p < end; i++, p++) {
                        bool escaped = *p == '}' && p + 1 < end;
                        bytes[i] = escaped ? (uint8_t)(*++p ^ 0x20) : (uint8_t)*p;
                }
                good = i == count;
        } else {
                good = take_bytes(&p, bytes, count);
        }
        if (!good)
                gdb_send(server, bad_request);
        else
                gdb_send(server, access_memory(server, address, bytes, count, true) == count ? "OK" : bad_address);
        g_free(bytes);
}

/* -- Breakpoints ------------------------------------------------------------------------------------------------ */

void gdb_points_changed(struct gdb_server *server)
{
        for (unsigned i = 0; i < machine_debug_cpus(server->machine); i++) {
                struct cpu *cpu = machine_debug_cpu(server->machine, i);
                cpu->debugger = server->points.count ? &server->points : NULL;
                cpu_debug_changed(cpu);
        }
}

/* Guest memory is never changed: a software breakpoint is one of the translator's too. */
static void change_point(struct gdb_server *server, char *p, bool insert)
{
        static const uint8_t kinds[] = { DEBUG_EXECUTE, DEBUG_EXECUTE, DEBUG_WRITE, DEBUG_READ, DEBUG_ACCESS };
        struct cpu_debugger *points = &server->points;
        unsigned type = (unsigned)(*p - '0'), at;
        uint64_t address, bytes;

        if (*p < '0' || *p > '4') {
                gdb_send(server, "");
                return;
        }
        p++;
        if (!take_char(&p, ',') || !take_number(&p, &address) || !take_char(&p, ',') || !take_number(&p, &bytes) ||
            (type > 1 && (!bytes || bytes > PAGE_SIZE))) {
                gdb_send(server, bad_request);
                return;
        }
        struct debug_point point = { .linear = address, .bytes = type > 1 ? (uint32_t)bytes : 1, .kind = kinds[type] };
        for (at = 0; at < points->count; at++)
                if (server->point_type[at] == type && points->point[at].linear == address && points->point[at].bytes == point.bytes)
                        break;
        if (insert && at == points->count) {
                if (points->count == DEBUG_POINTS_MAX) {
                        gdb_send(server, "E1c");        /* ENOSPC */
                        return;
                }
                points->point[points->count] = point;
                server->point_type[points->count++] = (uint8_t)type;
        } else if (!insert && at < points->count) {
                points->count--;
                points->point[at] = points->point[points->count];
                server->point_type[at] = server->point_type[points->count];
        }
        gdb_points_changed(server);
        gdb_send(server, "OK");
}

/* -- Going and stopping -------------------------------------------------------------------------------------------- */

static void append_stop(struct gdb_server *server, GString *text, const struct cpu *cpu)
{
        static const char *const watches[] = { [DEBUG_WRITE] = "watch", [DEBUG_READ] = "rwatch", [DEBUG_ACCESS] = "awatch" };

        if (cpu->debug_stop == DEBUG_STOP_WATCH && cpu->debug_watch_kind < G_N_ELEMENTS(watches) && watches[cpu->debug_watch_kind]) {
                g_string_append_printf(text, "%s:%" G_GINT64_MODIFIER "x;", watches[cpu->debug_watch_kind], cpu->debug_watch_linear);
        } else if (cpu->debug_stop == DEBUG_STOP_BREAK && (cpu_code64(cpu) || !cpu->seg[SEG_CS].base)) {
                /* GDB knows no segments: where CS has a base it would find no breakpoint at EIP, take this for
                 * one that it has removed, and go on without a word. */
                const char *what = "swbreak:;";
                for (unsigned i = 0; i < server->points.count; i++)
                        if (server->points.point[i].linear == cpu->rip && server->point_type[i] == 1)
                                what = "hwbreak:;";
                g_string_append(text, what);
        }
}

void gdb_report_stop(struct gdb_server *server, bool interrupted)
{
        GString *text = g_string_new(interrupted ? "T02" : "T05");

        server->running = false;
        for (unsigned i = 0; i < machine_debug_cpus(server->machine); i++) {
                const struct cpu *cpu = machine_debug_cpu(server->machine, i);
                if (cpu->debug_stop) {
                        server->current = i;
                        append_stop(server, text, cpu);
                        break;
                }
        }
        g_string_append_printf(text, "thread:%x;", server->current + 1);
        send_string(server, text);
}

/* Clears what stopped the vCPUs and lets the machine go. */
static void go_on(struct gdb_server *server)
{
        for (unsigned i = 0; i < machine_debug_cpus(server->machine); i++)
                machine_debug_cpu(server->machine, i)->debug_stop = DEBUG_STOP_NONE;
        server->running = true;
        machine_debug_resume(server->machine);
}

static void set_step(struct gdb_server *server, unsigned index, bool step)
{
        machine_debug_cpu(server->machine, index)->debug_step = step;
}

/* c and s, with the address to go on at that nobody uses any more. */
static void resume(struct gdb_server *server, char *p, bool step)
{
        uint64_t address;

        if (*p && !take_number(&p, &address)) {
                gdb_send(server, bad_request);
                return;
        }
        if (p[0] == '\0' && p[-1] != 'c' && p[-1] != 's')
                current_cpu(server)->rip = address;
        for (unsigned i = 0; i < machine_debug_cpus(server->machine); i++)
                set_step(server, i, step && i == server->current);
        go_on(server);
}

/* vCont;ACTION[:THREAD]...: the first action that fits a vCPU is its own. */
static void resume_each(struct gdb_server *server, char *p)
{
        unsigned cpus = machine_debug_cpus(server->machine);
        bool *decided = g_new0(bool, cpus);
        bool good = true;

        for (unsigned i = 0; i < cpus; i++)
                set_step(server, i, false);
        while (good && take_char(&p, ';')) {
                char action = *p;
                uint64_t signal, thread = 0;

                good = action && strchr("cCsS", action);
                p += good;
                if (good && g_ascii_isupper(action))
                        good = take_number(&p, &signal);
                if (good && take_char(&p, ':') && !take_char(&p, '-'))
                        good = take_number(&p, &thread) && thread <= cpus;
                else if (good && g_ascii_isdigit(*p))
                        p++;                    /* -1: all */
                for (unsigned i = 0; good && i < cpus; i++) {
                        if (decided[i] || (thread && thread != i + 1))
                                continue;
                        decided[i] = true;
                        set_step(server, i, g_ascii_tolower(action) == 's');
                }
        }
        g_free(decided);
        if (!good || *p) {
                for (unsigned i = 0; i < cpus; i++)
                        set_step(server, i, false);
                gdb_send(server, bad_request);
                return;
        }
        go_on(server);
}

/* -- Questions --------------------------------------------------------------------------------------------------------- */

/* Part of the description: "l" and the last piece, or "m" and one before. */
static void send_description(struct gdb_server *server, char *p)
{
        uint64_t offset, count;

        if (!take_number(&p, &offset) || !take_char(&p, ',') || !take_number(&p, &count)) {
                gdb_send(server, bad_request);
                return;
        }
        server->arch = server->arch_asked != GDB_ARCH_AUTO ? server->arch_asked
                : cpu_long_mode(current_cpu(server)) ? GDB_ARCH_X86_64 : GDB_ARCH_I386;
        GString *xml = gdb_target_xml(server->arch), *text = g_string_new("l");
        offset = MIN(offset, xml->len);
        count = MIN(count, GDB_PACKET_MAX / 2);
        if (count < xml->len - offset)
                text->str[0] = 'm';
        else
                count = xml->len - offset;
        g_string_append_len(text, xml->str + offset, (gssize)count);
        send_string(server, text);
        g_string_free(xml, TRUE);
}

static void query(struct gdb_server *server, char *text)
{
        char answer[128];

        if (g_str_has_prefix(text, "qSupported")) {
                g_snprintf(answer, sizeof(answer), "PacketSize=%x;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+;QStartNoAckMode+",
                           GDB_PACKET_MAX);
                gdb_send(server, answer);
        } else if (g_str_has_prefix(text, "qXfer:features:read:target.xml:")) {
                send_description(server, text + strlen("qXfer:features:read:target.xml:"));
        } else if (!strcmp(text, "QStartNoAckMode")) {
                gdb_send(server, "OK");
                server->no_ack = true;
        } else if (!strcmp(text, "qAttached")) {
                gdb_send(server, "1");
        } else if (!strcmp(text, "qC")) {
                g_snprintf(answer, sizeof(answer), "QC%x", server->current + 1);
                gdb_send(server, answer);
        } else if (!strcmp(text, "qfThreadInfo")) {
                GString *list = g_string_new("m");
                for (unsigned i = 0; i < machine_debug_cpus(server->machine); i++)
                        g_string_append_printf(list, "%s%x", i ? "," : "", i + 1);
                send_string(server, list);
        } else if (!strcmp(text, "qsThreadInfo")) {
                gdb_send(server, "l");
        } else if (!strcmp(text, "qqemu.PhyMemMode")) {
                gdb_send(server, server->physical ? "1" : "0");
        } else if (g_str_has_prefix(text, "Qqemu.PhyMemMode:")) {
                server->physical = text[strlen("Qqemu.PhyMemMode:")] == '1';
                gdb_send(server, "OK");
        } else {
                gdb_send(server, "");
        }
}

/* H and T name a thread: 0 and -1 are any. */
static void thread(struct gdb_server *server, char *p, bool select)
{
        uint64_t number = 0;
        bool any = take_char(&p, '-') || (take_number(&p, &number) && number == 0);

        if (!any && (!number || number > machine_debug_cpus(server->machine))) {
                gdb_send(server, bad_request);
                return;
        }
        if (select && !any)
                server->current = (unsigned)number - 1;
        gdb_send(server, "OK");
}

void gdb_command(struct gdb_server *server, char *text, size_t length)
{
        char *rest = text + 1;

        /* While it runs there is nothing to be asked; ^C is no packet. */
        if (server->running)
                return;
        switch (text[0]) {
        case '?':
                gdb_report_stop(server, false);
                break;
        case 'g': read_registers(server); break;
        case 'G': write_registers(server, rest); break;
        case 'p': one_register(server, rest, false); break;
        case 'P': one_register(server, rest, true); break;
        case 'm': read_memory(server, rest); break;
        case 'M': write_memory(server, rest, text + length, false); break;
        case 'X': write_memory(server, rest, text + length, true); break;
        case 'Z': change_point(server, rest, true); break;
        case 'z': change_point(server, rest, false); break;
        case 'c': resume(server, rest, false); break;
        case 's': resume(server, rest, true); break;
        case 'H': thread(server, *rest ? rest + 1 : rest, *rest == 'g'); break;
        case 'T': thread(server, rest, false); break;
        case 'q':
        case 'Q': query(server, text); break;
        case 'D':
                gdb_send(server, "OK");
                gdb_disconnect(server);
                break;
        case 'k':
                machine_debug_kill(server->machine);
                gdb_disconnect(server);
                break;
        case 'v':
                if (!strcmp(text, "vCont?"))
                        gdb_send(server, "vCont;c;C;s;S");
                else if (g_str_has_prefix(text, "vCont;"))
                        resume_each(server, text + strlen("vCont"));
                else
                        gdb_send(server, "");
                break;
        default:
                gdb_send(server, "");
                break;
        }
}
