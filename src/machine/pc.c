/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pc.c - the wiring of the PC: what lies where, which wire goes where.  Reads from top to bottom.
 *
 * Physical map (RAM offsets equal addresses below the hole; the rest of RAM follows at 4 GiB):
 *
 *      00000000-0009ffff   RAM
 *      000a0000-000bffff   VGA window; RAM behind it opens with SMRAM
 *      000c0000-000fffff   RAM or ROM by the host bridge's PAM registers; the firmware's last 128 KiB
 *                          answer at E0000h
 *      00100000-low end    RAM, up to 3 GiB
 *      80000000-febfffff   PCI memory, above RAM: firmware begins at e0000000 (SeaBIOS) or below (UEFI)
 *      fec00000            I/O APIC
 *      fed00000            event timers
 *      fee00000            local APIC
 *      fffc0000-ffffffff   firmware (its size counted back from 4 GiB); below it the flash with UEFI's variables
 *      100000000-          the rest of RAM; above it, from the next GiB on, PCI memory of 64 bits
 *
 * Interrupts: an ISA line goes to the 8259 pair and to the I/O APIC pin of the same number, except
 * the timer: line 0 of the pair, pin 2 of the I/O APIC (the MADT says so).  The pair's output is
 * LINT0 of vCPU 0's local APIC.  While the event timers are in legacy replacement they drive lines 0 and
 * 8, and what the 8254 and the real-time clock do there is not seen (HPET 1.0a, 2.3.5).
 */
#include <string.h>

#include "base/i18n.h"
#include "base/log.h"
#include "cpu/tlb.h"
#include "devices/chipset/ferr.h"
#include "devices/chipset/flash.h"
#include "devices/chipset/fw_cfg.h"
#include "devices/chipset/hpet.h"
#include "devices/chipset/i440fx.h"
#include "devices/chipset/ioapic.h"
#include "devices/chipset/pic.h"
#include "devices/chipset/piix3.h"
#include "devices/chipset/piix4_pm.h"
#include "devices/chipset/pit.h"
#include "devices/chipset/rtc.h"
#include "devices/display/vga.h"
#include "devices/input/i8042.h"
#include "devices/serial/uart16550.h"
#include "machine/acpi.h"
#include "machine/boot.h"
#include "machine/firmware.h"
#include "machine/internal.h"
#include "machine/network.h"
#include "machine/pci.h"
#include "machine/smbios.h"
#include "machine/storage.h"
#include "machine/virtio.h"

#define LOW_RAM_MAX (UINT64_C(3) << 30)
#define FOUR_GIB (UINT64_C(1) << 32)
#define PCI_MEMORY_FIRST UINT32_C(0x80000000)

enum { RAM_640K = 0xa0000, RAM_1M = 0x100000, ROM_LOW = 0xe0000 };
enum { PRIORITY_BASE = 0 };
enum { IRQ_TIMER = 0, IRQ_KEYBOARD = 1, IRQ_RTC = 8, IRQ_MOUSE = 12, IRQ_FPU = 13 };
enum { IOAPIC_TIMER_PIN = 2 };

/* -- Memory ------------------------------------------------------------------------------------- */

static void pc_map_ram(struct machine *machine)
{
        struct memory *memory = machine->memory;

        machine->low_ram_bytes = MIN(machine->ram_bytes, LOW_RAM_MAX);
        memory_map_ram(memory, 0, 0, RAM_640K, false, PRIORITY_BASE, "low RAM");
        memory_map_ram(memory, RAM_1M, RAM_1M, machine->low_ram_bytes - RAM_1M, false, PRIORITY_BASE, "RAM");
        if (machine->ram_bytes > LOW_RAM_MAX)
                memory_map_ram(memory, FOUR_GIB, LOW_RAM_MAX, machine->ram_bytes - LOW_RAM_MAX, false, PRIORITY_BASE,
                               "RAM above 4 GiB");
}

