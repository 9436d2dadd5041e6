/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk_spec.c - takes "FILE[,key=value][,flag]..." apart, by one table.
 *
 * What stands behind the last comma and is no option belongs to the file's name, with everything in
 * front of it.
 */
#include <stdlib.h>
#include <string.h>

#include "machine/disk_spec.h"

struct option {
        const char *name;               /* ends in '=' when it takes a value */
        bool (*set)(struct disk_spec *spec, const char *value);
        const char *values;             /* for the message */
};

/* Which of `words` (separated by '|') the text is, -1: none. */
static int word_index(const char *words, const char *text)
{
        char **list = g_strsplit(words, "|", -1);
        int found = -1;

        for (int i = 0; list[i]; i++)
                if (!strcmp(list[i], text))
                        found = i;
        g_strfreev(list);
        return found;
}

#define BUSES "ide|ahci|virtio|scsi"
#define CACHES "writeback|writethrough|none|unsafe"
#define SWITCH "on|off"

static bool set_read_only(struct disk_spec *spec, const char *value)
{
        (void)value;
        spec->options.read_only = true;
        return true;
}

static bool set_throwaway(struct disk_spec *spec, const char *value)
{
        (void)value;
        spec->options.throwaway = true;
        return true;
}

static bool set_bus(struct disk_spec *spec, const char *value)
{
        int index = word_index(BUSES, value);

        spec->bus = (enum disk_bus)(DISK_BUS_IDE + index);
        return index >= 0;
}

static bool set_boot_index(struct disk_spec *spec, const char *value)
{
        char *end;
        long number = strtol(value, &end, 10);

        spec->boot_index = (int)number;
        return end != value && !*end && number >= 0 && number <= 9999;
}

static bool set_format(struct disk_spec *spec, const char *value)
{
        g_free(spec->format);
        spec->options.format = spec->format = g_strdup(value);
        return *value;
}

static bool set_cache(struct disk_spec *spec, const char *value)
{
        int index = word_index(CACHES, value);

        spec->options.cache = (enum block_cache)index;
        return index >= 0;
}

static bool set_discard(struct disk_spec *spec, const char *value)
{
        int index = word_index(SWITCH, value);

        spec->options.no_discard = index == 1;
        return index >= 0;
}

static bool set_backing(struct disk_spec *spec, const char *value)
{
        spec->options.trust_backing = !strcmp(value, "trust");
        return spec->options.trust_backing;
}

/* Printable ASCII, as many as the shortest of the controllers' fields holds. */
static bool set_serial(struct disk_spec *spec, const char *value)
{
        for (const char *at = value; *at; at++)
                if (!g_ascii_isprint(*at))
                        return false;
        g_free(spec->serial);
        spec->options.serial = spec->serial = g_strdup(value);
        return *value && strlen(value) <= 20;
}

static const struct option options[] = {
        { "readonly", set_read_only, NULL },
        { "throwaway", set_throwaway, NULL },
        { "bus=", set_bus, BUSES },
        { "bootindex=", set_boot_index, "0 to 9999" },
        { "format=", set_format, "raw, qcow2 ..." },
        { "cache=", set_cache, CACHES },
        { "discard=", set_discard, SWITCH },
        { "backing=", set_backing, "trust" },
        { "serial=", set_serial, "up to 20 characters" },
};

/* The option that `text` is, or NULL. */
static const struct option *option_find(const char *text)
{
        for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
                size_t length = strlen(options[i].name);

                if (options[i].name[length - 1] == '=' ? g_str_has_prefix(text, options[i].name) : !strcmp(text, options[i].name))
                        return &options[i];
        }
        return NULL;
}

bool disk_spec_parse(const char *text, struct disk_spec *spec, GError **error)
{
        memset(spec, 0, sizeof(*spec));
        spec->boot_index = -1;
        spec->path = g_strdup(text);
        for (;;) {
                char *comma = strrchr(spec->path, ',');
                const struct option *option = comma ? option_find(comma + 1) : NULL;

                if (!option)
                        return true;
                if (!option->set(spec, comma + 1 + strlen(option->name))) {
                        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: \"%s\" is none of %s", text, comma + 1,
                                    option->values);
                        disk_spec_clear(spec);
                        return false;
                }
                *comma = '\0';
        }
}

void disk_spec_clear(struct disk_spec *spec)
{
        g_free(spec->path);
        g_free(spec->format);
        g_free(spec->serial);
        memset(spec, 0, sizeof(*spec));
}

/* -- The same drive with another image ----------------------------------------------------------- */

char *disk_spec_with_image(const char *text, const char *path, const char *format, bool trusted)
{
        struct disk_spec spec;
        GString *result;
        char **words;

        if (!disk_spec_parse(text, &spec, NULL))
                return g_strdup(text);
        result = g_string_new(path);
        words = g_strsplit(text + strlen(spec.path), ",", -1);
        for (char **word = words; *word; word++)
                if (**word && !g_str_has_prefix(*word, "format=") && !g_str_has_prefix(*word, "backing="))
                        g_string_append_printf(result, ",%s", *word);
        g_string_append_printf(result, ",format=%s%s", format, trusted ? ",backing=trust" : "");
        g_strfreev(words);
        disk_spec_clear(&spec);
        return g_string_free(result, FALSE);
}
