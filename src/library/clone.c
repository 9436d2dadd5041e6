/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clone.c - a machine like another one, with whole copies of its disks or overlays on them.
 *
 * Everything is made in the folder ".NEW.cloning", which no name of a machine can mean, and which becomes NEW's by
 * one renaming at the end.  Its lock file is held from the first moment: two that make the same machine do not meet,
 * what a killed process left is recognized and removed, and the new machine is not started before it is complete.
 *
 * Of the disks, those that the guest writes become the new machine's own; others are shared.  A linked clone's disks
 * are qcow2 images with an absolute path to their base, so they are trusted with it (",backing=trust"): the base was
 * opened under the source's own rules when the clone was made, and does not change while it exists (library.h).
 *
 * What has the source's identity is made anew: UUID, and with it the cards' addresses.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library/library.h"
#include "library/timeline.h"
#include "machine/disk_spec.h"

/* In a machine's folder, what else is its own besides disks and is to be copied. */
static const char *const own_files[] = { LIBRARY_UEFI_VARIABLES };

struct clone {
        const struct clone_options *options;
        struct definition *source, *made;
        char *folder;                   /* where it is made */
        int lock;                       /* of that folder */
        GPtrArray *bases;               /* of char *, NULL-terminated at the end */
        uint64_t done, total;           /* bytes of the disks copied, for progress */
};

static bool fail(GError **error, const char *path, int number)
{
        g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, "%s: %s", path, g_strerror(number));
        return false;
}

/* -- What linked clones are based on --------------------------------------------------------------- */

/* A machine, other than `except`, one of whose bases that file is; caller frees. */
static char *find_based_on(const char *path, const char *except)
{
        GPtrArray *names = library_list();
        char *found = NULL;

        for (guint i = 0; !found && i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);
                struct definition *definition = strcmp(name, except) ? definition_load(name, NULL) : NULL;

                if (definition && definition->bases && g_strv_contains((const char *const *)definition->bases, path))
                        found = g_strdup(name);
                definition_free(definition);
        }
        g_ptr_array_unref(names);
        return found;
}

/* A file's one true name; bases are recorded by it.  Not a file, or not there: as it is.  Caller frees. */
static char *true_name(const char *path)
{
        char *real = realpath(path, NULL), *name = g_strdup(real ? real : path);

        free(real);
        return name;
}

static bool is_written(const struct disk_spec *spec) { return !spec->options.read_only && !spec->options.throwaway; }

bool library_check_bases(const char *name, const struct option_set *options, GError **error)
{
        static const enum option lists[] = { OPTION_DISK, OPTION_FLOPPY };
        char *clone = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++)
                for (char **value = options->values[lists[i]]; !clone && value && *value; value++) {
                        struct disk_spec spec;
                        char *path;

                        if (!disk_spec_parse(*value, &spec, error))
                                return false;
                        path = true_name(spec.path);
                        clone = is_written(&spec) ? find_based_on(path, name) : NULL;
                        if (clone)
                                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_NEEDED,
                                            _("%s: %s must stay as it is, because the linked clone %s is based on it; start another "
                                              "linked clone, or delete %s"), name, path, clone, clone);
                        g_free(path);
                        disk_spec_clear(&spec);
                }
        g_free(clone);
        return !clone;
}

void library_protect_bases(const struct definition *definition, bool is_protected)
{
        for (char **base = definition->bases; base && *base; base++) {
                char *other = is_protected ? NULL : find_based_on(*base, definition->name);

                if (!other)
                        image_set_protected(*base, is_protected);
                g_free(other);
        }
}

/* -- The folder ---------------------------------------------------------------------------------- */

static bool folder_claim(struct clone *clone, GError **error)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        char *parent = library_folder(), *path;
        const char *name;
        GDir *left;

        clone->folder = g_strdup_printf("%s/.%s.cloning", parent, clone->made->name);
        path = g_build_filename(clone->folder, "lock", NULL);
        g_free(parent);
        if (mkdir(clone->folder, 0700) == 0 || errno == EEXIST)
                clone->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        g_free(path);
        if (clone->lock < 0)
                return fail(error, clone->folder, errno);
        if (fcntl(clone->lock, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES)) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_BUSY, _("%s: is being made by another process"), clone->made->name);
                g_clear_pointer(&clone->folder, g_free);        /* it is that process's */
                return false;
        }
        left = g_dir_open(clone->folder, 0, NULL);
        while (left && (name = g_dir_read_name(left)) != NULL) {
                path = g_build_filename(clone->folder, name, NULL);
                if (strcmp(name, "lock"))
                        library_remove_tree(path);
                g_free(path);
        }
        if (left)
                g_dir_close(left);
        return true;
}

static bool sync_folder(const char *path, GError **error)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        /* Some file systems cannot sync a folder: they have nothing to lose then. */
        bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);

        if (!ok)
                fail(error, path, errno);
        if (fd >= 0)
                close(fd);
        return ok;
}

