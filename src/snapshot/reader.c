/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader.c - reads snapshots.
 *
 * Opening walks the section headers.  Small sections are read and checked at once.  Of a PAGE section only
 * its entries are read: they say where each page's bytes are, bounded by what the section has.  Its checksum
 * is compared when its bytes are used, in snapshot_read_chunk().  A later entry for a page replaces an
 * earlier one.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/compress.h"
#include "snapshot/crc32c.h"
#include "snapshot/reader.h"

/* A terabyte, which only a process that has as much hands over. */
enum { PAGES_WITH_BASE_MAX = 1 << 28 };
enum { CHUNK_PAYLOAD_MAX = 2 * CHUNK_PAGES * SNAPSHOT_PAGE_BYTES };
#define NO_CHUNK UINT32_MAX
#define ZERO_CHUNK (UINT32_MAX - 1)

struct chunk {
        uint64_t at;                    /* of the payload */
        uint32_t bytes, crc;
        uint32_t data_at, data_bytes;
        uint16_t stored;
        uint8_t encoding;
};

struct place {
        uint32_t chunk;
        uint16_t slot;
};

struct snapshot_reader {
        char *path;
        int fd;
        uint64_t file_bytes;
        uint8_t id[SNAPSHOT_ID_BYTES];
        struct snapshot_info info;
        bool has_info, info_only;
        const char *base;               /* that its opener has; NULL: none, it must be whole */
        GBytes *thumbnail;
        GArray *devices;                /* of struct snapshot_device */
        GArray *chunks;                 /* of struct chunk */
        uint64_t pages;
        struct place *places;           /* of each page */
        /* Pages by chunk: those of chunk c are by_chunk[chunk_first[c]] and so on. */
        uint64_t *by_chunk, *chunk_first;
};

/* -- Errors and bytes ---------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4)))
static bool damaged(const struct snapshot_reader *reader, GError **error, const char *format, ...)
{
        va_list arguments;
        char *what;

        va_start(arguments, format);
        what = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_DAMAGED, "%s is damaged: %s", reader->path, what);
        g_free(what);
        return false;
}

static bool read_bytes(struct snapshot_reader *reader, uint64_t at, void *to, size_t size, GError **error)
{
        uint8_t *next = to;

        while (size) {
                ssize_t n = pread(reader->fd, next, size, (off_t)at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_HOST, "cannot read %s: %s", reader->path, g_strerror(errno));
                        return false;
                }
                if (n == 0)
                        return damaged(reader, error, "it ends at byte %" G_GUINT64_FORMAT " where more should follow", (guint64)at);
                next += n;
                at += (uint64_t)n;
                size -= (size_t)n;
        }
        return true;
}

static const char *type_name(uint32_t type, char name[5])
{
        for (unsigned i = 0; i < 4; i++) {
                char c = (char)(type >> 8 * i);

                name[i] = g_ascii_isprint(c) ? c : '?';
        }
        name[4] = '\0';
        return name;
}

/* -- Sections ------------------------------------------------------------------------------------ */

struct section {
        uint32_t type, flags, crc;
        uint64_t at, bytes;             /* of the payload */
};

static bool read_payload(struct snapshot_reader *reader, const struct section *section, uint8_t **payload, GError **error)
{
        char name[5];

        if (section->bytes > SMALL_SECTION_MAX)
                return damaged(reader, error, "section %s of %" G_GUINT64_FORMAT " bytes", type_name(section->type, name),
                               (guint64)section->bytes);
        *payload = g_malloc(section->bytes + 1);
        if (read_bytes(reader, section->at, *payload, section->bytes, error)) {
                if (crc32c(0, *payload, section->bytes) == section->crc)
                        return true;
                damaged(reader, error, "the checksum of section %s at byte %" G_GUINT64_FORMAT " is wrong",
                        type_name(section->type, name), (guint64)section->at);
        }
        g_clear_pointer(payload, g_free);
        return false;
}

