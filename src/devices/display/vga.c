/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga.c - a VGA on PCI with the Bochs display interface (1234:1111), as SeaBIOS's vgabios-stdvga and
 * the drivers of all guests know it: the registers of the IBM VGA (IBM PS/2 hardware interface reference,
 * video subsystem), 16 MiB of video memory, and any resolution through a linear frame buffer.
 *
 * BAR 0 is the frame buffer, BAR 2 the registers by memory access:
 *
 *      000-3ff         EDID: none, reads zeros
 *      400-41f         ports 3C0h-3DFh
 *      500-515         Bochs display registers, 16 bits each
 *
 * Nothing is drawn as the guest writes: vga_render() reads memory and registers when somebody looks.
 * Retrace is worked out from the clock when status is read.  Not modelled: the vertical interrupt (the
 * PCI function has no pin), light pen, border, and the reset and diagnostic bits of the sequencer.
 */
#include <string.h>

#include "base/log.h"
#include "devices/display/vga.h"
#include "devices/display/vga_common.h"

enum {
        PORT_CRTC_MONO = 0x3b4, PORT_STATUS_MONO = 0x3ba, PORT_ATTR = 0x3c0, PORT_ATTR_READ = 0x3c1, PORT_MISC = 0x3c2,
        PORT_SEQ = 0x3c4, PORT_DAC_MASK = 0x3c6, PORT_DAC_READ = 0x3c7, PORT_DAC_WRITE = 0x3c8, PORT_DAC_DATA = 0x3c9,
        PORT_FEATURE_READ = 0x3ca, PORT_MISC_READ = 0x3cc, PORT_GFX = 0x3ce, PORT_CRTC_COLOR = 0x3d4,
        PORT_STATUS_COLOR = 0x3da, PORT_FIRST = 0x3b0, PORT_COUNT = 0x30,
};
enum { STATUS_0_SENSE = 1 << 4, STATUS_1_BLANK = 1 << 0, STATUS_1_RETRACE = 1 << 3 };
enum { BAR_REGISTERS_BYTES = 4096, MMIO_PORTS = 0x400, MMIO_VBE = 0x500 };
/* Behind RAM, should a guest place a BAR over it. */
enum { PRIORITY_BAR = -1, PRIORITY_WINDOW = 0, PRIORITY_DIRECT = 1 };

static const struct state_field vga_fields[] = {
        STATE_STRUCT(struct vga, pci, pci_device_fields),
        STATE_U8(struct vga, misc),
        STATE_U8(struct vga, feature),
        STATE_U8(struct vga, seq_index),
        STATE_BYTES(struct vga, seq),
        STATE_U8(struct vga, crtc_index),
        STATE_BYTES(struct vga, crtc),
        STATE_U8(struct vga, gfx_index),
        STATE_BYTES(struct vga, gfx),
        STATE_U8(struct vga, attr_index),
        STATE_BYTES(struct vga, attr),
        STATE_BOOL(struct vga, attr_data),
        STATE_BYTES(struct vga, latch),
        STATE_U8(struct vga, dac_mask),
        STATE_U8(struct vga, dac_state),
        STATE_U8(struct vga, dac_read_index),
        STATE_U8(struct vga, dac_write_index),
        STATE_U8(struct vga, dac_part),
        STATE_BYTES(struct vga, dac_entry),
        STATE_BYTES(struct vga, dac),
        STATE_U16(struct vga, vbe_index),
        STATE_U16(struct vga, vbe),
        STATE_SKIP(struct vga, memory_offset, "where video memory is in the machine's; same in every machine"),
        STATE_SKIP(struct vga, memory, "host address of video memory, which is saved with RAM"),
        STATE_SKIP(struct vga, window, "mapping"),
        STATE_SKIP(struct vga, direct, "mapping, derived from the registers"),
        STATE_SKIP(struct vga, frame_buffer, "mapping, derived from BAR 0"),
        STATE_SKIP(struct vga, registers, "mapping, derived from BAR 2"),
        STATE_SKIP(struct vga, rom, "mapping, derived from the ROM BAR"),
        STATE_SKIP(struct vga, rom_bytes, "option ROM file, set by the machine"),
        STATE_END
};

