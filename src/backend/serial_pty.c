/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial_pty.c - a serial line on a new pseudo-terminal, for screen, picocom and their like.
 *
 * The slave side is kept open here too: a master whose slave nobody has open reports a hang-up for
 * ever, and the terminal's settings would be lost between users.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "backend/serial.h"

struct pty {
        int master, slave;
};

static bool pty_fail(struct pty *pty, GError **error)
{
        int saved = errno;

        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "cannot make a pseudo-terminal: %s", g_strerror(saved));
        if (pty->slave >= 0)
                close(pty->slave);
        if (pty->master >= 0)
                close(pty->master);
        g_free(pty);
        return false;
}

static bool pty_open(struct serial_backend *backend, const char *argument, GError **error)
{
        struct pty *pty = g_new(struct pty, 1);
        struct termios settings;
        char name[64];

        (void)argument;
        pty->slave = -1;
        pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        if (pty->master < 0 || grantpt(pty->master) < 0 || unlockpt(pty->master) < 0)
                return pty_fail(pty, error);
        if ((errno = ptsname_r(pty->master, name, sizeof(name))))
                return pty_fail(pty, error);
        pty->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (pty->slave < 0 || tcgetattr(pty->slave, &settings) < 0)
                return pty_fail(pty, error);
        cfmakeraw(&settings);
        if (tcsetattr(pty->slave, TCSANOW, &settings) < 0)
                return pty_fail(pty, error);

        backend->data = pty;
        backend->place = g_strdup(name);
        serial_streams_open(backend, pty->master, pty->master);
        return true;
}

static void pty_close(struct serial_backend *backend)
{
        struct pty *pty = backend->data;

        close(pty->slave);
        close(pty->master);
        g_free(pty);
}

const struct serial_kind serial_kind_pty = {
        .name = "pty",
        .open = pty_open,
        .close = pty_close,
};
