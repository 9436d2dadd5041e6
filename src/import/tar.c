/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tar.c - reads headers of tar archives.
 *
 * A header is a block of 512 bytes in front of its content, which fills up to a whole block; two blocks of zeroes end the
 * archive.  Numbers are octal digits, or, when the top bit of the first byte is set, binary from the second byte on.
 */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "import/tar.h"

enum { BLOCK = 512, NAME = 0, NAME_BYTES = 100, SIZE = 124, SIZE_BYTES = 12, CHECKSUM = 148, CHECKSUM_BYTES = 8, TYPE = 156 };
enum { MAGIC = 257, PREFIX = 345, PREFIX_BYTES = 155 };

static bool read_number(const uint8_t *at, unsigned bytes, uint64_t *value)
{
        *value = 0;
        if (at[0] & 0x80) {
                for (unsigned i = 1; i < bytes; i++) {
                        if (*value >> 55)
                                return false;
                        *value = *value << 8 | at[i];
                }
                return !(at[0] & 0x7f);
        }
        for (unsigned i = 0; i < bytes && at[i] && at[i] != ' '; i++) {
                if (at[i] < '0' || at[i] > '7' || *value >> 60)
                        return false;
                *value = *value << 3 | (unsigned)(at[i] - '0');
        }
        return true;
}

/* The checksum is the sum of the header's bytes, its own field taken as blanks. */
static bool is_header(const uint8_t *block)
{
        uint64_t told, sum = 0;

        for (unsigned i = 0; i < BLOCK; i++)
                sum += i >= CHECKSUM && i < CHECKSUM + CHECKSUM_BYTES ? ' ' : block[i];
        return !memcmp(block + MAGIC, "ustar", 5) && read_number(block + CHECKSUM, CHECKSUM_BYTES, &told) && told == sum;
}

static bool is_plain_file(const uint8_t *block, const char *name)
{
        return (block[TYPE] == '0' || !block[TYPE]) && !block[PREFIX] && *name && *name != '.' && !strchr(name, '/');
}

static bool is_end(const uint8_t *block)
{
        for (unsigned i = 0; i < BLOCK; i++)
                if (block[i])
                        return false;
        return true;
}

static GArray *refuse(GArray *members, const char *path, GError **error)
{
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s: no tar archive, or a broken one"), path);
        g_array_unref(members);
        return NULL;
}

GArray *tar_list(int fd, const char *path, GError **error)
{
        GArray *members = g_array_new(FALSE, TRUE, sizeof(struct tar_member));
        uint8_t block[BLOCK];
        uint64_t at = 0;
        struct stat info;

        if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
                return refuse(members, path, error);
        for (unsigned i = 0; i < TAR_MEMBERS_MAX; i++) {
                struct tar_member member = { .offset = at + BLOCK };

                if (pread(fd, block, BLOCK, (off_t)at) != BLOCK || is_end(block))
                        break;
                if (!is_header(block) || !read_number(block + SIZE, SIZE_BYTES, &member.size) ||
                    member.size > (uint64_t)info.st_size || member.offset > (uint64_t)info.st_size - member.size)
                        return refuse(members, path, error);
                memcpy(member.name, block + NAME, NAME_BYTES);
                if (is_plain_file(block, member.name))
                        g_array_append_val(members, member);
                at = member.offset + (member.size + BLOCK - 1) / BLOCK * BLOCK;
        }
        return members->len ? members : refuse(members, path, error);
}

const struct tar_member *tar_find(const GArray *members, const char *name)
{
        for (guint i = 0; i < members->len; i++) {
                const struct tar_member *member = &g_array_index(members, struct tar_member, i);

                if (!strcmp(member->name, name))
                        return member;
        }
        return NULL;
}
