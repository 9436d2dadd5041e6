/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_pci.c - configuration mechanism 1, BARs, capabilities, MSI and MSI-X, interrupt routing, the PAM map of the host bridge,
 * the reset control register, and power management with its soft-off.
 */
#include "board_fixture.h"
#include "devices/chipset/i440fx.h"
#include "devices/chipset/piix3.h"
#include "devices/chipset/piix4_pm.h"
#include "machine/pci.h"

static struct board board;
static struct device *bus, *host, *isa, *pm, *card;
static uint8_t rom[128 << 10];

/* -- A card with one I/O and one memory BAR ------------------------------------------------------ */

struct test_card {
        struct pci_device pci;
        struct pci_msix msix;
};

static struct { uint64_t address; uint32_t data; unsigned count; } message;

static void message_arrived(void *opaque, uint64_t address, uint32_t data)
{
        (void)opaque;
        message.address = address;
        message.data = data;
        message.count++;
}

static uint32_t card_port_read(void *opaque, uint16_t port, unsigned size)
{
        struct test_card *test_card = opaque;

        (void)size;
        return port - pci_bar_base(&test_card->pci, 0);
}

static uint64_t card_read(void *opaque, uint64_t offset, unsigned size)
{
        (void)opaque;
        (void)size;
        return offset | 0x40;
}

static void card_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        (void)opaque;
        (void)offset;
        (void)value;
        (void)size;
}

static const struct port_ops card_port_ops = { card_port_read, NULL, 1 };
static const struct mmio_ops card_ops = { card_read, card_write, 0, 0 };

static bool card_create(struct device *device, GError **error)
{
        struct test_card *test_card = (struct test_card *)device;

        (void)error;
        pci_identify(&test_card->pci, 0x1234, 0x5678, 0xff0000, 9);
        test_card->pci.defaults[PCI_INTERRUPT_PIN] = 1;
        pci_bar_ports(&test_card->pci, 0, 32, ports_map(device->env->ports, 0, 32, &card_port_ops, device, "card"));
        pci_bar_memory(&test_card->pci, 1, 4096, 0,
                       memory_map_mmio(device->env->memory, 0, 4096, &card_ops, device, 20, "card"));
        pci_bar_memory64(&test_card->pci, 4, 0x4000, PCI_BAR_PREFETCH,
                         memory_map_mmio(device->env->memory, 0, 0x4000, &card_ops, device, 20, "card, wide"));
        pci_msi_add(&test_card->pci);
        pci_msix_add(&test_card->pci, &test_card->msix, 2, 3);
        return true;
}

static void card_reset(struct device *device)
{
        pci_device_reset((struct pci_device *)device);
}

static bool card_post_load(struct device *device, GError **error)
{
        (void)error;
        pci_device_restored((struct pci_device *)device);
        return true;
}

static const struct state_field card_fields[] = {
        STATE_STRUCT(struct test_card, pci, pci_device_fields),
        STATE_STRUCT(struct test_card, msix, pci_msix_fields),
        STATE_END
};

static const struct device_class test_card_class = {
        .name = "test-card", .description = "card", .size = sizeof(struct test_card), .state = card_fields,
        .create = card_create, .reset = card_reset, .post_load = card_post_load,
};

DEVICE_CLASS(test_card_class);

/* -- The board ----------------------------------------------------------------------------------- */

static void begin(void)
{
        board_begin(&board);
        for (size_t i = 0; i < sizeof(rom); i++)
                rom[i] = (uint8_t)(i >> 8 ^ 0x5a);
        bus = device_new("pci", "pci", &board.env);
        host = device_new("i440fx", "host", &board.env);
        isa = device_new("piix3", "isa", &board.env);
        pm = device_new("piix4_pm", "pm", &board.env);
        card = device_new("test-card", "card", &board.env);
        pci_attach(bus, host, PCI_DEVFN(0, 0));
        pci_attach(bus, isa, PCI_DEVFN(1, 0));
        pci_attach(bus, pm, PCI_DEVFN(1, 3));
        pci_attach(bus, card, PCI_DEVFN(3, 0));
        i440fx_set_rom(host, rom);
        for (unsigned line = 0; line < 4; line++)
                pci_bus_connect(bus, line, piix3_pirq(isa, line));
        memset(&message, 0, sizeof(message));
        pci_bus_connect_messages(bus, message_arrived, NULL);
        piix3_connect_isa(isa, 11, board_wire(&board, 11));
        piix4_pm_connect_sci(pm, board_wire(&board, 9));
        lock_acquire(&board.lock);
        memory_map_rom(board.memory, 0xe0000, rom, sizeof(rom), 0, "firmware");
        lock_release(&board.lock);
        board_start(&board, bus);
        board_start(&board, host);
        board_start(&board, isa);
        board_start(&board, pm);
        board_start(&board, card);
}

