/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_net.c - network device (Virtio 1.2, 5.1): one pair of queues and a control queue.
 *
 * Checksums and TCP segmentation are left open both ways where the driver agreed: what the guest sends is completed by
 * the network's worker, what comes from this host needs none.  A received frame may take several buffers
 * (VIRTIO_NET_F_MRG_RXBUF); it is taken only when they are there, and waits in the network's queue otherwise.
 * Not offered: several queue pairs, RSS, VLAN filtering, UDP segmentation.
 */
#include <string.h>

#include "devices/net/nic_common.h"
#include "devices/virtio/virtio.h"

enum { CLASS_CODE = 0x020000, QUEUE_SIZE = 256, CONTROL_SIZE = 64, CONFIG_BYTES = 10 };
enum { QUEUE_RECEIVE, QUEUE_TRANSMIT, QUEUE_CONTROL };
/* Features (5.1.3). */
#define F_CSUM (UINT64_C(1) << 0)
#define F_GUEST_CSUM (UINT64_C(1) << 1)
#define F_MAC (UINT64_C(1) << 5)
#define F_GUEST_TSO4 (UINT64_C(1) << 7)
#define F_GUEST_TSO6 (UINT64_C(1) << 8)
#define F_HOST_TSO4 (UINT64_C(1) << 11)
#define F_HOST_TSO6 (UINT64_C(1) << 12)
#define F_MRG_RXBUF (UINT64_C(1) << 15)
#define F_STATUS (UINT64_C(1) << 16)
#define F_CTRL_VQ (UINT64_C(1) << 17)
#define F_CTRL_RX (UINT64_C(1) << 18)
#define F_CTRL_MAC_ADDR (UINT64_C(1) << 23)
#define FEATURES (F_CSUM | F_GUEST_CSUM | F_MAC | F_GUEST_TSO4 | F_GUEST_TSO6 | F_HOST_TSO4 | F_HOST_TSO6 | F_MRG_RXBUF | F_STATUS | \
                  F_CTRL_VQ | F_CTRL_RX | F_CTRL_MAC_ADDR)
/* Configuration space (5.1.4). */
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_PAIRS = 8, STATUS_LINK_UP = 1 };
/* The header before each frame (5.1.6). */
enum { H_FLAGS = 0, H_GSO_TYPE = 1, H_HEADER = 2, H_GSO_SIZE = 4, H_SUM_START = 6, H_SUM_OFFSET = 8, H_BUFFERS = 10, HEADER_BYTES = 12 };
enum { H_NEEDS_CSUM = 1, GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4, GSO_ECN = 0x80 };
/* Control commands (5.1.6.5). */
enum { CLASS_RX = 0, RX_PROMISCUOUS = 0, RX_ALL_MULTICAST = 1, CLASS_MAC = 1, MAC_TABLE_SET = 0, MAC_ADDR_SET = 1,
       CONTROL_OK = 0, CONTROL_ERROR = 1 };
enum { MAC_TABLE = 64, SMALL_FRAME = 1514 };

struct virtio_net {
        struct virtio_device virtio;
        /* Saved. */
        uint8_t mac[ETH_ADDRESS_BYTES]; /* what is received; reset: the card's own */
        uint8_t table[MAC_TABLE * ETH_ADDRESS_BYTES];   /* and these, unicast first */
        uint8_t unicast, multicast;     /* how many of each */
        bool promiscuous, all_unicast, all_multicast;   /* reset: promiscuous, until the driver says otherwise */
        /* Host. */
        struct net *net;
        GBytes *rom;
        uint8_t frame[NET_FRAME_MAX];   /* scratch of one call */
};

static const struct state_field net_fields[] = {
        STATE_STRUCT(struct virtio_net, virtio, virtio_device_fields),
        STATE_BYTES(struct virtio_net, mac),
        STATE_BYTES(struct virtio_net, table),
        STATE_U8(struct virtio_net, unicast),
        STATE_U8(struct virtio_net, multicast),
        STATE_BOOL(struct virtio_net, promiscuous),
        STATE_BOOL(struct virtio_net, all_unicast),
        STATE_BOOL(struct virtio_net, all_multicast),
        STATE_SKIP(struct virtio_net, net, "the host's side"),
        STATE_SKIP(struct virtio_net, rom, "option ROM file, set by the machine"),
        STATE_SKIP(struct virtio_net, frame, "scratch"),
        STATE_END
};

static const struct property net_properties[] = {
        VIRTIO_PROPERTIES(struct virtio_net, virtio),
        { 0 }
};

/* -- Transmission -------------------------------------------------------------------------------- */

