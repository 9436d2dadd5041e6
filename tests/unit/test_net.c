/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_net.c - network cards at the level of registers and descriptors, offloads, and what --net means. */
#include <string.h>
#include <unistd.h>

#include "devices/net/nic_common.h"
#include "net/internal.h"
#include "rig.h"
#include "unit.h"

enum { BAR = 0x80000000, IO = 0xc000, RING = 0x10000, DATA = 0x20000, TRIES = 5000 };

static struct rig rig;
static struct device *bus, *card;
static struct net *cable;

/* -- Fixture: a card on a cable that swallows what it is sent --------------------------------------- */

static void config32(unsigned at, uint32_t value)
{
        ports_write(rig.ports, 0xcf8, 0x80001800 | at, 4);
        ports_write(rig.ports, 0xcfc, value, 4);
}

static void open_card(const char *class, void (*connect)(struct device *device, struct net *net, GBytes *rom))
{
        struct net_options *options = net_options_parse("none,model=e1000,mac=52:54:00:01:02:03", NULL);

        rig_open(&rig);
        lock_acquire(&rig.lock);
        memory_map_ram(rig.memory, 0, 0, 4 << 20, false, 0, "RAM");
        lock_release(&rig.lock);
        cable = net_new("net0", options, &rig.lock, NULL, NULL);
        ck_assert_ptr_nonnull(cable);
        net_options_free(options);
        if (!connect) {
                card = device_new(class, "card", &rig.env);
                ne2k_connect(card, cable, (struct irq){ 0 });
                rig_start(&rig, card);
                return;
        }
        bus = rig_start(&rig, device_new("pci", "bus", &rig.env));
        card = device_new(class, "card", &rig.env);
        pci_attach(bus, card, PCI_DEVFN(3, 0));
        connect(card, cable, NULL);
        rig_start(&rig, card);
        config32(0x10, strcmp(class, "e1000") ? IO | 1 : BAR);
        config32(0x14, strcmp(class, "e1000") ? BAR : IO | 1);
        config32(0x04, 7);
}

static void close_card(void)
{
        rig_free(&rig, card);
        if (bus)
                rig_free(&rig, bus);
        bus = NULL;
        net_free(cable);
        rig_close(&rig);
}

static uint32_t rd(unsigned reg) { return (uint32_t)memory_mmio_read(rig.memory, BAR + reg, 4); }
static void wr(unsigned reg, uint32_t value) { memory_mmio_write(rig.memory, BAR + reg, value, 4); }

static void put(uint64_t at, const void *bytes, size_t size) { memcpy(memory_ram(rig.memory) + at, bytes, size); }

/* What arrives from the network; the worker hands it to the card. */
static void arrive(const uint8_t *frame, size_t size)
{
        uint64_t one = 1;

        lock_acquire(&cable->work);
        net_arrived(cable, frame, size);
        lock_release(&cable->work);
        ck_assert_int_eq(write(cable->event_fd, &one, sizeof(one)), sizeof(one));
}

static bool frames_went_out(uint64_t n)
{
        for (unsigned i = 0; i < TRIES; i++) {
                lock_acquire(&cable->queue);
                bool there = cable->frames_out >= n;
                lock_release(&cable->queue);
                if (there)
                        return true;
                g_usleep(1000);
        }
        return false;
}

/* Waits until the card has seen, and taken or left, what arrived. */
static void settle(void)
{
        bool waits = true;

        for (unsigned i = 0; i < TRIES && waits; i++) {
                g_usleep(1000);
                lock_acquire(&rig.lock);
                lock_acquire(&cable->queue);
                waits = cable->in.first;
                lock_release(&cable->queue);
                lock_release(&rig.lock);
        }
        ck_assert(!waits);
}

static const uint8_t to_us[64] = { 0x52, 0x54, 0, 1, 2, 3, 0x52, 0x54, 0, 9, 9, 9, 0x88, 0xb5, 'h', 'e', 'l', 'l', 'o' };

