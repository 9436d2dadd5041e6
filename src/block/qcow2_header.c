/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_header.c - the header of a qcow2 image, its extensions and the name of its backing file.
 *
 * All of that lies in the first cluster:
 *      0       magic, 4 version, 8 offset and 16 length of the backing file's name, 20 cluster bits, 24 size,
 *      32      encryption, 36 entries and 40 offset of the L1 table, 48 offset and 56 clusters of the
 *              reference table, 60 number and 64 offset of snapshots
 *      72      (version 3) incompatible, 80 compatible, 88 autoclear features, 96 order of counts,
 *      100     length of the header, 104 compression type
 *      then    extensions (type, length, bytes padded to 8), ended by type 0; the backing file's name
 */
#include "block/qcow2.h"

enum {
        AT_VERSION = 4, AT_BACKING = 8, AT_BACKING_SIZE = 16, AT_CLUSTER_BITS = 20, AT_SIZE = 24, AT_CRYPT = 32,
        AT_L1_ENTRIES = 36, AT_L1 = 40, AT_REFTABLE = 48, AT_REFTABLE_CLUSTERS = 56, AT_SNAPSHOTS = 60, AT_SNAPSHOTS_OFFSET = 64,
        AT_INCOMPATIBLE = 72, AT_COMPATIBLE = 80, AT_AUTOCLEAR = 88, AT_REFCOUNT_ORDER = 96, AT_HEADER_BYTES = 100,
        AT_COMPRESSION = 104,
};
enum { HEADER_WITH_COMPRESSION = 112, BACKING_NAME_MAX = 1023 };
enum { EXTENSION_END = 0, EXTENSION_FEATURES = 0x6803f857 };
#define EXTENSION_BACKING_FORMAT UINT32_C(0xe2792aca)
enum { FEATURE_BYTES = 48 };            /* type, bit, name */

static const struct feature {
        uint8_t type, bit;              /* type: 0 incompatible, 1 compatible, 2 autoclear */
        const char *name;
} features[] = {
        { 0, 0, "dirty bit" }, { 0, 1, "corrupt bit" }, { 0, 2, "external data file" }, { 0, 3, "compression type" },
        { 0, 4, "extended L2 entries" }, { 1, 0, "lazy refcounts" }, { 2, 0, "bitmaps" }, { 2, 1, "raw external data" },
};

static bool header_fail(struct qcow2 *q, GError **error, int code, const char *format, ...) G_GNUC_PRINTF(4, 5);

static bool header_fail(struct qcow2 *q, GError **error, int code, const char *format, ...)
{
        va_list arguments;
        char *text;

        va_start(arguments, format);
        text = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        g_set_error(error, BLOCK_ERROR, code, "%s: %s", q->image.path, text);
        g_free(text);
        return false;
}

/* -- Reading ------------------------------------------------------------------------------------------- */

/* The name of an incompatible feature: the image's own, or ours. */
static char *feature_name(const uint8_t *table, size_t size, unsigned bit)
{
        for (size_t at = 0; table && at + FEATURE_BYTES <= size; at += FEATURE_BYTES)
                if (table[at] == 0 && table[at + 1] == bit) {
                        char *name = g_strndup((const char *)table + at + 2, FEATURE_BYTES - 2), *safe = g_strescape(name, NULL);

                        g_free(name);
                        return safe;
                }
        for (unsigned i = 0; i < G_N_ELEMENTS(features); i++)
                if (features[i].type == 0 && features[i].bit == bit)
                        return g_strdup(features[i].name);
        return g_strdup_printf("unknown feature %u", bit);
}

static bool check_features(struct qcow2 *q, const uint8_t *table, size_t size, GError **error)
{
        uint64_t unknown = q->incompatible & ~(uint64_t)(QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_COMPRESSION);
        GString *names;

        if (!unknown)
                return true;
        names = g_string_new(NULL);
        for (unsigned bit = 0; bit < 64; bit++)
                if (unknown >> bit & 1) {
                        char *name = feature_name(table, size, bit);

                        g_string_append_printf(names, "%s\"%s\"", names->len ? ", " : "", name);
                        g_free(name);
                }
        header_fail(q, error, BLOCK_ERROR_FORMAT, "uses qcow2 features that are not supported: %s; convert it with \"qemu-img "
                    "convert -O qcow2\"", names->str);
        g_string_free(names, TRUE);
        return false;
}

