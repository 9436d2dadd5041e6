/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap.c - a tap device of the host's kernel, alone (tap[=NAME]) or in a bridge (bridge=BRIDGE).
 *
 * Both need rights: root (of the network namespace), or a tap that the administrator made for this user
 * ("ip tuntap add NAME mode tap user USER"), or for bridges QEMU's bridge helper, a small setuid program.
 *
 * Frames carry a virtio header (struct virtio_net_hdr, linux/virtio_net.h), so that the kernel takes and gives
 * TCP segments of up to 64 KiB with open checksums.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "net/internal.h"

/* linux/if_bridge.h has it, but not together with netinet/in.h. */
#define SIOCBRADDIF_ 0x89a2

enum { FRAMES_PER_TURN = 64, TCP_SUM_AT = 16 };
static const char HELPER[] = "/usr/lib/qemu/qemu-bridge-helper";

struct tap {
        int fd;
        uint8_t buffer[NET_FRAME_MAX];
};

/* -- Frames -------------------------------------------------------------------------------------- */

static void tap_send(struct net *net, const uint8_t *frame, size_t size)
{
        struct tap *tap = net->data;
        struct virtio_net_hdr header = { 0 };
        struct iovec parts[2] = { { &header, sizeof(header) }, { (void *)frame, size } };
        struct net_headers headers;

        if (size > NET_STANDARD_MAX + 4 && net_headers_find(frame, size, &headers) && headers.protocol == IPPROTO_TCP) {
                uint8_t *sum = tap->buffer + headers.transport + TCP_SUM_AT;
                uint16_t pseudo = net_sum_fold(net_sum_pseudo(frame, &headers, headers.end - headers.transport));

                memcpy(tap->buffer, frame, size);
                sum[0] = (uint8_t)(pseudo >> 8);
                sum[1] = (uint8_t)pseudo;
                header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
                header.gso_type = headers.version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
                header.hdr_len = (uint16_t)headers.payload;
                header.gso_size = (uint16_t)(NET_STANDARD_MAX - headers.payload);
                header.csum_start = (uint16_t)headers.transport;
                header.csum_offset = TCP_SUM_AT;
                parts[1].iov_base = tap->buffer;
        }
        /* No room, or the interface is down: the frame is lost, as on a wire. */
        if (writev(tap->fd, parts, 2) < 0 && errno != EAGAIN && errno != EIO && errno != EINVAL && errno != ENOBUFS)
                log_warning("%s: %s", net->id, g_strerror(errno));
}

static void tap_fill(struct net *net, int *timeout_ms)
{
        (void)timeout_ms;
        net_poll_add(net, ((struct tap *)net->data)->fd, POLLIN);
}

static bool tap_receive(struct net *net)
{
        struct tap *tap = net->data;
        struct virtio_net_hdr header;
        struct iovec parts[2] = { { &header, sizeof(header) }, { tap->buffer, sizeof(tap->buffer) } };
        ssize_t n = readv(tap->fd, parts, 2);

        if (n <= (ssize_t)sizeof(header))
                return false;
        n -= (ssize_t)sizeof(header);
        if ((header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && header.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
                struct net_offload offload = { .checksum = true, .sum_from = header.csum_start,
                                               .sum_at = (uint16_t)(header.csum_start + header.csum_offset) };

                net_checksum_complete(tap->buffer, (size_t)n, &offload);
        }
        net_arrived(net, tap->buffer, (size_t)n);
        return true;
}

static void tap_serve(struct net *net, unsigned first, bool failed)
{
        if (failed || net->polled->len <= first || !g_array_index(net->polled, struct pollfd, first).revents)
                return;
        for (unsigned i = 0; i < FRAMES_PER_TURN && tap_receive(net); i++)
                ;
}

/* -- Opening ------------------------------------------------------------------------------------- */

static bool fail(GError **error, const char *what, const char *remedy)
{
        int saved = errno;

        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(saved), "%s: %s%s%s", what, g_strerror(saved), *remedy ? "; " : "", remedy);
        return false;
}

/* Offloads, where the kernel has them; without, frames just come whole and small. */
static void tap_offloads(int fd)
{
        int bytes = sizeof(struct virtio_net_hdr);

        ioctl(fd, TUNSETVNETHDRSZ, &bytes);
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
}

/* Opens or creates the interface `name` (empty: the kernel chooses); the name it has comes back in request. */
static int tap_attach(const char *name, struct ifreq *request, GError **error)
{
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
        char *what;

        if (fd < 0) {
                fail(error, "/dev/net/tun", "taps need this device; \"--net user\" and \"--net passt\" do without");
                return -1;
        }
        memset(request, 0, sizeof(*request));
        request->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
        g_strlcpy(request->ifr_name, *name ? name : "tap%d", IFNAMSIZ);
        if (!ioctl(fd, TUNSETIFF, request))
                return fd;
        what = g_strdup_printf("tap \"%s\"", request->ifr_name);
        fail(error, what, errno == EPERM ? "creating it needs root; an administrator can make one with \"ip tuntap add NAME mode tap "
                                           "user USER\"" : "");
        g_free(what);
        close(fd);
        return -1;
}

