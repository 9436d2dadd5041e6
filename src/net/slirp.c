/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slirp.c - the user network: libslirp, a TCP/IP stack in this process that needs no rights.
 *
 * The guest sees 10.0.2.0/24 (fec0::/64): it is 10.0.2.15 by DHCP, the host 10.0.2.2, the name server
 * 10.0.2.3.  What it sends becomes ordinary sockets of this process.
 *
 * libslirp is not thread-safe: everything here runs with net->work held, on the worker but for open, close and
 * forwards.  Its time is the host's monotonic clock: connections have peers for whom a pause is silence.
 * Its MTU is the longest packet there is: net.c cuts TCP and UDP to what the guest's card takes, or hands over a
 * large segment whole.
 */
#include <arpa/inet.h>
#include <gio/gio.h>
#include <slirp/libslirp.h>
#include <string.h>

#include "base/log.h"
#include "net/internal.h"

enum { TIMERS_MAX = 4, SLIRP_MTU = 65520 };

struct slirp_timer {
        SlirpTimerCb fn;
        void *opaque;
        int64_t deadline_ms;            /* -1: not set */
        bool used;
};

struct user {
        Slirp *slirp;
        struct net *net;
        struct slirp_timer timer[TIMERS_MAX];
};

static int64_t now_ns(void) { return g_get_monotonic_time() * 1000; }

/* -- What libslirp asks for ------------------------------------------------------------------------ */

static ssize_t user_send_packet(const void *frame, size_t size, void *opaque)
{
        struct user *user = opaque;

        net_arrived(user->net, frame, size);
        return (ssize_t)size;
}

static void user_guest_error(const char *message, void *opaque)
{
        (void)opaque;
        guest_error("user network", "%s", message);
}

static int64_t user_clock(void *opaque)
{
        (void)opaque;
        return now_ns();
}

static void *user_timer_new(SlirpTimerCb fn, void *fn_opaque, void *opaque)
{
        struct user *user = opaque;

        for (unsigned i = 0; i < TIMERS_MAX; i++) {
                if (user->timer[i].used)
                        continue;
                user->timer[i] = (struct slirp_timer){ fn, fn_opaque, -1, true };
                return &user->timer[i];
        }
        g_assert_not_reached();
}

static void user_timer_free(void *timer, void *opaque)
{
        (void)opaque;
        ((struct slirp_timer *)timer)->used = false;
}

static void user_timer_mod(void *timer, int64_t deadline_ms, void *opaque)
{
        (void)opaque;
        ((struct slirp_timer *)timer)->deadline_ms = deadline_ms;
}

/* Descriptors are asked for anew before each poll, and the worker itself is the one to be woken. */
static void user_ignore_fd(int fd, void *opaque) { (void)fd, (void)opaque; }
static void user_notify(void *opaque) { (void)opaque; }

static const SlirpCb user_callbacks = {
        .send_packet = user_send_packet, .guest_error = user_guest_error, .clock_get_ns = user_clock,
        .timer_new = user_timer_new, .timer_free = user_timer_free, .timer_mod = user_timer_mod,
        .register_poll_fd = user_ignore_fd, .unregister_poll_fd = user_ignore_fd, .notify = user_notify,
};

/* -- Polling ------------------------------------------------------------------------------------- */

static int user_add_poll(int fd, int events, void *opaque)
{
        struct net *net = opaque;
        short wanted = 0;

        if (events & SLIRP_POLL_IN)
                wanted |= POLLIN;
        if (events & SLIRP_POLL_OUT)
                wanted |= POLLOUT;
        if (events & SLIRP_POLL_PRI)
                wanted |= POLLPRI;
        net_poll_add(net, fd, wanted);
        return (int)net->polled->len - 1;
}