/* The header's wishes, as far as they make sense for this frame. */
static bool read_header(const uint8_t *header, size_t size, struct net_offload *offload)
{
        unsigned type = header[H_GSO_TYPE] & (uint8_t)~GSO_ECN;

        *offload = (struct net_offload){ 0 };
        if (header[H_FLAGS] & H_NEEDS_CSUM) {
                unsigned start = pci_get16(header, H_SUM_START), at = start + pci_get16(header, H_SUM_OFFSET);

                if (start >= size || at + 2 > size)
                        return false;
                offload->checksum = true;
                offload->sum_from = (uint16_t)start;
                offload->sum_at = (uint16_t)at;
        }
        if (type == GSO_NONE)
                return true;
        offload->segments = type == GSO_TCPV4 ? NET_SEGMENTS_TCP4 : NET_SEGMENTS_TCP6;
        offload->segment_bytes = pci_get16(header, H_GSO_SIZE);
        offload->header_bytes = pci_get16(header, H_HEADER);
        return (type == GSO_TCPV4 || type == GSO_TCPV6) && offload->segment_bytes;
}

static void transmit(struct virtio_net *net)
{
        struct virtio_queue *queue = &net->virtio.queue[QUEUE_TRANSMIT];
        struct virtio_request *request;

        while ((!net->net || net_writable(net->net)) && (request = virtio_pop(queue)) != NULL) {
                uint8_t header[HEADER_BYTES];
                struct net_offload offload;
                size_t size = virtio_get(request, 0, header, sizeof(header)) == sizeof(header) && request->out_bytes > HEADER_BYTES
                              ? (size_t)MIN(request->out_bytes - HEADER_BYTES, sizeof(net->frame)) : 0;

                if (size < ETH_HEADER_BYTES || request->out_bytes - HEADER_BYTES > sizeof(net->frame))
                        virtio_fail(&net->virtio, "a packet of %" G_GUINT64_FORMAT " bytes", request->out_bytes);
                else if (virtio_get(request, HEADER_BYTES, net->frame, size) == size && read_header(header, size, &offload) && net->net)
                        net_send(net->net, net->frame, size, &offload);
                virtio_push(request, 0);
        }
        virtio_interrupt(queue);
}

/* -- Reception ----------------------------------------------------------------------------------- */

static bool net_can_receive(void *opaque, size_t size)
{
        struct virtio_net *net = opaque;
        struct virtio_queue *queue = &net->virtio.queue[QUEUE_RECEIVE];

        if (!virtio_is_running(&net->virtio))
                return true;                    /* and drops it */
        if (size <= SMALL_FRAME || !virtio_has(&net->virtio, F_MRG_RXBUF))
                return !virtio_is_empty(queue);
        return virtio_has_room(queue, size + HEADER_BYTES);
}

static bool in_table(const struct virtio_net *net, const uint8_t *frame, unsigned first, unsigned count)
{
        for (unsigned i = first; i < first + count; i++)
                if (!memcmp(net->table + i * ETH_ADDRESS_BYTES, frame, ETH_ADDRESS_BYTES))
                        return true;
        return false;
}

static bool address_passes(const struct virtio_net *net, const uint8_t *frame)
{
        if (net->promiscuous || !virtio_has(&net->virtio, F_CTRL_RX) || nic_is_broadcast(frame))
                return true;
        if (nic_is_multicast(frame))
                return net->all_multicast || in_table(net, frame, net->unicast, net->multicast);
        return net->all_unicast || !memcmp(net->mac, frame, ETH_ADDRESS_BYTES) || in_table(net, frame, 0, net->unicast);
}

static void write_header(uint8_t *header, const struct net_offload *offload)
{
        memset(header, 0, HEADER_BYTES);
        pci_put16(header, H_BUFFERS, 1);
        if (!offload->checksum)
                return;
        header[H_FLAGS] = H_NEEDS_CSUM;
        pci_put16(header, H_SUM_START, offload->sum_from);
        pci_put16(header, H_SUM_OFFSET, (uint16_t)(offload->sum_at - offload->sum_from));
        header[H_GSO_TYPE] = offload->segments == NET_SEGMENTS_TCP4 ? GSO_TCPV4 : offload->segments == NET_SEGMENTS_TCP6 ? GSO_TCPV6 : GSO_NONE;
        pci_put16(header, H_GSO_SIZE, offload->segment_bytes);
        pci_put16(header, H_HEADER, offload->header_bytes);
}

/* The frame over as many buffers as it takes.  The first holds their number, so they are
 * given back, in order, once all of it is stored. */