static bool take_info(struct snapshot_reader *reader, const uint8_t *payload, size_t bytes, GError **error)
{
        uint64_t total, entries_max;

        if (reader->has_info)
                return damaged(reader, error, "INFO is there twice");
        reader->has_info = true;
        if (!snapshot_info_decode(&reader->info, payload, bytes, error)) {
                g_prefix_error(error, "%s is damaged: ", reader->path);
                return false;
        }
        total = reader->info.file_bytes;
        if (!reader->info_only && *reader->info.base && g_strcmp0(reader->info.base, reader->base)) {
                g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NO_SNAPSHOT, "%s is not whole: it needs \"%s\", which is not there",
                            reader->path, reader->info.base);
                return false;
        }
        /* A file of nothing but zero pages has eight bytes for each; one with a base need have none. */
        entries_max = *reader->info.base ? PAGES_WITH_BASE_MAX : reader->file_bytes / CHUNK_ENTRY_BYTES;
        if (!total || total % SNAPSHOT_PAGE_BYTES || total / SNAPSHOT_PAGE_BYTES > entries_max || reader->info.memory_bytes > total)
                return damaged(reader, error, "INFO: file_bytes: %" G_GUINT64_FORMAT " bytes of memory cannot be", (guint64)total);
        if (!reader->info.cpus || reader->info.cpus > 4096)
                return damaged(reader, error, "INFO: cpus: %" G_GUINT64_FORMAT, (guint64)reader->info.cpus);
        if (reader->info.virtual_ns > INT64_MAX)
                return damaged(reader, error, "INFO: virtual_ns: impossible time");
        if (reader->info_only)
                return true;
        reader->pages = total / SNAPSHOT_PAGE_BYTES;
        reader->places = g_new(struct place, reader->pages);
        for (uint64_t i = 0; i < reader->pages; i++)
                reader->places[i].chunk = NO_CHUNK;
        return true;
}

/* A name of up to 255 bytes, which must be printable: it goes into messages. */
static char *take_name(const uint8_t **at, const uint8_t *end)
{
        size_t length = *at < end ? **at : 0;

        if (*at >= end || (size_t)(end - *at) < 1 + length || !length)
                return NULL;
        for (size_t i = 1; i <= length; i++)
                if (!g_ascii_isgraph((*at)[i]))
                        return NULL;
        char *name = g_strndup((const char *)*at + 1, length);
        *at += 1 + length;
        return name;
}

/* Takes the payload over. */
static bool take_device(struct snapshot_reader *reader, uint8_t *payload, size_t bytes, GError **error)
{
        struct snapshot_device device = { .payload = payload };
        const uint8_t *at = payload, *end = payload + bytes;

        device.id = take_name(&at, end);
        device.class_name = device.id ? take_name(&at, end) : NULL;
        if (device.class_name && end - at >= 4) {
                device.version = get_le32(at);
                device.state = at + 4;
                device.state_bytes = (size_t)(end - device.state);
                if (reader->devices->len < DEVICES_MAX && !snapshot_reader_find(reader, device.id)) {
                        g_array_append_val(reader->devices, device);
                        return true;
                }
                damaged(reader, error, "device %s is there twice, or there are too many", device.id);
        } else {
                damaged(reader, error, "a device without a name");
        }
        g_free(device.id);
        g_free(device.class_name);
        g_free(payload);
        return false;
}