static void end(void)
{
        lock_acquire(&board.lock);
        device_free(card);
        device_free(pm);
        device_free(isa);
        device_free(host);
        lock_release(&board.lock);
        board_end(&board, bus);
}

static void address(unsigned device, unsigned function, unsigned offset)
{
        out(&board, 0xcf8, 1u << 31 | device << 11 | function << 8 | (offset & 0xfc), 4);
}

static uint32_t config_get(unsigned device, unsigned function, unsigned offset, unsigned size)
{
        address(device, function, offset);
        return in(&board, (uint16_t)(0xcfc + (offset & 3)), size);
}

static void config_set(unsigned device, unsigned function, unsigned offset, uint32_t value, unsigned size)
{
        address(device, function, offset);
        out(&board, (uint16_t)(0xcfc + (offset & 3)), value, size);
}

static uint8_t peek(gpa_t gpa)
{
        uint8_t byte = 0;

        lock_acquire(&board.lock);
        memory_read(board.memory, gpa, &byte, 1);
        lock_release(&board.lock);
        return byte;
}

static void poke(gpa_t gpa, uint8_t byte)
{
        lock_acquire(&board.lock);
        memory_write(board.memory, gpa, &byte, 1);
        lock_release(&board.lock);
}

START_TEST(mechanism_1)
{
        begin();
        ck_assert_uint_eq(config_get(0, 0, 0, 4), 0x12378086);
        ck_assert_uint_eq(config_get(0, 0, 0x2c, 4), 0x11001af4);
        ck_assert_uint_eq(config_get(1, 0, 2, 2), 0x7000);
        ck_assert_uint_eq(config_get(1, 0, 0x0e, 1), 0x80);
        ck_assert_uint_eq(config_get(1, 3, 0, 4), 0x71138086);
        ck_assert_uint_eq(config_get(1, 3, 0x58, 4) >> 25 & 1, 1);      /* APMC_EN */
        ck_assert_uint_eq(config_get(5, 0, 0, 4), 0xffffffff);
        out(&board, 0xcf8, 1u << 31 | 1 << 16, 4);                      /* bus 1 */
        ck_assert_uint_eq(in(&board, 0xcfc, 4), 0xffffffff);
        out(&board, 0xcf8, 0, 4);                                       /* not enabled */
        ck_assert_uint_eq(in(&board, 0xcfc, 4), 0xffffffff);
        out(&board, 0xcf8, 0xffffffff, 4);
        ck_assert_uint_eq(in(&board, 0xcf8, 4), 0x80fffffc);
        config_set(0, 0, 0, 0, 4);                                      /* read-only */
        ck_assert_uint_eq(config_get(0, 0, 0, 4), 0x12378086);
        end();
}
END_TEST

START_TEST(bars_are_sized_and_moved)
{
        begin();
        config_set(3, 0, 0x10, 0xffffffff, 4);
        ck_assert_uint_eq(config_get(3, 0, 0x10, 4), 0xffffffe1);
        config_set(3, 0, 0x14, 0xffffffff, 4);
        ck_assert_uint_eq(config_get(3, 0, 0x14, 4), 0xfffff000);
        config_set(3, 0, 0x1c, 0xffffffff, 4);
        ck_assert_uint_eq(config_get(3, 0, 0x1c, 4), 0);
        config_set(3, 0, 0x10, 0xc000, 4);
        config_set(3, 0, 0x14, 0xfe000000, 4);
        ck_assert_uint_eq(in(&board, 0xc003, 1), 0xff);                 /* not enabled */
        config_set(3, 0, 4, 3, 2);
        ck_assert_uint_eq(in(&board, 0xc003, 1), 3);
        ck_assert_uint_eq(peek(0xfe000007), 0x47);
        config_set(3, 0, 0x10, 0xc100, 4);
        ck_assert_uint_eq(in(&board, 0xc003, 1), 0xff);
        ck_assert_uint_eq(in(&board, 0xc105, 1), 5);
        lock_acquire(&board.lock);
        device_reset(card);
        lock_release(&board.lock);
        ck_assert_uint_eq(in(&board, 0xc105, 1), 0xff);
        ck_assert_uint_eq(peek(0xfe000007), 0xff);
        end();
}
END_TEST

