/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostile.c - clients that do everything wrong: hostile WAY SOCKET.
 *
 *      garbage    random bytes
 *      endless    an authentication line without end, for as long as it is taken
 *      silent     connects, and says nothing (exits when disconnected)
 *      flood      calls methods, and reads no answer, for as long as it is taken
 *      one-way    calls that want no answer
 *      truncated  a message that says it is long and is not, then nothing (exits when disconnected, or after 2 s)
 *      many       a hundred connections, all silent, for three seconds
 *      crowd      a thousand connections, or as many as are taken, for a minute
 *
 * Exit status 0: done, or disconnected by the machine; 1: it was let in for too long; 99: trouble of its own.
 */
#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MANY = 100, CROWD = 1000, LIMIT_SECONDS = 8 };

static int reach(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                perror(path);
                exit(99);
        }
        return fd;
}

/* False: disconnected. */
static bool say(int fd, const void *bytes, size_t size)
{
        const char *at = bytes;

        while (size) {
                ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

                if (n < 0)
                        return false;
                at += n;
                size -= (size_t)n;
        }
        return true;
}

/* Reads away what comes until the end or the time is up: true for the end. */
static bool wait_for_end(int fd, int seconds)
{
        gint64 end = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
        char bytes[4096];

        for (;;) {
                struct pollfd wait = { .fd = fd, .events = POLLIN };
                int left = (int)((end - g_get_monotonic_time()) / 1000);

                if (left <= 0 || poll(&wait, 1, left) <= 0)
                        return false;
                if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
                        return true;
        }
}

/* What is never read fills up and blocks the sender; the machine is to hang up rather than wait with it. */
static void limit_sending(int fd)
{
        struct timeval limit = { .tv_sec = LIMIT_SECONDS };

        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void expect(int fd, const char *start)
{
        char line[256] = "";
        size_t length = 0;

        while (length + 1 < sizeof(line) && recv(fd, line + length, 1, 0) == 1 && line[length] != '\n')
                length++;
        if (strncmp(line, start, strlen(start))) {
                fprintf(stderr, "no \"%s\" but \"%s\"\n", start, line);
                exit(99);
        }
}

static void authenticate(int fd)
{
        char *uid = g_strdup_printf("%u", (unsigned)geteuid());
        GString *line = g_string_new("AUTH EXTERNAL ");

        for (const char *digit = uid; *digit; digit++)
                g_string_append_printf(line, "%02x", *digit);
        g_string_append(line, "\r\n");
        say(fd, "", 1);
        say(fd, line->str, line->len);
        expect(fd, "OK");
        say(fd, "BEGIN\r\n", 7);
        g_string_free(line, TRUE);
        g_free(uid);
}

static guchar *call(const char *method, GDBusMessageFlags flags, gsize *size)
{
        GDBusMessage *message = g_dbus_message_new_method_call(NULL, "/org/lodger/Machine1", "org.lodger.Machine1", method);
        guchar *blob;

        g_dbus_message_set_flags(message, flags);
        g_dbus_message_set_serial(message, 7);
        blob = g_dbus_message_to_blob(message, size, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
        g_object_unref(message);
        return blob;
}

static bool flood(int fd, GDBusMessageFlags flags)
{
        gint64 end = g_get_monotonic_time() + LIMIT_SECONDS * G_USEC_PER_SEC;
        gsize size;
        guchar *blob = call("Stats", flags, &size);

        while (g_get_monotonic_time() < end) {
                if (!say(fd, blob, size)) {
                        int number = errno;

                        g_free(blob);
                        return number != EAGAIN;
                }
        }
        g_free(blob);
        return false;
}

static bool endless(int fd)
{
        char block[4096];

        memset(block, 'A', sizeof(block));
        if (!say(fd, "", 1))
                return true;
        for (unsigned i = 0; i < 64 * 1024; i++)        /* 256 MiB */
                if (!say(fd, block, sizeof(block)))
                        return errno != EAGAIN;
        return false;
}

static bool garbage(int fd)
{
        for (unsigned i = 0; i < 10000; i++) {
                guint32 bytes[64];

                for (unsigned j = 0; j < G_N_ELEMENTS(bytes); j++)
                        bytes[j] = g_random_int();
                if (!say(fd, bytes, sizeof(bytes)))
                        return errno != EAGAIN;
        }
        return false;
}

static bool truncated(int fd)
{
        static const guint8 head[16] = { 'l', 1, 0, 1, 0, 0, 0, 4, 1, 0, 0, 0, 16, 0, 0, 0 };   /* a body of 64 MiB */

        authenticate(fd);
        say(fd, head, sizeof(head));
        wait_for_end(fd, 2);
        return true;
}

static bool many(const char *path)
{
        for (unsigned i = 0; i < MANY; i++)
                reach(path);
        g_usleep(3 * G_USEC_PER_SEC);
        return true;
}

static bool crowd(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        for (unsigned i = 0; i < CROWD; i++) {
                int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

                if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                        break;
        }
        g_usleep(60 * G_USEC_PER_SEC);
        return true;
}

int main(int argc, char **argv)
{
        const char *way = argc == 3 ? argv[1] : "", *path = argc == 3 ? argv[2] : "";
        bool ok;
        int fd;

        if (!strcmp(way, "many"))
                return many(path) ? 0 : 1;
        if (!strcmp(way, "crowd"))
                return crowd(path) ? 0 : 1;
        fd = reach(path);
        limit_sending(fd);
        if (!strcmp(way, "garbage")) {
                ok = garbage(fd);
        } else if (!strcmp(way, "endless")) {
                ok = endless(fd);
        } else if (!strcmp(way, "silent")) {
                ok = wait_for_end(fd, LIMIT_SECONDS);
        } else if (!strcmp(way, "flood")) {
                authenticate(fd);
                ok = flood(fd, G_DBUS_MESSAGE_FLAGS_NONE);
        } else if (!strcmp(way, "one-way")) {
                authenticate(fd);
                ok = flood(fd, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
        } else if (!strcmp(way, "truncated")) {
                ok = truncated(fd);
        } else {
                fprintf(stderr, "usage: hostile WAY SOCKET\n");
                return 99;
        }
        return ok ? 0 : 1;
}