/* The firmware answers below 4 GiB and, its last part, below 1 MiB.  Gives that last part. */
static const uint8_t *pc_map_firmware(struct machine *machine)
{
        gsize size;
        const uint8_t *bytes = g_bytes_get_data(machine->firmware, &size);
        gsize low = MIN(size, FIRMWARE_LOW_BYTES);

        memory_map_rom(machine->memory, FOUR_GIB - size, bytes, size, PRIORITY_BASE, "firmware");
        memory_map_rom(machine->memory, RAM_1M - low, bytes + size - low, low, PRIORITY_BASE, "firmware below 1 MiB");
        return low == FIRMWARE_LOW_BYTES ? bytes + size - low : NULL;
}

static bool pc_add_flash(struct machine *machine, const struct machine_config *config, GError **error)
{
        GBytes *variables;
        gpa_t end = FOUR_GIB - g_bytes_get_size(machine->firmware);

        if (!firmware_is_uefi(config->firmware))
                return true;
        if (!cpu_model_has(machine->cpu[0]->model, FEATURE_LM)) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            _("--cpu %s: UEFI needs a 64-bit CPU; choose another model, or leave --firmware uefi out"), config->cpu_model);
                return false;
        }
        variables = firmware_load_variables(error);
        if (!variables)
                return false;
        machine->flash = machine_add_device(machine, "flash", "flash");
        flash_set_contents(machine->flash, end - g_bytes_get_size(variables), variables);
        g_bytes_unref(variables);
        return (!config->firmware_variables || device_set(machine->flash, "path", config->firmware_variables, error)) &&
               machine_start_device(machine->flash, error);
}

/* -- Interrupt wires ----------------------------------------------------------------------------- */

/* A line is high while any of its sources is. */
static void pc_isa_irq_update(struct machine *machine, unsigned number)
{
        unsigned sources = machine->irq_sources[number];

        if (machine->hpet_legacy && (number == IRQ_TIMER || number == IRQ_RTC))
                sources &= 1u << PC_IRQ_HPET;
        irq_set(&machine->pic_input[number], sources != 0);
        irq_set(&machine->ioapic_input[number == IRQ_TIMER ? IOAPIC_TIMER_PIN : number], sources != 0);
}

/* line: interrupt number | source << 4. */
static void pc_isa_irq_set(void *opaque, int line, bool level)
{
        struct machine *machine = opaque;
        unsigned number = line & 15, source = (unsigned)line >> 4;
        uint8_t *sources = &machine->irq_sources[number];

        *sources = (uint8_t)((*sources & ~(1u << source)) | (unsigned)level << source);
        pc_isa_irq_update(machine, number);
}

static void pc_hpet_legacy_set(void *opaque, int line, bool level)
{
        struct machine *machine = opaque;

        (void)line;
        if (machine->hpet_legacy == level)
                return;
        machine->hpet_legacy = level;
        pc_isa_irq_update(machine, IRQ_TIMER);
        pc_isa_irq_update(machine, IRQ_RTC);
}

struct irq pc_isa_irq(struct machine *machine, unsigned number, enum pc_irq_source source)
{
        return (struct irq){ pc_isa_irq_set, machine, (int)(number | source << 4) };
}

static void pc_intr_set(void *opaque, int line, bool level)
{
        struct machine *machine = opaque;

        lapic_set_lint(machine->lapic[0], (unsigned)line, level);
}

/* cpu_env.acknowledge: on a vCPU thread, without the lock. */
static int pc_acknowledge(void *opaque)
{
        struct machine *machine = opaque;
        int vector;

        lock_acquire(&machine->lock);
        vector = pic_acknowledge(machine->pic);
        lock_release(&machine->lock);
        return vector;
}

/* cpu_env.ferr: on a vCPU thread, without the lock. */
static void pc_ferr(void *opaque, bool level)
{
        struct machine *machine = opaque;

        lock_acquire(&machine->lock);
        ferr_set(machine->ferr, level);
        lock_release(&machine->lock);
}

