/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_virtio_devices.c - disk, SCSI host, balloon, entropy device and console behind their queues. */
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#include "devices/virtio/virtio_balloon.h"
#include "devices/virtio/virtio_blk.h"
#include "devices/virtio/virtio_console.h"
#include "devices/virtio/virtio_scsi.h"
#include "virtio_driver.h"

enum { SECTORS = 2048, HEADER = 0x10000, STATUS = 0x11000, DATA = 0x20000 };

static struct board board;
static struct virtio_driver driver;
static struct device *device;
static char path[64];
static uint8_t *ram;

static struct block *image(unsigned sectors, unsigned unit, struct block_options options)
{
        uint8_t *sector = g_malloc0(unit);
        struct block *block;
        int fd;

        strcpy(path, "/tmp/lodger-virtio-XXXXXX");
        fd = g_mkstemp(path);
        for (unsigned i = 0; i < sectors; i++) {
                memset(sector, (int)(i & 0xff), unit);
                ck_assert_int_eq(write(fd, sector, unit), (ssize_t)unit);
        }
        close(fd);
        g_free(sector);
        options.unit_bytes = unit;
        block = block_open(path, &options, &board.lock, NULL);
        ck_assert_ptr_nonnull(block);
        return block;
}

/* Waits for the answer; gives the number of bytes written. */
static uint32_t answer(unsigned queue)
{
        uint32_t written = 0;

        driver_notify(&driver, queue);
        for (unsigned i = 0; i < 5000; i++) {
                if (driver_take(&driver, queue, &written))
                        return written;
                while (g_main_context_iteration(NULL, FALSE))
                        ;
                g_usleep(1000);
        }
        ck_abort_msg("no answer");
        return 0;
}

/* -- Disk ------------------------------------------------------------------------------------------ */

static void blk_begin(struct block_options options, uint64_t features)
{
        board_begin(&board);
        device = driver_make(&driver, &board, "virtio_blk");
        virtio_blk_connect(device, image(SECTORS, 512, options));
        driver_find(&driver);
        driver_start(&driver, features);
        driver_add_queue(&driver, 0, 64);
        driver_run(&driver);
        ram = memory_ram(board.memory);
}

static void blk_end(void)
{
        driver_close(&driver);
        g_remove(path);
}

/* A request with its data in two buffers; gives the status. */
static uint8_t blk(uint32_t type, uint64_t sector, uint32_t size, bool in)
{
        uint32_t first = size > 100 ? 100 : size;
        struct virtio_buffer chain[] = {
                { HEADER, 16, false }, { DATA, first, in }, { DATA + first, size - first, in }, { STATUS, 1, true },
        };

        pci_put32(ram + HEADER, 0, type);
        pci_put32(ram + HEADER, 4, 0);
        pci_put32(ram + HEADER, 8, (uint32_t)sector);
        pci_put32(ram + HEADER, 12, (uint32_t)(sector >> 32));
        ram[STATUS] = 0xee;
        driver_add(&driver, 0, chain, 4);
        answer(0);
        return ram[STATUS];
}

START_TEST(disk_reads_and_writes)
{
        for (unsigned packed = 0; packed < 2; packed++) {
                blk_begin((struct block_options){ .serial = "SER-1" }, (packed ? VIRTIO_F_RING_PACKED : 0) | 1 << 9);
                ck_assert_uint_eq(memory_mmio_read(board.memory, DRIVER_BAR + 0x2000, 4), SECTORS);
                ck_assert_uint_eq(blk(0, 10, 512 * 20, true), 0);
                for (unsigned i = 0; i < 20; i++)
                        ck_assert_uint_eq(ram[DATA + 512 * i + 511], 10 + i);
                memset(ram + DATA, 0x77, 1024);
                ck_assert_uint_eq(blk(1, 300, 1024, false), 0);
                ck_assert_uint_eq(blk(4, 0, 0, true), 0);
                memset(ram + DATA, 0, 2048);
                ck_assert_uint_eq(blk(0, 299, 2048, true), 0);
                ck_assert_uint_eq(ram[DATA], 299 & 0xff);
                ck_assert_uint_eq(ram[DATA + 512], 0x77);
                ck_assert_uint_eq(ram[DATA + 1536], 302 & 0xff);
                ck_assert_uint_eq(blk(8, 0, 20, true), 0);
                ck_assert_str_eq((char *)ram + DATA, "SER-1");
                ck_assert_uint_eq(blk(99, 0, 20, true), 2);
                blk_end();
        }
}
END_TEST

