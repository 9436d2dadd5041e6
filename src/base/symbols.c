/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * symbols.c - reads System.map and ELF symbol tables (System V ABI, chapter 4), and finds names by address.
 *
 * The file may be anything: every offset and count in an ELF file is compared with its size before it is used.
 */
#include <elf.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/symbols.h"

struct symbol {
        uint64_t address;
        const char *name;               /* within `strings` */
};

struct symbols {
        GArray *table;                  /* of struct symbol, by rising address */
        GStringChunk *strings;
};

/* Further from the start of a function than this, an address is of something else: a module, the data behind. */
static const uint64_t FUNCTION_BYTES_MAX = 1 << 20;

static void add(struct symbols *symbols, uint64_t address, const char *name)
{
        if (!address || !name || !*name)
                return;
        struct symbol symbol = { address, g_string_chunk_insert(symbols->strings, name) };
        g_array_append_val(symbols->table, symbol);
}

static const char *name_of(char *text)
{
        text[strcspn(text, " \t\r")] = '\0';
        return text;
}

/* Lines of "ADDRESS TYPE NAME", of which T, t, W and w are code (nm(1)); /proc/kallsyms has a module's name behind. */
static void read_map(struct symbols *symbols, const char *text, gsize size)
{
        const char *end = text + size;

        while (text < end) {
                const char *stop = memchr(text, '\n', (size_t)(end - text));
                char *line = g_strndup(text, (gsize)((stop ? stop : end) - text)), *rest;
                guint64 address = g_ascii_strtoull(line, &rest, 16);

                if (rest != line && rest[0] == ' ' && rest[1] && strchr("TtWw", rest[1]) && rest[2] == ' ')
                        add(symbols, address, name_of(rest + 3));
                g_free(line);
                text = stop ? stop + 1 : end;
        }
}

/* -- ELF ----------------------------------------------------------------------------------------- */

/* One section's place in the file, whatever the file's class. */
struct section {
        uint32_t type, link;
        uint64_t offset, bytes;
};

static bool within(uint64_t offset, uint64_t bytes, gsize size) { return offset <= size && bytes <= size - offset; }

static bool section_at(const uint8_t *file, gsize size, bool wide, unsigned index, struct section *section)
{
        uint64_t start, count, each = wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
        Elf64_Ehdr header64;
        Elf32_Ehdr header32;

        memcpy(&header64, file, sizeof header64);
        memcpy(&header32, file, sizeof header32);
        start = wide ? header64.e_shoff : header32.e_shoff;
        count = wide ? header64.e_shnum : header32.e_shnum;
        if (index >= count || (wide ? header64.e_shentsize : header32.e_shentsize) != each || !within(start, count * each, size))
                return false;
        if (wide) {
                Elf64_Shdr s;
                memcpy(&s, file + start + index * each, sizeof s);
                *section = (struct section){ s.sh_type, s.sh_link, s.sh_offset, s.sh_size };
        } else {
                Elf32_Shdr s;
                memcpy(&s, file + start + index * each, sizeof s);
                *section = (struct section){ s.sh_type, s.sh_link, s.sh_offset, s.sh_size };
        }
        return section->type == SHT_NOBITS || within(section->offset, section->bytes, size);
}

static void read_symbols(struct symbols *symbols, const uint8_t *file, bool wide, const struct section *table, const struct section *names)
{
        uint64_t each = wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);

        if (!names->bytes || file[names->offset + names->bytes - 1])    /* names end within their section */
                return;
        for (uint64_t at = 0; at + each <= table->bytes; at += each) {
                Elf64_Sym s;

                if (wide) {
                        memcpy(&s, file + table->offset + at, sizeof s);
                } else {
                        Elf32_Sym narrow;
                        memcpy(&narrow, file + table->offset + at, sizeof narrow);
                        s = (Elf64_Sym){ .st_name = narrow.st_name, .st_info = narrow.st_info, .st_value = narrow.st_value };
                }
                if (ELF64_ST_TYPE(s.st_info) == STT_FUNC && s.st_name < names->bytes)
                        add(symbols, s.st_value, (const char *)file + names->offset + s.st_name);
        }
}

static void read_elf(struct symbols *symbols, const uint8_t *file, gsize size)
{
        bool wide = file[EI_CLASS] == ELFCLASS64;
        struct section table, names;

        for (unsigned i = 0; section_at(file, size, wide, i, &table); i++)
                if (table.type == SHT_SYMTAB && section_at(file, size, wide, table.link, &names) && names.type == SHT_STRTAB)
                        read_symbols(symbols, file, wide, &table, &names);
}

/* -- The table ----------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
        const struct symbol *left = a, *right = b;

        return left->address < right->address ? -1 : left->address > right->address;
}

struct symbols *symbols_load(const char *path, GError **error)
{
        GMappedFile *file = g_mapped_file_new(path, FALSE, error);
        struct symbols *symbols;

        if (!file)
                return NULL;
        const char *bytes = g_mapped_file_get_contents(file);
        gsize size = g_mapped_file_get_length(file);
        symbols = g_new0(struct symbols, 1);
        symbols->table = g_array_new(FALSE, FALSE, sizeof(struct symbol));
        symbols->strings = g_string_chunk_new(1 << 16);
        if (size >= sizeof(Elf64_Ehdr) && !memcmp(bytes, ELFMAG, SELFMAG))
                read_elf(symbols, (const uint8_t *)bytes, size);
        else if (size)
                read_map(symbols, bytes, size);
        g_mapped_file_unref(file);
        if (!symbols->table->len) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                            _("%s: no functions in it; give the guest kernel's System.map or /proc/kallsyms, or a vmlinux "
                              "that is not stripped"), path);
                symbols_free(symbols);
                return NULL;
        }
        g_array_sort(symbols->table, by_address);
        return symbols;
}

void symbols_free(struct symbols *symbols)
{
        if (!symbols)
                return;
        g_array_free(symbols->table, TRUE);
        g_string_chunk_free(symbols->strings);
        g_free(symbols);
}

const char *symbols_find(const struct symbols *symbols, uint64_t address, uint64_t *offset)
{
        guint low = 0, high = symbols->table->len;

        while (low < high) {
                guint middle = low + (high - low) / 2;
                if (g_array_index(symbols->table, struct symbol, middle).address <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (!low)
                return NULL;
        const struct symbol *found = &g_array_index(symbols->table, struct symbol, low - 1);
        *offset = address - found->address;
        return *offset < FUNCTION_BYTES_MAX ? found->name : NULL;
}

bool symbols_address(const struct symbols *symbols, const char *name, uint64_t *address)
{
        for (guint i = 0; i < symbols->table->len; i++) {
                const struct symbol *symbol = &g_array_index(symbols->table, struct symbol, i);
                if (!strcmp(symbol->name, name)) {
                        *address = symbol->address;
                        return true;
                }
        }
        return false;
}
