/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import.c - finds and reads the definition, and makes the machine it describes. */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "import/import.h"
#include "import/tar.h"
#include "import/xml.h"
#include "library/guest_os.h"

enum { NOTES_MAX = 30, CPUS_MAX = MACHINE_CPUS_MAX };

/* -- What the readers of each format tell ------------------------------------------------------------ */

void import_set_name(struct import *import, const char *name)
{
        g_free(import->name);
        import->name = library_name_from(name);
}

void import_set_os(struct import *import, const char *words)
{
        const char *os = guest_os_guess(words);

        /* Programs mark the 64-bit kinds of each system; what only says "Linux" may be an old one. */
        if (os && !strcmp(os, "linux64") && !strstr(words, "64"))
                os = "linux32";
        import->os = os ? os : "other";
}

void import_note(struct import *import, const char *format, ...)
{
        va_list arguments;

        if (import->notes->len >= NOTES_MAX)
                return;
        va_start(arguments, format);
        g_ptr_array_add(import->notes, g_strdup_vprintf(format, arguments));
        va_end(arguments);
}

uint64_t import_number(const char *text, uint64_t unit)
{
        guint64 number;

        if (!text || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &number, NULL) || (unit && number > (uint64_t)G_MAXINT64 / unit))
                return 0;
        return number * unit;
}

char *import_find_file(const struct import *import, const char *name, GError **error)
{
        char *joined = g_canonicalize_filename(name, import->folder), *path = realpath(joined, NULL), *result = NULL;
        size_t length = strlen(import->folder);
        struct stat info;

        if (!path || stat(path, &info) < 0)
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", joined, g_strerror(errno));
        else if (strncmp(path, import->folder, length) || (length > 1 && path[length] != '/'))
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_FILENAME,
                            _("%s: is not in the definition's own folder; copy it there, and write its new place into the definition"), name);
        else if (!S_ISREG(info.st_mode))
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, _("%s: not a file"), name);
        else
                result = g_strdup(path);
        free(path);
        g_free(joined);
        return result;
}

static void disk_free(gpointer opaque)
{
        struct import_disk *disk = opaque;

        g_free(disk->path);
        g_free(disk->member);
        g_free(disk);
}

bool import_add_disk(struct import *import, const char *name, uint64_t bytes, const char *bus, GError **error)
{
        struct import_disk *disk;
        char *path = NULL;

        if (import->disks->len == IMPORT_DISKS_MAX) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("more than %d disks"), IMPORT_DISKS_MAX);
                return false;
        }
        if (name && !import->archive && !(path = import_find_file(import, name, error)))
                return false;
        disk = g_new0(struct import_disk, 1);
        disk->path = path ? path : name ? g_strdup(import->archive) : NULL;
        disk->member = name && import->archive ? g_strdup(name) : NULL;
        disk->bytes = bytes;
        disk->bus = bus;
        g_ptr_array_add(import->disks, disk);
        return true;
}

void import_add_card(struct import *import, const char *model)
{
        if (import->cards->len < IMPORT_CARDS_MAX)
                g_ptr_array_add(import->cards, (gpointer)model);
        else
                import_note(import, _("only %d network cards are taken over"), IMPORT_CARDS_MAX);
}

/* -- Reading ------------------------------------------------------------------------------------------ */

static bool has_suffix(const char *path, const char *suffix)
{
        size_t length = strlen(path), end = strlen(suffix);

        return length > end && !g_ascii_strcasecmp(path + length - end, suffix);
}

bool import_is_definition(const char *path) { return has_suffix(path, ".vbox") || has_suffix(path, ".ovf") || has_suffix(path, ".ova"); }

/* A piece of a file, bounded; caller frees. */
static char *read_piece(int fd, const char *path, uint64_t offset, uint64_t size, GError **error)
{
        char *text;
        ssize_t n;

        if (size > XML_BYTES_MAX) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s: too large for a definition"), path);
                return NULL;
        }
        text = g_malloc(size + 1);
        n = pread(fd, text, size, (off_t)offset);
        if (n == (ssize_t)size) {
                text[size] = '\0';
                return text;
        }
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(n < 0 ? errno : EIO), "%s: %s", path, g_strerror(n < 0 ? errno : EIO));
        g_free(text);
        return NULL;
}