START_TEST(disk_refuses)
{
        struct virtio_buffer no_status[] = { { HEADER, 16, false } };

        blk_begin((struct block_options){ 0 }, 0);
        ck_assert_uint_eq(blk(0, SECTORS - 1, 1024, true), 1);
        ck_assert_uint_eq(blk(0, UINT64_MAX / 512, 512, true), 1);
        ck_assert_uint_eq(blk(0, UINT64_MAX, 512, true), 1);
        ck_assert_uint_eq(blk(0, 0, 500, true), 1);
        ck_assert_uint_eq(blk(11, 0, 16, false), 2);                    /* discards were not agreed on */
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1) & VIRTIO_NEEDS_RESET, 0);
        driver_add(&driver, 0, no_status, 1);
        driver_notify(&driver, 0);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
        blk_end();
        blk_begin((struct block_options){ .read_only = true }, 1 << 5);
        ck_assert_uint_eq(blk(1, 0, 512, false), 1);
        ck_assert_uint_eq(blk(0, 1, 512, true), 0);
        blk_end();
}
END_TEST

START_TEST(disk_discards_and_zeroes)
{
        blk_begin((struct block_options){ 0 }, 1 << 13 | 1 << 14 | 1 << 9);
        memset(ram + DATA, 0, 64);
        pci_put32(ram + DATA, 0, 100);
        pci_put32(ram + DATA, 8, 8);
        pci_put32(ram + DATA, 16, 200);
        pci_put32(ram + DATA, 24, 8);
        pci_put32(ram + DATA, 28, 1);
        ck_assert_uint_eq(blk(13, 0, 32, false), 0);
        ck_assert_uint_eq(blk(0, 99, 512 * 10, true), 0);
        ck_assert_uint_eq(ram[DATA], 99);
        for (unsigned i = 512; i < 512 * 9; i++)
                ck_assert_uint_eq(ram[DATA + i], 0);
        ck_assert_uint_eq(ram[DATA + 512 * 9], 108);
        ck_assert_uint_eq(blk(0, 200, 512, true), 0);
        ck_assert_uint_eq(ram[DATA + 5], 0);
        memset(ram + DATA, 0, 64);
        pci_put32(ram + DATA, 0, 400);
        pci_put32(ram + DATA, 8, 8);
        ck_assert_uint_eq(blk(11, 0, 16, false), 0);
        pci_put32(ram + DATA, 8, SECTORS);                              /* behind the end */
        ck_assert_uint_eq(blk(11, 0, 16, false), 1);
        pci_put32(ram + DATA, 8, 8);
        pci_put32(ram + DATA, 12, 2);                                   /* an unknown flag */
        ck_assert_uint_eq(blk(11, 0, 16, false), 2);
        ck_assert_uint_eq(blk(11, 0, 15, false), 1);
        blk_end();
}
END_TEST

/* -- SCSI ------------------------------------------------------------------------------------------ */

static void scsi_begin(void)
{
        board_begin(&board);
        device = driver_open(&driver, &board, "virtio_scsi");
        lock_acquire(&board.lock);
        virtio_scsi_add_disk(device, 2, "disk0", image(SECTORS, 512, (struct block_options){ 0 }));
        virtio_scsi_add_cd(device, 3, "cd0", NULL);
        lock_release(&board.lock);
        driver_start(&driver, VIRTIO_F_RING_PACKED);
        for (unsigned i = 0; i < 3; i++)
                driver_add_queue(&driver, i, 16);
        driver_run(&driver);
        ram = memory_ram(board.memory);
}

/* A command; gives response << 8 | status. */
static unsigned scsi(unsigned target, const uint8_t *cdb, unsigned cdb_size, uint32_t size, bool in)
{
        struct virtio_buffer chain[3] = { { HEADER, 51, false } };
        unsigned n = 1;

        memset(ram + HEADER, 0, 51);
        ram[HEADER] = 1;
        ram[HEADER + 1] = (uint8_t)target;
        ram[HEADER + 2] = 0x40;
        memcpy(ram + HEADER + 19, cdb, cdb_size);
        memset(ram + STATUS, 0xee, 108);
        if (size && !in)
                chain[n++] = (struct virtio_buffer){ DATA, size, false };
        chain[n++] = (struct virtio_buffer){ STATUS, 108, true };
        if (size && in)
                chain[n++] = (struct virtio_buffer){ DATA, size, true };
        driver_add(&driver, 2, chain, n);
        answer(2);
        return (unsigned)ram[STATUS + 11] << 8 | ram[STATUS + 10];
}

