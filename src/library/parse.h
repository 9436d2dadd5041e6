/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parse.h - option values as people write them: sizes, durations, serial ports, names.
 *
 * Each returns false when the text is none; the caller says which option it was and what to write.
 */
#ifndef LODGER_LIBRARY_PARSE_H
#define LODGER_LIBRARY_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* "512M", "2G", "65536K", "1T"; also "512MiB".  A plain number is bytes. */
bool parse_size(const char *text, uint64_t *bytes);
/* "90s", "10m", "2h", "1.5h"; a plain number is seconds.  More than zero. */
bool parse_duration(const char *text, double *seconds);
/* "stdio", "pty", "none", "file:PATH", "unix:PATH". */
bool parse_serial(const char *text);
/* "FILE" or "FILE,port=0xe9". */
bool parse_debug_console(const char *text);
/* What may name a machine: 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit. */
bool parse_name(const char *text);

#endif