/* -- e1000 ------------------------------------------------------------------------------------------ */

START_TEST(test_e1000)
{
        uint16_t sum = 0;
        uint8_t descriptor[16] = { 0 };

        open_card("e1000", e1000_connect);
        for (unsigned i = 0; i < 64; i++) {
                wr(0x14, i << 8 | 1);
                sum = (uint16_t)(sum + (rd(0x14) >> 16));
        }
        ck_assert_uint_eq(sum, 0xbaba);
        ck_assert_uint_eq(rd(0x5400), 0x01005452);
        ck_assert_uint_eq(rd(8) & 2, 2);

        /* One frame out, by a legacy descriptor. */
        put(DATA, to_us, sizeof(to_us));
        pci_put32(descriptor, 0, DATA);
        pci_put32(descriptor, 8, sizeof(to_us) | 0x09u << 24);
        put(RING, descriptor, sizeof(descriptor));
        wr(0x3800, RING);
        wr(0x3808, 128);
        wr(0x400, 2);
        wr(0x3818, 1);
        ck_assert(frames_went_out(1));
        ck_assert_uint_eq(rd(0x3810), 1);
        ck_assert_uint_eq(memory_ram(rig.memory)[RING + 12] & 1, 1);
        ck_assert_uint_eq(rd(0xc0) & 3, 3);
        ck_assert_uint_eq(rd(0xc0), 0);
        ck_assert_uint_eq(rd(0x4080), 1);
        ck_assert_uint_eq(rd(0x4080), 0);

        /* One in; then the ring is empty, and the next one waits until there is a buffer. */
        pci_put32(descriptor, 0, DATA + 0x1000);
        pci_put32(descriptor, 8, 0);
        put(RING + 0x1000, descriptor, sizeof(descriptor));
        wr(0x2800, RING + 0x1000);
        wr(0x2808, 128);
        wr(0x100, 2);
        wr(0x2818, 1);
        arrive(to_us, sizeof(to_us));
        for (unsigned i = 0; i < TRIES && rd(0x2810) != 1; i++)
                g_usleep(1000);
        ck_assert_uint_eq(rd(0x2810), 1);
        ck_assert_mem_eq(memory_ram(rig.memory) + DATA + 0x1000, to_us, sizeof(to_us));
        ck_assert_uint_eq(memory_ram(rig.memory)[RING + 0x100c] & 3, 3);
        arrive(to_us, sizeof(to_us));
        g_usleep(20000);
        ck_assert_uint_eq(rd(0x2810), 1);
        wr(0x2818, 2);
        for (unsigned i = 0; i < TRIES && rd(0x2810) != 2; i++)
                g_usleep(1000);
        ck_assert_uint_eq(rd(0x2810), 2);

        /* Rings that are none, and a DMA to the card's own registers. */
        wr(0x3808, 0);
        wr(0x3818, 77);
        wr(0x3808, 128);
        wr(0x3810, 500);
        wr(0x3818, 9);
        wr(0x3810, 0);
        pci_put32(descriptor, 0, BAR + 0x3800);
        pci_put32(descriptor, 8, 0xffff | 0x09u << 24);
        for (unsigned i = 0; i < 8; i++)
                put(RING + 16 * i, descriptor, sizeof(descriptor));
        wr(0x3818, 7);
        wr(0x2800, BAR + 0x2810);
        arrive(to_us, sizeof(to_us));
        g_usleep(20000);
        close_card();
}
END_TEST

