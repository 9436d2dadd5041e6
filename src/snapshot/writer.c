/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.c - the frame of a snapshot, and files that appear whole or not at all.
 *
 * A file is written under a temporary name, which begins with a dot and ends in the process id; what a
 * killed process leaves behind is removed by the next one that writes the same snapshot.  Data and then
 * the folder's entry are forced to disk, so that a host that loses power has the old file or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/crc32c.h"
#include "snapshot/writer.h"

G_DEFINE_QUARK(lodger-snapshot-error-quark, snapshot_error)

static bool put(struct snapshot_writer *writer, const void *bytes, size_t size, GError **error)
{
        writer->at += size;
        return !size || writer->sink.write(writer->sink.opaque, bytes, size, error);
}

bool snapshot_writer_begin(struct snapshot_writer *writer, const struct snapshot_sink *sink,
                           const uint8_t id[SNAPSHOT_ID_BYTES], GError **error)
{
        uint8_t header[SNAPSHOT_HEADER_BYTES] = { 0 };

        *writer = (struct snapshot_writer){ .sink = *sink };
        memcpy(header + HEADER_MAGIC, SNAPSHOT_MAGIC, 8);
        put_le32(header + HEADER_VERSION, SNAPSHOT_VERSION);
        put_le32(header + HEADER_BYTES, SNAPSHOT_HEADER_BYTES);
        memcpy(header + HEADER_ID, id, SNAPSHOT_ID_BYTES);
        put_le32(header + HEADER_CRC, crc32c(0, header, HEADER_CRC));
        return put(writer, header, sizeof(header), error);
}

bool snapshot_writer_section(struct snapshot_writer *writer, uint32_t type, uint32_t flags, const void *payload, size_t size,
                             bool page_aligned, GError **error)
{
        static const uint8_t zeros[SNAPSHOT_PAGE_BYTES];
        uint8_t header[SECTION_HEADER_BYTES] = { 0 };
        uint32_t skip = 0;

        if (page_aligned)
                skip = (uint32_t)(-(writer->at + SECTION_HEADER_BYTES) % SNAPSHOT_PAGE_BYTES);
        put_le32(header + SECTION_TYPE, type);
        put_le32(header + SECTION_FLAGS, flags);
        put_le64(header + SECTION_LENGTH, size);
        put_le32(header + SECTION_SKIP, skip);
        put_le32(header + SECTION_PAYLOAD_CRC, crc32c(0, payload, size));
        put_le32(header + SECTION_CRC, crc32c(0, header, SECTION_CRC));
        writer->crc = crc32c(writer->crc, header, sizeof(header));
        writer->sections++;
        return put(writer, header, sizeof(header), error) && put(writer, zeros, skip, error) && put(writer, payload, size, error);
}

static void append_text(GByteArray *to, const char *text)
{
        uint8_t length = (uint8_t)strlen(text);

        g_byte_array_append(to, &length, 1);
        g_byte_array_append(to, (const guint8 *)text, length);
}

bool snapshot_writer_device(struct snapshot_writer *writer, const char *id, const char *class_name, uint32_t version,
                            const GByteArray *state, GError **error)
{
        GByteArray *payload = g_byte_array_new();
        uint8_t number[4];
        bool ok;

        append_text(payload, id);
        append_text(payload, class_name);
        put_le32(number, version);
        g_byte_array_append(payload, number, sizeof(number));
        g_byte_array_append(payload, state->data, state->len);
        ok = snapshot_writer_section(writer, SECTION_DEVICE, 0, payload->data, payload->len, false, error);
        g_byte_array_unref(payload);
        return ok;
}

bool snapshot_writer_end(struct snapshot_writer *writer, GError **error)
{
        uint8_t payload[16] = { 0 };

        put_le64(payload, writer->sections);
        put_le32(payload + 8, writer->crc);
        return snapshot_writer_section(writer, SECTION_END, 0, payload, sizeof(payload), false, error);
}