/* Only root may; a tap made beforehand is up already, or will be. */
static void interface_up(struct ifreq *request)
{
        int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (control < 0)
                return;
        if (!ioctl(control, SIOCGIFFLAGS, request) && !(request->ifr_flags & IFF_UP)) {
                request->ifr_flags |= IFF_UP;
                if (ioctl(control, SIOCSIFFLAGS, request))
                        log_warning("tap \"%s\" is down, and cannot be brought up: %s", request->ifr_name, g_strerror(errno));
        }
        close(control);
}

static bool tap_use(struct net *net, int fd)
{
        struct tap *tap = g_new0(struct tap, 1);

        tap->fd = fd;
        tap_offloads(fd);
        net->data = tap;
        return true;
}

static bool tap_open(struct net *net, const struct net_options *options, GError **error)
{
        const char *name = options->argument ? options->argument : "";
        struct ifreq request;
        int fd;

        if (strlen(name) >= IFNAMSIZ) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "tap=%s: an interface's name has up to 15 letters", name);
                return false;
        }
        fd = tap_attach(name, &request, error);
        if (fd < 0)
                return false;
        interface_up(&request);
        return tap_use(net, fd);
}

/* -- Bridges ------------------------------------------------------------------------------------- */

static bool bridge_join(const char *bridge, const char *interface)
{
        int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), saved;
        struct ifreq request = { 0 };
        bool ok;

        if (control < 0)
                return false;
        g_strlcpy(request.ifr_name, bridge, IFNAMSIZ);
        request.ifr_ifindex = (int)if_nametoindex(interface);
        ok = !ioctl(control, SIOCBRADDIF_, &request);
        saved = errno;
        close(control);
        errno = saved;
        return ok;
}

/* The descriptor a helper sends over its socket; -1: it sent none. */
static int receive_descriptor(int from)
{
        union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
        char byte;
        struct iovec part = { &byte, 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        struct cmsghdr *header;
        int fd = -1;

        if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) <= 0)
                return -1;
        header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        return fd;
}

/* QEMU's bridge helper, if there is one: it makes a tap in the bridge and sends its descriptor. */
static int bridge_helper(const char *bridge)
{
        char *argument = g_strdup_printf("--br=%s", bridge);
        const char *arguments[] = { HELPER, "--use-vnet", "--fd=3", argument, NULL };
        int pair[2], source, target = 3, fd = -1;
        GPid child;

        if (g_file_test(HELPER, G_FILE_TEST_IS_EXECUTABLE) && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
                source = pair[1];
                bool started = g_spawn_async_with_pipes_and_fds(NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1, -1, -1,
                                                                &source, &target, 1, &child, NULL, NULL, NULL, NULL);

                close(pair[1]);
                if (started) {
                        fd = receive_descriptor(pair[0]);
                        waitpid(child, NULL, 0);
                }
                close(pair[0]);
        }
        g_free(argument);
        if (fd >= 0)
                fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        return fd;
}

static bool bridge_open(struct net *net, const struct net_options *options, GError **error)
{
        const char *bridge = options->argument;
        GError *problem = NULL;
        struct ifreq request;
        char *what;
        int fd;

        if (!if_nametoindex(bridge)) {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "bridge=%s: there is no such interface; \"ip link\" lists them", bridge);
                return false;
        }
        fd = tap_attach("", &request, &problem);
        if (fd < 0 && (fd = bridge_helper(bridge)) >= 0) {
                g_error_free(problem);
                return tap_use(net, fd);
        }
        if (fd < 0) {
                g_propagate_prefixed_error(error, problem, "bridge=%s (without root this needs %s, and the bridge in its bridge.conf): ",
                                           bridge, HELPER);
                return false;
        }
        if (!bridge_join(bridge, request.ifr_name)) {
                what = g_strdup_printf("bridge=%s: adding \"%s\" to it", bridge, request.ifr_name);
                fail(error, what, errno == EOPNOTSUPP ? "this interface is no bridge" : "");
                g_free(what);
                close(fd);
                return false;
        }
        interface_up(&request);
        return tap_use(net, fd);
}

static void tap_close(struct net *net)
{
        struct tap *tap = net->data;

        close(tap->fd);
        g_free(tap);
}

const struct net_kind net_kind_tap = {
        .name = "tap", .takes_argument = true, .open = tap_open, .close = tap_close, .send = tap_send, .fill = tap_fill,
        .serve = tap_serve, .largest = NET_FRAME_MAX,
};

const struct net_kind net_kind_bridge = {
        .name = "bridge", .takes_argument = true, .needs_argument = true, .open = bridge_open, .close = tap_close,
        .send = tap_send, .fill = tap_fill, .serve = tap_serve, .largest = NET_FRAME_MAX,
};