/* cpu_env.ipi and eoi come from a local APIC, with the lock held. */
static void pc_ipi(void *opaque, struct cpu *from, uint64_t icr)
{
        struct machine *machine = opaque;

        lapic_route_icr(machine->lapic, machine->cpus, from->lapic, icr);
}

static uint32_t pc_io_read(void *opaque, uint16_t port, unsigned size)
{
        return ports_read(((struct machine *)opaque)->ports, port, size);
}

static void pc_io_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        ports_write(((struct machine *)opaque)->ports, port, value, size);
}

static void pc_eoi(void *opaque, uint8_t vector)
{
        ioapic_eoi(((struct machine *)opaque)->ioapic, vector);
}

/* A message of the I/O APIC, to every local APIC its destination names; the lowest-priority mode picks one of them. */
static void pc_deliver(void *opaque, uint8_t vector, uint8_t dest, bool logical, uint8_t mode, bool level)
{
        struct machine *machine = opaque;
        struct lapic *lowest = NULL;

        for (unsigned i = 0; i < machine->cpus; i++) {
                struct lapic *lapic = machine->lapic[i];

                if (!lapic_matches(lapic, dest, logical))
                        continue;
                if (mode != IOAPIC_LOWEST)
                        lapic_deliver(lapic, vector, (enum lapic_mode)mode, level);
                else if (!lowest || lapic_priority(lapic) < lapic_priority(lowest))
                        lowest = lapic;
        }
        if (lowest)
                lapic_deliver(lowest, vector, LAPIC_FIXED, level);
}

/* An interrupt message of a PCI device (SDM 3A, 11.11): address bits 19-12 destination, 3 redirection hint, 2
 * logical; data bits 7-0 vector, 10-8 delivery mode, 15 level-triggered. */
static void pc_pci_message(void *opaque, uint64_t address, uint32_t data)
{
        uint8_t mode = data >> 8 & 7;

        if ((address & 8) && (address & 4) && mode == IOAPIC_FIXED)
                mode = IOAPIC_LOWEST;
        pc_deliver(opaque, (uint8_t)data, (uint8_t)(address >> 12), address & 4, mode, data >> 15 & 1);
}

/* The timer makes up for ticks that a busy host delayed: it hears which were taken, and when the guest
 * itself held them back. */
static void pc_line_taken(void *opaque, int line)
{
        if (line == IRQ_TIMER)
                pit_tick_taken(((struct machine *)opaque)->pit);
}

static void pc_line_unmasked(void *opaque, int line)
{
        if (line == IRQ_TIMER)
                pit_ticks_forget(((struct machine *)opaque)->pit);
}

static void pc_pin_taken(void *opaque, int pin)
{
        if (pin == IOAPIC_TIMER_PIN)
                pit_tick_taken(((struct machine *)opaque)->pit);
}

void pc_fill_cpu_env(struct cpu_env *env)
{
        env->eoi = pc_eoi;
        env->io_read = pc_io_read;
        env->io_write = pc_io_write;
        env->acknowledge = pc_acknowledge;
        env->ferr = pc_ferr;
        env->ipi = pc_ipi;
}

/* -- Devices ------------------------------------------------------------------------------------- */

static bool pc_add_interrupt_controllers(struct machine *machine, GError **error)
{
        struct ioapic_output output = { pc_deliver, pc_pin_taken, machine };
        struct pic_watch watch = { pc_line_taken, pc_line_unmasked, machine };

        machine->pic = machine_add_device(machine, "pic", "pic");
        pic_set_output(machine->pic, (struct irq){ pc_intr_set, machine, 0 });
        for (int line = 0; line < PC_ISA_IRQS; line++)
                if (line != 2)                  /* the cascade has no input of its own */
                        machine->pic_input[line] = pic_input(machine->pic, line);
        machine->ioapic = machine_add_device(machine, "ioapic", "ioapic");
        ioapic_set_output(machine->ioapic, &output);
        for (int pin = 0; pin < PC_IOAPIC_PINS; pin++)
                machine->ioapic_input[pin] = ioapic_input(machine->ioapic, pin);
        pic_set_watch(machine->pic, &watch);
        return machine_start_device(machine->pic, error) && machine_start_device(machine->ioapic, error);
}