/* The definition in an archive: its first member that is called so. */
static char *read_archive(int fd, const char *path, gsize *size, GError **error)
{
        GArray *members = tar_list(fd, path, error);
        char *text = NULL;

        for (guint i = 0; members && i < members->len && !text; i++) {
                const struct tar_member *member = &g_array_index(members, struct tar_member, i);

                if (!has_suffix(member->name, ".ovf"))
                        continue;
                *size = member->size;
                text = read_piece(fd, path, member->offset, member->size, error);
                break;
        }
        if (members && !text && error && !*error)
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s: no definition is in the archive"), path);
        if (members)
                g_array_unref(members);
        return text;
}

static char *read_definition(const char *path, bool archive, gsize *size, GError **error)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat info = { 0 };
        char *text = NULL;

        if (fd < 0 || fstat(fd, &info) < 0) {
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", path, g_strerror(errno));
        } else if (archive) {
                text = read_archive(fd, path, size, error);
        } else {
                *size = (gsize)info.st_size;
                text = read_piece(fd, path, 0, (uint64_t)info.st_size, error);
        }
        if (fd >= 0)
                close(fd);
        return text;
}

static bool understand(struct import *import, const char *text, gsize size, GError **error)
{
        struct xml *root = xml_parse(text, size, error);
        bool ok = false;

        if (root && !strcmp(root->name, "VirtualBox"))
                ok = import_vbox(import, root, error);
        else if (root && !strcmp(root->name, "Envelope"))
                ok = import_ovf(import, root, error);
        else if (root)
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("neither a machine of VirtualBox nor an OVF definition"));
        xml_free(root);
        if (import->cpus > CPUS_MAX) {
                import_note(import, _("%d CPUs instead of %u"), CPUS_MAX, import->cpus);
                import->cpus = CPUS_MAX;
        }
        return ok;
}

struct import *import_read(const char *path, GError **error)
{
        char *real = realpath(path, NULL), *text, *base;
        struct import *import;
        gsize size = 0;
        bool ok;

        if (!real) {
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", path, g_strerror(errno));
                return NULL;
        }
        import = g_new0(struct import, 1);
        import->folder = g_path_get_dirname(real);
        import->archive = has_suffix(path, ".ova") ? g_strdup(real) : NULL;
        import->os = "other";
        import->disks = g_ptr_array_new_with_free_func(disk_free);
        import->cdroms = g_ptr_array_new_with_free_func(g_free);
        import->cards = g_ptr_array_new();
        import->notes = g_ptr_array_new_with_free_func(g_free);
        base = g_path_get_basename(path);
        *strrchr(base, '.') = '\0';
        import_set_name(import, base);
        text = read_definition(real, import->archive != NULL, &size, error);
        ok = text && understand(import, text, size, error);
        if (text && !ok)
                g_prefix_error(error, "%s: ", path);
        if (!ok)
                g_clear_pointer(&import, import_free);
        g_free(base);
        g_free(text);
        free(real);
        return import;
}

void import_free(struct import *import)
{
        if (!import)
                return;
        g_ptr_array_unref(import->disks);
        g_ptr_array_unref(import->cdroms);
        g_ptr_array_unref(import->cards);
        g_ptr_array_unref(import->notes);
        g_free(import->name);
        g_free(import->archive);
        g_free(import->folder);
        g_free(import);
}

/* -- Making ------------------------------------------------------------------------------------------- */

static bool copy_bytes(int from, uint64_t offset, uint64_t size, int to, const struct image_progress *progress)
{
        enum { PIECE = 1 << 20 };
        char *piece = g_malloc(PIECE);
        uint64_t done = 0;

        while (done < size && !(progress && progress->cancel && *progress->cancel)) {
                ssize_t n = pread(from, piece, MIN(PIECE, size - done), (off_t)(offset + done));

                if (n == 0)
                        errno = EIO;            /* it has become shorter */
                if (n <= 0 || write(to, piece, (size_t)n) != n)
                        break;
                done += (uint64_t)n;
        }
        g_free(piece);
        return done == size;
}

