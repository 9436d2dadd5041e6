/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.c - messages to the user, reports about the guest, and the trace file.
 *
 * A message is formatted whole and written with one write(), so that lines of several threads do not
 * mix and a child after fork() never prints a half-filled buffer twice.  The lock covers where traces
 * go and the rate limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/i18n.h"
#include "base/lock.h"
#include "base/log.h"

uint32_t trace_mask;

/* One line of text at most this long; longer traces (dumps of blocks) go through the heap. */
enum { LINE_BYTES = 512 };

/* Reports about the guest: this many a second, then a count of those left out. */
enum { GUEST_ERRORS_PER_SECOND = 20 };

static struct lock log_lock = { PTHREAD_MUTEX_INITIALIZER, LOCK_RANK_LOG, "log" };
static int trace_fd = STDERR_FILENO;
static const char *profile_file;        /* interned; set before vCPUs start */

static const struct {
        const char *name;
        const char *help;
} categories[TRACE_COUNT] = {
#define X(id, name, help) [TRACE_##id] = { name, help },
        TRACE_CATEGORIES(X)
#undef X
};

/* -- Writing ----------------------------------------------------------------------------------- */

static void write_all(int fd, const char *text, size_t size)
{
        while (size > 0) {
                ssize_t n = write(fd, text, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return;         /* nowhere left to complain to */
                text += n;
                size -= (size_t)n;
        }
}

/* Writes "prefix: message\n" to fd. */
static void write_line(int fd, const char *prefix, const char *format, va_list arguments)
        __attribute__((format(printf, 3, 0)));
static void write_line(int fd, const char *prefix, const char *format, va_list arguments)
{
        char line[LINE_BYTES];
        char *text = line;
        int saved_errno = errno;
        int head = snprintf(line, sizeof(line), "%s: ", prefix);
        va_list again;
        int body;

        va_copy(again, arguments);
        body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, arguments);
        if (body >= (int)sizeof(line) - head - 1) {
                text = g_malloc((size_t)head + (size_t)body + 2);
                memcpy(text, line, (size_t)head);
                vsnprintf(text + head, (size_t)body + 1, format, again);
        }
        va_end(again);
        if (body < 0)
                body = 0;
        /* Multi-line dumps bring their own last newline. */
        if (text[head + body - 1] != '\n')
                text[head + body++] = '\n';
        write_all(fd, text, (size_t)(head + body));
        if (text != line)
                g_free(text);
        errno = saved_errno;
}

void log_error(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        write_line(STDERR_FILENO, "lodger", format, arguments);
        va_end(arguments);
}

void log_warning(const char *format, ...)
{
        char prefix[64];
        va_list arguments;

        snprintf(prefix, sizeof(prefix), "lodger: %s", _("warning"));
        va_start(arguments, format);
        write_line(STDERR_FILENO, prefix, format, arguments);
        va_end(arguments);
}

void guest_error(const char *device, const char *format, ...)
{
        static time_t second;
        static unsigned reports, left_out;
        struct timespec now;
        unsigned missed = 0;
        bool report;
        va_list arguments;

        if (!TRACE_ON(GUEST))
                return;
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
        lock_acquire(&log_lock);
        if (now.tv_sec != second) {
                missed = left_out;
                second = now.tv_sec;
                reports = left_out = 0;
        }
        report = reports < GUEST_ERRORS_PER_SECOND;
        if (report)
                reports++;
        else
                left_out++;
        lock_release(&log_lock);
        if (missed > 0)
                trace_write(TRACE_GUEST, "%u reports left out", missed);
        if (!report)
                return;

        char prefix[64];

        snprintf(prefix, sizeof(prefix), "guest: %s", device);
        va_start(arguments, format);
        write_line(trace_fd, prefix, format, arguments);
        va_end(arguments);
}

/* -- Traces ------------------------------------------------------------------------------------ */

void trace_write(enum trace_category category, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        write_line(trace_fd, categories[category].name, format, arguments);
        va_end(arguments);
}

bool trace_parse(const char *list, const char **bad)
{
        uint32_t mask = 0;
        char **words = g_strsplit(list, ",", -1);
        bool ok = true;

        for (char **word = words; ok && *word != NULL; word++) {
                int i = 0;

                if (g_str_has_prefix(*word, "profile:") && (*word)[strlen("profile:")] != '\0') {
                        profile_file = g_intern_string(*word + strlen("profile:"));
                        mask |= 1u << TRACE_PROFILE;
                        continue;
                }

                if (strcmp(*word, "all") == 0) {
                        mask |= (1u << TRACE_COUNT) - 1;
                        continue;
                }
                while (i < TRACE_COUNT && strcmp(*word, categories[i].name) != 0)
                        i++;
                if (i < TRACE_COUNT) {
                        mask |= 1u << i;
                } else {
                        /* Interned, because the caller prints it after the list is gone. */
                        *bad = g_intern_string(*word);
                        ok = false;
                }
        }
        g_strfreev(words);
        if (ok)
                trace_mask |= mask;
        return ok;
}

const char *trace_profile_file(void) { return profile_file; }

char *trace_describe(void)
{
        GString *text = g_string_new(NULL);

        for (int i = 0; i < TRACE_COUNT; i++)
                g_string_append_printf(text, "  %-12s %s\n", categories[i].name, categories[i].help);
        return g_string_free(text, FALSE);
}

bool trace_open(const char *path)
{
        /* Appending: several writers (and a second run) never overwrite each other's lines. */
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);

        if (fd < 0)
                return false;
        lock_acquire(&log_lock);
        if (trace_fd != STDERR_FILENO)
                close(trace_fd);
        trace_fd = fd;
        lock_release(&log_lock);
        return true;
}
