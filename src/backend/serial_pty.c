/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial_pty.c - a serial line on a new pseudo-terminal, for screen, picocom and their like.
 *
 * The slave side is kept open here too: a master whose slave nobody has open reports a hang-up for
 * ever, and the terminal's settings would be lost between users.
 *
 * Closing a master throws away what the slave's reader has not taken yet.  So the end waits for a reader, if
 * there has been one: that somebody opened the terminal is what inotify tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "backend/serial.h"

/* How long a reader may go without taking anything before its terminal is closed under it, and how long
 * written bytes may be on their way through the kernel's queue before FIONREAD counts them. */
enum { READER_STALL_MS = 3000, SETTLE_MS = 50, LOOK_MS = 2 };

struct pty {
        int master, slave;
        int opened;                     /* inotify: readable once somebody opened the slave; -1: not known */
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
        /* Without it a late reader may miss the last words, and that is all. */
        pty->opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (pty->opened >= 0)
                inotify_add_watch(pty->opened, name, IN_OPEN);

        backend->data = pty;
        backend->place = g_strdup(name);
        serial_streams_open(backend, pty->master, pty->master);
        return true;
}

/* Lets whoever has the terminal open take what was written. */
static void pty_wait_for_reader(const struct pty *pty)
{
        char event[sizeof(struct inotify_event) + 256];
        int waiting, before = 0;
        unsigned stalled = 0, settled = 0;

        if (pty->opened < 0 || read(pty->opened, event, sizeof(event)) <= 0)
                return;
        while (stalled < READER_STALL_MS && settled < SETTLE_MS && !ioctl(pty->slave, FIONREAD, &waiting)) {
                settled = waiting ? 0 : settled + LOOK_MS;
                stalled = waiting < before ? 0 : stalled + LOOK_MS;
                before = waiting;
                g_usleep(LOOK_MS * 1000);
        }
}

static void pty_close(struct serial_backend *backend)
{
        struct pty *pty = backend->data;

        pty_wait_for_reader(pty);
        if (pty->opened >= 0)
                close(pty->opened);
        close(pty->slave);
        close(pty->master);
        g_free(pty);
}

const struct serial_kind serial_kind_pty = {
        .name = "pty",
        .open = pty_open,
        .close = pty_close,
};