/* Bits that exist, by register; the others read 0. */
static const uint8_t seq_bits[SEQ_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const uint8_t gfx_bits[GFX_COUNT] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };

static uint8_t attr_bits(unsigned index)
{
        static const uint8_t bits[ATTR_COUNT - ATTR_MODE] = { 0xef, 0xff, 0x3f, 0x0f, 0x0f };

        return index < ATTR_MODE ? 0x3f : bits[index - ATTR_MODE];
}

/* -- Timing ------------------------------------------------------------------------------------- */

/* A vertical value: bits 7:0 of a register, bits 8 and 9 from the overflow register. */
static unsigned vertical(const struct vga *vga, unsigned index, unsigned bit_8, unsigned bit_9)
{
        unsigned overflow = vga->crtc[CRTC_OVERFLOW];

        return vga->crtc[index] | (overflow >> bit_8 & 1) << 8 | (overflow >> bit_9 & 1) << 9;
}

static unsigned line_factor(const struct vga *vga)
{
        return vga->crtc[CRTC_MODE] & CRTC_MODE_DOUBLE_LINES ? 2 : 1;
}

unsigned vga_display_lines(const struct vga *vga)
{
        return (vertical(vga, CRTC_V_DISPLAY_END, 1, 6) + 1) * line_factor(vga);
}

unsigned vga_line_compare(const struct vga *vga)
{
        unsigned compare = vga->crtc[CRTC_LINE_COMPARE] | (vga->crtc[CRTC_OVERFLOW] >> 4 & 1) << 8 |
                           (vga->crtc[CRTC_MAX_ROW] >> 6 & 1) << 9;

        return compare * line_factor(vga);
}

void vga_timing(const struct vga *vga, struct vga_timing *timing)
{
        unsigned dots = vga->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS ? 8 : 9;
        unsigned total = vga->crtc[CRTC_H_TOTAL] + 5u, shown = vga->crtc[CRTC_H_DISPLAY_END] + 1u;
        int64_t hz = (vga->misc >> 2 & 3) == 1 ? 28322000 : 25175000;

        if (vga->seq[SEQ_CLOCKING] & CLOCKING_HALF)
                hz /= 2;
        timing->lines = (vertical(vga, CRTC_V_TOTAL, 0, 5) + 2) * line_factor(vga);
        timing->shown_lines = vga_display_lines(vga);
        timing->retrace_start = vertical(vga, CRTC_V_RETRACE_START, 2, 7) * line_factor(vga);
        timing->retrace_end = timing->retrace_start +
                              (((vga->crtc[CRTC_V_RETRACE_END] - vga->crtc[CRTC_V_RETRACE_START]) & 15u) * line_factor(vga));
        timing->line_ns = MAX(total * dots * NS_PER_SEC / hz, 1000);
        timing->shown_ns = MIN(shown, total) * timing->line_ns / total;
        if (vga_vbe_on(vga) || timing->lines < 100 || timing->retrace_start >= timing->lines) {
                /* No timing was set up that a monitor could show: 60 Hz, so that waiting for retrace ends. */
                *timing = (struct vga_timing){ .lines = 525, .shown_lines = 480, .retrace_start = 490, .retrace_end = 492,
                                               .line_ns = 31746, .shown_ns = 25396 };
        }
        timing->frame_ns = timing->line_ns * timing->lines;
}

/* Input status 1. */
static uint8_t vga_status(const struct vga *vga)
{
        struct vga_timing timing;
        int64_t now;
        unsigned line;
        uint8_t status = 0;

        vga_timing(vga, &timing);
        now = clock_now_ns(vga->pci.device.env->clock) % timing.frame_ns;
        line = (unsigned)(now / timing.line_ns);
        if (line >= timing.shown_lines || now % timing.line_ns >= timing.shown_ns)
                status |= STATUS_1_BLANK;
        if (line >= timing.retrace_start && line < timing.retrace_end)
                status |= STATUS_1_RETRACE | STATUS_1_BLANK;
        return status;
}

/* -- Attribute controller and DAC --------------------------------------------------------------- */