static bool pc_add_pci(struct machine *machine, const uint8_t *low_rom, GError **error)
{
        machine->pci = machine_add_device(machine, "pci", "pci");
        machine->host_bridge = machine_add_device(machine, "i440fx", "host-bridge");
        machine->isa_bridge = machine_add_device(machine, "piix3", "isa-bridge");
        machine->pm = machine_add_device(machine, "piix4_pm", "pm");
        pci_attach(machine->pci, machine->host_bridge, PCI_DEVFN(0, 0));
        pci_attach(machine->pci, machine->isa_bridge, PCI_DEVFN(1, 0));
        pci_attach(machine->pci, machine->pm, PCI_DEVFN(1, 3));
        i440fx_set_rom(machine->host_bridge, low_rom);
        for (unsigned line = 0; line < 4; line++)
                pci_bus_connect(machine->pci, line, piix3_pirq(machine->isa_bridge, line));
        pci_bus_connect_messages(machine->pci, pc_pci_message, machine);
        /* PIRQs can be routed to these lines only (datasheet, PIRQRC). */
        for (unsigned number = 3; number < PC_ISA_IRQS; number++)
                if (number != 8 && number != 13)
                        piix3_connect_isa(machine->isa_bridge, number, pc_isa_irq(machine, number, PC_IRQ_PIRQ));
        piix4_pm_connect_sci(machine->pm, pc_isa_irq(machine, PIIX4_SCI_IRQ, PC_IRQ_SCI));
        return machine_start_device(machine->pci, error) && machine_start_device(machine->host_bridge, error) &&
               machine_start_device(machine->isa_bridge, error) && machine_start_device(machine->pm, error);
}

static bool pc_add_vga(struct machine *machine, GError **error)
{
        GBytes *rom = firmware_load_vga();

        machine->vga = machine_add_device(machine, "vga", "vga");
        pci_attach(machine->pci, machine->vga, PCI_DEVFN(2, 0));
        if (rom) {
                vga_set_rom(machine->vga, rom);
                g_bytes_unref(rom);
        }
        return machine_start_device(machine->vga, error);
}

static bool pc_add_isa(struct machine *machine, GError **error)
{
        struct device *port92;

        machine->pit = machine_add_device(machine, "pit", "pit");
        pit_set_output(machine->pit, pc_isa_irq(machine, IRQ_TIMER, PC_IRQ_DEVICE));
        machine->rtc = machine_add_device(machine, "rtc", "rtc");
        rtc_connect_irq(machine->rtc, pc_isa_irq(machine, IRQ_RTC, PC_IRQ_DEVICE));
        machine->kbc = machine_add_device(machine, "i8042", "keyboard-controller");
        i8042_connect_irqs(machine->kbc, pc_isa_irq(machine, IRQ_KEYBOARD, PC_IRQ_DEVICE),
                           pc_isa_irq(machine, IRQ_MOUSE, PC_IRQ_DEVICE));
        i8042_connect_input(machine->kbc, machine->input);
        machine->ferr = machine_add_device(machine, "ferr", "ferr");
        ferr_connect_irq(machine->ferr, pc_isa_irq(machine, IRQ_FPU, PC_IRQ_DEVICE));
        port92 = machine_add_device(machine, "port92", "port92");
        return machine_start_device(machine->pit, error) && machine_start_device(machine->rtc, error) &&
               machine_start_device(machine->kbc, error) && machine_start_device(machine->ferr, error) &&
               machine_start_device(port92, error);
}

