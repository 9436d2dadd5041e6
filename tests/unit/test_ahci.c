/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_ahci.c - the AHCI controller by its registers: identification, DMA, queued commands and their errors,
 * packets, resets, interrupts, and guests whose lists and tables are nowhere.
 */
#include "devices/storage/ahci.h"
#include "machine/pci.h"
#include "storage_fixture.h"

enum { FUNCTION = PCI_DEVFN(3, 0), BAR = 0xfe000000, LISTS = 0x100000, FISES = 0x104000, TABLES = 0x110000, DATA = 0x200000 };
enum { DISK = 0, CD = 1, EMPTY = 2, NOBODY = 3 };
enum { P_IS = 0x10, P_IE = 0x14, P_CMD = 0x18, P_TFD = 0x20, P_SIG = 0x24, P_SSTS = 0x28, P_SCTL = 0x2c, P_SERR = 0x30, P_SACT = 0x34, P_CI = 0x38 };

static struct device *ahci;
static struct block *disk;
static unsigned messages;

static void message(void *opaque, uint64_t address, uint32_t data)
{
        (void)opaque;
        (void)address;
        (void)data;
        messages++;
}

static uint32_t hba(unsigned offset)
{
        return (uint32_t)memory_mmio_read(board.memory, BAR + offset, 4);
}

static void hba_set(unsigned offset, uint32_t value)
{
        memory_mmio_write(board.memory, BAR + offset, value, 4);
}

static uint32_t port_get(unsigned port, unsigned offset)
{
        return hba(0x100 + 0x80 * port + offset);
}

static void port_set(unsigned port, unsigned offset, uint32_t value)
{
        hba_set(0x100 + 0x80 * port + offset, value);
}

static void start(unsigned port)
{
        port_set(port, 0x00, LISTS + 0x400 * port);
        port_set(port, 0x08, FISES + 0x100 * port);
        port_set(port, P_SERR, 0xffffffff);
        port_set(port, P_IS, 0xffffffff);
        port_set(port, P_IE, 0xffffffff);
        port_set(port, P_CMD, 0x10);
        port_set(port, P_CMD, 0x11);
}

static void begin(void)
{
        board_begin(&board);
        messages = 0;
        bus = device_new("pci", "bus", &board.env);
        ahci = device_new("ahci", "ahci", &board.env);
        pci_attach(bus, ahci, FUNCTION);
        pci_bus_connect(bus, pci_line_of(FUNCTION, 1), board_wire(&board, 11));
        pci_bus_connect_messages(bus, message, NULL);
        board_start(&board, bus);
        board_start(&board, ahci);
        lock_acquire(&board.lock);
        disk = image(disk_path, DISK_SECTORS, 512, false);
        ahci_add_disk(ahci, DISK, "disk0", disk);
        ahci_add_cd(ahci, CD, "cd0", image(cd_path, CD_SECTORS, 2048, true));
        ahci_add_cd(ahci, EMPTY, "cd1", NULL);
        lock_release(&board.lock);
        config_write(FUNCTION, 0x24, BAR, 4);
        config_write(FUNCTION, 0x04, 6, 2);
        hba_set(0x04, 0x80000002);
        start(DISK);
        start(CD);
        start(EMPTY);
        start(NOBODY);
}

static void end(void)
{
        storage_end(ahci);
}

/* Lets work on the disk and the CD end, as the main loop would. */
static void settle(void)
{
        for (unsigned i = 0; i < 50; i++) {
                while (g_main_context_iteration(NULL, FALSE))
                        ;
                lock_acquire(&board.lock);
                block_drain(disk);
                lock_release(&board.lock);
        }
}

static void settle_port(unsigned port, uint32_t slots)
{
        for (unsigned i = 0; i < 2000 && (port_get(port, P_CI) & slots) && !(port_get(port, P_IS) & 0x40000000); i++) {
                while (g_main_context_iteration(NULL, FALSE))
                        ;
                g_usleep(1000);
        }
        settle();
}

struct piece { gpa_t gpa; uint32_t size; };

