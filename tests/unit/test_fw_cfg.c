/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_fw_cfg.c - items by port and by DMA, the directory, and control blocks that point nowhere. */
#include <stdio.h>
#include <unistd.h>
#include "board_fixture.h"
#include "devices/chipset/fw_cfg.h"

static struct board board;
static struct device *cfg;

static void begin(void)
{
        board_begin(&board);
        cfg = device_new("fw_cfg", "fw_cfg", &board.env);
        board_start(&board, cfg);
        lock_acquire(&board.lock);
        fw_cfg_set_u32(cfg, FW_CFG_KERNEL_SIZE, 0x11223344);
        fw_cfg_add_file(cfg, "etc/one", g_bytes_new_static("abc", 3));
        fw_cfg_add_file(cfg, "opt/two", g_bytes_new_static("defgh", 5));
        lock_release(&board.lock);
}

static uint32_t big(const uint8_t *bytes)
{
        return (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

/* Runs a control block at 1000h; gives the control word afterwards. */
static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
        uint8_t block[16];

        for (unsigned i = 0; i < 4; i++) {
                block[i] = (uint8_t)(control >> (24 - 8 * i));
                block[4 + i] = (uint8_t)(length >> (24 - 8 * i));
        }
        for (unsigned i = 0; i < 8; i++)
                block[8 + i] = (uint8_t)(address >> (56 - 8 * i));
        memcpy(memory_ram(board.memory) + 0x1000, block, sizeof(block));
        out(&board, 0x514, 0, 4);
        out(&board, 0x518, GUINT32_SWAP_LE_BE(0x1000), 4);
        return big(memory_ram(board.memory) + 0x1000);
}

START_TEST(items_by_port)
{
        static const uint8_t expected[] = { 0x44, 0x33, 0x22, 0x11, 0, 0 };

        begin();
        out(&board, 0x510, FW_CFG_SIGNATURE, 2);
        for (const char *letter = "QEMU"; *letter; letter++)
                ck_assert_uint_eq(in(&board, 0x511, 1), (uint8_t)*letter);
        out(&board, 0x510, FW_CFG_KERNEL_SIZE, 2);
        for (unsigned i = 0; i < sizeof(expected); i++)         /* zeros past the end */
                ck_assert_uint_eq(in(&board, 0x511, 1), expected[i]);
        out(&board, 0x510, 0xffff, 2);
        ck_assert_uint_eq(in(&board, 0x511, 1), 0);
        ck_assert_uint_eq(in(&board, 0x514, 4), 0x554d4551);    /* "QEMU" */
        ck_assert_uint_eq(in(&board, 0x518, 4), 0x47464320);    /* " CFG" */
        board_end(&board, cfg);
}
END_TEST

START_TEST(directory_names_files)
{
        uint8_t *ram;

        begin();
        ram = memory_ram(board.memory) + 0x2000;
        ck_assert_uint_eq(dma(FW_CFG_FILE_DIR << 16 | 0x0a, 4 + 128, 0x2000), 0);
        ck_assert_uint_eq(big(ram), 2);
        ck_assert_uint_eq(big(ram + 4), 3);
        ck_assert_str_eq((char *)ram + 12, "etc/one");
        ck_assert_uint_eq(big(ram + 68), 5);
        ck_assert_uint_eq(big(ram + 72) >> 16, 0x21);
        ck_assert_str_eq((char *)ram + 76, "opt/two");
        board_end(&board, cfg);
}
END_TEST

START_TEST(dma_reads_skips_and_pads)
{
        uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        memset(ram + 0x2000, 0xee, 16);
        ck_assert_uint_eq(dma(0x21u << 16 | 0x0c, 2, 0), 0);    /* select, skip */
        ck_assert_uint_eq(dma(0x02, 8, 0x2000), 0);             /* read on, past the end */
        ck_assert(!memcmp(ram + 0x2000, "fgh\0\0\0\0\0\xee", 9));
        ck_assert_uint_eq(dma(0x21u << 16 | 0x0c, 0xffffffff, 0), 0);
        ck_assert_uint_eq(dma(0x04, 0xffffffff, 0), 0);         /* the offset stays at its end */
        ck_assert_uint_eq(dma(0x02, 1, 0x2000), 0);
        ck_assert_uint_eq(ram[0x2000], 0);
        board_end(&board, cfg);
}
END_TEST

START_TEST(dma_errors)
{
        begin();
        ck_assert_uint_eq(dma(0x20u << 16 | 0x18, 3, 0x2000), 1);               /* write */
        ck_assert_uint_eq(dma(0x20u << 16 | 0x0a, 3, UINT64_C(1) << 40), 1);    /* to nowhere */
        ck_assert_uint_eq(dma(0x20u << 16 | 0x0a, 3, UINT64_MAX), 1);
        ck_assert_uint_eq(dma(0x20u << 16 | 0x0a, 0x7fffffff, 0x100000), 1);    /* past the end of RAM */
        out(&board, 0x514, 0xffffffff, 4);                                      /* block nowhere */
        out(&board, 0x518, 0xf0ffffff, 4);
        board_end(&board, cfg);
}
END_TEST

START_TEST(items_that_are_files)
{
        FILE *temporary = tmpfile();
        uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        fputs("0123456789", temporary);
        fflush(temporary);
        lock_acquire(&board.lock);
        fw_cfg_set_file(cfg, FW_CFG_INITRD_DATA, dup(fileno(temporary)), 10);
        lock_release(&board.lock);
        memset(ram + 0x2000, 0xee, 16);
        ck_assert_uint_eq(dma(FW_CFG_INITRD_DATA << 16 | 0x0a, 12, 0x2000), 0);
        ck_assert(!memcmp(ram + 0x2000, "0123456789\0\0\xee", 13));
        out(&board, 0x510, FW_CFG_INITRD_DATA, 2);
        ck_assert_uint_eq(in(&board, 0x511, 1), '0');
        ck_assert_uint_eq(in(&board, 0x511, 1), '1');
        ck_assert_int_eq(ftruncate(fileno(temporary), 5), 0);           /* behind our back */
        ck_assert_uint_eq(dma(FW_CFG_INITRD_DATA << 16 | 0x0a, 10, 0x2000), 1);
        fclose(temporary);
        board_end(&board, cfg);
}
END_TEST

UNIT_MAIN("fw_cfg", items_by_port, directory_names_files, dma_reads_skips_and_pads, dma_errors,
          items_that_are_files)