static bool take_chunk(struct snapshot_reader *reader, const struct section *section, GError **error)
{
        uint8_t head[CHUNK_HEADER_BYTES + CHUNK_PAGES * CHUNK_ENTRY_BYTES];
        struct chunk chunk = { .at = section->at, .bytes = (uint32_t)section->bytes, .crc = section->crc };
        uint32_t index = reader->chunks->len, stored;
        uint64_t first;
        unsigned entries;

        if (!reader->has_info)
                return damaged(reader, error, "memory comes before INFO");
        if (section->bytes < CHUNK_HEADER_BYTES || section->bytes > CHUNK_PAYLOAD_MAX || index >= CHUNKS_MAX)
                return damaged(reader, error, "memory chunk %u of %" G_GUINT64_FORMAT " bytes", index, (guint64)section->bytes);
        if (!read_bytes(reader, section->at, head, MIN(sizeof(head), section->bytes), error))
                return false;
        first = get_le64(head + CHUNK_FIRST);
        entries = get_le16(head + CHUNK_ENTRIES);
        stored = get_le32(head + CHUNK_STORED);
        chunk.encoding = head[CHUNK_ENCODING];
        chunk.data_at = get_le32(head + CHUNK_DATA_AT);
        chunk.data_bytes = get_le32(head + CHUNK_DATA_BYTES);
        if (!entries || entries > CHUNK_PAGES || stored > CHUNK_PAGES || first >= reader->pages ||
            chunk.data_at < CHUNK_HEADER_BYTES + entries * CHUNK_ENTRY_BYTES || chunk.data_at > section->bytes ||
            chunk.data_bytes != section->bytes - chunk.data_at)
                return damaged(reader, error, "memory chunk %u: its header contradicts itself", index);
        if (!compress_known((enum snapshot_encoding)chunk.encoding)) {
                g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NO_SNAPSHOT,
                            "%s is compressed with %s, which this lodger was built without", reader->path,
                            compress_name((enum snapshot_encoding)chunk.encoding));
                return false;
        }
        chunk.stored = (uint16_t)stored;
        g_array_append_val(reader->chunks, chunk);
        for (unsigned i = 0; i < entries; i++) {
                const uint8_t *entry = head + CHUNK_HEADER_BYTES + i * CHUNK_ENTRY_BYTES;
                uint64_t page = first + entry[ENTRY_PAGE];
                uint32_t source = index;
                uint16_t slot = get_le16(entry + ENTRY_SLOT);

                if (entry[ENTRY_KIND] == ENTRY_SAME)
                        source = get_le32(entry + ENTRY_CHUNK);
                if (page >= reader->pages || entry[ENTRY_KIND] >= ENTRY_KINDS || source > index ||
                    (entry[ENTRY_KIND] != ENTRY_ZERO && slot >= g_array_index(reader->chunks, struct chunk, source).stored))
                        return damaged(reader, error, "memory chunk %u: entry %u points nowhere", index, i);
                reader->places[page] = (struct place){ entry[ENTRY_KIND] == ENTRY_ZERO ? ZERO_CHUNK : source, slot };
        }
        return true;
}

static bool take_section(struct snapshot_reader *reader, const struct section *section, GError **error)
{
        uint8_t *payload;
        char name[5];
        bool ok;

        if (section->type == SECTION_PAGES)
                return take_chunk(reader, section, error);
        if (section->type != SECTION_INFO && section->type != SECTION_THUMBNAIL && section->type != SECTION_DEVICE) {
                if (section->flags & SECTION_OPTIONAL) {
                        ok = read_payload(reader, section, &payload, error);
                        g_free(ok ? payload : NULL);
                        return ok;
                }
                g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NO_SNAPSHOT,
                            "%s has a section %s that this lodger does not know; restore it with a newer one", reader->path,
                            type_name(section->type, name));
                return false;
        }
        if (!read_payload(reader, section, &payload, error))
                return false;
        switch (section->type) {
        case SECTION_INFO:
                ok = take_info(reader, payload, section->bytes, error);
                break;
        case SECTION_DEVICE:
                return take_device(reader, payload, section->bytes, error);
        default:
                ok = !reader->thumbnail;
                if (ok)
                        reader->thumbnail = g_bytes_new(payload, section->bytes);
                else
                        damaged(reader, error, "THUM is there twice");
                break;
        }
        g_free(payload);
        return ok;
}

static bool take_end(struct snapshot_reader *reader, const struct section *section, uint64_t sections, uint32_t crc, GError **error)
{
        uint8_t *payload;
        bool ok;

        if (!read_payload(reader, section, &payload, error))
                return false;
        ok = section->bytes >= 16 && get_le64(payload) == sections && get_le32(payload + 8) == crc;
        g_free(payload);
        return ok || damaged(reader, error, "sections are missing, or in another order than they were written");
}