static void store(struct virtio_net *net, const uint8_t *frame, size_t size, const struct net_offload *offload)
{
        struct virtio_queue *queue = &net->virtio.queue[QUEUE_RECEIVE];
        bool merges = virtio_has(&net->virtio, F_MRG_RXBUF);
        struct { struct virtio_request *request; uint32_t written; } used[QUEUE_SIZE];
        uint8_t header[HEADER_BYTES], count[2];
        size_t done = 0;
        unsigned n = 0;

        queue->budget = queue->size;            /* the worker's own batches keep this in bounds */
        write_header(header, offload);
        while (done < size && n < (merges ? QUEUE_SIZE : 1) && (used[n].request = virtio_pop(queue)) != NULL) {
                struct virtio_request *request = used[n].request;
                size_t before = n ? 0 : HEADER_BYTES;
                size_t bytes = request->in_bytes > before ? (size_t)MIN(size - done, request->in_bytes - before) : 0;

                if (before)
                        virtio_put(request, 0, header, sizeof(header));
                used[n].written = (uint32_t)(before + virtio_put(request, before, frame + done, bytes));
                done += bytes;
                n++;
        }
        if (n) {
                pci_put16(count, 0, (uint16_t)n);
                virtio_put(used[0].request, H_BUFFERS, count, sizeof(count));
        }
        for (unsigned i = 0; i < n; i++)
                virtio_push(used[i].request, used[i].written);
}

static void net_receive(void *opaque, const uint8_t *frame, size_t size, const struct net_offload *offload)
{
        struct virtio_net *net = opaque;

        if (virtio_is_running(&net->virtio) && address_passes(net, frame))
                store(net, frame, size, offload);
}

static void net_received(void *opaque)
{
        virtio_interrupt(&((struct virtio_net *)opaque)->virtio.queue[QUEUE_RECEIVE]);
}

/* -- Control ------------------------------------------------------------------------------------- */

/* Two lists, each a count and that many addresses.  What does not fit is received all. */
static bool set_table(struct virtio_net *net, const struct virtio_request *request)
{
        uint64_t at = 2;
        uint32_t counts[2];
        unsigned kept[2] = { 0, 0 }, place = 0;

        for (unsigned list = 0; list < 2; list++) {
                uint8_t bytes[4];

                if (virtio_get(request, at, bytes, sizeof(bytes)) != sizeof(bytes))
                        return false;
                counts[list] = pci_get32(bytes, 0);
                at += sizeof(bytes);
                if (counts[list] > (request->out_bytes - at) / ETH_ADDRESS_BYTES)
                        return false;
                kept[list] = counts[list] <= MAC_TABLE - place ? counts[list] : 0;
                virtio_get(request, at, net->table + place * ETH_ADDRESS_BYTES, (size_t)kept[list] * ETH_ADDRESS_BYTES);
                place += kept[list];
                at += (uint64_t)counts[list] * ETH_ADDRESS_BYTES;
        }
        net->unicast = (uint8_t)kept[0];
        net->multicast = (uint8_t)kept[1];
        net->all_unicast = kept[0] != counts[0];
        net->all_multicast |= kept[1] != counts[1];
        return true;
}

static bool control(struct virtio_net *net, const struct virtio_request *request)
{
        uint8_t command[2], value;

        if (virtio_get(request, 0, command, sizeof(command)) != sizeof(command))
                return false;
        if (command[0] == CLASS_RX && command[1] <= RX_ALL_MULTICAST && virtio_get(request, 2, &value, 1) == 1) {
                *(command[1] == RX_PROMISCUOUS ? &net->promiscuous : &net->all_multicast) = value != 0;
                return true;
        }
        if (command[0] != CLASS_MAC)
                return false;
        if (command[1] == MAC_ADDR_SET && virtio_get(request, 2, net->mac, sizeof(net->mac)) == sizeof(net->mac)) {
                memcpy(net->virtio.config + CONFIG_MAC, net->mac, sizeof(net->mac));
                return true;
        }
        return command[1] == MAC_TABLE_SET && set_table(net, request);
}

static void control_all(struct virtio_net *net)
{
        struct virtio_queue *queue = &net->virtio.queue[QUEUE_CONTROL];
        struct virtio_request *request;

        while ((request = virtio_pop(queue)) != NULL) {
                uint8_t answer = control(net, request) ? CONTROL_OK : CONTROL_ERROR;

                virtio_push(request, (uint32_t)virtio_put(request, 0, &answer, 1));
        }
        virtio_interrupt(queue);
}

/* -- Events -------------------------------------------------------------------------------------- */

