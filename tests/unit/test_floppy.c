/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_floppy.c - the 82077AA with the DMA controller: sectors, tracks, formats, errors, noise. */
#include <stdio.h>
#include <unistd.h>

#include "board_fixture.h"
#include "devices/chipset/i8237.h"
#include "devices/storage/floppy.h"

enum { TRACKS = 80, HEADS = 2, SECTORS = 18, DATA = 0x20000, BASE = 0x3f0 };
enum { DMA_READ = 0x46 /* device to memory */, DMA_WRITE = 0x4a };

static struct board board;
static struct device *dma, *floppy;
static char path[64];

static void settle(void)
{
        lock_acquire(&board.lock);
        floppy_drain(floppy);
        lock_release(&board.lock);
}

static void insert(bool read_only)
{
        struct block_options options = { .read_only = read_only };
        struct block *block;

        lock_acquire(&board.lock);
        floppy_insert(floppy, 0, NULL, (struct floppy_shape){ 0 });
        block = block_open(path, &options, &board.lock, NULL);
        ck_assert_ptr_nonnull(block);
        floppy_insert(floppy, 0, block, (struct floppy_shape){ TRACKS, HEADS, SECTORS });
        lock_release(&board.lock);
}

static void send(unsigned n, ...)
{
        va_list bytes;

        va_start(bytes, n);
        while (n--) {
                ck_assert_uint_eq(in(&board, BASE + 4, 1) & 0xc0, 0x80);
                out(&board, BASE + 5, va_arg(bytes, unsigned), 1);
        }
        va_end(bytes);
        settle();
}

/* Reads the result; gives ST0, or what byte `index` is. */
static uint8_t result(unsigned n, unsigned index)
{
        uint8_t wanted = 0;

        for (unsigned i = 0; i < n; i++) {
                uint8_t byte;

                ck_assert_uint_eq(in(&board, BASE + 4, 1) & 0xd0, 0xd0);
                byte = (uint8_t)in(&board, BASE + 5, 1);
                if (i == index)
                        wanted = byte;
        }
        ck_assert_uint_eq(in(&board, BASE + 4, 1) & 0xf0, 0x80);
        return wanted;
}

static void dma_set(uint8_t mode, uint32_t address, unsigned bytes)
{
        out(&board, 0x0a, 6, 1);
        out(&board, 0x0c, 0, 1);
        out(&board, 0x0b, mode, 1);
        out(&board, 0x04, address & 0xff, 1);
        out(&board, 0x04, address >> 8 & 0xff, 1);
        out(&board, 0x05, (bytes - 1) & 0xff, 1);
        out(&board, 0x05, (bytes - 1) >> 8 & 0xff, 1);
        out(&board, 0x81, address >> 16, 1);
        out(&board, 0x0a, 2, 1);
}

static void seek_to(unsigned cylinder)
{
        send(3, 0x0f, 0, cylinder);
        ck_assert(board.level[6]);
        send(1, 0x08);
        ck_assert(!board.level[6]);
        ck_assert_uint_eq(result(2, 1), cylinder);
}

static void begin(void)
{
        uint8_t sector[512];
        int fd;

        board_begin(&board);
        strcpy(path, "/tmp/lodger-floppy-XXXXXX");
        fd = g_mkstemp(path);
        for (unsigned i = 0; i < TRACKS * HEADS * SECTORS; i++) {
                memset(sector, (int)(i & 0xff), sizeof(sector));
                sector[0] = (uint8_t)(i >> 8);
                ck_assert_int_eq(write(fd, sector, sizeof(sector)), sizeof(sector));
        }
        close(fd);
        dma = device_new("i8237", "dma", &board.env);
        floppy = device_new("floppy", "floppy", &board.env);
        floppy_connect(floppy, board_wire(&board, 6), i8237_channel(dma, 2));
        board_start(&board, dma);
        board_start(&board, floppy);
        insert(false);
        out(&board, BASE + 2, 0x1c, 1);         /* out of reset, motor, DMA */
        ck_assert(board.level[6]);
        for (unsigned i = 0; i < 4; i++) {
                send(1, 0x08);
                ck_assert_uint_eq(result(2, 0), 0xc0 | i);
        }
        send(1, 0x08);
        ck_assert_uint_eq(result(1, 0), 0x80);
        out(&board, BASE + 7, 0, 1);            /* 500 kbit/s */
        send(3, 0x03, 0xdf, 0x02);
}