static bool read_sections(struct snapshot_reader *reader, GError **error)
{
        uint64_t at = SNAPSHOT_HEADER_BYTES, sections = 0;
        uint32_t crc = 0;

        for (;; sections++) {
                uint8_t header[SECTION_HEADER_BYTES];
                struct section section;
                uint32_t skip;

                if (!read_bytes(reader, at, header, sizeof(header), error))
                        return false;
                if (crc32c(0, header, SECTION_CRC) != get_le32(header + SECTION_CRC))
                        return damaged(reader, error, "the checksum of the section header at byte %" G_GUINT64_FORMAT " is wrong",
                                       (guint64)at);
                section.type = get_le32(header + SECTION_TYPE);
                section.flags = get_le32(header + SECTION_FLAGS);
                section.bytes = get_le64(header + SECTION_LENGTH);
                section.crc = get_le32(header + SECTION_PAYLOAD_CRC);
                skip = get_le32(header + SECTION_SKIP);
                section.at = at + sizeof(header) + skip;
                if (skip >= SNAPSHOT_PAGE_BYTES || section.at > reader->file_bytes ||
                    section.bytes > reader->file_bytes - section.at)
                        return damaged(reader, error, "the section at byte %" G_GUINT64_FORMAT " ends after the file", (guint64)at);
                if (section.type == SECTION_END)
                        return take_end(reader, &section, sections, crc, error);
                crc = crc32c(crc, header, sizeof(header));
                if (!take_section(reader, &section, error))
                        return false;
                if (reader->info_only && reader->has_info)
                        return true;
                at = section.at + section.bytes;
        }
}

/* -- Opening -------------------------------------------------------------------------------------- */

static bool read_header(struct snapshot_reader *reader, GError **error)
{
        uint8_t header[SNAPSHOT_HEADER_BYTES];

        if (reader->file_bytes < sizeof(header) || !read_bytes(reader, 0, header, sizeof(header), NULL) ||
            memcmp(header + HEADER_MAGIC, SNAPSHOT_MAGIC, 8)) {
                g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NO_SNAPSHOT, "%s is no snapshot", reader->path);
                return false;
        }
        if (get_le32(header + HEADER_VERSION) != SNAPSHOT_VERSION) {
                g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NO_SNAPSHOT,
                            "%s is a snapshot of format %u, and this lodger knows format %u", reader->path,
                            get_le32(header + HEADER_VERSION), SNAPSHOT_VERSION);
                return false;
        }
        if (crc32c(0, header, HEADER_CRC) != get_le32(header + HEADER_CRC) || get_le32(header + HEADER_BYTES) != sizeof(header))
                return damaged(reader, error, "the checksum of its header is wrong");
        memcpy(reader->id, header + HEADER_ID, SNAPSHOT_ID_BYTES);
        return true;
}

static bool check_whole(struct snapshot_reader *reader, GError **error)
{
        if (!reader->has_info)
                return damaged(reader, error, "INFO is missing");
        /* With a base, what is not here is there. */
        for (uint64_t i = 0; i < reader->pages && !*reader->info.base; i++)
                if (reader->places[i].chunk == NO_CHUNK)
                        return damaged(reader, error, "page %" G_GUINT64_FORMAT " of memory is missing", (guint64)i);
        return true;
}

/* Counting sort of the pages by chunk. */
static void index_pages(struct snapshot_reader *reader)
{
        unsigned chunks = reader->chunks->len;
        uint64_t *first = g_new0(uint64_t, (gsize)chunks + 2);

        for (uint64_t i = 0; i < reader->pages; i++)
                if (reader->places[i].chunk < chunks)
                        first[reader->places[i].chunk + 2]++;
        for (unsigned c = 2; c < chunks + 2; c++)
                first[c] += first[c - 1];
        reader->by_chunk = g_new(uint64_t, first[chunks + 1] + 1);
        for (uint64_t i = 0; i < reader->pages; i++)
                if (reader->places[i].chunk < chunks)
                        reader->by_chunk[first[reader->places[i].chunk + 1]++] = i;
        reader->chunk_first = first;
}

static struct snapshot_reader *reader_new(const char *path, GError **error)
{
        struct snapshot_reader *reader = g_new0(struct snapshot_reader, 1);
        struct stat info;

        reader->path = g_strdup(path);
        reader->devices = g_array_new(FALSE, FALSE, sizeof(struct snapshot_device));
        reader->chunks = g_array_new(FALSE, FALSE, sizeof(struct chunk));
        reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (reader->fd < 0 || fstat(reader->fd, &info) < 0 || !S_ISREG(info.st_mode)) {
                g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_HOST, "cannot read %s: %s", path,
                            reader->fd < 0 ? g_strerror(errno) : "not a regular file");
                snapshot_close(reader);
                return NULL;
        }
        reader->file_bytes = (uint64_t)info.st_size;
        if (read_header(reader, error))
                return reader;
        snapshot_close(reader);
        return NULL;
}