static void net_notify(struct virtio_device *virtio, unsigned queue)
{
        struct virtio_net *net = (struct virtio_net *)virtio;

        if (queue == QUEUE_TRANSMIT)
                transmit(net);
        else if (queue == QUEUE_CONTROL)
                control_all(net);
        else if (net->net)
                net_accept_input(net->net);
}

static void net_writable_again(void *opaque) { transmit(opaque); }

static void show_link(struct virtio_net *net)
{
        pci_put16(net->virtio.config, CONFIG_STATUS, !net->net || net_link_up(net->net) ? STATUS_LINK_UP : 0);
}

static void net_link_changed(void *opaque, bool up)
{
        struct virtio_net *net = opaque;

        (void)up;
        show_link(net);
        virtio_config_changed(&net->virtio);
}

static void agree(struct virtio_net *net, bool running)
{
        bool merges = running && virtio_has(&net->virtio, F_MRG_RXBUF) && virtio_has(&net->virtio, F_GUEST_CSUM);

        if (!net->net)
                return;
        net_accept_large(net->net, merges && virtio_has(&net->virtio, F_GUEST_TSO4), merges && virtio_has(&net->virtio, F_GUEST_TSO6));
        net_accept_input(net->net);
}

static void net_ready(struct virtio_device *virtio) { agree((struct virtio_net *)virtio, true); }

static void net_reset(struct virtio_device *virtio)
{
        struct virtio_net *net = (struct virtio_net *)virtio;

        nic_take_mac(net->net, net->mac);
        memcpy(virtio->config + CONFIG_MAC, net->mac, sizeof(net->mac));
        memset(net->table, 0, sizeof(net->table));
        net->unicast = net->multicast = 0;
        net->promiscuous = true;
        net->all_unicast = net->all_multicast = false;
        show_link(net);
        agree(net, false);
}

static const struct virtio_ops net_ops = { .notify = net_notify, .reset = net_reset, .ready = net_ready };

static const struct net_device_ops net_cable_ops = {
        .can_receive = net_can_receive, .receive = net_receive, .received = net_received, .writable = net_writable_again,
        .link_changed = net_link_changed,
};

/* -- Life ---------------------------------------------------------------------------------------- */

void virtio_net_connect(struct device *device, struct net *net, GBytes *rom)
{
        ((struct virtio_net *)device)->net = net;
        ((struct virtio_net *)device)->rom = rom ? g_bytes_ref(rom) : NULL;
}

static bool net_create(struct device *device, GError **error)
{
        struct virtio_net *net = (struct virtio_net *)device;

        virtio_init(&net->virtio, VIRTIO_NET, CLASS_CODE, FEATURES, CONFIG_BYTES, &net_ops);
        virtio_add_queue(&net->virtio, QUEUE_SIZE);
        virtio_add_queue(&net->virtio, QUEUE_SIZE);
        virtio_add_queue(&net->virtio, CONTROL_SIZE);
        pci_put16(net->virtio.config, CONFIG_PAIRS, 1);
        if (net->rom && !nic_map_rom(&net->virtio.pci, net->rom, error)) {
                virtio_device_destroy(&net->virtio);
                return false;
        }
        if (net->net)
                net_attach(net->net, &net_cable_ops, net);
        return true;
}

static void net_device_reset(struct device *device) { virtio_device_reset((struct virtio_device *)device); }

static bool net_post_load(struct device *device, GError **error)
{
        struct virtio_net *net = (struct virtio_net *)device;

        if (net->unicast > MAC_TABLE || net->multicast > MAC_TABLE - net->unicast) {
                g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: %u and %u addresses", device->id, net->unicast, net->multicast);
                return false;
        }
        if (!virtio_device_restored(&net->virtio, error))
                return false;
        if (net->net)
                net_forget(net->net);
        show_link(net);
        agree(net, virtio_is_running(&net->virtio));
        return true;
}

static void net_destroy(struct device *device)
{
        struct virtio_net *net = (struct virtio_net *)device;

        if (net->net)
                net_attach(net->net, NULL, NULL);
        virtio_device_destroy(&net->virtio);
        if (net->rom)
                g_bytes_unref(net->rom);
}

static const struct device_class virtio_net_class = {
        .name = "virtio_net",
        .description = "virtio network device",
        .size = sizeof(struct virtio_net),
        .state = net_fields,
        .properties = net_properties,
        .create = net_create,
        .reset = net_device_reset,
        .post_load = net_post_load,
        .destroy = net_destroy,
};

DEVICE_CLASS(virtio_net_class);
