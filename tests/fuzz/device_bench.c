/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device_bench.c - a machine around one device of any class (device_bench.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/backend.h"
#include "device_bench.h"
#include "devices/chipset/ferr.h"
#include "devices/chipset/fw_cfg.h"
#include "devices/chipset/i8237.h"
#include "devices/chipset/ioapic.h"
#include "devices/chipset/pic.h"
#include "devices/chipset/piix3.h"
#include "devices/chipset/piix4_pm.h"
#include "devices/display/vga.h"
#include "devices/input/i8042.h"
#include "devices/net/nic_common.h"
#include "devices/serial/uart16550.h"
#include "devices/storage/ahci.h"
#include "devices/storage/floppy.h"
#include "devices/storage/ide.h"
#include "devices/virtio/virtio_blk.h"
#include "devices/virtio/virtio_console.h"
#include "devices/virtio/virtio_scsi.h"
#include "../unit/pci_function.h"
#include "net/internal.h"

enum { IMAGE_BYTES = 1 << 20, FLOPPY_BYTES = 1474560 };

/* -- What the device is connected to ---------------------------------------------------------------- */

static void ignore_request(void *opaque, enum machine_request request, int argument)
{
        (void)opaque;
        (void)request;
        (void)argument;
}

/* An image in memory; each opening has its own overlay. */
static struct block *open_image(struct bench *bench, off_t size, unsigned unit_bytes)
{
        struct block_options options = { .throwaway = true, .format = "raw", .unit_bytes = unit_bytes };
        int fd = memfd_create("fuzz", MFD_CLOEXEC);
        char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        struct block *block = NULL;

        g_assert(fd >= 0 && !ftruncate(fd, size));
        block = block_open(path, &options, &bench->lock, NULL);
        g_assert(block);
        close(fd);
        g_free(path);
        return bench->images[bench->image_count++] = block;
}

static void attach_virtio_blk(struct bench *bench)
{
        virtio_blk_connect(bench->device, open_image(bench, IMAGE_BYTES, 512));
}

static void attach_dma(struct bench *bench)
{
        bench->dma = device_new("i8237", "dma", &bench->env);
        g_assert(device_start(bench->dma, NULL));
        floppy_connect(bench->device, (struct irq){ 0 }, i8237_channel(bench->dma, 2));
}

static void attach_floppy(struct bench *bench)
{
        floppy_insert(bench->device, 0, open_image(bench, FLOPPY_BYTES, 512), (struct floppy_shape){ 80, 2, 18 });
}

static void attach_ide(struct bench *bench)
{
        ide_add_disk(bench->device, 0, "disk", open_image(bench, IMAGE_BYTES, 512));
        ide_add_cd(bench->device, 2, "cd", open_image(bench, IMAGE_BYTES, 2048));
}

static void attach_ahci(struct bench *bench)
{
        ahci_add_disk(bench->device, 0, "disk", open_image(bench, IMAGE_BYTES, 512));
        ahci_add_cd(bench->device, 1, "cd", open_image(bench, IMAGE_BYTES, 2048));
}

static void attach_scsi(struct bench *bench)
{
        virtio_scsi_add_disk(bench->device, 0, "disk", open_image(bench, IMAGE_BYTES, 512));
        virtio_scsi_add_cd(bench->device, 1, "cd", open_image(bench, IMAGE_BYTES, 2048));
}

static void attach_console(struct bench *bench)
{
        g_assert(virtio_console_add_port(bench->device, NULL, bench->line));
        g_assert(virtio_console_add_port(bench->device, "org.lodger.fuzz", bench->line));
}

static void attach_uart(struct bench *bench) { uart_set_backend(bench->device, bench->line); }
static void attach_e1000(struct bench *bench) { e1000_connect(bench->device, bench->net, NULL); }
static void attach_rtl8139(struct bench *bench) { rtl8139_connect(bench->device, bench->net, NULL); }
static void attach_virtio_net(struct bench *bench) { virtio_net_connect(bench->device, bench->net, NULL); }
static void attach_ne2k(struct bench *bench) { ne2k_connect(bench->device, bench->net, (struct irq){ 0 }); }
static void attach_debug_console(struct bench *bench) { g_assert(device_set(bench->device, "path", "/dev/null", NULL)); }

static void attach_input(struct bench *bench)
{
        bench->input = input_new(bench->clock);
        i8042_connect_input(bench->device, bench->input);
}

static void attach_items(struct bench *bench)
{
        static const uint8_t bytes[300] = { 1, 2, 3 };

        fw_cfg_set_u32(bench->device, FW_CFG_KERNEL_SIZE, sizeof(bytes));
        fw_cfg_add_file(bench->device, "etc/fuzz", g_bytes_new_static(bytes, sizeof(bytes)));
}

/* -- What comes from outside ------------------------------------------------------------------------ */

static void set_line(struct irq line, bool level) { irq_set(&line, level); }

static void event_pic(struct bench *bench, const uint8_t *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++)
                set_line(pic_input(bench->device, bytes[i] % 16 == 2 ? 0 : bytes[i] % 16), bytes[i] & 0x80);
        pic_acknowledge(bench->device);
}