/* Writes a command into a slot. */
static void put(unsigned port, unsigned slot, const uint8_t fis[20], const uint8_t *packet, const struct piece *pieces, unsigned count)
{
        uint8_t *ram = memory_ram(board.memory), *header = ram + LISTS + 0x400 * port + 32 * slot;
        gpa_t at = TABLES + 0x4000 * port + 0x200 * slot;
        uint8_t *table = ram + at;

        memset(header, 0, 32);
        pci_put32(header, 0, 5 | (packet ? 1 << 5 : 0) | count << 16);
        pci_put32(header, 8, (uint32_t)at);
        memset(table, 0, 0x200);
        memcpy(table, fis, 20);
        if (packet)
                memcpy(table + 0x40, packet, 12);
        for (unsigned i = 0; i < count; i++) {
                pci_put32(table + 0x80 + 16 * i, 0, (uint32_t)pieces[i].gpa);
                pci_put32(table + 0x80 + 16 * i, 4, (uint32_t)(pieces[i].gpa >> 32));
                pci_put32(table + 0x80 + 16 * i, 12, pieces[i].size - 1);
        }
}

static void fis_fill(uint8_t fis[20], uint8_t command, uint64_t lba, unsigned count)
{
        const uint8_t bytes[20] = {
                0x27, 0x80, command, 0, (uint8_t)lba, (uint8_t)(lba >> 8), (uint8_t)(lba >> 16), 0x40, (uint8_t)(lba >> 24),
                (uint8_t)(lba >> 32), (uint8_t)(lba >> 40), 0, (uint8_t)count, (uint8_t)(count >> 8),
        };

        memcpy(fis, bytes, 20);
}

/* One command in slot 0, to its end; gives the status register. */
static uint8_t run(unsigned port, uint8_t command, uint64_t lba, unsigned count, const struct piece *pieces, unsigned n)
{
        uint8_t fis[20];

        fis_fill(fis, command, lba, count);
        put(port, 0, fis, NULL, pieces, n);
        port_set(port, P_IS, 0xffffffff);
        port_set(port, P_CI, 1);
        settle_port(port, 1);
        return (uint8_t)port_get(port, P_TFD);
}

static uint8_t run_packet(unsigned port, const uint8_t packet[12], uint32_t room)
{
        const uint8_t fis[20] = { 0x27, 0x80, 0xa0, 1 };
        struct piece piece = { DATA, room };

        put(port, 0, fis, packet, &piece, room ? 1 : 0);
        port_set(port, P_IS, 0xffffffff);
        port_set(port, P_CI, 1);
        settle_port(port, 1);
        return (uint8_t)port_get(port, P_TFD);
}

static void check_sectors(const uint8_t *at, unsigned lba, unsigned count)
{
        for (unsigned i = 0; i < count; i++, at += 512) {
                ck_assert_uint_eq(at[0], (lba + i) >> 8);
                ck_assert_uint_eq(at[1], (lba + i) & 0xff);
                ck_assert_uint_eq(at[511], (lba + i) & 0xff);
        }
}