static bool read_extensions(struct qcow2 *q, const uint8_t *head, uint64_t end, GError **error)
{
        const uint8_t *table = NULL;
        size_t table_size = 0;
        uint64_t at = q->header_bytes;

        while (at + 8 <= end) {
                uint32_t type = be32(head + at), size = be32(head + at + 4);
                const uint8_t *bytes = head + at + 8;

                if (type == EXTENSION_END)
                        break;
                if (size > end - at - 8)
                        return header_fail(q, error, BLOCK_ERROR_CORRUPT, "damaged qcow2 header: an extension is too long");
                if (type == EXTENSION_FEATURES) {
                        table = bytes;
                        table_size = size;
                } else if (type == EXTENSION_BACKING_FORMAT) {
                        g_free(q->backing_format);
                        q->backing_format = g_strndup((const char *)bytes, MIN(size, 15u));
                } else {
                        struct qcow2_extension kept = { type, size, g_memdup2(bytes, size) };

                        g_array_append_val(q->extensions, kept);
                }
                at += 8 + ((uint64_t)size + 7) / 8 * 8;
        }
        return check_features(q, table, table_size, error);
}

static bool read_version_3(struct qcow2 *q, const uint8_t *head, GError **error)
{
        q->incompatible = be64(head + AT_INCOMPATIBLE);
        q->compatible = be64(head + AT_COMPATIBLE);
        q->autoclear = be64(head + AT_AUTOCLEAR);
        q->refcount_order = be32(head + AT_REFCOUNT_ORDER);
        q->header_bytes = be32(head + AT_HEADER_BYTES);
        if (q->header_bytes < QCOW2_HEADER_V3 || q->header_bytes > q->cluster_bytes || q->header_bytes % 8)
                return header_fail(q, error, BLOCK_ERROR_CORRUPT, "damaged qcow2 header: its length is %u", q->header_bytes);
        if (q->refcount_order > 6)
                return header_fail(q, error, BLOCK_ERROR_CORRUPT, "damaged qcow2 header: reference counts of order %u",
                                   q->refcount_order);
        if (q->incompatible & QCOW2_COMPRESSION && q->header_bytes > AT_COMPRESSION)
                q->compression = head[AT_COMPRESSION];
        if (q->compression > QCOW2_ZSTD)
                return header_fail(q, error, BLOCK_ERROR_FORMAT, "compressed in a way that is not supported (type %u)",
                                   q->compression);
        return true;
}

static bool table_fits(const struct qcow2 *q, uint64_t offset, uint64_t bytes, uint64_t limit)
{
        return bytes <= limit && !qcow2_in_cluster(q, offset) && offset <= (UINT64_C(1) << 56) - bytes;
}

static bool read_tables_place(struct qcow2 *q, const uint8_t *head, GError **error)
{
        uint64_t per_l1 = q->cluster_bytes << q->l2_bits, needed;

        q->l1_entries = be32(head + AT_L1_ENTRIES);
        q->l1_offset = be64(head + AT_L1);
        q->reftable_offset = be64(head + AT_REFTABLE);
        q->reftable_clusters = be32(head + AT_REFTABLE_CLUSTERS);
        needed = q->image.size_bytes / per_l1 + (q->image.size_bytes % per_l1 != 0);
        if (q->image.size_bytes > (uint64_t)INT64_MAX || needed > QCOW2_L1_BYTES_MAX / 8)
                return header_fail(q, error, BLOCK_ERROR_CORRUPT, "damaged qcow2 header, or a disk larger than qcow2 can have with such "
                                   "clusters");
        if (q->l1_entries < needed || !table_fits(q, q->l1_offset, q->l1_entries * UINT64_C(8), QCOW2_L1_BYTES_MAX))
                return header_fail(q, error, BLOCK_ERROR_CORRUPT, "damaged qcow2 header: bad place or size of the L1 table");
        if (!q->reftable_clusters ||
            !table_fits(q, q->reftable_offset, (uint64_t)q->reftable_clusters << q->cluster_bits, QCOW2_REFTABLE_BYTES_MAX))
                return header_fail(q, error, BLOCK_ERROR_CORRUPT, "damaged qcow2 header: bad place or size of the reference table");
        return true;
}