/* The folder gets its name: from here on there is such a machine. */
static bool folder_publish(struct clone *clone, GError **error)
{
        char *final = library_machine_folder(clone->made->name), *parent = library_folder();
        bool ok = sync_folder(clone->folder, error);

        if (ok && renameat2(AT_FDCWD, clone->folder, AT_FDCWD, final, RENAME_NOREPLACE) < 0) {
                /* Without NOREPLACE, an empty folder would be replaced; one with a definition is not. */
                int number = errno == EINVAL || errno == ENOSYS ? (rename(clone->folder, final) < 0 ? errno : 0) : errno;

                ok = !number;
                if (!ok)
                        fail(error, final, number);
        }
        if (ok) {
                g_clear_pointer(&clone->folder, g_free);
                library_protect_bases(clone->made, true);
                sync_folder(parent, NULL);
        }
        g_free(parent);
        g_free(final);
        return ok;
}

/* -- Disks --------------------------------------------------------------------------------------- */

static void report(void *opaque, uint64_t done, uint64_t total)
{
        const struct clone *clone = opaque;

        (void)total;
        clone->options->progress->report(clone->options->progress->opaque, clone->done + done, clone->total);
}

static bool copy_disk(struct clone *clone, const struct disk_spec *from, const char *path, const char *format, uint64_t size,
                      GError **error)
{
        const struct image_progress *whole = clone->options->progress;
        struct image_progress progress = { .report = whole && whole->report ? report : NULL, .opaque = clone,
                                           .cancel = whole ? whole->cancel : NULL };
        struct image_convert_options convert = { .from = from->options.format, .to = format,
                                                 .trust_backing = from->options.trust_backing };
        bool ok = image_convert(from->path, path, &convert, &progress, error);

        clone->done += size;
        return ok;
}

static bool link_disk(struct clone *clone, const struct disk_spec *from, const char *path, GError **error)
{
        char *base = true_name(from->path);
        bool ok = false;

        if (!g_file_test(base, G_FILE_TEST_EXISTS)) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_INVALID, _("%s: is no file that clones can be linked to; clone without --linked"),
                            from->path);
        } else if (image_link(path, base, &from->options, error)) {
                g_ptr_array_add(clone->bases, g_strdup(base));
                ok = true;
        }
        g_free(base);
        return ok;
}

/* What `spec` says of a disk, for another file that has a format of its own. */
static char *respell(const char *value, const struct disk_spec *spec, const char *path, const char *format, bool linked)
{
        GString *text = g_string_new(path);
        char **words = g_strsplit(value + strlen(spec->path), ",", -1);

        for (char **word = words; *word; word++)
                if (**word && !g_str_has_prefix(*word, "format=") && !g_str_has_prefix(*word, "backing="))
                        g_string_append_printf(text, ",%s", *word);
        g_string_append_printf(text, ",format=%s%s", format, linked ? ",backing=trust" : "");
        g_strfreev(words);
        return g_string_free(text, FALSE);
}

/* One disk or floppy of the list: *value becomes the new machine's.  Floppies are small, and always copied. */
static bool take_disk(struct clone *clone, enum option option, unsigned number, char **value, GError **error)
{
        bool linked = clone->options->linked && option == OPTION_DISK, ok = true;
        const char *format = "qcow2";
        struct image_info *info;
        struct disk_spec spec;
        char *name, *made, *final, *text;

        if (!disk_spec_parse(*value, &spec, error))
                return false;
        info = is_written(&spec) ? image_info(spec.path, spec.options.format, error) : NULL;
        if (info) {
                if (!linked && !strcmp(info->format, "raw"))
                        format = "raw";
                name = g_strdup_printf("%s%u.%s", option_table[option].name, number, format);
                made = g_build_filename(clone->folder, name, NULL);
                final = g_build_filename(clone->made->folder, name, NULL);
                ok = linked ? link_disk(clone, &spec, made, error) : copy_disk(clone, &spec, made, format, info->size_bytes, error);
                text = respell(*value, &spec, final, format, linked);
                g_free(*value);
                *value = text;
                g_free(final);
                g_free(made);
                g_free(name);
        } else if (is_written(&spec)) {
                ok = false;
        }
        image_info_free(info);
        disk_spec_clear(&spec);
        return ok;
}

static bool take_disks(struct clone *clone, enum option option, GError **error)
{
        unsigned number = 0;

        for (char **value = clone->made->options.values[option]; value && *value; value++)
                if (!take_disk(clone, option, number++, value, error)) {
                        g_prefix_error(error, "--%s ", option_table[option].name);
                        return false;
                }
        return true;
}