START_TEST(registers_and_resets)
{
        begin();
        ck_assert_uint_eq(config_read(FUNCTION, 0, 4), 0x29228086);
        ck_assert_uint_eq(config_read(FUNCTION, 8, 4) >> 8, 0x010601);
        ck_assert_uint_eq(hba(0x0c), 0x3f);
        ck_assert_uint_eq(hba(0x10), 0x10300);
        ck_assert_uint_eq(hba(0) >> 8 & 31, 31);
        ck_assert_uint_eq(port_get(DISK, P_SSTS), 0x133);
        ck_assert_uint_eq(port_get(DISK, P_SIG), 0x101);
        ck_assert_uint_eq(port_get(CD, P_SIG), 0xeb140101);
        ck_assert_uint_eq(port_get(NOBODY, P_SSTS), 0);
        ck_assert_uint_eq(port_get(NOBODY, P_TFD), 0x7f);
        ck_assert_uint_eq(port_get(NOBODY, P_SIG), 0xffffffff);
        ck_assert_uint_eq(port_get(DISK, P_CMD) & 0xc011, 0xc011);      /* list and FIS engines run */
        /* COMRESET: the link goes, comes back, and says that it did. */
        port_set(DISK, P_CMD, 0x10);
        port_set(DISK, P_SCTL, 0x301);
        ck_assert_uint_eq(port_get(DISK, P_SSTS), 0);
        port_set(DISK, P_SCTL, 0x300);
        ck_assert_uint_eq(port_get(DISK, P_SSTS), 0x133);
        ck_assert_uint_eq(port_get(DISK, P_SERR) >> 26 & 1, 1);
        ck_assert_uint_eq(port_get(DISK, P_IS) >> 6 & 1, 1);
        ck_assert_uint_eq(port_get(DISK, P_TFD) & 0x89, 0);
        ck_assert_uint_eq(memory_ram(board.memory)[FISES + 0x40], 0x34);
        hba_set(0x04, 0x80000003);                                      /* the whole controller */
        ck_assert_uint_eq(hba(0x04), 0x80000000);
        ck_assert_uint_eq(port_get(DISK, P_CMD) & 0xc011, 0);
        ck_assert_uint_eq(port_get(DISK, P_SSTS), 0x133);
        end();
}
END_TEST

START_TEST(identify_and_dma)
{
        uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        ck_assert_uint_eq(run(DISK, 0xec, 0, 0, &(struct piece){ DATA, 512 }, 1), 0x50);
        ck_assert_uint_eq(port_get(DISK, P_CI), 0);
        ck_assert_uint_eq(port_get(DISK, P_IS) & 2, 2);                 /* PIO setup FIS */
        ck_assert_uint_eq(ram[FISES + 0x20], 0x5f);
        ck_assert_uint_eq(pci_get16(ram + DATA, 2 * 76) & 0x100, 0x100);
        ck_assert_uint_eq(pci_get32(ram + DATA, 2 * 100), DISK_SECTORS);
        /* More than the drive's buffer, in pieces that are no sectors. */
        ck_assert_uint_eq(run(DISK, 0x25, 100, 300, (const struct piece[]){ { DATA + 6, 1000 }, { DATA + 0x100000, 300 * 512 - 1000 } }, 2),
                          0x50);
        memmove(ram + DATA + 0x100000 - 1000, ram + DATA + 6, 1000);
        check_sectors(ram + DATA + 0x100000 - 1000, 100, 300);
        ck_assert_uint_eq(pci_get32(ram + LISTS, 4), 300 * 512);        /* bytes moved */
        ck_assert_uint_eq(port_get(DISK, P_IS) & 1, 1);
        /* Written, flushed and read again; FUA. */
        memset(ram + DATA, 0x5a, 512 * 130);
        ck_assert_uint_eq(run(DISK, 0x35, 2000, 130, &(struct piece){ DATA, 512 * 130 }, 1), 0x50);
        ck_assert_uint_eq(run(DISK, 0x3d, 2130, 1, &(struct piece){ DATA, 512 }, 1), 0x50);
        ck_assert_uint_eq(run(DISK, 0xea, 0, 0, NULL, 0), 0x50);
        memset(ram + DATA, 0, 512 * 132);
        ck_assert_uint_eq(run(DISK, 0x25, 1999, 132, &(struct piece){ DATA, 512 * 132 }, 1), 0x50);
        check_sectors(ram + DATA, 1999, 1);
        for (unsigned i = 512; i < 512 * 132; i++)
                ck_assert_uint_eq(ram[DATA + i], 0x5a);
        /* Behind the end: an error, the slot stays, ST brings it back. */
        ck_assert_uint_eq(run(DISK, 0x25, DISK_SECTORS, 1, &(struct piece){ DATA, 512 }, 1) & 1, 1);
        ck_assert_uint_eq(port_get(DISK, P_IS) >> 30 & 1, 1);
        ck_assert_uint_eq(port_get(DISK, P_CI), 1);
        port_set(DISK, P_CMD, 0x10);
        ck_assert_uint_eq(port_get(DISK, P_CI), 0);
        port_set(DISK, P_CMD, 0x11);
        ck_assert_uint_eq(run(DISK, 0x25, 7, 1, &(struct piece){ DATA, 512 }, 1), 0x50);
        check_sectors(ram + DATA, 7, 1);
        end();
}
END_TEST