/* base: what a snapshot without all pages may need; NULL: nothing, it must have all. */
static struct snapshot_reader *open_with_base(const char *path, const char *base, GError **error)
{
        struct snapshot_reader *reader = reader_new(path, error);

        if (reader)
                reader->base = base;
        if (reader && (!read_sections(reader, error) || !check_whole(reader, error)))
                g_clear_pointer(&reader, snapshot_close);
        if (reader)
                index_pages(reader);
        return reader;
}

struct snapshot_reader *snapshot_open(const char *path, GError **error) { return open_with_base(path, NULL, error); }

struct snapshot_reader *snapshot_open_on_memory(const char *path, GError **error)
{
        return open_with_base(path, SNAPSHOT_BASE_MEMORY, error);
}

bool snapshot_read_info(const char *path, struct snapshot_info *info, uint8_t id[SNAPSHOT_ID_BYTES], uint64_t *bytes,
                        GError **error)
{
        struct snapshot_reader *reader = reader_new(path, error);
        bool ok;

        if (reader)
                reader->info_only = true;
        ok = reader && read_sections(reader, error);
        if (ok) {
                *info = reader->info;
                memset(&reader->info, 0, sizeof(reader->info));
                memcpy(id, reader->id, SNAPSHOT_ID_BYTES);
                *bytes = reader->file_bytes;
        }
        snapshot_close(reader);
        return ok;
}

void snapshot_close(struct snapshot_reader *reader)
{
        if (!reader)
                return;
        for (guint i = 0; i < reader->devices->len; i++) {
                struct snapshot_device *device = &g_array_index(reader->devices, struct snapshot_device, i);

                g_free(device->id);
                g_free(device->class_name);
                g_free(device->payload);
        }
        g_array_free(reader->devices, TRUE);
        g_array_free(reader->chunks, TRUE);
        g_clear_pointer(&reader->thumbnail, g_bytes_unref);
        snapshot_info_clear(&reader->info);
        g_free(reader->places);
        g_free(reader->by_chunk);
        g_free(reader->chunk_first);
        if (reader->fd >= 0)
                close(reader->fd);
        g_free(reader->path);
        g_free(reader);
}

const struct snapshot_info *snapshot_reader_info(const struct snapshot_reader *reader) { return &reader->info; }
const uint8_t *snapshot_reader_id(const struct snapshot_reader *reader) { return reader->id; }
GBytes *snapshot_reader_thumbnail(const struct snapshot_reader *reader) { return reader->thumbnail; }
uint64_t snapshot_reader_bytes(const struct snapshot_reader *reader) { return reader->file_bytes; }
unsigned snapshot_reader_devices(const struct snapshot_reader *reader) { return reader->devices->len; }
uint64_t snapshot_reader_pages(const struct snapshot_reader *reader) { return reader->pages; }
unsigned snapshot_reader_chunks(const struct snapshot_reader *reader) { return reader->chunks->len; }

const struct snapshot_device *snapshot_reader_device(const struct snapshot_reader *reader, unsigned index)
{
        return &g_array_index(reader->devices, struct snapshot_device, index);
}

const struct snapshot_device *snapshot_reader_find(const struct snapshot_reader *reader, const char *id)
{
        for (guint i = 0; i < reader->devices->len; i++)
                if (!strcmp(snapshot_reader_device(reader, i)->id, id))
                        return snapshot_reader_device(reader, i);
        return NULL;
}

/* -- Memory --------------------------------------------------------------------------------------- */

bool snapshot_page_is_zero(const struct snapshot_reader *reader, uint64_t page)
{
        return reader->places[page].chunk == ZERO_CHUNK;
}

bool snapshot_page_is_missing(const struct snapshot_reader *reader, uint64_t page)
{
        return reader->places[page].chunk == NO_CHUNK;
}