START_TEST(wide_bars_go_above_4_gib)
{
        begin();
        config_set(3, 0, 4, 2, 2);
        config_set(3, 0, 0x20, 0xffffffff, 4);
        config_set(3, 0, 0x24, 0xffffffff, 4);
        ck_assert_uint_eq(config_get(3, 0, 0x20, 4), 0xffffc00c);
        ck_assert_uint_eq(config_get(3, 0, 0x24, 4), 0xffffffff);
        config_set(3, 0, 0x20, 0x40004000, 4);
        ck_assert_uint_eq(peek(UINT64_C(0xffffffff40004001)), 0xff);    /* half sized: nowhere */
        config_set(3, 0, 0x24, 0x23, 4);
        ck_assert_uint_eq(peek(UINT64_C(0x2340004003)), 0x43);
        ck_assert_uint_eq(peek(UINT64_C(0x2340008003)), 0xff);
        ck_assert_uint_eq(pci_bar_base((struct pci_device *)card, 4), UINT64_C(0x2340004000));
        config_set(3, 0, 0x24, 0, 4);
        ck_assert_uint_eq(peek(UINT64_C(0x2340004003)), 0xff);
        ck_assert_uint_eq(peek(0x40004003), 0x43);
        end();
}
END_TEST

START_TEST(capabilities_are_listed)
{
        unsigned at;

        begin();
        ck_assert_uint_eq(config_get(3, 0, 6, 2) & 0x10, 0x10);
        at = config_get(3, 0, 0x34, 1);
        ck_assert_uint_eq(config_get(3, 0, at, 1), PCI_CAP_MSI);
        at = config_get(3, 0, at + 1, 1);
        ck_assert_uint_eq(config_get(3, 0, at, 1), PCI_CAP_MSIX);
        ck_assert_uint_eq(config_get(3, 0, at + 2, 2), 2);              /* three vectors */
        ck_assert_uint_eq(config_get(3, 0, at + 4, 4), 2);              /* table at 0 of BAR 2 */
        ck_assert_uint_eq(config_get(3, 0, at + 1, 1), 0);
        ck_assert_uint_eq(config_get(1, 0, 6, 2) & 0x10, 0);            /* the ISA bridge has none */
        end();
}
END_TEST

static void send(bool msix, unsigned vector)
{
        lock_acquire(&board.lock);
        if (msix)
                pci_msix_send((struct pci_device *)card, vector);
        else
                pci_msi_send((struct pci_device *)card);
        lock_release(&board.lock);
}

START_TEST(msi)
{
        unsigned at;

        begin();
        at = config_get(3, 0, 0x34, 1);
        config_set(3, 0, at + 4, 0xfee01003, 4);
        config_set(3, 0, at + 12, 0x4155, 2);
        send(false, 0);
        ck_assert_uint_eq(message.count, 0);                            /* off */
        config_set(3, 0, at + 2, 1, 2);
        send(false, 0);
        ck_assert_uint_eq(message.count, 0);                            /* no bus master */
        config_set(3, 0, 4, 4, 2);
        send(false, 0);
        ck_assert_uint_eq(message.count, 1);
        ck_assert_uint_eq(message.address, 0xfee01000);
        ck_assert_uint_eq(message.data, 0x4155);
        /* Anywhere else it is a write to memory. */
        config_set(3, 0, at + 4, 0x2000, 4);
        send(false, 0);
        ck_assert_uint_eq(message.count, 1);
        ck_assert_uint_eq(peek(0x2000), 0x55);
        ck_assert_uint_eq(peek(0x2001), 0x41);
        end();
}
END_TEST

