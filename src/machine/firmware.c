/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firmware.c - finds the firmware: the file the user names, or the distribution's SeaBIOS in one of
 * the directories that configure was given (FIRMWARE_PATH), or its UEFI (UEFI_PATH).
 *
 * UEFI is OVMF without Secure Boot, in two files: code, and a template of the variables that stand below it.
 */
#include <gio/gio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/log.h"
#include "machine/firmware.h"
#include "memory/memory.h"

#ifndef FIRMWARE_PATH
#define FIRMWARE_PATH "/usr/share/seabios"
#endif
#define FIRMWARE_NAME "bios-256k.bin"
#ifndef UEFI_PATH
#define UEFI_PATH "/usr/share/OVMF"
#endif
#define UEFI_WORD "uefi"
#define VGA_BIOS_NAME "vgabios-stdvga.bin"

enum { FIRMWARE_MAX_BYTES = 16 << 20, VGA_BIOS_MAX_BYTES = 256 << 10, NET_ROM_MAX_BYTES = 512 << 10 };

/* Names of the code and of its variables; the first pair whose code is there. */
static const char *const uefi_names[][2] = { { "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd" }, { "OVMF_CODE.fd", "OVMF_VARS.fd" } };

static char *find_in(const char *path_list, const char *name)
{
        char **directories = g_strsplit(path_list, ":", -1), *found = NULL;

        for (char **directory = directories; *directory && !found; directory++) {
                char *path = g_build_filename(*directory, name, NULL);

                if (**directory && g_file_test(path, G_FILE_TEST_IS_REGULAR))
                        found = path;
                else
                        g_free(path);
        }
        g_strfreev(directories);
        return found;
}

static char *firmware_find(const char *name)
{
        return find_in(FIRMWARE_PATH, name);
}

/* part: 0 the code, 1 the variables. */
static char *find_uefi(unsigned part, GError **error)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(uefi_names); i++) {
                char *code = find_in(UEFI_PATH, uefi_names[i][0]), *wanted = code ? find_in(UEFI_PATH, uefi_names[i][part]) : NULL;

                g_free(code);
                if (wanted)
                        return wanted;
        }
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("--firmware uefi: no %s in %s: install ovmf"), uefi_names[0][part], UEFI_PATH);
        return NULL;
}

bool firmware_is_uefi(const char *file)
{
        return file && !strcmp(file, UEFI_WORD);
}

/* A PC starts at the last 16 bytes of the image: an image of zeros or ones there would hang silently. */
static bool firmware_check(const char *path, const uint8_t *bytes, gsize size, GError **error)
{
        const uint8_t *vector;

        if (size < 0x10000 || size > FIRMWARE_MAX_BYTES || size % PAGE_SIZE) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                            "%s: %" G_GSIZE_FORMAT " bytes: a PC firmware image has 64 KiB to 16 MiB, in whole pages", path,
                            size);
                return false;
        }
        vector = bytes + size - 16;
        if ((vector[0] == 0 && vector[1] == 0) || (vector[0] == 0xff && vector[1] == 0xff)) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                            "%s: not a PC firmware image: there is no code at its reset vector", path);
                return false;
        }
        return true;
}

GBytes *firmware_load(const char *file, GError **error)
{
        bool uefi = firmware_is_uefi(file);
        char *path = uefi ? find_uefi(0, error) : file ? g_strdup(file) : firmware_find(FIRMWARE_NAME), *bytes;
        gsize size;

        if (!path && uefi)
                return NULL;
        if (!path) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                            "no firmware (%s) in %s: install seabios, or give --firmware FILE", FIRMWARE_NAME,
                            FIRMWARE_PATH);
                return NULL;
        }
        if (!g_file_get_contents(path, &bytes, &size, error)) {
                g_free(path);
                return NULL;
        }
        if (!firmware_check(path, (const uint8_t *)bytes, size, error)) {
                g_free(bytes);
                g_free(path);
                return NULL;
        }
        g_free(path);
        return g_bytes_new_take(bytes, size);
}

GBytes *firmware_load_variables(GError **error)
{
        char *path = find_uefi(1, error), *bytes = NULL;
        gsize size;

        if (path && g_file_get_contents(path, &bytes, &size, error) && (!size || size > FIRMWARE_MAX_BYTES || size % PAGE_SIZE)) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s: %" G_GSIZE_FORMAT " bytes are no UEFI variables"), path, size);
                g_clear_pointer(&bytes, g_free);
        }
        g_free(path);
        return bytes ? g_bytes_new_take(bytes, size) : NULL;
}

GBytes *firmware_load_vga(void)
{
        char *path = firmware_find(VGA_BIOS_NAME), *bytes;
        GError *error = NULL;
        gsize size;

        if (!path) {
                log_warning("no VGA BIOS (%s) in %s: the screen stays dark until the guest drives it", VGA_BIOS_NAME,
                            FIRMWARE_PATH);
                return NULL;
        }
        if (!g_file_get_contents(path, &bytes, &size, &error)) {
                log_warning("%s", error->message);
                g_error_free(error);
                g_free(path);
                return NULL;
        }
        /* An option ROM starts with 55h AAh; its length in units of 512 bytes follows. */
        if (size < 512 || size > VGA_BIOS_MAX_BYTES || (uint8_t)bytes[0] != 0x55 || (uint8_t)bytes[1] != 0xaa) {
                log_warning("%s: not an option ROM: the screen stays dark until the guest drives it", path);
                g_clear_pointer(&bytes, g_free);
        }
        g_free(path);
        return bytes ? g_bytes_new_take(bytes, size) : NULL;
}

GBytes *firmware_load_net(const char *name)
{
        char *path = firmware_find(name), *bytes = NULL;
        gsize size;

        if (path && g_file_get_contents(path, &bytes, &size, NULL) &&
            (size < 512 || size > NET_ROM_MAX_BYTES || (uint8_t)bytes[0] != 0x55 || (uint8_t)bytes[1] != 0xaa))
                g_clear_pointer(&bytes, g_free);
        g_free(path);
        return bytes ? g_bytes_new_take(bytes, size) : NULL;
}
