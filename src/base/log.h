/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - messages for people, reports of guest errors, and traces.
 *
 * Three audiences, never mixed.  log_error() and log_warning() speak to the user, once, on standard
 * error: what failed, why, what to do next.  guest_error() reports what a guest did wrong; it is
 * rate-limited and off unless --trace=guest.  TRACE() writes developer events by category to the
 * trace file.  All of them may be called from any thread, but not from a signal handler, and not
 * while a guest's vector registers are live (cpu.h, cpu_host_begin()).
 */
#ifndef LODGER_BASE_LOG_H
#define LODGER_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Trace categories: name for --trace, what it shows. */
#define TRACE_CATEGORIES(X) \
        X(BLOCK, "block", "translated blocks as they are made, guest beside host") \
        X(EXEC, "exec", "every block entered through the dispatcher") \
        X(LINK, "link", "chaining and unchaining of blocks") \
        X(SMC, "smc", "writes to pages that hold translated code") \
        X(IRQ, "irq", "interrupt lines, vectors and end-of-interrupt") \
        X(IO, "io", "port and memory-mapped input and output") \
        X(EXCEPTION, "exception", "guest exceptions and how they are delivered") \
        X(MMU, "mmu", "control registers, TLB fills and flushes") \
        X(MSR, "msr", "model-specific registers and CPUID") \
        X(PROFILE, "profile", "where the guest's time went, sampled, at the end; profile:FILE: to FILE") \
        X(GUEST, "guest", "what the guest did against a datasheet") \
        X(BOOT, "boot", "firmware, kernel images and tables")

enum trace_category {
#define X(id, name, help) TRACE_##id,
        TRACE_CATEGORIES(X)
#undef X
        TRACE_COUNT
};

/* Bit set of enabled categories; read without a lock, written before vCPUs start. */
extern uint32_t trace_mask;

#define TRACE_ON(id) __builtin_expect((trace_mask >> TRACE_##id) & 1, 0)
#define TRACE(id, ...) do { if (TRACE_ON(id)) trace_write(TRACE_##id, __VA_ARGS__); } while (0)

void trace_write(enum trace_category category, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* Parses "block,irq", "profile:FILE" or "all".  False and the offending word in *bad when a name is unknown. */
bool trace_parse(const char *list, const char **bad);
/* FILE of "profile:FILE", or NULL. */
const char *trace_profile_file(void);
/* Sends traces to PATH instead of standard error.  False with errno set on failure. */
bool trace_open(const char *path);
/* The categories and what they show, one a line; caller frees. */
char *trace_describe(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void guest_error(const char *device, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
