/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage_fixture.h - images with known contents, and the configuration space of a controller under test. */
#ifndef LODGER_TESTS_STORAGE_FIXTURE_H
#define LODGER_TESTS_STORAGE_FIXTURE_H

#include <stdio.h>
#include <unistd.h>

#include "block/block.h"
#include "board_fixture.h"

enum { DISK_SECTORS = 4096, CD_SECTORS = 400 };

static struct board board;
static struct device *bus;              /* "pci" */
static char disk_path[64], cd_path[64];

/* A new file whose sector i holds the bytes of i: first its upper half, then the lower one, again and again. */
static inline struct block *image(char *path, unsigned sectors, unsigned unit, bool read_only)
{
        struct block_options options = { .read_only = read_only, .unit_bytes = unit };
        uint8_t *sector = g_malloc0(unit);
        struct block *block;
        int fd;

        strcpy(path, "/tmp/lodger-unit-XXXXXX");
        fd = g_mkstemp(path);
        for (unsigned i = 0; i < sectors; i++) {
                memset(sector, (int)(i & 0xff), unit);
                sector[0] = (uint8_t)(i >> 8);
                ck_assert_int_eq(write(fd, sector, unit), (ssize_t)unit);
        }
        close(fd);
        g_free(sector);
        block = block_open(path, &options, &board.lock, NULL);
        ck_assert_ptr_nonnull(block);
        return block;
}

/* Registers of the function at devfn on bus 0. */
static inline uint32_t config_read(unsigned devfn, unsigned offset, unsigned size)
{
        out(&board, 0xcf8, 0x80000000 | devfn << 8 | (offset & 0xfc), 4);
        return in(&board, (uint16_t)(0xcfc + (offset & 3)), size);
}

static inline void config_write(unsigned devfn, unsigned offset, uint32_t value, unsigned size)
{
        out(&board, 0xcf8, 0x80000000 | devfn << 8 | (offset & 0xfc), 4);
        out(&board, (uint16_t)(0xcfc + (offset & 3)), value, size);
}

static inline void storage_end(struct device *controller)
{
        lock_acquire(&board.lock);
        device_free(bus);
        lock_release(&board.lock);
        board_end(&board, controller);
        remove(disk_path);
        remove(cd_path);
}

#endif