static void queue(unsigned slot, bool write, uint64_t lba, unsigned count, gpa_t data)
{
        uint8_t fis[20];

        fis_fill(fis, write ? 0x61 : 0x60, lba, slot << 3);
        fis[3] = (uint8_t)count;
        fis[11] = (uint8_t)(count >> 8);
        put(DISK, slot, fis, NULL, &(struct piece){ data, count * 512 }, 1);
}

static void wait_for_sact(void)
{
        for (unsigned i = 0; i < 2000 && port_get(DISK, P_SACT) && !(port_get(DISK, P_IS) & 0x40000000); i++)
                settle();
}

START_TEST(queued_commands)
{
        uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        memset(ram + DATA + 0x40000, 0xa5, 8 * 512);
        queue(3, false, 10, 64, DATA);
        queue(5, true, 3000, 8, DATA + 0x40000);
        queue(31, false, 500, 1, DATA + 0x50000);
        port_set(DISK, P_SACT, 1u << 3 | 1u << 5 | 1u << 31);
        port_set(DISK, P_CI, 1u << 3 | 1u << 5 | 1u << 31);
        ck_assert_uint_eq(port_get(DISK, P_CI), 0);                     /* all taken */
        wait_for_sact();
        ck_assert_uint_eq(port_get(DISK, P_SACT), 0);
        ck_assert_uint_eq(port_get(DISK, P_IS) & 8, 8);
        ck_assert_uint_eq(ram[FISES + 0x58], 0xa1);
        check_sectors(ram + DATA, 10, 64);
        check_sectors(ram + DATA + 0x50000, 500, 1);
        ck_assert_uint_eq(run(DISK, 0x25, 3007, 1, &(struct piece){ DATA, 512 }, 1), 0x50);
        ck_assert_uint_eq(ram[DATA], 0xa5);
        /* One that fails: the log says which. */
        queue(9, false, DISK_SECTORS - 1, 2, DATA);
        port_set(DISK, P_IS, 0xffffffff);
        port_set(DISK, P_SACT, 1u << 9);
        port_set(DISK, P_CI, 1u << 9);
        wait_for_sact();
        ck_assert_uint_eq(port_get(DISK, P_IS) >> 30 & 1, 1);
        ck_assert_uint_eq(port_get(DISK, P_SACT), 1u << 9);
        port_set(DISK, P_CMD, 0x10);
        ck_assert_uint_eq(port_get(DISK, P_SACT), 0);
        port_set(DISK, P_CMD, 0x11);
        ck_assert_uint_eq(run(DISK, 0x2f, 0x10, 1, &(struct piece){ DATA, 512 }, 1), 0x50);
        ck_assert_uint_eq(ram[DATA], 9);
        ck_assert_uint_eq(ram[DATA + 3], 0x10);                         /* IDNF */
        /* A tag that is not the slot's. */
        queue(4, false, 0, 1, DATA);
        ram[TABLES + 0x200 * 4 + 12] = 7 << 3;
        port_set(DISK, P_SACT, 1u << 4);
        port_set(DISK, P_CI, 1u << 4);
        wait_for_sact();
        ck_assert_uint_eq(port_get(DISK, P_IS) >> 30 & 1, 1);
        end();
}
END_TEST