static bool pc_add_hpet(struct machine *machine, GError **error)
{
        machine->hpet = machine_add_device(machine, "hpet", "hpet");
        for (unsigned pin = HPET_PIN_FIRST; pin < HPET_PIN_FIRST + HPET_PINS; pin++)
                hpet_connect_pin(machine->hpet, pin, machine->ioapic_input[pin]);
        hpet_connect_legacy(machine->hpet, pc_isa_irq(machine, IRQ_TIMER, PC_IRQ_HPET),
                            pc_isa_irq(machine, IRQ_RTC, PC_IRQ_HPET), (struct irq){ pc_hpet_legacy_set, machine, 0 });
        return machine_start_device(machine->hpet, error);
}

static bool pc_add_serial_ports(struct machine *machine, GError **error)
{
        static const struct { const char *id, *port; unsigned irq; } places[] = {
                { "serial0", "0x3f8", 4 }, { "serial1", "0x2f8", 3 }, { "serial2", "0x3e8", 4 }, { "serial3", "0x2e8", 3 },
        };

        /* COM1 and COM2 are always there, as the DSDT says; more when asked for. */
        for (guint i = 0; i < MAX(machine->serial_backends->len, 2) && i < G_N_ELEMENTS(places); i++) {
                struct device *uart = machine_add_device(machine, "serial", places[i].id);

                uart_set_irq(uart, pc_isa_irq(machine, places[i].irq, i < 2 ? PC_IRQ_DEVICE : PC_IRQ_DEVICE_2));
                if (i < machine->serial_backends->len)
                        uart_set_backend(uart, g_ptr_array_index(machine->serial_backends, i));
                if (!device_set(uart, "port", places[i].port, error) || !machine_start_device(uart, error))
                        return false;
        }
        return true;
}

/* "FILE[,port=0xe9]": a comma in a file's name is only taken for the option when "port=" follows it. */
static bool pc_add_debug_console(struct machine *machine, unsigned number, const char *spec, GError **error)
{
        const char *option = g_strrstr(spec, ",port=");
        char *path = option ? g_strndup(spec, (gsize)(option - spec)) : g_strdup(spec);
        char *id = g_strdup_printf("debug-console%u", number);
        struct device *console = machine_add_device(machine, "debug-console", id);
        bool ok = device_set(console, "path", path, error) &&
                  (!option || device_set(console, "port", option + strlen(",port="), error)) &&
                  machine_start_device(console, error);

        g_free(id);
        g_free(path);
        return ok;
}

static bool pc_add_debug_devices(struct machine *machine, const struct machine_config *config, GError **error)
{
        if (config->debug_exit && !machine_start_device(machine_add_device(machine, "debug-exit", "debug-exit"), error))
                return false;
        for (guint i = 0; config->debug_consoles && i < config->debug_consoles->len; i++)
                if (!pc_add_debug_console(machine, i, g_ptr_array_index(config->debug_consoles, i), error))
                        return false;
        return true;
}

/* -- What the firmware is told ------------------------------------------------------------------- */