START_TEST(scsi_disk_and_cd)
{
        static const uint8_t inquiry[] = { 0x12, 0, 0, 0, 36 }, capacity[] = { 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, ready[6] = { 0 };
        static const uint8_t read_10[] = { 0x28, 0, 0, 0, 0, 20, 0, 0, 4, 0 }, write_10[] = { 0x2a, 8, 0, 0, 0, 30, 0, 0, 1, 0 };
        static const uint8_t beyond[] = { 0x28, 0, 0x7f, 0, 0, 20, 0, 0, 4, 0 }, luns[] = { 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0 };

        scsi_begin();
        ck_assert_uint_eq(scsi(0, ready, 6, 0, true), 0x300);           /* nobody there */
        ck_assert_uint_eq(scsi(2, ready, 6, 0, true), 0);
        ck_assert_uint_eq(scsi(2, inquiry, 5, 36, true), 0);
        ck_assert_uint_eq(ram[DATA], 0);
        ck_assert_uint_eq(scsi(2, luns, 12, 16, true), 0);
        ck_assert_uint_eq(ram[DATA + 3], 8);
        ck_assert_uint_eq(scsi(2, capacity, 10, 8, true), 0);
        ck_assert_uint_eq(ram[DATA + 2] << 8 | ram[DATA + 3], SECTORS - 1);
        ck_assert_uint_eq(scsi(2, read_10, 10, 2048, true), 0);
        ck_assert_uint_eq(ram[DATA], 20);
        ck_assert_uint_eq(ram[DATA + 2047], 23);
        memset(ram + DATA, 0x99, 512);
        ck_assert_uint_eq(scsi(2, write_10, 10, 512, false), 0);
        ck_assert_uint_eq(scsi(2, beyond, 10, 2048, true), 2);
        ck_assert_uint_eq(ram[STATUS + 12 + 2], 5);
        ck_assert_uint_eq(ram[STATUS + 12 + 12], 0x21);
        ck_assert_uint_eq(scsi(2, read_10, 10, 1024, true), 2);         /* less room than data */
        ck_assert_uint_eq(scsi(2, (const uint8_t[]){ 0xff }, 1, 0, true), 2);
        ck_assert_uint_eq(scsi(3, inquiry, 5, 36, true), 0);
        ck_assert_uint_eq(ram[DATA], 5);
        ck_assert_uint_eq(scsi(3, ready, 6, 0, true), 2);
        ck_assert_uint_eq(ram[STATUS + 12 + 2], 2);
        ck_assert_uint_eq(ram[STATUS + 12 + 12], 0x3a);
        ck_assert_uint_eq(driver_get(&driver, 0x14, 1) & VIRTIO_NEEDS_RESET, 0);
        blk_end();
}
END_TEST

/* -- The others ------------------------------------------------------------------------------------ */

START_TEST(entropy)
{
        struct virtio_buffer buffer = { DATA, 256, true };
        unsigned ones = 0;

        board_begin(&board);
        device = driver_open(&driver, &board, "virtio_rng");
        driver_start(&driver, 0);
        driver_add_queue(&driver, 0, 8);
        driver_run(&driver);
        ram = memory_ram(board.memory);
        driver_add(&driver, 0, &buffer, 1);
        ck_assert_uint_eq(answer(0), 256);
        for (unsigned i = 0; i < 2048; i++)
                ones += ram[DATA + i / 8] >> i % 8 & 1;
        ck_assert_uint_gt(ones, 800);
        ck_assert_uint_lt(ones, 1248);
        buffer.size = 0x100000;                                         /* a piece of what was asked for */
        driver_add(&driver, 0, &buffer, 1);
        ck_assert_uint_gt(answer(0), 0);
        driver_close(&driver);
}
END_TEST

START_TEST(balloon_gives_pages_back)
{
        struct virtio_buffer list = { HEADER, 12, false }, free_pages = { 0x400000, 0x200000, true };

        board_begin(&board);
        device = driver_open(&driver, &board, "virtio_balloon");
        driver_start(&driver, 1 << 5);
        for (unsigned i = 0; i < 3; i++)
                driver_add_queue(&driver, i, 8);
        driver_run(&driver);
        ram = memory_ram(board.memory);
        memset(ram + 0x300000, 0x55, 0x600000);
        pci_put32(ram + HEADER, 0, 0x302);
        pci_put32(ram + HEADER, 4, 0x301);
        pci_put32(ram + HEADER, 8, 0xfffffff);                          /* no memory there */
        driver_add(&driver, 0, &list, 1);
        answer(0);
        ck_assert_uint_eq(ram[0x300fff], 0x55);
        ck_assert_uint_eq(ram[0x301000], 0);
        ck_assert_uint_eq(ram[0x302fff], 0);
        ck_assert_uint_eq(ram[0x303000], 0x55);
        lock_acquire(&board.lock);
        ck_assert_uint_eq(virtio_balloon_given_back(device), 0x2000);
        /* A page that holds code is not taken away from under it. */
        memory_set_state(board.memory, 0x500000, PAGE_HOLDS_CODE, 0);
        lock_release(&board.lock);
        driver_add(&driver, 2, &free_pages, 1);
        answer(2);
        ck_assert_uint_eq(ram[0x400000], 0);
        ck_assert_uint_eq(ram[0x500000], 0x55);
        ck_assert_uint_eq(ram[0x5fffff], 0);
        ck_assert_uint_eq(ram[0x600000], 0x55);
        free_pages = (struct virtio_buffer){ 0xf00000, 0xfffff000, true };      /* far beyond memory */
        driver_add(&driver, 2, &free_pages, 1);
        answer(2);
        lock_acquire(&board.lock);
        virtio_balloon_set_target(device, 1 << 20);
        lock_release(&board.lock);
        ck_assert_uint_eq(memory_mmio_read(board.memory, DRIVER_BAR + 0x2000, 4), 256);
        driver_close(&driver);
}
END_TEST

static uint64_t control(unsigned port, unsigned event, unsigned value)
{
        struct virtio_buffer message = { HEADER, 8, false };

        pci_put32(ram + HEADER, 0, port);
        pci_put16(ram + HEADER, 4, (uint16_t)event);
        pci_put16(ram + HEADER, 6, (uint16_t)value);
        driver_add(&driver, 3, &message, 1);
        return answer(3);
}

START_TEST(console_ports)
{
        struct serial_host host = { &board.lock, NULL, NULL };
        struct serial_backend *backend;
        struct virtio_buffer room = { DATA, 64, true }, text = { HEADER, 5, false };
        char *spec, *bytes;
        uint32_t written;
        int fd;

        strcpy(path, "/tmp/lodger-virtio-XXXXXX");
        fd = g_mkstemp(path);
        close(fd);
        spec = g_strdup_printf("file:%s", path);
        board_begin(&board);
        backend = serial_backend_new(spec, &host, NULL);
        ck_assert_ptr_nonnull(backend);
        device = driver_make(&driver, &board, "virtio_console");
        ck_assert(virtio_console_add_port(device, "org.example.0", backend));
        driver_find(&driver);
        driver_start(&driver, 1 << 1);
        for (unsigned i = 0; i < 6; i++)
                driver_add_queue(&driver, i, 8);
        driver_run(&driver);
        ram = memory_ram(board.memory);
        driver_add(&driver, 2, &room, 1);
        control(0, 0, 1);
        ck_assert(driver_take(&driver, 2, &written));                   /* PORT_ADD for port 1 */
        ck_assert_uint_eq(written, 8);
        ck_assert_uint_eq(pci_get32(ram + DATA, 0), 1);
        ck_assert_uint_eq(pci_get16(ram + DATA, 4), 1);
        control(1, 3, 1);
        ck_assert(!driver_take(&driver, 2, &written));                  /* no buffer: it waits */
        driver_add(&driver, 2, &room, 1);
        ck_assert_uint_eq(answer(2), 8 + strlen("org.example.0"));
        ck_assert_uint_eq(pci_get16(ram + DATA, 4), 7);
        control(1, 6, 1);
        control(99, 6, 1);                                              /* no such port */
        memcpy(ram + HEADER, "hello", 5);
        driver_add(&driver, 5, &text, 1);
        answer(5);
        lock_acquire(&board.lock);
        device_reset(device);
        lock_release(&board.lock);
        driver_close(&driver);
        serial_backend_free(backend);
        ck_assert(g_file_get_contents(path, &bytes, NULL, NULL));
        ck_assert_str_eq(bytes, "hello");
        g_free(bytes);
        g_free(spec);
        g_remove(path);
}
END_TEST

UNIT_MAIN("virtio devices", disk_reads_and_writes, disk_refuses, disk_discards_and_zeroes, scsi_disk_and_cd, entropy,
          balloon_gives_pages_back, console_ports)