static bool read_backing(struct qcow2 *q, const uint8_t *head, size_t size, GError **error)
{
        uint64_t offset = be64(head + AT_BACKING);
        uint32_t length = be32(head + AT_BACKING_SIZE);

        if (!offset || !length)
                return true;
        if (length > BACKING_NAME_MAX || offset > size || length > size - offset)
                return header_fail(q, error, BLOCK_ERROR_CORRUPT, "damaged qcow2 header: bad name of the backing file");
        q->backing_name = g_strndup((const char *)head + offset, length);
        return true;
}

bool qcow2_read_header(struct qcow2 *q, GError **error)
{
        uint8_t fixed[HEADER_WITH_COMPRESSION] = { 0 }, *head;
        bool ok = false;
        size_t size;

        if (qcow2_file_read(q, 0, fixed, sizeof(fixed)))
                return header_fail(q, error, BLOCK_ERROR_IO, "cannot be read");
        q->version = be32(fixed + AT_VERSION);
        q->cluster_bits = be32(fixed + AT_CLUSTER_BITS);
        q->image.size_bytes = be64(fixed + AT_SIZE);
        if (be32(fixed) != (uint32_t)QCOW2_MAGIC)
                return header_fail(q, error, BLOCK_ERROR_FORMAT, "is not a qcow2 image");
        if (q->version != 2 && q->version != 3)
                return header_fail(q, error, BLOCK_ERROR_FORMAT, "qcow2 of version %u is not supported", q->version);
        if (q->cluster_bits < QCOW2_CLUSTER_BITS_MIN || q->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
                return header_fail(q, error, BLOCK_ERROR_CORRUPT, "damaged qcow2 header: clusters of 2^%u bytes", q->cluster_bits);
        if (be32(fixed + AT_CRYPT))
                return header_fail(q, error, BLOCK_ERROR_FORMAT, "is encrypted, which is not supported; decrypt it with \"qemu-img "
                                   "convert\"");
        q->cluster_bytes = UINT64_C(1) << q->cluster_bits;
        q->l2_bits = q->cluster_bits - 3;
        q->refcount_order = 4;
        q->header_bytes = QCOW2_HEADER_V2;
        if (q->version == 3 && !read_version_3(q, fixed, error))
                return false;
        size = (size_t)q->cluster_bytes;
        head = g_malloc(size);
        if (qcow2_file_read(q, 0, head, size))
                header_fail(q, error, BLOCK_ERROR_IO, "cannot be read");
        else
                ok = read_backing(q, head, size, error) &&
                     read_extensions(q, head, q->backing_name ? MIN(be64(head + AT_BACKING), (uint64_t)size) : size, error) &&
                     read_tables_place(q, head, error) &&
                     qcow2_read_snapshots(q, be64(head + AT_SNAPSHOTS_OFFSET), be32(head + AT_SNAPSHOTS), error);
        g_free(head);
        return ok;
}

/* -- Writing --------------------------------------------------------------------------------------------- */

static void put_extension(GByteArray *to, uint32_t type, const void *bytes, uint32_t size)
{
        uint8_t head[8];

        put_be32(head, type);
        put_be32(head + 4, size);
        g_byte_array_append(to, head, 8);
        if (size)
                g_byte_array_append(to, bytes, size);
        g_byte_array_set_size(to, (to->len + 7) / 8 * 8);
        if (size % 8)
                memset(to->data + to->len - (8 - size % 8), 0, 8 - size % 8);
}

static void put_features(GByteArray *to)
{
        uint8_t table[G_N_ELEMENTS(features) * FEATURE_BYTES] = { 0 };

        for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
                table[i * FEATURE_BYTES] = features[i].type;
                table[i * FEATURE_BYTES + 1] = features[i].bit;
                memcpy(table + i * FEATURE_BYTES + 2, features[i].name, strlen(features[i].name));
        }
        put_extension(to, EXTENSION_FEATURES, table, sizeof(table));
}

