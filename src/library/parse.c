/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.c - option values as people write them. */
#include <errno.h>
#include <glib.h>
#include <math.h>
#include <string.h>
#include "library/parse.h"

enum { NAME_BYTES_MAX = 64 };

/* The power of 1024 an upper- or lower-case suffix stands for, or -1. */
static int suffix_power(char suffix)
{
        static const char suffixes[] = "KMGT";
        const char *found = suffix ? strchr(suffixes, g_ascii_toupper(suffix)) : NULL;

        return found ? (int)(found - suffixes) + 1 : -1;
}

bool parse_size(const char *text, uint64_t *bytes)
{
        char *end;
        guint64 value;
        int power = 0;

        /* strtoull would take a sign and leading blanks. */
        if (!g_ascii_isdigit(*text))
                return false;
        errno = 0;
        value = g_ascii_strtoull(text, &end, 10);
        if (errno != 0)
                return false;
        if (*end != '\0') {
                power = suffix_power(*end++);
                if (power < 0)
                        return false;
                if (g_ascii_strcasecmp(end, "iB") != 0 && g_ascii_strcasecmp(end, "B") != 0 && *end != '\0')
                        return false;
        }
        for (; power > 0; power--) {
                if (__builtin_mul_overflow(value, (guint64)1024, &value))
                        return false;
        }
        *bytes = value;
        return true;
}

bool parse_duration(const char *text, double *seconds)
{
        char *end;
        double value;

        /* Rules out signs, "inf" and "nan"; hexadecimal has an x where the unit would be. */
        if (!g_ascii_isdigit(*text) || strpbrk(text, "xX") != NULL)
                return false;
        value = g_ascii_strtod(text, &end);
        if (strcmp(end, "m") == 0)
                value *= 60;
        else if (strcmp(end, "h") == 0)
                value *= 3600;
        else if (*end != '\0' && strcmp(end, "s") != 0)
                return false;
        if (!isfinite(value) || value <= 0)
                return false;
        *seconds = value;
        return true;
}

bool parse_serial(const char *text)
{
        static const char *const plain[] = { "stdio", "pty", "none", NULL };
        static const char *const with_path[] = { "file:", "unix:", NULL };

        if (g_strv_contains(plain, text))
                return true;
        for (const char *const *prefix = with_path; *prefix != NULL; prefix++) {
                if (g_str_has_prefix(text, *prefix))
                        return text[strlen(*prefix)] != '\0';
        }
        return false;
}

bool parse_debug_console(const char *text)
{
        static const char key[] = ",port=";
        /* The last one, so that a file's name may hold a comma. */
        const char *port = g_strrstr(text, key);
        const char *digits;
        char *end;
        guint64 value;

        if (*text == '\0' || port == text)
                return false;
        if (port == NULL)
                return true;
        digits = port + strlen(key);
        if (!g_ascii_isdigit(*digits))
                return false;
        value = g_ascii_strtoull(digits, &end, 0);
        return *end == '\0' && value <= 0xffff;
}

bool parse_name(const char *text)
{
        size_t length = strlen(text);

        if (length == 0 || length > NAME_BYTES_MAX || !g_ascii_isalnum(*text))
                return false;
        for (; *text != '\0'; text++) {
                if (!g_ascii_isalnum(*text) && strchr("-_.", *text) == NULL)
                        return false;
        }
        return true;
}
