/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap.c - frames written to a file in the classic pcap format: a 24-byte file header (magic number
 * A1B23C4Dh for nanoseconds, version 2.4, link type 1 = Ethernet), then per frame seconds, nanoseconds, bytes
 * kept, bytes there were, and the bytes.  Fields are in the host's order, which the magic number tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "net/internal.h"

struct net_capture {
        FILE *file;
        char *path;
        bool failed;                    /* reported; nothing more is written */
};

struct net_capture *net_capture_open(const char *path, GError **error)
{
        const uint32_t header[6] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, NET_FRAME_MAX, 1 };
        /* O_NONBLOCK: a FIFO that nobody reads must not stop the machine. */
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
        struct net_capture *capture;

        if (!file || fwrite(header, sizeof(header), 1, file) != 1 || fflush(file)) {
                g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s: %s", path, g_strerror(errno));
                if (file)
                        fclose(file);
                else if (fd >= 0)
                        close(fd);
                return NULL;
        }
        capture = g_new0(struct net_capture, 1);
        capture->file = file;
        capture->path = g_strdup(path);
        return capture;
}

void net_capture_frame(struct net_capture *capture, const uint8_t *frame, size_t size)
{
        struct timespec now;

        if (!capture || capture->failed)
                return;
        clock_gettime(CLOCK_REALTIME, &now);
        const uint32_t header[4] = { (uint32_t)now.tv_sec, (uint32_t)now.tv_nsec, (uint32_t)size, (uint32_t)size };

        /* Flushed frame by frame: whoever watches the file sees traffic when it happens. */
        if (fwrite(header, sizeof(header), 1, capture->file) == 1 && fwrite(frame, size, 1, capture->file) == 1 &&
            !fflush(capture->file))
                return;
        log_error("%s: capture ends: %s", capture->path, g_strerror(errno));
        capture->failed = true;
}

void net_capture_close(struct net_capture *capture)
{
        if (!capture)
                return;
        fclose(capture->file);
        g_free(capture->path);
        g_free(capture);
}