/* CMOS bytes that PC firmware has agreed on for memory sizes and equipment. */
static void pc_fill_cmos(struct machine *machine, const struct machine_config *config)
{
        struct device *rtc = machine->rtc;
        uint64_t extended_kib = MIN((machine->low_ram_bytes >> 10) - 1024, 0xffff);
        uint64_t above_16m = machine->low_ram_bytes > 16 << 20 ? MIN((machine->low_ram_bytes >> 16) - 256, 0xffff) : 0;
        uint64_t above_4g = (machine->ram_bytes - machine->low_ram_bytes) >> 16;
        unsigned sum = 0;

        rtc_cmos_set(rtc, 0x14, 0x06);                  /* x87, PS/2 mouse */
        rtc_cmos_set(rtc, 0x15, 640 & 0xff);
        rtc_cmos_set(rtc, 0x16, 640 >> 8);
        rtc_cmos_set(rtc, 0x17, (uint8_t)extended_kib);
        rtc_cmos_set(rtc, 0x18, (uint8_t)(extended_kib >> 8));
        rtc_cmos_set(rtc, 0x30, (uint8_t)extended_kib);
        rtc_cmos_set(rtc, 0x31, (uint8_t)(extended_kib >> 8));
        rtc_cmos_set(rtc, 0x34, (uint8_t)above_16m);
        rtc_cmos_set(rtc, 0x35, (uint8_t)(above_16m >> 8));
        for (unsigned i = 0; i < 3; i++)
                rtc_cmos_set(rtc, 0x5b + i, (uint8_t)(above_4g >> 8 * i));
        rtc_cmos_set(rtc, 0x5f, (uint8_t)(machine->cpus - 1));
        storage_fill_cmos(machine, config);
        for (unsigned i = 0x10; i <= 0x2d; i++)
                sum += rtc_cmos_get(rtc, i);
        rtc_cmos_set(rtc, 0x2e, (uint8_t)(sum >> 8));
        rtc_cmos_set(rtc, 0x2f, (uint8_t)sum);
}

/* File "etc/e820": { le64 address; le64 length; le32 type } each. */
static GBytes *pc_make_e820(const struct machine *machine)
{
        struct { uint64_t address, length; } ram[] = {
                { 0, machine->low_ram_bytes },
                { FOUR_GIB, machine->ram_bytes - machine->low_ram_bytes },
        };
        GByteArray *bytes = g_byte_array_new();

        for (unsigned i = 0; i < G_N_ELEMENTS(ram) && ram[i].length; i++) {
                uint64_t range[2] = { GUINT64_TO_LE(ram[i].address), GUINT64_TO_LE(ram[i].length) };
                uint32_t type = GUINT32_TO_LE(1);

                g_byte_array_append(bytes, (const guint8 *)range, sizeof(range));
                g_byte_array_append(bytes, (const guint8 *)&type, sizeof(type));
        }
        return g_byte_array_free_to_bytes(bytes);
}

/* Where PCI memory above 4 GiB lies: from the GiB after RAM to the end of what the CPU can address. */
static void pc_find_window64(const struct machine *machine, struct acpi_machine *acpi)
{
        const struct cpu_model *model = machine->cpu[0]->model;
        uint64_t gib = UINT64_C(1) << 30, ram_end = FOUR_GIB + machine->ram_bytes - machine->low_ram_bytes;

        if (!cpu_model_has(model, FEATURE_LM) || model->physical_bits <= 32)
                return;
        acpi->window64_base = (ram_end + gib - 1) & ~(gib - 1);
        acpi->window64_end = MAX(UINT64_C(1) << MIN(model->physical_bits, CPU_PHYSICAL_BITS), acpi->window64_base);
}