/* A port that is stopped, or reset, in the middle of things forgets them. */
START_TEST(stopped_in_the_middle)
{
        uint8_t *ram;

        /* By a thread, so that it cannot be over before the stop. */
        g_setenv("LODGER_NO_IO_URING", "1", TRUE);
        begin();
        ram = memory_ram(board.memory);
        for (unsigned round = 0; round < 20; round++) {
                memset(ram + DATA, 0xee, 512 * 64);
                queue(round, false, 10, 64, DATA);
                port_set(DISK, P_SACT, 1u << round);
                port_set(DISK, P_CI, 1u << round);
                if (round & 1) {
                        port_set(DISK, P_CMD, 0x10);
                } else {
                        lock_acquire(&board.lock);
                        device_reset(ahci);
                        lock_release(&board.lock);
                }
                settle();
                ck_assert_uint_eq(ram[DATA], 0xee);
                ck_assert_uint_eq(port_get(DISK, P_SACT) & 0xffff, round & 1 ? 0 : port_get(DISK, P_SACT) & 0xffff);
                config_write(FUNCTION, 0x24, BAR, 4);
                config_write(FUNCTION, 0x04, 6, 2);
                hba_set(0x04, 0x80000002);
                start(DISK);
        }
        ck_assert_uint_eq(run(DISK, 0x25, 7, 1, &(struct piece){ DATA, 512 }, 1), 0x50);
        check_sectors(ram + DATA, 7, 1);
        end();
        g_unsetenv("LODGER_NO_IO_URING");
}
END_TEST

START_TEST(packets)
{
        static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 }, sense[12] = { 0x03, 0, 0, 0, 18 }, ready[12] = { 0 };
        static const uint8_t read_10[12] = { 0x28, 0, 0, 0, 0, 20, 0, 0, 100 };
        uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        ck_assert_uint_eq(run(CD, 0xa1, 0, 0, &(struct piece){ DATA, 512 }, 1), 0x40);
        ck_assert_uint_eq(run(CD, 0xec, 0, 0, &(struct piece){ DATA, 512 }, 1) & 1, 1);
        port_set(CD, P_CMD, 0x10);
        port_set(CD, P_CMD, 0x11);
        ck_assert_uint_eq(run_packet(CD, inquiry, 36), 0x40);
        ck_assert_uint_eq(ram[DATA], 5);
        ck_assert_uint_eq(run_packet(CD, ready, 0), 0x40);
        ck_assert_uint_eq(run_packet(CD, read_10, 100 * 2048), 0x40);
        for (unsigned i = 0; i < 100; i++)
                ck_assert_uint_eq(ram[DATA + 2048 * i + 1], 20 + i);
        /* Nothing in the drive. */
        ck_assert_uint_eq(run_packet(EMPTY, ready, 0) & 1, 1);
        port_set(EMPTY, P_CMD, 0x10);
        port_set(EMPTY, P_CMD, 0x11);
        ck_assert_uint_eq(run_packet(EMPTY, sense, 18), 0x40);
        ck_assert_uint_eq(ram[DATA + 2], 2);
        ck_assert_uint_eq(ram[DATA + 12], 0x3a);
        end();
}
END_TEST

START_TEST(trim)
{
        uint8_t fis[20], *ram;

        begin();
        ram = memory_ram(board.memory);
        memset(ram + DATA, 0, 512);
        ram[DATA] = 50;
        ram[DATA + 6] = 4;
        pci_put32(ram + DATA, 8, DISK_SECTORS - 4);
        ram[DATA + 14] = 4;
        fis_fill(fis, 0x06, 0, 1);
        fis[3] = 1;
        put(DISK, 0, fis, NULL, &(struct piece){ DATA, 512 }, 1);
        port_set(DISK, P_CI, 1);
        settle_port(DISK, 1);
        ck_assert_uint_eq(port_get(DISK, P_TFD) & 0xff, 0x50);
        ck_assert_uint_eq(run(DISK, 0x25, 49, 1, &(struct piece){ DATA, 512 }, 1), 0x50);
        check_sectors(ram + DATA, 49, 1);
        memset(ram + DATA, 0, 512);
        ram[DATA + 14] = 5;                                             /* a range behind the end */
        pci_put32(ram + DATA, 8, DISK_SECTORS - 4);
        put(DISK, 0, fis, NULL, &(struct piece){ DATA, 512 }, 1);
        port_set(DISK, P_CI, 1);
        settle_port(DISK, 1);
        ck_assert_uint_eq(port_get(DISK, P_TFD) & 1, 1);
        end();
}
END_TEST