/* What drivers rely on beyond that: addresses from the EEPROM, write-one and read-to-clear causes, filters, tags, sizes. */
START_TEST(test_e1000_details)
{
        static const uint8_t group[64] = { 0x01, 0, 0x5e, 0, 0, 0xfb, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
        uint8_t descriptor[16] = { 0 }, tagged[1518] = { 0x52, 0x54, 0, 1, 2, 3, 2, 0, 0, 0, 0, 1, 0x81, 0, 0x20, 7, 8, 0 };
        const uint8_t *ram;
        unsigned hash = (0xfb << 8 | 0) >> 4 & 0xfff;

        open_card("e1000", e1000_connect);
        ram = memory_ram(rig.memory);
        wr(0x5400, 0);
        wr(0x18, 1 << 13);
        ck_assert_uint_eq(rd(0x5400), 0x01005452);
        ck_assert_uint_eq(rd(0x5404), 0x80000302);
        ck_assert_uint_eq(rd(0x18) & 1 << 13, 0);
        wr(0xc8, 0x85);
        ck_assert_uint_eq(rd(0xc8), 0);
        wr(0xc0, 0x04);
        ck_assert_uint_eq(rd(0xc0), 0x81);
        wr(0xd0, 0x10084);
        wr(0xd8, 0x80);
        ck_assert_uint_eq(rd(0xd0), 0x10004);
        /* Beyond the EEPROM; a PHY that is not there; the PHY that is. */
        wr(0x14, 0x80 << 8 | 1);
        ck_assert_uint_eq(rd(0x14) >> 16, 0);
        wr(0x20, 2 << 21 | 1 << 27);
        ck_assert_uint_eq(rd(0x20) >> 30 & 1, 1);
        wr(0x20, 1 << 21 | 2 << 16 | 1 << 27);
        ck_assert_uint_eq(rd(0x20) & 0xffff, 0x0141);

        /* A group is received when its hash bit is set, as an inexact match. */
        for (unsigned i = 0; i < 8; i++) {
                pci_put32(descriptor, 0, DATA + 0x1000 * i);
                put(RING + 16 * i, descriptor, sizeof(descriptor));
        }
        wr(0x2800, RING);
        wr(0x2808, 128);
        wr(0x100, 2 | 1 << 26);
        wr(0x2818, 7);
        arrive(group, sizeof(group));
        settle();
        wr(0x5200 + (hash >> 5) * 4, 1u << (hash & 31));
        arrive(group, sizeof(group));
        for (unsigned i = 0; i < TRIES && rd(0x2810) != 1; i++)
                g_usleep(1000);
        ck_assert_uint_eq(rd(0x2810), 1);
        ck_assert_uint_eq(ram[RING + 8], sizeof(group));
        ck_assert_uint_eq(ram[RING + 12] & 0x83, 0x83);
        ck_assert_uint_eq(rd(0x407c), 1);

        /* 1518 bytes without FCS are the longest; their tag is filtered by the table and taken off. */
        wr(0, rd(0) | 1 << 30);
        wr(0x100, 2 | 1 << 26 | 1 << 18);
        arrive(tagged, sizeof(tagged));
        settle();
        ck_assert_uint_eq(rd(0x2810), 1);
        wr(0x5600, 1 << 7);
        arrive(tagged, sizeof(tagged));
        for (unsigned i = 0; i < TRIES && rd(0x2810) != 2; i++)
                g_usleep(1000);
        ck_assert_uint_eq(rd(0x2810), 2);
        ck_assert_uint_eq(ram[RING + 24] | ram[RING + 25] << 8, sizeof(tagged) - 4);
        ck_assert_uint_eq(ram[RING + 28] & 8, 8);
        ck_assert_uint_eq(ram[RING + 30] | ram[RING + 31] << 8, 0x2007);
        ck_assert_uint_eq(ram[DATA + 0x100c], 8);

        /* The low threshold of the transmit ring. */
        rd(0xc0);
        wr(0x3828, 1 << 25);
        wr(0x3800, RING + 0x800);
        wr(0x3808, 128);
        wr(0x400, 2);
        ck_assert_uint_eq(rd(0xc0) & 0x8002, 0x8002);
        close_card();
}
END_TEST

/* -- rtl8139 ---------------------------------------------------------------------------------------- */

START_TEST(test_rtl8139)
{
        open_card("rtl8139", rtl8139_connect);
        ck_assert_uint_eq(rd(0), 0x01005452);
        ck_assert_uint_eq(rd(0x40) & 0x7cc00000, 0x74800000);
        memory_mmio_write(rig.memory, BAR + 0x37, 0x0c, 1);
        put(DATA, to_us, sizeof(to_us));
        wr(0x20, DATA);
        wr(0x10, sizeof(to_us));
        ck_assert(frames_went_out(1));
        ck_assert_uint_eq(rd(0x10) & 0xa000, 0xa000);
        ck_assert_uint_eq(memory_mmio_read(rig.memory, BAR + 0x3e, 2) & 4, 4);

        wr(0x30, RING);
        wr(0x44, 0x0f);
        arrive(to_us, sizeof(to_us));
        for (unsigned i = 0; i < TRIES && (memory_mmio_read(rig.memory, BAR + 0x37, 1) & 1); i++)
                g_usleep(1000);
        ck_assert_uint_eq(memory_ram(rig.memory)[RING] & 1, 1);
        ck_assert_uint_eq(memory_ram(rig.memory)[RING + 2], sizeof(to_us) + 4);
        ck_assert_mem_eq(memory_ram(rig.memory) + RING + 4, to_us, sizeof(to_us));
        ck_assert_uint_eq(memory_mmio_read(rig.memory, BAR + 0x3a, 2), 72);

        /* In loopback, what is sent is received, and does not leave. */
        wr(0x40, 3 << 17);
        wr(0x24, DATA);
        wr(0x14, sizeof(to_us));
        ck_assert_mem_eq(memory_ram(rig.memory) + RING + 72 + 4, to_us, 6);
        ck_assert_uint_eq(cable->frames_out, 1);
        wr(0x40, 0);
        /* Negotiation is over when it has begun. */
        memory_mmio_write(rig.memory, BAR + 0x50, 0xc0, 1);
        memory_mmio_write(rig.memory, BAR + 0x62, 0x3300, 2);
        ck_assert_uint_eq(memory_mmio_read(rig.memory, BAR + 0x62, 2), 0x3100);

        /* A ring of descriptors that are all the card's and lie in its own registers. */
        wr(0xe0, 3);
        wr(0x20, BAR & ~0xffu);
        memory_mmio_write(rig.memory, BAR + 0xd9, 0x40, 1);
        close_card();
}
END_TEST

/* -- NE2000 ----------------------------------------------------------------------------------------- */

static void ne_out(unsigned reg, uint8_t value) { rig_out(&rig, (uint16_t)(0x300 + reg), value); }

static void ne_remote(unsigned address, unsigned count, uint8_t command)
{
        ne_out(0x08, (uint8_t)address);
        ne_out(0x09, (uint8_t)(address >> 8));
        ne_out(0x0a, (uint8_t)count);
        ne_out(0x0b, (uint8_t)(count >> 8));
        ne_out(0x00, command);
}

START_TEST(test_ne2k)
{
        open_card("ne2k", NULL);
        rig_in(&rig, 0x31f);
        ck_assert_uint_eq(rig_in(&rig, 0x307) & 0x80, 0x80);
        ne_out(0x00, 0x22);
        ne_remote(0, 32, 0x0a);
        ck_assert_uint_eq(rig_in(&rig, 0x310), 0x52);
        ck_assert_uint_eq(rig_in(&rig, 0x310), 0x52);
        ck_assert_uint_eq(rig_in(&rig, 0x310), 0x54);

        ne_remote(0x4000, sizeof(to_us), 0x12);
        for (unsigned i = 0; i < sizeof(to_us); i++)
                ne_out(0x10, to_us[i]);
        ck_assert_uint_eq(rig_in(&rig, 0x307) & 0x40, 0x40);
        ne_out(0x04, 0x40);
        ne_out(0x05, sizeof(to_us));
        ne_out(0x06, 0);
        ne_out(0x00, 0x26);
        ck_assert(frames_went_out(1));
        ck_assert_uint_eq(rig_in(&rig, 0x307) & 2, 2);

        ne_out(0x01, 0x46);
        ne_out(0x02, 0x80);
        ne_out(0x03, 0x46);
        ne_out(0x00, 0x62);
        ne_out(0x07, 0x47);
        ne_out(0x00, 0x22);
        arrive(to_us, sizeof(to_us));
        for (unsigned i = 0; i < TRIES && !(rig_in(&rig, 0x307) & 1); i++)
                g_usleep(1000);
        ne_remote(0x4700, 4 + 64, 0x0a);
        ck_assert_uint_eq(rig_in(&rig, 0x310) & 1, 1);
        ck_assert_uint_eq(rig_in(&rig, 0x310), 0x48);
        ck_assert_uint_eq(rig_in(&rig, 0x310), 68);
        ck_assert_uint_eq(rig_in(&rig, 0x310), 0);
        for (unsigned i = 0; i < sizeof(to_us); i++)
                ck_assert_uint_eq(rig_in(&rig, 0x310), to_us[i]);

        /* A boundary one page in front of the ring is its last page; a command without start or stop changes neither. */
        ne_out(0x00, 0x20);
        ne_out(0x07, 0xff);
        ne_out(0x03, 0x45);
        arrive(to_us, sizeof(to_us));
        settle();
        ck_assert_uint_eq(rig_in(&rig, 0x307) & 1, 1);
        ne_out(0x00, 0x62);
        ck_assert_uint_eq(rig_in(&rig, 0x307), 0x49);
        ne_out(0x00, 0x22);

        /* Frames that a full ring keeps waiting tell of those that are in it, though these were acknowledged. */
        ne_out(0x02, 0x4c);
        for (unsigned i = 0; i < 4; i++)
                arrive(to_us, sizeof(to_us));
        for (unsigned i = 0; i < 2; i++) {
                ne_out(0x07, 0xff);
                for (unsigned n = 0; n < TRIES && !(rig_in(&rig, 0x307) & 1); n++)
                        g_usleep(1000);
                ck_assert_uint_eq(rig_in(&rig, 0x307) & 1, 1);
        }
        ne_out(0x02, 0x80);

        /* So does the ring itself when the guest has read some and acknowledged all. */
        settle();
        ne_out(0x03, 0x46);
        ne_out(0x07, 0xff);
        ck_assert_uint_eq(rig_in(&rig, 0x307) & 1, 1);
        ne_out(0x07, 0xff);
        ck_assert_uint_eq(rig_in(&rig, 0x307) & 1, 0);

        /* A ring outside card memory takes nothing and touches nothing. */
        ne_out(0x01, 0x00);
        ne_out(0x02, 0xff);
        arrive(to_us, sizeof(to_us));
        g_usleep(20000);
        close_card();
}
END_TEST

/* -- Offloads --------------------------------------------------------------------------------------- */

/* A TCP segment from 10.0.0.1 to 10.0.0.2 with this much payload, lengths and sums open. */
static size_t make_tcp(uint8_t *frame, unsigned payload, uint8_t flags)
{
        static const uint8_t head[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10,
                                        0, 0, 2, 0x12, 0x34, 0, 80, 0, 0, 0, 100, 0, 0, 0, 0, 0x60, 0, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 5, 0xb4 };

        memcpy(frame, head, sizeof(head));
        frame[47] = flags;
        frame[16] = (uint8_t)((44 + payload) >> 8);
        frame[17] = (uint8_t)(44 + payload);
        for (unsigned i = 0; i < payload; i++)
                frame[sizeof(head) + i] = (uint8_t)(i * 7);
        return sizeof(head) + payload;
}

struct pieces { unsigned count, payload, bad; uint8_t last_flags; };

static void take_piece(void *opaque, const uint8_t *frame, size_t size)
{
        struct pieces *pieces = opaque;
        struct net_headers headers;

        pieces->count++;
        if (!net_headers_find(frame, size, &headers) || net_sum(frame + headers.ip, headers.ip_bytes, 0) != 0xffff ||
            net_sum(frame + headers.transport, headers.end - headers.transport,
                    net_sum_pseudo(frame, &headers, headers.end - headers.transport)) != 0xffff) {
                pieces->bad++;
                return;
        }
        pieces->payload += headers.end - headers.payload;
        pieces->last_flags = frame[headers.transport + 13];
}

static void count_piece(void *opaque, const uint8_t *frame, size_t size)
{
        (void)frame;
        ck_assert_uint_le(size, NET_STANDARD_MAX);
        ++*(unsigned *)opaque;
}

START_TEST(test_offloads)
{
        uint8_t frame[8192];
        struct pieces pieces = { 0 };
        size_t size = make_tcp(frame, 5000, 0x19);
        unsigned fragments = 0;

        ck_assert(net_segment(frame, size, 1456, take_piece, &pieces));
        ck_assert_uint_eq(pieces.count, 4);
        ck_assert_uint_eq(pieces.bad, 0);
        ck_assert_uint_eq(pieces.payload, 5000);
        ck_assert_uint_eq(pieces.last_flags, 0x19);

        size = make_tcp(frame, 0, 2);
        net_raise_mss(frame, size, 8192);
        pieces = (struct pieces){ 0 };
        take_piece(&pieces, frame, size);
        ck_assert_uint_eq(pieces.bad, 0);
        ck_assert_uint_eq(frame[56] << 8 | frame[57], 8192);

        size = make_tcp(frame, 4000, 0x10);
        frame[23] = 17;                         /* UDP */
        frame[20] = 0;
        ck_assert(net_fragment(frame, size, count_piece, &fragments));
        ck_assert_uint_eq(fragments, 3);

        /* Headers that lie about everything: nothing outside the frame is looked at (a sanitizer would tell). */
        for (unsigned i = 0; i < 20000; i++) {
                uint8_t *exact;

                size = make_tcp(frame, 60, 2);
                for (unsigned n = 0; n < 3; n++)
                        frame[12 + g_random_int_range(0, 50)] = (uint8_t)g_random_int();
                size = (size_t)g_random_int_range(0, (gint32)size + 1);
                exact = g_memdup2(frame, size);
                fragments = 0;
                if (size) {
                        net_raise_mss(exact, size, 8192);
                        net_segment(exact, size, 1 + i % 40, count_piece, &fragments);
                        net_fragment(exact, size, count_piece, &fragments);
                }
                g_free(exact);
        }
}
END_TEST

/* -- Options ---------------------------------------------------------------------------------------- */

START_TEST(test_options)
{
        static const char *const good[] = { "none", "none,model=virtio", "tap", "tap=tap7,mac=52:54:00:12:34:56", "bridge=br0", "passt",
                                            "socket=listen:127.0.0.1:4444" };
        static const char *const bad[] = { "", "nonet", "bridge", "bridge=", "socket", "none=x", "tap,model=x", "tap,mac=53:54:00:12:34:56",
                                           "tap,mac=1", "tap,hostfwd=tcp::1-:2", "none,x", "none,x=y" };

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                struct net_options *options = net_options_parse(good[i], NULL);

                ck_assert_msg(options != NULL, "%s", good[i]);
                net_options_free(options);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                GError *error = NULL;

                ck_assert_msg(net_options_parse(bad[i], &error) == NULL, "%s", bad[i]);
                ck_assert(error->domain == G_OPTION_ERROR);
                g_error_free(error);
        }
}
END_TEST

UNIT_MAIN("net", test_e1000, test_e1000_details, test_rtl8139, test_ne2k, test_offloads, test_options)