static void end(void)
{
        lock_acquire(&board.lock);
        device_free(dma);
        lock_release(&board.lock);
        board_end(&board, floppy);
        remove(path);
}

START_TEST(reads_across_sides)
{
        const uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        ck_assert_uint_eq(in(&board, BASE + 7, 1), 0xff);       /* changed */
        seek_to(3);
        ck_assert_uint_eq(in(&board, BASE + 7, 1), 0x7f);
        dma_set(DMA_READ, DATA, 20 * 512);
        send(9, 0xe6, 0x00, 3, 0, 17, 2, 18, 0x1b, 0xff);       /* multitrack: 2 sectors here, 18 on the other side */
        ck_assert(board.level[6]);
        ck_assert_uint_eq(result(7, 0), 0x00 | 0);
        ck_assert_uint_eq(ram[DATA + 1], (3 * 36 + 16) & 0xff);
        ck_assert_uint_eq(ram[DATA + 19 * 512 + 511], (3 * 36 + 35) & 0xff);
        /* TC in the middle of a sector. */
        dma_set(DMA_READ, DATA, 700);
        memory_ram(board.memory)[DATA + 700] = 0x99;
        send(9, 0x46, 0x00, 3, 0, 1, 2, 18, 0x1b, 0xff);
        ck_assert_uint_eq(result(7, 5), 3);                     /* next: sector 3 */
        ck_assert_uint_eq(ram[DATA + 699], 3 * 36 + 1);
        ck_assert_uint_eq(ram[DATA + 700], 0x99);
        end();
}
END_TEST

START_TEST(writes_and_formats)
{
        uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        for (unsigned i = 0; i < 1024; i++)
                ram[DATA + i] = (uint8_t)(i * 3);
        seek_to(10);
        dma_set(DMA_WRITE, DATA, 1024);
        send(9, 0x45, 0x04, 10, 1, 5, 2, 18, 0x1b, 0xff);
        ck_assert_uint_eq(result(7, 0) & 0xc0, 0);
        dma_set(DMA_READ, DATA + 0x4000, 1024);
        send(9, 0x46, 0x04, 10, 1, 5, 2, 18, 0x1b, 0xff);
        ck_assert_uint_eq(result(7, 0) & 0xc0, 0);
        ck_assert_int_eq(memcmp(ram + DATA, ram + DATA + 0x4000, 1024), 0);
        dma_set(DMA_WRITE, DATA, 18 * 4);
        send(6, 0x4d, 0x04, 2, 18, 0x1b, 0xf6);
        ck_assert_uint_eq(result(7, 0) & 0xc0, 0);
        dma_set(DMA_READ, DATA, 512);
        send(9, 0x46, 0x04, 10, 1, 18, 2, 18, 0x1b, 0xff);
        ck_assert_uint_eq(result(7, 0) & 0xc0, 0);
        ck_assert_uint_eq(ram[DATA + 511], 0xf6);
        insert(true);
        seek_to(10);
        dma_set(DMA_WRITE, DATA, 512);
        send(9, 0x45, 0x00, 10, 0, 1, 2, 18, 0x1b, 0xff);
        ck_assert_uint_eq(result(7, 1), 0x02);                  /* not writable */
        end();
}
END_TEST