START_TEST(interrupts)
{
        unsigned at;

        begin();
        run(DISK, 0xea, 0, 0, NULL, 0);
        ck_assert(board.level[11]);
        ck_assert_uint_eq(hba(0x08), 1u << DISK);
        hba_set(0x08, 1);
        ck_assert(board.level[11]);                                     /* the port has not been seen to */
        port_set(DISK, P_IS, 0xffffffff);
        hba_set(0x08, 1);
        ck_assert(!board.level[11]);
        at = config_read(FUNCTION, 0x34, 1);
        while (config_read(FUNCTION, at, 1) != PCI_CAP_MSI)
                at = config_read(FUNCTION, at + 1, 1);
        config_write(FUNCTION, at + 4, 0xfee00000, 4);
        config_write(FUNCTION, at + 2, 1, 2);
        run(DISK, 0xea, 0, 0, NULL, 0);
        ck_assert_uint_eq(messages, 1);
        ck_assert(!board.level[11]);
        hba_set(0x08, 1);
        ck_assert_uint_eq(messages, 2);                                 /* again: it is still there */
        port_set(DISK, P_IS, 0xffffffff);
        hba_set(0x08, 1);
        ck_assert_uint_eq(messages, 2);
        hba_set(0x04, 0x80000000);
        run(DISK, 0xea, 0, 0, NULL, 0);
        ck_assert_uint_eq(messages, 2);
        end();
}
END_TEST

START_TEST(hostile_guests)
{
        static const gpa_t nowhere[] = { 0x8000000, BAR + 0x100, 0xfee00000, UINT64_C(0xfffffffffffff000) };
        uint8_t fis[20], *ram;

        for (unsigned i = 0; i < G_N_ELEMENTS(nowhere) * 3; i++) {
                gpa_t place = nowhere[i / 3];

                begin();
                ram = memory_ram(board.memory);
                fis_fill(fis, i & 1 ? 0x60 : 0x25, 0, i & 1 ? 0 : 8);
                fis[3] = 8;
                put(DISK, 0, fis, NULL, &(struct piece){ i % 3 == 0 ? place : DATA, 4096 }, 1);
                if (i % 3 == 1) {
                        pci_put32(ram + LISTS, 8, (uint32_t)place);
                        pci_put32(ram + LISTS, 12, (uint32_t)(place >> 32));
                } else if (i % 3 == 2) {
                        port_set(DISK, P_CMD, 0);
                        port_set(DISK, 0x00, (uint32_t)place);
                        port_set(DISK, 0x04, (uint32_t)(place >> 32));
                        port_set(DISK, P_CMD, 0x11);
                }
                port_set(DISK, P_SACT, 1);
                port_set(DISK, P_CI, 1);
                settle();
                ck_assert_uint_eq(port_get(DISK, P_IS) >> 29 & 1, 1);   /* host bus error */
                port_set(DISK, P_CMD, 0);
                start(DISK);
                ck_assert_uint_eq(run(DISK, 0x25, 7, 1, &(struct piece){ DATA, 512 }, 1), 0x50);
                end();
        }
        begin();
        ram = memory_ram(board.memory);
        /* No room for the data: the rest is lost. */
        run(DISK, 0x25, 0, 8, &(struct piece){ DATA, 512 }, 1);
        ck_assert_uint_eq(port_get(DISK, P_IS) >> 24 & 1, 1);
        /* Not a FIS of the kind; a port without a drive; one that is not started. */
        put(DISK, 0, (const uint8_t[20]){ 0x46 }, NULL, NULL, 0);
        port_set(DISK, P_CI, 1);
        ck_assert_uint_eq(port_get(DISK, P_IS) >> 29 & 1, 1);
        port_set(NOBODY, P_CI, 0xffffffff);
        ck_assert_uint_eq(port_get(NOBODY, P_CI), 0xffffffff);
        port_set(CD, P_CMD, 0);
        port_set(CD, P_CI, 1);
        ck_assert_uint_eq(port_get(CD, P_CI), 0);
        end();
}
END_TEST

UNIT_MAIN("ahci", registers_and_resets, identify_and_dma, queued_commands, stopped_in_the_middle, packets, trim, interrupts,
          hostile_guests)
