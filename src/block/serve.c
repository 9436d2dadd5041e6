/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve.c - images of formats that are not read here: which installed program serves them, and how it is called.
 *
 * qemu-nbd reads VDI, VMDK, VHD, VHDX, QED and Parallels; nbdkit reads HTTP(S), SSH and xz, and qemu-nbd the first two
 * where nbdkit is not installed.  qemu-nbd ends with its only connection, nbdkit with its parent.
 *
 * VMDK and QED images can name other files.  As with qcow2 (open.c) that takes consent.
 */
#include <string.h>

#include "block/driver.h"
#include "block/nbd.h"

enum { DESCRIPTOR_BYTES = 65536 };

static const struct { const char *format, *qemu; } served[] = {
        { "vdi", "vdi" }, { "vmdk", "vmdk" }, { "vhd", "vpc" }, { "vpc", "vpc" }, { "vhdx", "vhdx" }, { "qed", "qed" },
        { "parallels", "parallels" }, { "qcow", "qcow" }, { "dmg", "dmg" },
};

static const char *qemu_format(const char *format)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(served); i++)
                if (!strcmp(served[i].format, format))
                        return served[i].qemu;
        return NULL;
}

/* Whether a VMDK descriptor, or the header of a QED image, leads to other files than such as lie beside it. */
static bool names_others(const uint8_t *bytes, size_t size, const char *format)
{
        const char *at = (const char *)bytes, *end = at + size;

        if (!strcmp(format, "qed"))
                return size > 16 && bytes[16] & 1;
        if (!strcmp(format, "qcow"))
                return size > 20 && (bytes[16] | bytes[17] | bytes[18] | bytes[19]);
        if (strcmp(format, "vmdk"))
                return false;
        if (g_strstr_len(at, (gssize)size, "parentFileNameHint"))
                return true;
        for (bool quoted = false; at < end; at++) {
                if (*at == '\n')
                        quoted = false;
                else if (*at == '"')
                        quoted = !quoted;
                else if (quoted && *at == '/')
                        return true;
        }
        return false;
}

static bool has_consent(const char *path, const char *format, const struct block_options *options, GError **error)
{
        struct block_image *file = options->trust_backing ? NULL : raw_open(path, RAW_READ_ONLY | RAW_NO_LOCK, error);
        uint8_t *bytes;
        size_t size;
        bool others;

        if (!file)
                return options->trust_backing;
        size = (size_t)MIN(file->size_bytes, (uint64_t)DESCRIPTOR_BYTES);
        bytes = g_malloc0(size + 1);
        others = image_read(file, 0, bytes, size) || names_others(bytes, size, format);
        g_free(bytes);
        image_close(file);
        if (others)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_CONSENT,
                            "%s: leads to other files; if you trust the image, add \",backing=trust\" (or --trust-backing)", path);
        return !others;
}

/* One of the two programs, and false with a remedy where it is not installed. */
static bool find_program(const char *name, const char *package, const char *path, char **program, GError **error)
{
        *program = g_find_program_in_path(name);
        /* Debian keeps some of them where only root looks. */
        if (!*program && g_file_test("/usr/sbin", G_FILE_TEST_IS_DIR)) {
                char *there = g_build_filename("/usr/sbin", name, NULL);

                if (g_file_test(there, G_FILE_TEST_IS_EXECUTABLE))
                        *program = there;
                else
                        g_free(there);
        }
        if (!*program)
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: is served by %s, which is not installed; install %s", path, name,
                            package);
        return *program;
}

static void add(GPtrArray *command, const char *word)
{
        g_ptr_array_add(command, g_strdup(word));
}

static bool qemu_command(GPtrArray *command, const char *path, const char *format, const struct block_options *options, bool read_only,
                         GError **error)
{
        static const char *const caches[] = { "writeback", "writethrough", "none", "unsafe" };
        char *program, *cache, *full = image_is_protocol(path) ? g_strdup(path) : g_canonicalize_filename(path, NULL);
        bool ok = find_program("qemu-nbd", "qemu-utils", path, &program, error);

        if (ok) {
                g_ptr_array_add(command, program);
                add(command, "--format");
                add(command, format);
                cache = g_strdup_printf("--cache=%s", caches[options->cache]);
                g_ptr_array_add(command, cache);
                add(command, options->no_discard ? "--discard=ignore" : "--discard=unmap");
                if (read_only)
                        add(command, "--read-only");
                add(command, full);
        }
        g_free(full);
        return ok;
}

/* nbdkit's plugin for a protocol or a packed file; all of them are read-only here. */
static bool nbdkit_command(GPtrArray *command, const char *path, const char *format, GError **error)
{
        char *program, *option = NULL;
        bool ok = find_program("nbdkit", "nbdkit", path, &program, error);

        if (!ok)
                return false;
        g_ptr_array_add(command, program);
        add(command, "--exit-with-parent");
        add(command, "--readonly");
        if (!strcmp(format, "xz")) {
                char *full = g_canonicalize_filename(path, NULL);

                add(command, "--filter=xz");
                add(command, "file");
                option = g_strdup_printf("file=%s", full);
                g_free(full);
        } else {
                add(command, "curl");
                option = g_strdup_printf("url=%s", path);
        }
        g_ptr_array_add(command, option);
        return true;
}

struct block_image *serve_open(const char *path, const char *format, const struct block_options *options, GError **error)
{
        GPtrArray *command = g_ptr_array_new_with_free_func(g_free);
        bool read_only = options->read_only || options->throwaway, ok = false;
        struct block_image *image = NULL;

        if (image_is_protocol(path)) {
                bool web = g_str_has_prefix(path, "http:") || g_str_has_prefix(path, "https:");
                char *nbdkit = web ? g_find_program_in_path("nbdkit") : NULL;

                if (!web && !g_str_has_prefix(path, "ssh:"))
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: not a protocol that is known; write ./%s if it is a file",
                                    path, path);
                else if (web && !read_only)
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: only allows reading; add \",readonly\" or \",throwaway\"", path);
                else if (nbdkit)
                        ok = nbdkit_command(command, path, "curl", error);
                else
                        ok = qemu_command(command, path, format ? format : "raw", options, read_only, error);
                g_free(nbdkit);
                format = web ? "http" : "ssh";
        } else if (!strcmp(format, "xz")) {
                if (!read_only)
                        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: is compressed and only read; add \",readonly\" or \",throwaway\"",
                                    path);
                else
                        ok = nbdkit_command(command, path, format, error);
        } else if (!qemu_format(format)) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_FORMAT, "%s: images of format %s are not supported", path, format);
        } else {
                ok = has_consent(path, format, options, error) && qemu_command(command, path, qemu_format(format), options, read_only, error);
        }
        g_ptr_array_add(command, NULL);
        if (ok)
                image = nbd_serve((char **)command->pdata, path, format, read_only, error);
        g_ptr_array_free(command, TRUE);
        return image;
}