START_TEST(without_dma)
{
        begin();
        send(3, 0x03, 0xdf, 0x03);
        send(2, 0x07, 0);
        send(1, 0x08);
        ck_assert_uint_eq(result(2, 0), 0x20);
        send(9, 0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
        for (unsigned i = 0; i < 1024; i++) {
                ck_assert_uint_eq(in(&board, BASE + 4, 1), 0xf0);
                ck_assert_uint_eq(in(&board, BASE + 5, 1), i % 512 ? 16 + i / 512 : 0);
        }
        ck_assert_uint_eq(result(7, 1), 0x80);                  /* end of cylinder: nobody says TC */
        end();
}
END_TEST

START_TEST(errors)
{
        begin();
        seek_to(1);
        dma_set(DMA_READ, DATA, 512);
        send(9, 0x46, 0x00, 2, 0, 1, 2, 18, 0x1b, 0xff);        /* the head is elsewhere */
        ck_assert_uint_eq(result(7, 2), 0x10);
        send(9, 0x46, 0x00, 1, 0, 19, 2, 18, 0x1b, 0xff);
        ck_assert_uint_eq(result(7, 1), 0x04);
        send(9, 0x46, 0x00, 1, 0, 1, 3, 18, 0x1b, 0xff);        /* sectors of 1024 bytes */
        ck_assert_uint_eq(result(7, 1), 0x04);
        out(&board, BASE + 7, 2, 1);                            /* the rate of another format */
        send(2, 0x4a, 0);
        ck_assert_uint_eq(result(7, 1), 0x01);
        out(&board, BASE + 7, 0, 1);
        send(2, 0x4a, 4);
        ck_assert_uint_eq(result(7, 3), 1);
        send(2, 0x4a, 1);                                       /* drive 1 is empty */
        ck_assert_uint_eq(result(7, 0), 0x41);
        out(&board, 0x0a, 6, 1);                                /* channel masked: overrun */
        send(9, 0x46, 0x00, 1, 0, 1, 2, 18, 0x1b, 0xff);
        ck_assert_uint_eq(result(7, 1), 0x10);
        send(1, 0x1f);
        ck_assert_uint_eq(result(1, 0), 0x80);
        send(1, 0x10);
        ck_assert_uint_eq(result(1, 0), 0x90);
        send(1, 0x0e);
        ck_assert_uint_eq(result(10, 0), 1);
        end();
}
END_TEST

/* What DUMPREG shows of the modes; which of them a software reset takes back (82077AA, 4.2 and 5.2.11). */
START_TEST(modes)
{
        begin();
        send(3, 0x03, 0xdf, 0x03);                              /* SPECIFY */
        send(4, 0x13, 0, 0x58, 0x11);                           /* CONFIGURE: implied seek, no FIFO, threshold 8 */
        send(2, 0x12, 0x8f);                                    /* PERPENDICULAR, OW: D0, D1, GAP and WGATE */
        send(1, 0x0e);
        ck_assert_uint_eq(result(10, 7), 0x0f);
        send(2, 0x12, 0x31);                                    /* without OW only GAP and WGATE */
        send(1, 0x0e);
        ck_assert_uint_eq(result(10, 7), 0x0d);
        send(1, 0x0e);
        ck_assert_uint_eq(result(10, 4), 0xdf);
        send(1, 0x0e);
        ck_assert_uint_eq(result(10, 8), 0x58);
        send(1, 0x94);                                          /* LOCK */
        ck_assert_uint_eq(result(1, 0), 0x10);
        for (unsigned locked = 1; locked < 2; locked--) {
                out(&board, BASE + 2, 0x18, 1);
                out(&board, BASE + 2, 0x1c, 1);
                for (unsigned i = 0; i < 4; i++) {
                        send(1, 0x08);
                        ck_assert_uint_eq(result(2, 0), 0xc0 | i);
                }
                send(1, 0x0e);
                ck_assert_uint_eq(result(10, 7), locked ? 0x8c : 0x0c);
                send(1, 0x0e);
                ck_assert_uint_eq(result(10, 9), locked ? 0x11 : 0x00);
                send(1, 0x14);                                  /* unlock, for the second round */
                ck_assert_uint_eq(result(1, 0), 0x00);
        }
        end();
}
END_TEST

START_TEST(noise)
{
        uint32_t state = 4711;

        begin();
        for (unsigned i = 0; i < 60000; i++) {
                uint16_t port;

                state = state * 1664525 + 1013904223;
                port = (uint16_t)(state >> 30 ? BASE + (state >> 24 & 7) : (state >> 20 & 0x8f));
                if (state >> 16 & 1)
                        in(&board, port, 1);
                else
                        out(&board, port, i % 3 ? state >> 8 & 0x1f : state >> 8 & 0xff, 1);
                if (i % 16 == 0)
                        out(&board, BASE + 2, 0x1c, 1);
                if (i % 64 == 0)
                        settle();
        }
        settle();
        out(&board, BASE + 2, 0x18, 1);
        out(&board, BASE + 2, 0x1c, 1);
        send(1, 0x10);
        ck_assert_uint_eq(result(1, 0), 0x90);
        end();
}
END_TEST

UNIT_MAIN("floppy", reads_across_sides, writes_and_formats, without_dma, errors, modes, noise)