static void put_fixed(const struct qcow2 *q, uint8_t *head)
{
        put_be32(head, (uint32_t)QCOW2_MAGIC);
        put_be32(head + AT_VERSION, q->version);
        put_be32(head + AT_CLUSTER_BITS, q->cluster_bits);
        put_be64(head + AT_SIZE, q->image.size_bytes);
        put_be32(head + AT_L1_ENTRIES, q->l1_entries);
        put_be64(head + AT_L1, q->l1_offset);
        put_be64(head + AT_REFTABLE, q->reftable_offset);
        put_be32(head + AT_REFTABLE_CLUSTERS, q->reftable_clusters);
        put_be32(head + AT_SNAPSHOTS, q->snapshots->len);
        put_be64(head + AT_SNAPSHOTS_OFFSET, q->snapshots_offset);
        if (q->version < 3)
                return;
        put_be64(head + AT_INCOMPATIBLE, q->incompatible);
        put_be64(head + AT_COMPATIBLE, q->compatible);
        put_be64(head + AT_AUTOCLEAR, q->autoclear);
        put_be32(head + AT_REFCOUNT_ORDER, q->refcount_order);
        put_be32(head + AT_HEADER_BYTES, q->header_bytes);
        if (q->header_bytes > AT_COMPRESSION)
                head[AT_COMPRESSION] = (uint8_t)q->compression;
}

int qcow2_write_header(struct qcow2 *q)
{
        GByteArray *bytes = g_byte_array_new();
        int error = ENOSPC;

        if (q->version >= 3 && q->header_bytes < HEADER_WITH_COMPRESSION)
                q->header_bytes = HEADER_WITH_COMPRESSION;
        g_byte_array_set_size(bytes, q->header_bytes);
        memset(bytes->data, 0, bytes->len);
        put_fixed(q, bytes->data);
        if (q->backing_name && q->backing_format)
                put_extension(bytes, EXTENSION_BACKING_FORMAT, q->backing_format, (uint32_t)strlen(q->backing_format));
        if (q->version >= 3 && q->cluster_bytes >= 2048)        /* the smallest clusters have no room for names */
                put_features(bytes);
        for (guint i = 0; i < q->extensions->len; i++) {
                const struct qcow2_extension *kept = &g_array_index(q->extensions, struct qcow2_extension, i);

                put_extension(bytes, kept->type, kept->bytes, kept->size);
        }
        put_extension(bytes, EXTENSION_END, NULL, 0);
        if (q->backing_name) {
                put_be64(bytes->data + AT_BACKING, bytes->len);
                put_be32(bytes->data + AT_BACKING_SIZE, (uint32_t)strlen(q->backing_name));
                g_byte_array_append(bytes, (const uint8_t *)q->backing_name, (guint)strlen(q->backing_name));
        }
        if (bytes->len <= q->cluster_bytes)
                error = image_write(q->file, 0, bytes->data, bytes->len);
        if (!error)
                error = q->file->driver->flush(q->file);
        g_byte_array_free(bytes, TRUE);
        return error;
}

void qcow2_set_backing(struct qcow2 *q, const char *name, const char *format)
{
        char *old_name = q->backing_name, *old_format = q->backing_format;

        q->backing_name = g_strdup(name);
        q->backing_format = name ? g_strdup(format) : NULL;
        g_free(old_name);
        g_free(old_format);
}

void qcow2_free_header(struct qcow2 *q)
{
        for (guint i = 0; i < q->extensions->len; i++)
                g_free(g_array_index(q->extensions, struct qcow2_extension, i).bytes);
        g_array_free(q->extensions, TRUE);
        g_ptr_array_free(q->snapshots, TRUE);
        g_free(q->backing_name);
        g_free(q->backing_format);
}
