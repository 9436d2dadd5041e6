/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ide.c - the IDE function with a disk and a CD: PIO, DMA, packets, resets, trays, hostile guests. */
#include "devices/storage/ide.h"
#include "machine/pci.h"
#include "storage_fixture.h"

enum { FUNCTION = PCI_DEVFN(1, 1), BM = 0xc000, PRDS = 0x1000, DATA = 0x10000 };

static struct device *ide;

static void begin(void)
{
        board_begin(&board);
        bus = device_new("pci", "bus", &board.env);
        board_start(&board, bus);
        ide = device_new("piix3_ide", "ide", &board.env);
        pci_attach(bus, ide, FUNCTION);
        ide_connect_irq(ide, 0, board_wire(&board, 14));
        ide_connect_irq(ide, 1, board_wire(&board, 15));
        board_start(&board, ide);
        lock_acquire(&board.lock);
        ide_add_disk(ide, 0, "disk0", image(disk_path, DISK_SECTORS, 512, false));
        ide_add_cd(ide, 2, "cd0", image(cd_path, CD_SECTORS, 2048, true));
        lock_release(&board.lock);
        config_write(FUNCTION, 0x20, BM | 1, 4);
        config_write(FUNCTION, 0x40, 0x80008000, 4);
        config_write(FUNCTION, 0x04, 0x0005, 2);
}

static void end(void)
{
        storage_end(ide);
}

/* Lets work on images end, as the main loop would. */
static void settle(void)
{
        lock_acquire(&board.lock);
        ide_drain(ide);
        lock_release(&board.lock);
}

static uint8_t status(uint16_t base)
{
        return (uint8_t)in(&board, base + 7, 1);
}

static void command(uint16_t base, uint8_t device, uint64_t lba, unsigned count, uint8_t code)
{
        out(&board, base + 6, device, 1);
        for (int high = 1; high >= 0; high--) {
                out(&board, base + 2, count >> 8 * high & 0xff, 1);
                out(&board, base + 3, (uint32_t)(lba >> 24 * high & 0xff), 1);
                out(&board, base + 4, (uint32_t)(lba >> (24 * high + 8) & 0xff), 1);
                out(&board, base + 5, (uint32_t)(lba >> (24 * high + 16) & 0xff), 1);
        }
        out(&board, base + 7, code, 1);
        settle();
}

static void read_words(uint16_t base, uint16_t *to, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                to[i] = (uint16_t)in(&board, base, 2);
}

static void packet(const uint8_t bytes[12], uint16_t limit, bool dma)
{
        out(&board, 0x176, 0, 1);
        out(&board, 0x171, dma, 1);
        out(&board, 0x174, limit & 0xff, 1);
        out(&board, 0x175, limit >> 8, 1);
        out(&board, 0x177, 0xa0, 1);
        ck_assert_uint_eq(in(&board, 0x376, 1) & 0x89, 0x08);
        for (unsigned i = 0; i < 12; i += 2)
                out(&board, 0x170, bytes[i] | bytes[i + 1] << 8, 2);
        settle();
}

static void prd(unsigned n, uint32_t address, uint32_t bytes, bool last)
{
        uint32_t words[2] = { address, bytes | (last ? 0x80000000 : 0) };

        memcpy(memory_ram(board.memory) + PRDS + 8 * n, words, 8);
}

/* channel: 0 or 8 */
static void bus_master(unsigned channel, uint8_t value)
{
        out(&board, (uint16_t)(BM + channel + 4), PRDS, 4);
        out(&board, (uint16_t)(BM + channel + 2), 0x06, 1);
        out(&board, (uint16_t)(BM + channel), value, 1);
        settle();
}

START_TEST(identify_tells_what_is_there)
{
        uint16_t words[256];

        begin();
        command(0x1f0, 0xa0, 0, 0, 0xec);
        ck_assert(board.level[14]);
        ck_assert_uint_eq(status(0x1f0), 0x58);
        ck_assert(!board.level[14]);
        read_words(0x1f0, words, 256);
        ck_assert_uint_eq(status(0x1f0), 0x50);
        ck_assert_uint_eq(words[60], DISK_SECTORS);
        ck_assert_uint_eq(words[100], DISK_SECTORS);
        ck_assert_uint_eq(words[49] & 0x300, 0x300);
        /* The CD refuses it and shows its signature; drive 1 is not there. */
        command(0x170, 0xa0, 0, 0, 0xec);
        ck_assert_uint_eq(status(0x170) & 1, 1);
        ck_assert_uint_eq(in(&board, 0x174, 1) | in(&board, 0x175, 1) << 8, 0xeb14);
        out(&board, 0x1f6, 0xb0, 1);
        ck_assert_uint_eq(status(0x1f0), 0);
        end();
}
END_TEST