static void attr_write(struct vga *vga, uint8_t value)
{
        unsigned index = vga->attr_index & 0x1f;

        vga->attr_data = !vga->attr_data;
        if (vga->attr_data) {
                vga->attr_index = value & 0x3f;
                return;
        }
        /* The palette proper belongs to the display while it is on. */
        if (index < ATTR_COUNT && (index >= ATTR_MODE || !(vga->attr_index & ATTR_INDEX_PALETTE_ON)))
                vga->attr[index] = value & attr_bits(index);
}

static uint8_t dac_read(struct vga *vga)
{
        uint8_t value = vga->dac[vga->dac_read_index * 3 + vga->dac_part];

        if (++vga->dac_part == 3) {
                vga->dac_part = 0;
                vga->dac_read_index++;
        }
        return value;
}

static void dac_write(struct vga *vga, uint8_t value)
{
        vga->dac_entry[vga->dac_part] = vga->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? value : value & 0x3f;
        if (++vga->dac_part == 3) {
                vga->dac_part = 0;
                memcpy(vga->dac + vga->dac_write_index * 3, vga->dac_entry, 3);
                vga->dac_write_index++;
        }
}

/* -- Registers ---------------------------------------------------------------------------------- */

/* The CRTC and status ports answer at 3Bxh or at 3Dxh; port as if at 3Dxh, or 0 when it does not answer. */
static uint16_t vga_decode(const struct vga *vga, uint16_t port)
{
        bool mono = port < 0x3c0;

        if (!mono && port < 0x3d0)
                return port;
        if (mono == !!(vga->misc & MISC_COLOR_PORTS))
                return 0;
        return mono ? port + (PORT_CRTC_COLOR - PORT_CRTC_MONO) : port;
}

uint8_t vga_register_read(struct vga *vga, uint16_t port)
{
        switch (vga_decode(vga, port)) {
        case PORT_ATTR:
                return vga->attr_index;
        case PORT_ATTR_READ:
                return (vga->attr_index & 0x1f) < ATTR_COUNT ? vga->attr[vga->attr_index & 0x1f] : 0;
        case PORT_MISC:
                return STATUS_0_SENSE;
        case PORT_SEQ:
                return vga->seq_index;
        case PORT_SEQ + 1:
                return vga->seq_index < SEQ_COUNT ? vga->seq[vga->seq_index] : 0;
        case PORT_DAC_MASK:
                return vga->dac_mask;
        case PORT_DAC_READ:
                return vga->dac_state;
        case PORT_DAC_WRITE:
                return vga->dac_write_index;
        case PORT_DAC_DATA:
                return dac_read(vga);
        case PORT_FEATURE_READ:
                return vga->feature;
        case PORT_MISC_READ:
                return vga->misc;
        case PORT_GFX:
                return vga->gfx_index;
        case PORT_GFX + 1:
                return vga->gfx_index < GFX_COUNT ? vga->gfx[vga->gfx_index] : 0;
        case PORT_CRTC_COLOR:
                return vga->crtc_index;
        case PORT_CRTC_COLOR + 1:
                return vga->crtc_index < CRTC_COUNT ? vga->crtc[vga->crtc_index] : 0;
        case PORT_STATUS_COLOR:
                vga->attr_data = false;
                return vga_status(vga);
        default:
                return 0xff;
        }
}

static void crtc_write(struct vga *vga, uint8_t value)
{
        unsigned index = vga->crtc_index;

        if (index >= CRTC_COUNT)
                return;
        if (index <= CRTC_OVERFLOW && vga->crtc[CRTC_V_RETRACE_END] & RETRACE_END_PROTECT) {
                /* Of the protected registers one bit stays open: line compare bit 8. */
                if (index == CRTC_OVERFLOW)
                        vga->crtc[index] = (uint8_t)((vga->crtc[index] & ~0x10) | (value & 0x10));
                return;
        }
        vga->crtc[index] = value;
}

