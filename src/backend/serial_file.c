/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial_file.c - a serial line whose output goes to a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "backend/serial.h"

static bool file_open(struct serial_backend *backend, const char *path, GError **error)
{
        /* Not blocking: a FIFO without a reader is an error, not a wait. */
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);

        if (fd < 0) {
                int saved = errno;
                g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "cannot write serial output to \"%s\": %s", path,
                            saved == ENXIO ? "no process has it open for reading" : g_strerror(saved));
                return false;
        }
        backend->data = GINT_TO_POINTER(fd);
        serial_streams_open(backend, -1, fd);
        return true;
}

static void file_close(struct serial_backend *backend)
{
        close(GPOINTER_TO_INT(backend->data));
}

const struct serial_kind serial_kind_file = {
        .name = "file",
        .has_argument = true,
        .lossless = true,
        .open = file_open,
        .close = file_close,
};