START_TEST(pio_read_and_write)
{
        uint16_t words[512];

        begin();
        command(0x1f0, 0xe0, 300, 2, 0x20);
        for (unsigned sector = 0; sector < 2; sector++) {
                ck_assert_uint_eq(status(0x1f0), 0x58);
                read_words(0x1f0, words, 256);
                settle();
                ck_assert_uint_eq(words[0], 0x0001 | ((300 + sector) & 0xff) << 8);
                ck_assert_uint_eq(words[255], ((300 + sector) & 0xff) * 0x101);
        }
        ck_assert_uint_eq(status(0x1f0), 0x50);
        ck_assert_uint_eq(in(&board, 0x1f3, 1), 301 & 0xff);    /* the last sector */
        /* WRITE MULTIPLE EXT: an interrupt for each block but the first. */
        command(0x1f0, 0xe0, 0, 4, 0xc6);
        command(0x1f0, 0xe0, 1000, 6, 0x39);
        ck_assert_uint_eq(status(0x1f0), 0x58);
        for (unsigned i = 0; i < 6 * 256; i++) {
                if (i == 4 * 256) {
                        settle();
                        ck_assert(board.level[14]);
                }
                out(&board, 0x1f0, i, 2);
        }
        settle();
        ck_assert_uint_eq(status(0x1f0), 0x50);
        command(0x1f0, 0xe0, 0, 0, 0xea);
        ck_assert_uint_eq(status(0x1f0), 0x50);
        command(0x1f0, 0xe0, 1005, 1, 0x20);
        read_words(0x1f0, words, 256);
        ck_assert_uint_eq(words[7], 5 * 256 + 7);
        /* CHS: cylinder 0, head 1, sector 1 is block 63. */
        command(0x1f0, 0xa1, 1, 1, 0x20);
        read_words(0x1f0, words, 256);
        ck_assert_uint_eq(words[1], 63 * 0x101);
        end();
}
END_TEST

START_TEST(dma_by_descriptors)
{
        const uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        prd(0, DATA, 1000, false);
        prd(1, DATA + 0x4000, 1024 * 100 - 1000 - 0x10000, false);
        prd(2, DATA + 0x10000, 0, true);                        /* 0: 64 KiB */
        command(0x1f0, 0xe0, 10, 200, 0xc8);
        ck_assert(!board.level[14]);                            /* waits for the bus master */
        bus_master(0, 9);
        ck_assert(board.level[14]);
        ck_assert_uint_eq(in(&board, BM + 2, 1) & 7, 4);
        ck_assert_uint_eq(ram[DATA + 1], 10);
        ck_assert_uint_eq(ram[DATA + 512 + 1], 11);
        ck_assert_uint_eq(ram[DATA + 0x10000 + 65535], 209);
        out(&board, BM, 0, 1);
        /* Writing, 48-bit, the bus master started first. */
        memset(memory_ram(board.memory) + DATA, 0xa5, 4096);
        prd(0, DATA, 8192, true);
        bus_master(0, 1);
        command(0x1f0, 0xe0, 2000, 8, 0x35);
        ck_assert_uint_eq(status(0x1f0), 0x50);
        ck_assert_uint_eq(in(&board, BM + 2, 1) & 7, 5);        /* room was left in the table */
        end();
}
END_TEST