static int user_get_events(int index, void *opaque)
{
        struct net *net = opaque;
        short got = g_array_index(net->polled, struct pollfd, index).revents;

        return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) | (got & POLLPRI ? SLIRP_POLL_PRI : 0) |
               (got & POLLERR ? SLIRP_POLL_ERR : 0) | (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static void user_fill(struct net *net, int *timeout_ms)
{
        struct user *user = net->data;
        uint32_t timeout = UINT32_MAX;

        slirp_pollfds_fill(user->slirp, &timeout, user_add_poll, net);
        for (unsigned i = 0; i < TIMERS_MAX; i++) {
                const struct slirp_timer *timer = &user->timer[i];

                if (timer->used && timer->deadline_ms >= 0) {
                        int64_t left = timer->deadline_ms - now_ns() / 1000000;

                        timeout = (uint32_t)MIN((int64_t)timeout, MAX(left, 0));
                }
        }
        if (timeout <= INT32_MAX)
                *timeout_ms = *timeout_ms < 0 ? (int)timeout : MIN(*timeout_ms, (int)timeout);
}

static void user_serve(struct net *net, unsigned first, bool failed)
{
        struct user *user = net->data;
        int64_t now_ms = now_ns() / 1000000;

        (void)first;
        slirp_pollfds_poll(user->slirp, failed, user_get_events, net);
        for (unsigned i = 0; i < TIMERS_MAX; i++) {
                struct slirp_timer *timer = &user->timer[i];

                if (timer->used && timer->deadline_ms >= 0 && timer->deadline_ms <= now_ms) {
                        timer->deadline_ms = -1;
                        timer->fn(timer->opaque);
                }
        }
}

static void user_send(struct net *net, const uint8_t *frame, size_t size)
{
        slirp_input(((struct user *)net->data)->slirp, frame, (int)size);
}

/* -- Forwards ------------------------------------------------------------------------------------ */

struct forward {
        bool udp;
        struct in_addr host, guest;
        int host_port, guest_port;
};

/* "[ADDRESS]:PORT"; the text is written to. */
static bool parse_end(char *text, struct in_addr *address, int *port)
{
        char *colon = strrchr(text, ':'), *end;
        guint64 number;

        if (!colon)
                return false;
        *colon = '\0';
        number = g_ascii_strtoull(colon + 1, &end, 10);
        if (end == colon + 1 || *end || number == 0 || number > 65535)
                return false;
        *port = (int)number;
        return !*text || inet_pton(AF_INET, text, address) == 1;
}

static bool forward_parse(const char *spec, struct forward *forward, GError **error)
{
        char *copy = g_strdup(spec), *dash = strchr(copy, '-');
        bool ok = dash && (g_str_has_prefix(copy, "tcp:") || g_str_has_prefix(copy, "udp:"));

        *forward = (struct forward){ .udp = *copy == 'u' };
        /* The guest's address is known to libslirp (0: the one DHCP gave); on the host, this machine only. */
        forward->host.s_addr = htonl(INADDR_LOOPBACK);
        if (ok) {
                *dash = '\0';
                ok = parse_end(copy + 4, &forward->host, &forward->host_port) &&
                     parse_end(dash + 1, &forward->guest, &forward->guest_port);
        }
        g_free(copy);
        if (!ok)
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "hostfwd=%s: write tcp:[ADDRESS]:PORT-[ADDRESS]:PORT, for example tcp:127.0.0.1:2222-:22", spec);
        return ok;
}

static bool user_forward(struct net *net, const char *spec, bool add, GError **error)
{
        struct user *user = net->data;
        struct forward forward;

        if (!forward_parse(spec, &forward, error))
                return false;
        if (add ? slirp_add_hostfwd(user->slirp, forward.udp, forward.host, forward.host_port, forward.guest, forward.guest_port) :
                  slirp_remove_hostfwd(user->slirp, forward.udp, forward.host, forward.host_port)) {
                g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "hostfwd=%s: %s", spec,
                            add ? g_strerror(errno) : "no such forward");
                return false;
        }
        return true;
}

/* -- Life ---------------------------------------------------------------------------------------- */

static bool user_open(struct net *net, const struct net_options *options, GError **error)
{
        struct user *user;
        SlirpConfig config = {
                .version = 3, .restricted = options->restricted, .in_enabled = true, .in6_enabled = options->ipv6,
                .vprefix_len = 64, .vhostname = options->hostname, .tftp_path = options->tftp, .bootfile = options->bootfile,
                .if_mtu = SLIRP_MTU, .if_mru = SLIRP_MTU,
        };

        if (options->tftp && !g_file_test(options->tftp, G_FILE_TEST_IS_DIR)) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "tftp=%s: no such folder", options->tftp);
                return false;
        }
        inet_pton(AF_INET, "10.0.2.0", &config.vnetwork);
        inet_pton(AF_INET, "255.255.255.0", &config.vnetmask);
        inet_pton(AF_INET, "10.0.2.2", &config.vhost);
        inet_pton(AF_INET, "10.0.2.15", &config.vdhcp_start);
        inet_pton(AF_INET, options->dns ? options->dns : "10.0.2.3", &config.vnameserver);
        inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
        inet_pton(AF_INET6, "fec0::2", &config.vhost6);
        inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
        user = g_new0(struct user, 1);
        user->net = net;
        user->slirp = slirp_new(&config, &user_callbacks, user);
        if (!user->slirp) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "the user network does not start: libslirp %s refuses its settings",
                            slirp_version_string());
                g_free(user);
                return false;
        }
        net->data = user;
        return true;
}

static void user_close(struct net *net)
{
        struct user *user = net->data;

        slirp_cleanup(user->slirp);
        g_free(user);
}

const struct net_kind net_kind_user = {
        .name = "user", .open = user_open, .close = user_close, .send = user_send, .fill = user_fill, .serve = user_serve,
        .forward = user_forward, .largest = NET_FRAME_MAX,
};