/* A member of the archive as a file of its own. */
static bool extract(const struct import_disk *disk, const char *to, const struct image_progress *progress, GError **error)
{
        int from = open(disk->path, O_RDONLY | O_CLOEXEC), out = -1;
        GArray *members = from >= 0 ? tar_list(from, disk->path, error) : NULL;
        const struct tar_member *member = members ? tar_find(members, disk->member) : NULL;
        bool ok = false;

        if (member)
                out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (members && !member)
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("%s: %s is not in the archive"), disk->path, disk->member);
        else if (out >= 0)
                ok = copy_bytes(from, member->offset, member->size, out, progress);
        if (!ok && error && !*error)
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", disk->path, g_strerror(errno));
        if (out >= 0)
                close(out);
        if (from >= 0)
                close(from);
        if (members)
                g_array_unref(members);
        return ok;
}

static bool copy_disk(const struct import_disk *disk, const char *to, const struct image_progress *progress, GError **error)
{
        struct image_convert_options convert = { .to = "qcow2" };
        char *member = NULL;
        bool ok;

        if (!disk->path)
                return image_create(to, "qcow2", disk->bytes, &convert.create, error);
        if (disk->member) {
                member = g_strconcat(to, ".part", NULL);
                ok = extract(disk, member, progress, error) && image_convert(member, to, &convert, progress, error);
                unlink(member);
                g_free(member);
                return ok;
        }
        return image_convert(disk->path, to, &convert, progress, error);
}

static bool copy_disks(const struct import *import, struct definition *definition, const struct image_progress *progress, GError **error)
{
        for (guint i = 0; i < import->disks->len; i++) {
                const struct import_disk *disk = g_ptr_array_index(import->disks, i);
                char *file = g_strdup_printf("disk%u.qcow2", i), *to = g_build_filename(definition->folder, file, NULL);
                char *spec = g_strdup_printf("%s,bus=%s", to, disk->bus);
                bool ok = copy_disk(disk, to, progress, error);

                if (ok)
                        options_add(&definition->options, OPTION_DISK, spec);
                g_free(spec);
                g_free(to);
                g_free(file);
                if (!ok)
                        return false;
        }
        return true;
}

static void fill_in(const struct import *import, struct option_set *options)
{
        char *text;

        if (import->memory_bytes >= 1 << 20) {
                text = g_strdup_printf("%" G_GUINT64_FORMAT "M", import->memory_bytes >> 20);
                options_set(options, OPTION_MEMORY, text);
                g_free(text);
        }
        if (import->cpus) {
                text = g_strdup_printf("%u", import->cpus);
                options_set(options, OPTION_CPUS, text);
                g_free(text);
        }
        if (import->uefi)
                options_set(options, OPTION_FIRMWARE, "uefi");
        for (guint i = 0; i < import->cdroms->len; i++)
                options_add(options, OPTION_CDROM, g_ptr_array_index(import->cdroms, i));
        for (guint i = 0; i < import->cards->len; i++) {
                text = g_strdup_printf("user,model=%s", (const char *)g_ptr_array_index(import->cards, i));
                options_add(options, OPTION_NET, text);
                g_free(text);
        }
        if (!import->cards->len)
                options_add(options, OPTION_NET, "none");
}

bool import_make(const struct import *import, const char *name, const struct image_progress *progress, GError **error)
{
        struct definition *definition;
        int lock = -1;
        bool made = false, ok;

        if (!name)
                name = import->name;
        if (!library_check_name(name, error))
                return false;
        definition = definition_new(name, import->os);
        fill_in(import, &definition->options);
        ok = options_check(&definition->options, error) && (made = library_create(definition, error)) &&
             (lock = library_lock(name, error)) >= 0 && copy_disks(import, definition, progress, error) && definition_save(definition, error);
        if (lock >= 0)
                close(lock);
        if (made && !ok)
                library_delete(name, NULL);
        definition_free(definition);
        return ok;
}