void vga_register_write(struct vga *vga, uint16_t port, uint8_t value)
{
        switch (vga_decode(vga, port)) {
        case PORT_ATTR:
        case PORT_ATTR_READ:
                attr_write(vga, value);
                break;
        case PORT_MISC:
                vga->misc = value & 0xef;
                vga_update_window(vga);
                break;
        case PORT_SEQ:
                vga->seq_index = value & 7;
                break;
        case PORT_SEQ + 1:
                if (vga->seq_index < SEQ_COUNT)
                        vga->seq[vga->seq_index] = value & seq_bits[vga->seq_index];
                vga_update_window(vga);
                break;
        case PORT_DAC_MASK:
                vga->dac_mask = value;
                break;
        case PORT_DAC_READ:
                vga->dac_read_index = value;
                vga->dac_part = 0;
                vga->dac_state = 3;
                break;
        case PORT_DAC_WRITE:
                vga->dac_write_index = value;
                vga->dac_part = 0;
                vga->dac_state = 0;
                break;
        case PORT_DAC_DATA:
                dac_write(vga, value);
                break;
        case PORT_GFX:
                vga->gfx_index = value & 15;
                break;
        case PORT_GFX + 1:
                if (vga->gfx_index < GFX_COUNT)
                        vga->gfx[vga->gfx_index] = value & gfx_bits[vga->gfx_index];
                vga_update_window(vga);
                break;
        case PORT_CRTC_COLOR:
                vga->crtc_index = value & 0x3f;
                break;
        case PORT_CRTC_COLOR + 1:
                crtc_write(vga, value);
                break;
        case PORT_STATUS_COLOR:
                vga->feature = value & 0x0b;
                break;
        default:
                break;
        }
}

static uint32_t vga_port_read(void *opaque, uint16_t port, unsigned size)
{
        (void)size;
        return vga_register_read(opaque, port);
}

static void vga_port_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        (void)size;
        vga_register_write(opaque, port, (uint8_t)value);
}

static const struct port_ops vga_port_ops = { .read = vga_port_read, .write = vga_port_write, .max_size = 1 };

/* -- BAR 2 -------------------------------------------------------------------------------------- */

static uint64_t registers_read(void *opaque, uint64_t offset, unsigned size)
{
        struct vga *vga = opaque;
        uint64_t value = 0;

        if (offset >= MMIO_VBE && offset < MMIO_VBE + 2 * (VBE_MEMORY_64K + 1))
                return vga_vbe_read(vga, (uint16_t)((offset - MMIO_VBE) / 2)) >> (offset & 1) * 8;
        if (offset < MMIO_PORTS || offset >= MMIO_PORTS + 0x20)
                return 0;
        for (unsigned i = 0; i < size; i++)
                value |= (uint64_t)vga_register_read(vga, (uint16_t)(PORT_ATTR + offset - MMIO_PORTS + i)) << 8 * i;
        return value;
}

static void registers_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct vga *vga = opaque;

        if (offset >= MMIO_VBE && offset < MMIO_VBE + 2 * VBE_COUNT && size == 2) {
                vga_vbe_write(vga, (uint16_t)((offset - MMIO_VBE) / 2), (uint16_t)value);
        } else if (offset >= MMIO_PORTS && offset < MMIO_PORTS + 0x20) {
                for (unsigned i = 0; i < size; i++)
                        vga_register_write(vga, (uint16_t)(PORT_ATTR + offset - MMIO_PORTS + i), (uint8_t)(value >> 8 * i));
        } else {
                guest_error("vga", "%u-byte write to register %03x of BAR 2", size, (unsigned)offset);
        }
}

static const struct mmio_ops registers_ops = { registers_read, registers_write, 1, 2 };

/* -- Life --------------------------------------------------------------------------------------- */

void vga_set_rom(struct device *device, GBytes *rom)
{
        ((struct vga *)device)->rom_bytes = g_bytes_ref(rom);
}

static void vga_reset(struct device *device)
{
        struct vga *vga = (struct vga *)device;
        size_t first = offsetof(struct vga, misc), end = offsetof(struct vga, memory_offset);

        /* Everything saved but the PCI header; memory keeps its contents. */
        memset((char *)vga + first, 0, end - first);
        vga->dac_mask = 0xff;
        vga->vbe[VBE_ID] = 0xb0c5;
        pci_device_reset(&vga->pci);
        vga_update_window(vga);
}