static void event_ioapic(struct bench *bench, const uint8_t *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++)
                set_line(ioapic_input(bench->device, bytes[i] % IOAPIC_PINS), bytes[i] & 0x80);
        ioapic_eoi(bench->device, size ? bytes[0] : 0);
}

static void event_piix3(struct bench *bench, const uint8_t *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++)
                set_line(piix3_pirq(bench->device, bytes[i] % 4), bytes[i] & 0x80);
}

static void event_ferr(struct bench *bench, const uint8_t *bytes, size_t size)
{
        ferr_set(bench->device, size && bytes[0] & 1);
}

static void event_power(struct bench *bench, const uint8_t *bytes, size_t size)
{
        if (piix4_pm_hears_power_button(bench->device))
                piix4_pm_press_power_button(bench->device);
        if (size)
                piix4_pm_raise_gpe(bench->device, bytes[0] % 16);
}

/* Somebody looks at the screen. */
static void event_vga(struct bench *bench, const uint8_t *bytes, size_t size)
{
        struct surface surface;

        (void)bytes;
        (void)size;
        surface_init(&surface, false);
        vga_render(bench->device, &surface);
        surface_free(&surface);
        g_free(vga_text(bench->device));
}

static void event_input(struct bench *bench, const uint8_t *bytes, size_t size)
{
        if (size < 4)
                return;
        if (bytes[0] & 1)
                input_move_mouse(bench->input, (int8_t)bytes[1], (int8_t)bytes[2], (int8_t)bytes[3]);
        else
                input_press_key(bench->input, bytes[1] % INPUT_KEY_COUNT, bytes[2] & 1);
        input_set_buttons(bench->input, bytes[0] >> 1 & INPUT_BUTTONS);
}

/* As the network's worker does. */
static void event_frame(struct bench *bench, const uint8_t *bytes, size_t size)
{
        const struct net_device_ops *ops = bench->net->ops;
        struct net_offload complete = { 0 };

        if (size < NET_ETHERNET_BYTES || !ops->can_receive(bench->net->opaque, size))
                return;
        ops->receive(bench->net->opaque, bytes, size, &complete);
        if (ops->received)
                ops->received(bench->net->opaque);
}

enum { NEEDS_CABLE = 1, NEEDS_LINE = 2 };

/* Classes that do most of their work only when something is connected, or happens; all others start as they are. */
static const struct attachment {
        const char *class;
        unsigned needs;
        void (*before)(struct bench *bench);    /* it starts */
        void (*after)(struct bench *bench);
        void (*event)(struct bench *bench, const uint8_t *bytes, size_t size);
} attachments[] = {
        { "ahci", 0, NULL, attach_ahci, NULL },
        { "debug-console", 0, attach_debug_console, NULL, NULL },
        { "e1000", NEEDS_CABLE, attach_e1000, NULL, event_frame },
        { "ferr", 0, NULL, NULL, event_ferr },
        { "floppy", 0, attach_dma, attach_floppy, NULL },
        { "fw_cfg", 0, NULL, attach_items, NULL },
        { "i8042", 0, NULL, attach_input, event_input },
        { "ioapic", 0, NULL, NULL, event_ioapic },
        { "ne2k", NEEDS_CABLE, attach_ne2k, NULL, event_frame },
        { "pic", 0, NULL, NULL, event_pic },
        { "piix3", 0, NULL, NULL, event_piix3 },
        { "piix3_ide", 0, NULL, attach_ide, NULL },
        { "piix4_pm", 0, NULL, NULL, event_power },
        { "rtl8139", NEEDS_CABLE, attach_rtl8139, NULL, event_frame },
        { "serial", NEEDS_LINE, attach_uart, NULL, NULL },
        { "vga", 0, NULL, NULL, event_vga },
        { "virtio_blk", 0, attach_virtio_blk, NULL, NULL },
        { "virtio_console", NEEDS_LINE, attach_console, NULL, NULL },
        { "virtio_net", NEEDS_CABLE, attach_virtio_net, NULL, event_frame },
        { "virtio_scsi", 0, NULL, attach_scsi, NULL },
        { NULL, 0, NULL, NULL, NULL },          /* any other */
};

static const struct attachment *attachment_of(const struct device_class *class)
{
        const struct attachment *attachment = attachments;

        while (attachment->class && strcmp(attachment->class, class->name))
                attachment++;
        return attachment;
}

/* The host's side, which is made without the machine lock. */
static void open_backends(struct bench *bench, unsigned needs)
{
        if (needs & NEEDS_CABLE) {
                struct net_options *options = net_options_parse("none,model=e1000,mac=52:54:00:01:02:03", NULL);

                bench->net = net_new("net0", options, &bench->lock, NULL, NULL);
                g_assert(bench->net);
                net_options_free(options);
        }
        if (needs & NEEDS_LINE) {
                bench->line = serial_backend_new("file:/dev/null", &(struct serial_host){ .lock = &bench->lock }, NULL);
                g_assert(bench->line);
        }
}