static bool pc_add_fw_cfg(struct machine *machine, const struct machine_config *config, GError **error)
{
        struct device *fw_cfg = machine->fw_cfg = machine_add_device(machine, "fw_cfg", "fw_cfg");
        struct acpi_machine acpi = { .cpus = machine->cpus, .window32_base = MAX((uint32_t)machine->low_ram_bytes, PCI_MEMORY_FIRST) };
        struct acpi_tables tables;
        struct smbios_tables smbios;
        GBytes *boot_order;

        if (!machine_start_device(fw_cfg, error))
                return false;
        fw_cfg_set_u64(fw_cfg, FW_CFG_RAM_SIZE, machine->ram_bytes);
        fw_cfg_set_u16(fw_cfg, FW_CFG_NB_CPUS, (uint16_t)machine->cpus);
        fw_cfg_set_u16(fw_cfg, FW_CFG_MAX_CPUS, (uint16_t)machine->cpus);
        /* The firmware would wait 2.5 seconds for a key to open its boot menu. */
        fw_cfg_set_u16(fw_cfg, FW_CFG_BOOT_MENU, 0);
        fw_cfg_add_file(fw_cfg, "etc/e820", pc_make_e820(machine));
        /* The timer's pin of the I/O APIC, for the firmware's MP table: guests without ACPI go by it. */
        fw_cfg_add_file(fw_cfg, "etc/irq0-override", g_bytes_new_static("\1", 1));
        boot_order = storage_make_boot_order(machine, config);
        if (boot_order)
                fw_cfg_add_file(fw_cfg, "bootorder", boot_order);
        pc_find_window64(machine, &acpi);
        acpi_build(&acpi, &tables);
        fw_cfg_add_file(fw_cfg, "etc/acpi/rsdp", tables.rsdp);
        fw_cfg_add_file(fw_cfg, "etc/acpi/tables", tables.tables);
        fw_cfg_add_file(fw_cfg, "etc/table-loader", tables.loader);
        smbios_build(config->uuid, machine->cpus, machine->low_ram_bytes, machine->ram_bytes, &smbios);
        fw_cfg_add_file(fw_cfg, "etc/smbios/smbios-anchor", smbios.anchor);
        fw_cfg_add_file(fw_cfg, "etc/smbios/smbios-tables", smbios.tables);
        return true;
}

bool pc_build(struct machine *machine, const struct machine_config *config, GError **error)
{
        const uint8_t *low_rom;

        machine->firmware = firmware_load(config->firmware, error);
        if (!machine->firmware)
                return false;
        pc_map_ram(machine);
        low_rom = pc_map_firmware(machine);
        if (!pc_add_flash(machine, config, error) || !pc_add_interrupt_controllers(machine, error) || !pc_add_pci(machine, low_rom, error) ||
            !pc_add_vga(machine, error) || !pc_add_isa(machine, error) || !pc_add_hpet(machine, error) ||
            !storage_add(machine, config, error) || !network_add(machine, config, error) ||
            !pc_add_serial_ports(machine, error) || !virtio_add(machine, config, error) ||
            !pc_add_debug_devices(machine, config, error) || !pc_add_fw_cfg(machine, config, error))
                return false;
        pc_fill_cmos(machine, config);
        return !config->kernel || boot_prepare(machine->fw_cfg, config->kernel, config->initrds, config->append,
                                               machine->low_ram_bytes, error);
}

/* -- Reset and its kin --------------------------------------------------------------------------- */

void pc_set_a20(struct machine *machine, bool on)
{
        for (unsigned i = 0; i < machine->cpus; i++) {
                machine->cpu[i]->a20 = on;
                cpu_request(machine->cpu[i], CPU_REQUEST_FLUSH);
        }
}

bool pc_cpu_init(struct machine *machine)
{
        /* Programs that leave protected mode the way of the 286 put what is to happen next in CMOS
         * byte 0Fh; any other INIT is meant as a reset, and a PC's firmware would make it one. */
        if (!rtc_cmos_get(machine->rtc, 0x0f))
                return false;
        cpu_request(machine->cpu[0], CPU_REQUEST_INIT);
        return true;
}

void pc_reset(struct machine *machine)
{
        for (unsigned i = 0; i < machine->cpus; i++) {
                cpu_reset(machine->cpu[i], false);
                machine->cpu[i]->a20 = true;
                lapic_reset(machine->lapic[i], false);
                /* What was on its way before the reset is lost. */
                __atomic_fetch_and(&machine->cpu[i]->request, ~(uint32_t)(CPU_REQUEST_INTR | CPU_REQUEST_NMI | CPU_REQUEST_NMI_AGAIN |
                                                                           CPU_REQUEST_INIT | CPU_REQUEST_SIPI),
                                   __ATOMIC_SEQ_CST);
                /* The same once more on its own thread, where the engine drops what it has cached. */
                cpu_request(machine->cpu[i], CPU_REQUEST_RESET);
        }
}
