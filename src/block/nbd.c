/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd.c - disks that a server offers over the network block device protocol, through libnbd.
 *
 * libnbd locks its handle for the time of a call, so worker threads may call side by side.  A server that
 * goes away makes every further request fail; nothing is sent twice.
 */
#include <errno.h>
#include <string.h>
#if HAVE_LIBNBD
#include <libnbd.h>
#endif

#include "block/driver.h"
#include "block/nbd.h"

#if HAVE_LIBNBD

enum { CHUNK = 8 << 20 };

struct nbd {
        struct block_image image;
        struct nbd_handle *handle;
        bool can_flush, can_trim, can_zero;
        char *format;
        struct block_driver driver;     /* a copy that has the name of the format that is served */
};

static int nbd_error(int status)
{
        int number = status < 0 ? nbd_get_errno() : 0;

        return status < 0 && !number ? EIO : number;
}

static int move(struct nbd *nbd, uint64_t offset, uint8_t *bytes, size_t size, bool write)
{
        int error = 0;

        for (size_t done = 0; done < size && !error; ) {
                size_t n = MIN(size - done, (size_t)CHUNK);

                error = nbd_error(write ? nbd_pwrite(nbd->handle, bytes + done, n, offset + done, 0)
                                        : nbd_pread(nbd->handle, bytes + done, n, offset + done, 0));
                done += n;
        }
        return error;
}

static int move_vector(struct block_image *image, uint64_t offset, const struct iovec *iov, unsigned count, bool write)
{
        struct nbd *nbd = (struct nbd *)image;
        size_t size = iov_size(iov, count);
        uint8_t *bytes;
        int error;

        if (count == 1)
                return move(nbd, offset, iov->iov_base, size, write);
        bytes = g_malloc(size);
        if (write)
                iov_take(iov, count, 0, bytes, size);
        error = move(nbd, offset, bytes, size, write);
        if (!write && !error)
                iov_fill(iov, count, 0, bytes, size);
        g_free(bytes);
        return error;
}

static int nbd_readv(struct block_image *image, uint64_t offset, const struct iovec *to, unsigned count)
{
        return move_vector(image, offset, to, count, false);
}

static int nbd_writev(struct block_image *image, uint64_t offset, const struct iovec *from, unsigned count)
{
        return move_vector(image, offset, from, count, true);
}

static int nbd_flush_image(struct block_image *image)
{
        struct nbd *nbd = (struct nbd *)image;

        return nbd->can_flush ? nbd_error(nbd_flush(nbd->handle, 0)) : 0;
}

static int nbd_discard(struct block_image *image, uint64_t offset, uint64_t size)
{
        struct nbd *nbd = (struct nbd *)image;
        int error = 0;

        if (!nbd->can_trim)
                return EOPNOTSUPP;
        for (uint64_t n; size && !error; offset += n, size -= n) {
                n = MIN(size, (uint64_t)1 << 30);
                error = nbd_error(nbd_trim(nbd->handle, n, offset, 0));
        }
        return error;
}

static int nbd_write_zeroes(struct block_image *image, uint64_t offset, uint64_t size, bool unmap)
{
        struct nbd *nbd = (struct nbd *)image;
        int error = 0;

        if (!nbd->can_zero)
                return EOPNOTSUPP;
        for (uint64_t n; size && !error; offset += n, size -= n) {
                n = MIN(size, (uint64_t)1 << 30);
                error = nbd_error(nbd_zero(nbd->handle, n, offset, unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE));
        }
        return error;
}

static void nbd_close_image(struct block_image *image)
{
        struct nbd *nbd = (struct nbd *)image;

        nbd_shutdown(nbd->handle, 0);
        nbd_close(nbd->handle);         /* also ends a server that was started for it, and waits for it */
        g_free(image->path);
        g_free(nbd->format);
        g_free(nbd);
}

static struct block_image *nbd_take(struct nbd_handle *handle, const char *path, const char *format, bool read_only, GError **error)
{
        int64_t size = nbd_get_size(handle);
        struct nbd *nbd;

        if (size < 0 || (!read_only && nbd_is_read_only(handle) == 1)) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s", path,
                            size < 0 ? nbd_get_error() : "its server only allows reading; add \",readonly\" or \",throwaway\"");
                nbd_close(handle);
                return NULL;
        }
        nbd = g_new0(struct nbd, 1);
        nbd->handle = handle;
        nbd->can_flush = nbd_can_flush(handle) == 1;
        nbd->can_trim = nbd_can_trim(handle) == 1;
        nbd->can_zero = nbd_can_zero(handle) == 1;
        nbd->format = g_strdup(format);
        nbd->driver = (struct block_driver){
                .name = nbd->format, .readv = nbd_readv, .writev = nbd_writev, .flush = nbd_flush_image, .close = nbd_close_image,
                .discard = nbd_discard, .write_zeroes = nbd_write_zeroes,
        };
        nbd->image = (struct block_image){ .driver = &nbd->driver, .size_bytes = (uint64_t)size, .read_only = read_only,
                                           .path = g_strdup(path) };
        return &nbd->image;
}

/* "nbd:HOST:PORT", "nbd:unix:PATH", either with ":exportname=NAME", as QEMU writes them; else as it is. */
static char *modern_uri(const char *uri)
{
        const char *rest = uri + strlen("nbd:"), *export = strstr(rest, ":exportname=");
        char *where = g_strndup(rest, export ? (gsize)(export - rest) : strlen(rest)), *name, *modern;

        if (!g_str_has_prefix(uri, "nbd:") || g_str_has_prefix(rest, "//")) {
                g_free(where);
                return g_strdup(uri);
        }
        name = g_uri_escape_string(export ? export + strlen(":exportname=") : "", NULL, FALSE);
        if (g_str_has_prefix(where, "unix:")) {
                char *socket = g_uri_escape_string(where + strlen("unix:"), "/", FALSE);

                modern = g_strdup_printf("nbd+unix:///%s?socket=%s", name, socket);
                g_free(socket);
        } else {
                modern = g_strdup_printf("nbd://%s/%s", where, name);
        }
        g_free(where);
        g_free(name);
        return modern;
}

struct block_image *nbd_open(const char *uri, const struct block_options *options, GError **error)
{
        struct nbd_handle *handle = nbd_create();
        char *modern = modern_uri(uri);
        int status = handle ? nbd_connect_uri(handle, modern) : -1;

        g_free(modern);
        if (status < 0) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s", uri, nbd_get_error());
                nbd_close(handle);
                return NULL;
        }
        return nbd_take(handle, uri, "nbd", options->read_only || options->throwaway, error);
}

struct block_image *nbd_serve(char **command, const char *path, const char *format, bool read_only, GError **error)
{
        struct nbd_handle *handle = nbd_create();

        if (!handle || nbd_connect_systemd_socket_activation(handle, command) < 0) {
                g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_OPEN, "%s: %s cannot serve it (%s)", path, command[0], nbd_get_error());
                nbd_close(handle);
                return NULL;
        }
        return nbd_take(handle, path, format, read_only, error);
}

#else

struct block_image *nbd_open(const char *uri, const struct block_options *options, GError **error)
{
        (void)options;
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: this program was built without libnbd", uri);
        return NULL;
}

struct block_image *nbd_serve(char **command, const char *path, const char *format, bool read_only, GError **error)
{
        (void)command;
        (void)read_only;
        g_set_error(error, BLOCK_ERROR, BLOCK_ERROR_UNSUPPORTED, "%s: %s is read through libnbd, which this program was built without; convert "
                    "it with \"qemu-img convert\"", path, format);
        return NULL;
}

#endif