unsigned snapshot_page_chunk(const struct snapshot_reader *reader, uint64_t page)
{
        return reader->places[page].chunk;
}

/* The payload of a chunk, checked; NULL with error set. */
static uint8_t *chunk_payload(struct snapshot_reader *reader, unsigned index, GError **error)
{
        const struct chunk *chunk = &g_array_index(reader->chunks, struct chunk, index);
        uint8_t *payload = g_malloc(chunk->bytes);

        if (read_bytes(reader, chunk->at, payload, chunk->bytes, error)) {
                if (crc32c(0, payload, chunk->bytes) == chunk->crc)
                        return payload;
                damaged(reader, error, "the checksum of memory chunk %u is wrong", index);
        }
        g_free(payload);
        return NULL;
}

bool snapshot_read_chunk(struct snapshot_reader *reader, unsigned index, snapshot_take_page *take, void *opaque, GError **error)
{
        const struct chunk *chunk = &g_array_index(reader->chunks, struct chunk, index);
        size_t bytes = (size_t)chunk->stored * SNAPSHOT_PAGE_BYTES;
        uint8_t *payload = chunk_payload(reader, index, error), *unpacked = NULL;
        const uint8_t *pages;
        bool ok = true;

        if (!payload)
                return false;
        pages = payload + chunk->data_at;
        if (chunk->encoding != ENCODING_NONE || chunk->data_bytes != bytes) {
                unpacked = g_malloc(bytes + 1);
                pages = unpacked;
                if (!decompress_bytes((enum snapshot_encoding)chunk->encoding, unpacked, bytes, payload + chunk->data_at,
                                      chunk->data_bytes))
                        ok = damaged(reader, error, "memory chunk %u cannot be unpacked", index);
        }
        for (uint64_t i = reader->chunk_first[index]; ok && take && i < reader->chunk_first[index + 1]; i++) {
                uint64_t page = reader->by_chunk[i];

                take(opaque, page, pages + (size_t)reader->places[page].slot * SNAPSHOT_PAGE_BYTES);
        }
        g_free(unpacked);
        g_free(payload);
        return ok;
}

struct reading {
        struct snapshot_reader *reader;
        snapshot_take_page *take;
        void *opaque;
        bool check_only;
        int next;                       /* chunk.  Atomic */
        GMutex mutex;
        GError *error;                  /* the first */
};

static gpointer read_thread(gpointer opaque)
{
        struct reading *reading = opaque;
        int chunks = (int)reading->reader->chunks->len, chunk;

        while ((chunk = g_atomic_int_add(&reading->next, 1)) < chunks) {
                GError *error = NULL;

                if (reading->check_only) {
                        uint8_t *payload = chunk_payload(reading->reader, (unsigned)chunk, &error);

                        g_free(payload);
                        if (payload)
                                continue;
                } else if (snapshot_read_chunk(reading->reader, (unsigned)chunk, reading->take, reading->opaque, &error)) {
                        continue;
                }
                g_mutex_lock(&reading->mutex);
                if (reading->error)
                        g_error_free(error);
                else
                        reading->error = error;
                g_mutex_unlock(&reading->mutex);
                break;
        }
        return NULL;
}

static bool read_in_threads(struct reading *reading, GError **error)
{
        unsigned threads = MIN(g_get_num_processors(), 8);
        GThread *helpers[8];

        g_mutex_init(&reading->mutex);
        for (unsigned i = 1; i < threads; i++)
                helpers[i] = g_thread_try_new("snapshot", read_thread, reading, NULL);
        read_thread(reading);
        for (unsigned i = 1; i < threads; i++)
                if (helpers[i])
                        g_thread_join(helpers[i]);
        g_mutex_clear(&reading->mutex);
        if (reading->error)
                g_propagate_error(error, reading->error);
        return !reading->error;
}

bool snapshot_read_chunks(struct snapshot_reader *reader, snapshot_take_page *take, void *opaque, GError **error)
{
        struct reading reading = { .reader = reader, .take = take, .opaque = opaque };

        return read_in_threads(&reading, error);
}

bool snapshot_check_chunks(struct snapshot_reader *reader, GError **error)
{
        struct reading reading = { .reader = reader, .check_only = true };

        return read_in_threads(&reading, error);
}