static bool vga_map_rom(struct vga *vga, GError **error)
{
        gsize size;
        const void *bytes = g_bytes_get_data(vga->rom_bytes, &size);
        uint32_t padded = PAGE_SIZE;
        uint8_t *image;

        while (padded < size)
                padded *= 2;
        /* What lies past the image in its BAR reads as an empty ROM would. */
        image = g_malloc(padded);
        memset(image, 0xff, padded);
        memcpy(image, bytes, size);
        vga->rom = memory_map_rom(vga->pci.device.env->memory, 0, image, padded, PRIORITY_BAR, "VGA BIOS");
        g_free(image);
        if (!vga->rom) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOMEM, "no room for the VGA BIOS (%u KiB)", padded >> 10);
                return false;
        }
        pci_bar_memory(&vga->pci, PCI_BAR_ROM, padded, 0, vga->rom);
        return true;
}

static bool vga_create(struct device *device, GError **error)
{
        struct vga *vga = (struct vga *)device;
        struct memory *memory = device->env->memory;

        vga->memory_offset = memory_reserve(memory, VGA_MEMORY_BYTES);
        if (!vga->memory_offset) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOMEM, "no room for %u MiB of video memory",
                            VGA_MEMORY_BYTES >> 20);
                return false;
        }
        vga->memory = memory_ram(memory) + vga->memory_offset;
        pci_identify(&vga->pci, 0x1234, 0x1111, 0x030000, 2);
        vga->frame_buffer = memory_map_ram(memory, 0, vga->memory_offset, VGA_MEMORY_BYTES, false, PRIORITY_BAR,
                                           "VGA frame buffer");
        pci_bar_memory(&vga->pci, 0, VGA_MEMORY_BYTES, PCI_BAR_PREFETCH, vga->frame_buffer);
        vga->registers = memory_map_mmio(memory, 0, BAR_REGISTERS_BYTES, &registers_ops, vga, PRIORITY_BAR, "VGA registers");
        pci_bar_memory(&vga->pci, 2, BAR_REGISTERS_BYTES, 0, vga->registers);
        if (vga->rom_bytes && !vga_map_rom(vga, error))
                return false;
        vga->window = memory_map_mmio(memory, VGA_WINDOW, VGA_WINDOW_BYTES, &vga_window_ops, vga, PRIORITY_WINDOW,
                                      "VGA window");
        memory_region_set_late_writes(vga->window);
        vga->direct = memory_map_ram(memory, VGA_WINDOW, vga->memory_offset, VGA_BANK_BYTES, false, PRIORITY_DIRECT,
                                     "VGA window, direct");
        memory_region_set(vga->direct, VGA_WINDOW, false);
        ports_map(device->env->ports, PORT_FIRST, PORT_COUNT, &vga_port_ops, vga, "VGA");
        ports_map(device->env->ports, 0x1ce, 3, &vga_vbe_port_ops, vga, "VGA display interface");
        return true;
}

/* Masks what cannot be set, and refuses what rendering or the DAC relies on. */
static bool vga_post_load(struct device *device, GError **error)
{
        struct vga *vga = (struct vga *)device;

        for (unsigned i = 0; i < SEQ_COUNT; i++)
                vga->seq[i] &= seq_bits[i];
        for (unsigned i = 0; i < GFX_COUNT; i++)
                vga->gfx[i] &= gfx_bits[i];
        for (unsigned i = 0; i < ATTR_COUNT; i++)
                vga->attr[i] &= attr_bits(i);
        if (vga->dac_part > 2 || !vga_vbe_valid(vga)) {
                g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: %s", device->id,
                            vga->dac_part > 2 ? "dac_part: a colour has three parts" : "vbe: no such mode");
                return false;
        }
        pci_device_restored(&vga->pci);
        vga_update_window(vga);
        return true;
}

static void vga_destroy(struct device *device)
{
        g_clear_pointer(&((struct vga *)device)->rom_bytes, g_bytes_unref);
}

static const struct device_class vga_class = {
        .name = "vga",
        .description = "VGA with Bochs display interface",
        .size = sizeof(struct vga),
        .state = vga_fields,
        .create = vga_create,
        .reset = vga_reset,
        .post_load = vga_post_load,
        .destroy = vga_destroy,
};

DEVICE_CLASS(vga_class);