START_TEST(dma_with_hostile_tables)
{
        begin();
        /* Too little room: no interrupt, inactive. */
        prd(0, DATA, 512, true);
        command(0x1f0, 0xe0, 0, 8, 0xc8);
        bus_master(0, 9);
        ck_assert_uint_eq(in(&board, BM + 2, 1) & 7, 0);
        ck_assert(!board.level[14]);
        /* A reset gets the drive out of it. */
        out(&board, 0x3f6, 4, 1);
        ck_assert_uint_eq(status(0x1f0), 0x80);
        out(&board, 0x3f6, 0, 1);
        ck_assert_uint_eq(status(0x1f0), 0x50);
        ck_assert_uint_eq(in(&board, 0x1f1, 1), 1);
        /* Data, or the table itself, where nothing is; and interrupt messages. */
        static const uint32_t bad[] = { 0x40000000, 0xfffffff0, 0xfee00000, 0xfedffff0 };
        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                out(&board, BM, 0, 1);
                prd(0, bad[i], 4096, true);
                command(0x1f0, 0xe0, 0, 8, 0xc8);
                bus_master(0, 9);
                ck_assert_uint_eq(in(&board, BM + 2, 1) & 3, 2);
                out(&board, 0x3f6, 4, 1);
                out(&board, 0x3f6, 0, 1);
        }
        out(&board, BM, 0, 1);
        command(0x1f0, 0xe0, 0, 8, 0xca);
        out(&board, BM + 4, 0xfffffffc, 4);
        out(&board, BM + 2, 0x06, 1);
        out(&board, BM, 1, 1);
        ck_assert_uint_eq(in(&board, BM + 2, 1) & 3, 2);
        end();
}
END_TEST

START_TEST(addresses_that_are_not_there)
{
        begin();
        command(0x1f0, 0xe0, DISK_SECTORS, 1, 0x20);
        ck_assert_uint_eq(status(0x1f0) & 1, 1);
        ck_assert_uint_eq(in(&board, 0x1f1, 1), 0x10);
        command(0x1f0, 0xe0, UINT64_C(0xffffffffffff), 0, 0x25);
        ck_assert_uint_eq(in(&board, 0x1f1, 1), 0x10);
        command(0x1f0, 0xa0, 0, 1, 0x20);                       /* sector 0 of a track */
        ck_assert_uint_eq(in(&board, 0x1f1, 1), 0x10);
        command(0x1f0, 0xe0, 0, 0, 0x00);                       /* NOP, unknown */
        ck_assert_uint_eq(in(&board, 0x1f1, 1), 0x04);
        command(0x1f0, 0xe0, 0, 0, 0xf0);
        ck_assert_uint_eq(in(&board, 0x1f1, 1), 0x04);
        command(0x1f0, 0xe0, 0, 0, 0xf8);
        ck_assert_uint_eq(in(&board, 0x1f4, 1), (DISK_SECTORS - 1) >> 8);
        end();
}
END_TEST

/* Work that a reset left behind must not come back into a later command. */
START_TEST(reset_in_the_middle)
{
        uint16_t words[256];

        begin();
        for (unsigned i = 0; i < 20; i++) {
                out(&board, 0x1f6, 0xe0, 1);
                out(&board, 0x1f2, 1, 1);
                out(&board, 0x1f3, 77, 1);
                out(&board, 0x1f4, 0, 1);
                out(&board, 0x1f5, 0, 1);
                out(&board, 0x1f7, 0x20, 1);
                out(&board, 0x3f6, 4, 1);
                out(&board, 0x3f6, 0, 1);
                command(0x1f0, 0xe0, i, 1, 0x20);
                ck_assert_uint_eq(status(0x1f0), 0x58);
                read_words(0x1f0, words, 256);
                ck_assert_uint_eq(words[1], i * 0x101);
                ck_assert_uint_eq(status(0x1f0), 0x50);
        }
        end();
}
END_TEST

START_TEST(packets_by_pio_and_dma)
{
        static const uint8_t capacity[12] = { 0x25 }, inquiry[12] = { 0x12, 0, 0, 0, 36 };
        static const uint8_t read[12] = { 0x28, 0, 0, 0, 1, 0, 0, 0, 3 }, beyond[12] = { 0x28, 0, 0, 0, 1, 0x8f, 0, 0, 2 };
        static const uint8_t sense[12] = { 0x03, 0, 0, 0, 18 };
        uint16_t words[4096];

        begin();
        packet(capacity, 0xffff, false);
        ck_assert(board.level[15]);
        ck_assert_uint_eq(in(&board, 0x172, 1), 2);
        ck_assert_uint_eq(in(&board, 0x174, 1), 8);
        read_words(0x170, words, 4);
        ck_assert_uint_eq(g_ntohs(words[1]), CD_SECTORS - 1);
        ck_assert_uint_eq(in(&board, 0x172, 1), 3);
        ck_assert_uint_eq(status(0x170), 0x40);
        packet(inquiry, 0xffff, false);
        read_words(0x170, words, 18);
        ck_assert_uint_eq(words[0], 0x8005);
        /* Blocks of 2048 and of an odd limit. */
        packet(read, 2048, false);
        for (unsigned sector = 0; sector < 3; sector++) {
                ck_assert_uint_eq(in(&board, 0x175, 1), 8);
                read_words(0x170, words, 1024);
                ck_assert_uint_eq(words[0], 1 | sector << 8);
                ck_assert_uint_eq(words[1023], sector * 0x101);
        }
        ck_assert_uint_eq(status(0x170), 0x40);
        packet(read, 4095, false);
        ck_assert_uint_eq(in(&board, 0x174, 1) | in(&board, 0x175, 1) << 8, 4094);
        read_words(0x170, words, 3072);
        ck_assert_uint_eq(words[3071], 2 * 0x101);
        packet(beyond, 2048, false);
        ck_assert_uint_eq(status(0x170) & 1, 1);
        ck_assert_uint_eq(in(&board, 0x171, 1), 0x54);
        packet(sense, 2048, false);
        read_words(0x170, words, 9);
        ck_assert_uint_eq(words[6] & 0xff, 0x21);
        /* DMA */
        prd(0, DATA, 6144, true);
        packet(read, 0, true);
        bus_master(8, 9);
        ck_assert_uint_eq(in(&board, BM + 10, 1) & 7, 4);
        ck_assert_uint_eq(memory_ram(board.memory)[DATA + 4097], 2);
        ck_assert_uint_eq(status(0x170), 0x40);
        end();
}
END_TEST