/* -- Its registers -------------------------------------------------------------------------------------- */

void bench_find_places(struct bench *bench)
{
        char *text[2] = { ports_describe(bench->ports), memory_describe(bench->memory) };

        bench->place_count = 0;
        for (int memory = 0; memory < 2; memory++) {
                char **lines = g_strsplit(text[memory], "\n", -1);

                for (char **line = lines; *line && **line; line++) {
                        unsigned long long first, last;
                        char kind[8] = "";

                        if (sscanf(*line, "%llx-%llx %7s", &first, &last, kind) < 2 || (memory && strcmp(kind, "device")) ||
                            bench->place_count == BENCH_PLACES_MAX)
                                continue;
                        bench->places[bench->place_count++] = (struct place){ memory, first, last };
                }
                g_strfreev(lines);
                g_free(text[memory]);
        }
}

/* -- Life --------------------------------------------------------------------------------------------- */

static void start_device(struct bench *bench, const struct device_class *class, const struct attachment *attachment)
{
        GError *error = NULL;

        bench->device = device_new(class->name, "device", &bench->env);
        if (bench->bus)
                pci_attach(bench->bus, bench->device, PCI_DEVFN(PCI_FUNCTION_SLOT, 0));
        if (attachment->before)
                attachment->before(bench);
        if (!device_start(bench->device, &error)) {
                fprintf(stderr, "%s does not start: %s\n", class->name, error->message);
                abort();
        }
        if (attachment->after)
                attachment->after(bench);
}

void bench_open(struct bench *bench, const struct device_class *class)
{
        const struct attachment *attachment = attachment_of(class);

        memset(bench, 0, sizeof(*bench));
        lock_init(&bench->lock, LOCK_RANK_MACHINE, "machine");
        bench->memory = memory_new(BENCH_RAM_BYTES, &bench->lock, NULL);
        bench->ports = ports_new(&bench->lock);
        bench->clock = clock_new(&bench->lock);
        bench->env = (struct device_env){ .memory = bench->memory, .ports = bench->ports, .clock = bench->clock,
                                          .lock = &bench->lock, .request = ignore_request, .opaque = bench };
        clock_set_ns(bench->clock, 3 * NS_PER_SEC);
        open_backends(bench, attachment->needs);
        lock_acquire(&bench->lock);
        memory_map_ram(bench->memory, 0, 0, BENCH_RAM_USED, false, 0, "RAM");
        if (is_pci_function(class->state)) {
                bench->bus = device_new("pci", "bus", &bench->env);
                g_assert(device_start(bench->bus, NULL));
        }
        start_device(bench, class, attachment);
        lock_release(&bench->lock);
        if (bench->bus)
                pci_function_assign(bench->ports);
        bench_find_places(bench);
}

/* What was asked of images is carried out, with what that leads to. */
static void settle(struct bench *bench)
{
        lock_acquire(&bench->lock);
        for (unsigned i = 0; i < bench->image_count; i++)
                block_drain(bench->images[i]);
        lock_release(&bench->lock);
}

void bench_close(struct bench *bench)
{
        settle(bench);
        lock_acquire(&bench->lock);
        device_free(bench->device);
        device_free(bench->dma);
        device_free(bench->bus);
        if (bench->input)
                input_free(bench->input);
        lock_release(&bench->lock);
        if (bench->net)
                net_free(bench->net);
        if (bench->line)
                serial_backend_free(bench->line);
        memory_free(bench->memory);
        ports_free(bench->ports);
        clock_free(bench->clock);
        lock_destroy(&bench->lock);
}

/* -- While it runs ------------------------------------------------------------------------------------ */

void bench_pass(struct bench *bench, uint32_t ns)
{
        settle(bench);
        clock_set_ns(bench->clock, clock_now_ns(bench->clock) + ns);
        clock_start(bench->clock);
        for (unsigned i = 0; i < 8 && g_main_context_iteration(NULL, FALSE); i++)
                ;
        clock_stop(bench->clock);
}

void bench_save_and_load(struct bench *bench)
{
        GByteArray *bytes = g_byte_array_new();
        const struct device_class *class = bench->device->class;
        GError *error = NULL;

        settle(bench);
        lock_acquire(&bench->lock);
        state_save(class->state, bench->device, bytes);
        if (!state_load(class->state, bench->device, bytes->data, bytes->len, &error) ||
            (class->post_load && !class->post_load(bench->device, &error))) {
                fprintf(stderr, "%s refuses its own state: %s\n", class->name, error->message);
                abort();
        }
        lock_release(&bench->lock);
        g_byte_array_unref(bytes);
}

void bench_event(struct bench *bench, const uint8_t *bytes, size_t size)
{
        const struct attachment *attachment = attachment_of(bench->device->class);

        lock_acquire(&bench->lock);
        if (attachment->event)
                attachment->event(bench, bytes, size);
        lock_release(&bench->lock);
}