/* How many bytes of disks there are, for progress; what cannot be read is found when it is copied. */
static uint64_t count_bytes(const struct definition *definition)
{
        uint64_t bytes = 0;

        for (char **value = definition->options.values[OPTION_DISK]; value && *value; value++) {
                struct image_info *info = NULL;
                struct disk_spec spec;

                if (!disk_spec_parse(*value, &spec, NULL))
                        continue;
                if (is_written(&spec))
                        info = image_info(spec.path, spec.options.format, NULL);
                bytes += info ? info->size_bytes : 0;
                image_info_free(info);
                disk_spec_clear(&spec);
        }
        return bytes;
}

static bool copy_own_files(struct clone *clone, GError **error)
{
        bool ok = true;

        for (unsigned i = 0; ok && i < G_N_ELEMENTS(own_files); i++) {
                char *from = g_build_filename(clone->source->folder, own_files[i], NULL);
                char *to = g_build_filename(clone->folder, own_files[i], NULL), *bytes = NULL;
                gsize size;

                if (g_file_test(from, G_FILE_TEST_EXISTS))
                        ok = g_file_get_contents(from, &bytes, &size, error) &&
                             g_file_set_contents_full(to, bytes, (gssize)size, G_FILE_SET_CONTENTS_DURABLE, 0600, error);
                g_free(bytes);
                g_free(from);
                g_free(to);
        }
        return ok;
}

/* -- The definition ------------------------------------------------------------------------------ */

/* What names the source, or files that it writes, names the new machine. */
static void make_distinct(struct clone *clone)
{
        static const enum option outputs[] = { OPTION_SERIAL, OPTION_CONSOLE, OPTION_DEBUG_CONSOLE, OPTION_TRACE_FILE };
        struct option_set *options = &clone->made->options;
        char *uuid = g_uuid_string_random();

        options_set(options, OPTION_UUID, uuid);
        g_free(uuid);
        for (char **value = options->values[OPTION_NET]; value && *value; value++) {
                char *mac = strstr(*value, ",mac="), *end = mac ? strchr(mac + 1, ',') : NULL;

                if (mac)
                        memmove(mac, end ? end : "", end ? strlen(end) + 1 : 1);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(outputs); i++)
                for (char **value = options->values[outputs[i]]; value && *value; value++) {
                        char **parts = g_strsplit(*value, clone->source->folder, 2);

                        if (parts[0] && parts[1] && parts[1][0] == '/') {
                                g_free(*value);
                                *value = g_strconcat(parts[0], clone->made->folder, parts[1], NULL);
                        }
                        g_strfreev(parts);
                }
}

static bool write_definition(struct clone *clone, GError **error)
{
        char *final = clone->made->folder;
        bool ok;

        if (clone->bases->len) {
                g_ptr_array_add(clone->bases, NULL);
                clone->made->bases = g_strdupv((char **)clone->bases->pdata);
        }
        clone->made->folder = clone->folder;
        ok = definition_save(clone->made, error);
        clone->made->folder = final;
        return ok;
}

static bool make(struct clone *clone, GError **error)
{
        if (!folder_claim(clone, error))
                return false;
        clone->total = count_bytes(clone->source);
        options_copy(&clone->made->options, &clone->source->options);
        make_distinct(clone);
        return take_disks(clone, OPTION_DISK, error) && take_disks(clone, OPTION_FLOPPY, error) && copy_own_files(clone, error) &&
               write_definition(clone, error) && folder_publish(clone, error);
}

/* The disks of a suspended machine are those of a computer whose plug was pulled. */
static bool is_at_rest(const char *name, GError **error)
{
        char *resume = timeline_resume_path(name);

        if (resume)
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_BUSY,
                            _("%s: is suspended, or waits to go on from a snapshot; start it and shut it down first"), name);
        g_free(resume);
        return !resume;
}

bool library_clone(const char *name, const char *new_name, const struct clone_options *options, GError **error)
{
        struct clone clone = { .options = options, .lock = -1, .bases = g_ptr_array_new_with_free_func(g_free) };
        int source_lock = -1;
        bool ok = false;

        if (library_check_name(new_name, error) && (clone.source = definition_load(name, error)) != NULL)
                source_lock = library_lock(name, error);
        if (source_lock < 0 || !is_at_rest(name, error))
                goto out;
        if (library_exists(new_name)) {
                g_set_error(error, LIBRARY_ERROR, LIBRARY_ERROR_EXISTS, _("%s: there is such a machine already; choose another name"), new_name);
                goto out;
        }
        clone.made = definition_new(new_name, clone.source->os);
        ok = make(&clone, error);
        if (!ok && clone.folder)
                library_remove_tree(clone.folder);
out:
        if (clone.lock >= 0)
                close(clone.lock);
        if (source_lock >= 0)
                close(source_lock);
        g_free(clone.folder);
        g_ptr_array_unref(clone.bases);
        definition_free(clone.source);
        definition_free(clone.made);
        return ok;
}