START_TEST(trays_open_and_close)
{
        static const uint8_t ready[12] = { 0 }, lock_tray[12] = { 0x1e, 0, 0, 0, 1 };
        char other[64];
        GError *error = NULL;

        begin();
        packet(ready, 0, false);
        ck_assert_uint_eq(status(0x170), 0x40);
        packet(lock_tray, 0, false);
        lock_acquire(&board.lock);
        ck_assert(!ide_cd_eject(ide, "cd0", false, &error));
        g_clear_error(&error);
        ck_assert(!ide_cd_eject(ide, "cd7", false, &error));
        g_clear_error(&error);
        ck_assert(ide_cd_eject(ide, "cd0", true, NULL));
        ck_assert_ptr_null(ide_cd_path(ide, "cd0"));
        lock_release(&board.lock);
        packet(ready, 0, false);
        ck_assert_uint_eq(in(&board, 0x171, 1), 0x60);          /* unit attention, once */
        packet(ready, 0, false);
        ck_assert_uint_eq(in(&board, 0x171, 1), 0x20);          /* not ready */
        lock_acquire(&board.lock);
        ck_assert(ide_cd_insert(ide, "cd0", image(other, 10, 2048, true), false, NULL));
        ck_assert_str_eq(ide_cd_path(ide, "cd0"), other);
        lock_release(&board.lock);
        packet(ready, 0, false);
        ck_assert_uint_eq(in(&board, 0x171, 1), 0x60);
        packet(ready, 0, false);
        ck_assert_uint_eq(status(0x170), 0x40);
        remove(other);
        end();
}
END_TEST

/* Noise on every register and descriptor: whatever happens, nothing breaks, and a reset helps. */
START_TEST(noise)
{
        uint32_t state = 12345;

        begin();
        for (unsigned i = 0; i < 40000; i++) {
                static const uint16_t places[] = { 0x1f0, 0x170, BM };
                uint16_t port;
                unsigned size;

                state = state * 1664525 + 1013904223;
                port = (uint16_t)(places[state >> 28 & 1 ? 2 : state >> 27 & 1] + (state >> 20 & 15));
                size = 1u << (state >> 18 & 3) % 3;
                if (state >> 16 & 1)
                        in(&board, port, size);
                else
                        out(&board, port, i % 3 ? state >> 5 : state >> 24, size);
                if (i % 64 == 0)
                        settle();
                if (i % 500 == 0) {
                        out(&board, 0x3f6, 4, 1);
                        out(&board, 0x3f6, 0, 1);
                        out(&board, 0x376, 4, 1);
                        out(&board, 0x376, 0, 1);
                }
        }
        settle();
        out(&board, 0x3f6, 4, 1);
        out(&board, 0x3f6, 0, 1);
        command(0x1f0, 0xe0, 0, 1, 0x20);
        ck_assert_uint_eq(status(0x1f0), 0x58);
        end();
}
END_TEST

UNIT_MAIN("ide", identify_tells_what_is_there, pio_read_and_write, dma_by_descriptors, dma_with_hostile_tables,
          addresses_that_are_not_there, reset_in_the_middle, packets_by_pio_and_dma, trays_open_and_close, noise)