/* -- Files ------------------------------------------------------------------------------------- */

struct snapshot_file {
        char *path, *temporary;
        int fd;
};

static bool file_failed(const char *path, int code, GError **error)
{
        const char *remedy = code == ENOSPC || code == EDQUOT ? "; make room, nothing has been changed" : "";

        g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_HOST, "cannot write %s: %s%s", path, g_strerror(code), remedy);
        return false;
}

/* Removes temporary files of the same snapshot whose writers are gone. */
static void remove_leftovers(const char *folder, const char *prefix)
{
        GDir *dir = g_dir_open(folder, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir)) != NULL) {
                pid_t writer = g_str_has_prefix(name, prefix) ? (pid_t)atoi(name + strlen(prefix)) : 0;

                if (writer > 0 && writer != getpid() && kill(writer, 0) < 0 && errno == ESRCH) {
                        char *path = g_build_filename(folder, name, NULL);

                        unlink(path);
                        g_free(path);
                }
        }
        if (dir)
                g_dir_close(dir);
}

struct snapshot_file *snapshot_file_new(const char *path, GError **error)
{
        struct snapshot_file *file = g_new0(struct snapshot_file, 1);
        char *folder = g_path_get_dirname(path), *base = g_path_get_basename(path);
        char *prefix = g_strdup_printf(".%s.", base), *name = g_strdup_printf("%s%d", prefix, (int)getpid());

        file->path = g_strdup(path);
        file->temporary = g_build_filename(folder, name, NULL);
        remove_leftovers(folder, prefix);
        file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file->fd < 0) {
                file_failed(path, errno, error);
                snapshot_file_abandon(file);
                file = NULL;
        }
        g_free(folder);
        g_free(base);
        g_free(prefix);
        g_free(name);
        return file;
}

static bool write_all(int fd, const char *path, const uint8_t *from, size_t size, GError **error)
{
        while (size) {
                ssize_t n = write(fd, from, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return file_failed(path, n < 0 ? errno : EIO, error);
                from += n;
                size -= (size_t)n;
        }
        return true;
}

static bool file_write(void *opaque, const void *bytes, size_t size, GError **error)
{
        struct snapshot_file *file = opaque;

        return write_all(file->fd, file->path, bytes, size, error);
}

static bool descriptor_write(void *opaque, const void *bytes, size_t size, GError **error)
{
        return write_all(GPOINTER_TO_INT(opaque), "a descriptor", bytes, size, error);
}

struct snapshot_sink snapshot_descriptor_sink(int fd)
{
        return (struct snapshot_sink){ descriptor_write, GINT_TO_POINTER(fd) };
}

struct snapshot_sink snapshot_file_sink(struct snapshot_file *file)
{
        return (struct snapshot_sink){ file_write, file };
}

static void file_free(struct snapshot_file *file)
{
        g_free(file->path);
        g_free(file->temporary);
        g_free(file);
}

bool snapshot_file_commit(struct snapshot_file *file, GError **error)
{
        char *folder;
        int fd, result;

        if (fsync(file->fd) < 0 || close(file->fd) < 0) {
                file_failed(file->path, errno, error);
                snapshot_file_abandon(file);
                return false;
        }
        file->fd = -1;
        if (rename(file->temporary, file->path) < 0) {
                file_failed(file->path, errno, error);
                snapshot_file_abandon(file);
                return false;
        }
        folder = g_path_get_dirname(file->path);
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        result = fd < 0 ? -1 : fsync(fd);
        /* Some file systems cannot; the name is there all the same. */
        if (result < 0 && errno != EINVAL && errno != EROFS)
                file_failed(file->path, errno, error);
        else
                result = 0;
        if (fd >= 0)
                close(fd);
        g_free(folder);
        file_free(file);
        return result == 0;
}

void snapshot_file_abandon(struct snapshot_file *file)
{
        if (!file)
                return;
        if (file->fd >= 0)
                close(file->fd);
        unlink(file->temporary);
        file_free(file);
}