START_TEST(msix_masks_and_pends)
{
        enum { TABLE = 0xfe100000 };
        unsigned at;

        begin();
        at = config_get(3, 0, config_get(3, 0, 0x34, 1) + 1, 1);
        config_set(3, 0, 0x18, TABLE, 4);
        config_set(3, 0, 4, 6, 2);
        ck_assert_uint_eq(memory_mmio_read(board.memory, TABLE + 12, 4), 1);    /* masked after reset */
        memory_mmio_write(board.memory, TABLE + 16, 0xfee02000, 4);
        memory_mmio_write(board.memory, TABLE + 24, 0x31, 4);
        memory_mmio_write(board.memory, TABLE + 28, 0xfffffffe, 4);
        ck_assert_uint_eq(memory_mmio_read(board.memory, TABLE + 28, 4), 0);
        send(true, 1);
        ck_assert_uint_eq(message.count, 0);                            /* off */
        config_set(3, 0, at + 3, 0x80, 1);
        send(true, 1);
        ck_assert_uint_eq(message.count, 1);
        ck_assert_uint_eq(message.address, 0xfee02000);
        ck_assert_uint_eq(message.data, 0x31);
        send(true, 3);                                                  /* no such vector */
        ck_assert_uint_eq(message.count, 1);
        memory_mmio_write(board.memory, TABLE + 28, 1, 4);
        send(true, 1);
        ck_assert_uint_eq(message.count, 1);
        ck_assert_uint_eq(memory_mmio_read(board.memory, TABLE + 2048, 4), 2);
        memory_mmio_write(board.memory, TABLE + 2048, 0, 4);            /* read-only */
        memory_mmio_write(board.memory, TABLE + 28, 0, 4);
        ck_assert_uint_eq(message.count, 2);
        ck_assert_uint_eq(memory_mmio_read(board.memory, TABLE + 2048, 4), 0);
        config_set(3, 0, at + 3, 0xc0, 1);                              /* the whole function masked */
        send(true, 1);
        ck_assert_uint_eq(message.count, 2);
        config_set(3, 0, at + 3, 0x80, 1);
        ck_assert_uint_eq(message.count, 3);
        memory_mmio_write(board.memory, TABLE + 48, 0xffffffff, 4);     /* behind the table */
        ck_assert_uint_eq(memory_mmio_read(board.memory, TABLE + 48, 4), 0);
        end();
}
END_TEST

START_TEST(intx_can_be_switched_off)
{
        begin();
        config_set(1, 0, 0x62, 11, 1);
        lock_acquire(&board.lock);
        pci_set_intx((struct pci_device *)card, true);
        lock_release(&board.lock);
        ck_assert(board.level[11]);
        ck_assert_uint_eq(config_get(3, 0, 6, 2) & 8, 8);
        config_set(3, 0, 4, PCI_COMMAND_INTX_OFF, 2);
        ck_assert(!board.level[11]);
        ck_assert_uint_eq(config_get(3, 0, 6, 2) & 8, 8);
        config_set(3, 0, 4, 0, 2);
        ck_assert(board.level[11]);
        end();
}
END_TEST

START_TEST(interrupts_are_routed)
{
        begin();
        /* Slot 3, pin A is on PIRQC#. */
        ck_assert_uint_eq(pci_line_of(PCI_DEVFN(3, 0), 1), 2);
        ck_assert_uint_eq(pci_line_of(PCI_DEVFN(1, 0), 1), 0);
        ck_assert_uint_eq(pci_line_of(PCI_DEVFN(0, 0), 1), 3);
        lock_acquire(&board.lock);
        pci_set_intx((struct pci_device *)card, true);
        lock_release(&board.lock);
        ck_assert(!board.level[11]);
        config_set(1, 0, 0x62, 11, 1);
        ck_assert(board.level[11]);
        config_set(1, 0, 0x62, 0x80, 1);
        ck_assert(!board.level[11]);
        config_set(1, 0, 0x62, 11, 1);
        lock_acquire(&board.lock);
        pci_set_intx((struct pci_device *)card, false);
        lock_release(&board.lock);
        ck_assert(!board.level[11]);
        end();
}
END_TEST

START_TEST(pam_shadows_the_firmware)
{
        uint8_t *ram;

        begin();
        ram = memory_ram(board.memory);
        ck_assert_uint_eq(peek(0xf1234), rom[0x11234]);
        poke(0xf1234, 1);
        ck_assert_uint_eq(ram[0xf1234], 0);             /* dropped */
        config_set(0, 0, 0x59, 0x20, 1);                /* writes to RAM, reads from ROM */
        ck_assert_uint_eq(peek(0xf1234), rom[0x11234]);
        poke(0xf1234, 2);
        ck_assert_uint_eq(ram[0xf1234], 2);
        config_set(0, 0, 0x59, 0x30, 1);                /* RAM */
        ck_assert_uint_eq(peek(0xf1234), 2);
        poke(0xf1234, 3);
        config_set(0, 0, 0x59, 0x10, 1);                /* RAM, read-only */
        poke(0xf1234, 4);
        ck_assert_uint_eq(peek(0xf1234), 3);
        ck_assert_uint_eq(peek(0xc8000), 0xff);         /* nothing there yet */
        config_set(0, 0, 0x5b, 0x03, 1);
        poke(0xc8000, 5);
        ck_assert_uint_eq(peek(0xc8000), 5);
        ck_assert_uint_eq(peek(0xcc000), 0xff);         /* the other nibble */
        lock_acquire(&board.lock);
        device_reset(host);
        lock_release(&board.lock);
        ck_assert_uint_eq(peek(0xf1234), rom[0x11234]);
        ck_assert_uint_eq(ram[0xf1234], 3);             /* RAM keeps its contents */
        end();
}
END_TEST

START_TEST(smram_opens_and_locks)
{
        begin();
        memory_ram(board.memory)[0xa0000] = 0x77;
        ck_assert_uint_eq(peek(0xa0000), 0xff);
        config_set(0, 0, 0x72, 0x4a, 1);
        ck_assert_uint_eq(peek(0xa0000), 0x77);
        config_set(0, 0, 0x72, 0x1a, 1);                /* lock */
        ck_assert_uint_eq(peek(0xa0000), 0xff);
        config_set(0, 0, 0x72, 0x4a, 1);
        ck_assert_uint_eq(peek(0xa0000), 0xff);
        end();
}
END_TEST

START_TEST(reset_control)
{
        begin();
        out(&board, 0xcf9, 0x02, 1);
        ck_assert_uint_eq(board.requests[MACHINE_RESET], 0);
        out(&board, 0xcf9, 0x06, 1);
        ck_assert_uint_eq(board.requests[MACHINE_RESET], 1);
        out(&board, 0xcf9, 0x06, 1);                    /* no edge */
        ck_assert_uint_eq(board.requests[MACHINE_RESET], 1);
        out(&board, 0xcf9, 0x00, 1);
        out(&board, 0xcf9, 0x04, 1);
        ck_assert_uint_eq(board.requests[MACHINE_CPU_INIT], 1);
        end();
}
END_TEST

START_TEST(power_management)
{
        uint32_t first, second;

        begin();
        ck_assert_uint_eq(in(&board, 0x600, 2), 0xffff);
        config_set(1, 3, 0x40, 0x601, 4);
        config_set(1, 3, 0x80, 1, 1);
        ck_assert_uint_eq(in(&board, 0x604, 2), 0);
        out(&board, 0xb2, PIIX4_ACPI_ENABLE, 1);
        ck_assert_uint_eq(in(&board, 0xb2, 1), PIIX4_ACPI_ENABLE);
        ck_assert_uint_eq(in(&board, 0x604, 2), 1);
        clock_start(board.clock);
        first = in(&board, 0x608, 4);
        g_usleep(20000);
        second = in(&board, 0x608, 4);
        ck_assert_uint_ge(second - first, 3579545 / 50);
        ck_assert_uint_eq(second >> 24, 0);
        clock_stop(board.clock);

        out(&board, 0x602, 0x100, 2);
        lock_acquire(&board.lock);
        piix4_pm_press_power_button(pm);
        lock_release(&board.lock);
        ck_assert(board.level[9]);
        ck_assert_uint_eq(in(&board, 0x600, 2), 0x100);
        out(&board, 0x601, 0x01, 1);                    /* by byte */
        ck_assert(!board.level[9]);

        out(&board, 0x604, 0x3401, 2);                  /* S1: is not there */
        ck_assert_uint_eq(board.requests[MACHINE_POWER_OFF], 0);
        out(&board, 0x604, 0x2001, 2);
        ck_assert_uint_eq(board.requests[MACHINE_POWER_OFF], 1);
        ck_assert_uint_eq(in(&board, 0x604, 2), 1);     /* SUS_EN reads 0 */
        end();
}
END_TEST

UNIT_MAIN("pci", mechanism_1, bars_are_sized_and_moved, wide_bars_go_above_4_gib, capabilities_are_listed, msi,
          msix_masks_and_pends, intx_can_be_switched_off, interrupts_are_routed, pam_shadows_the_firmware,
          smram_opens_and_locks, reset_control, power_management)
