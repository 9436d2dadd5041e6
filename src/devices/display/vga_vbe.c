/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_vbe.c - the Bochs display interface, revision 5: resolutions beyond the VGA's.
 *
 * A register is selected through port 1CEh and accessed through 1CFh (or 1D0h), 16 bits wide; the same
 * registers lie in BAR 2.  Size and depth are set while the interface is off and hold from the write
 * that enables it.  What software writes is rounded to what can be shown: firmware finds out which modes
 * there are by reading back.
 *
 * Enabling a mode also sets up the VGA registers that matter to a program drawing through the window,
 * for software that does not do so itself.
 */
#include <string.h>

#include "base/log.h"
#include "devices/display/vga_common.h"

enum { PORT_INDEX = 0x1ce };
enum { ID_FIRST = 0xb0c0, ID_LAST = 0xb0c5 };
enum { XRES_MAX = 16000, YRES_MAX = 12000, BPP_MAX = 32 };
enum { ENABLE_BITS = VBE_ENABLED | VBE_GET_CAPABILITIES | VBE_8BIT_DAC | VBE_LFB | VBE_KEEP_MEMORY };

/* Bytes n pixels take; of each plane with 4 bits per pixel. */
static unsigned pixel_bytes(unsigned bpp, unsigned n)
{
        return bpp == 4 ? n / 8 : n * ((bpp + 7) / 8);
}

/* All planes together. */
static unsigned line_bytes(unsigned bpp, unsigned n)
{
        return bpp == 4 ? n / 2 : pixel_bytes(bpp, n);
}

unsigned vga_vbe_stride(const struct vga *vga)
{
        return pixel_bytes(vga->vbe[VBE_BPP], vga->vbe[VBE_VIRTUAL_WIDTH]);
}

static bool depth_known(unsigned bpp)
{
        return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* Derives the virtual screen from its width: as many lines as memory holds. */
static void set_virtual_width(struct vga *vga, unsigned width)
{
        unsigned bpp = vga->vbe[VBE_BPP], lines;

        width = MAX(width, vga->vbe[VBE_XRES]) & ~7u;
        lines = VGA_MEMORY_BYTES / line_bytes(bpp, width);
        if (lines < vga->vbe[VBE_YRES]) {
                /* Too wide for the lines to be shown. */
                width = vga->vbe[VBE_XRES];
                lines = VGA_MEMORY_BYTES / line_bytes(bpp, width);
        }
        vga->vbe[VBE_VIRTUAL_WIDTH] = (uint16_t)width;
        vga->vbe[VBE_VIRTUAL_HEIGHT] = (uint16_t)MIN(lines, UINT16_MAX);
}

/* Rounds a mode to one that can be shown. */
static void fix_mode(struct vga *vga)
{
        uint16_t *vbe = vga->vbe;

        if (!depth_known(vbe[VBE_BPP]))
                vbe[VBE_BPP] = 8;
        vbe[VBE_XRES] = (uint16_t)CLAMP(vbe[VBE_XRES] & ~7u, 8, XRES_MAX);
        vbe[VBE_YRES] = (uint16_t)CLAMP(vbe[VBE_YRES], 1, MIN(YRES_MAX, VGA_MEMORY_BYTES / line_bytes(vbe[VBE_BPP], vbe[VBE_XRES])));
}

static void set_crtc(struct vga *vga, unsigned index, unsigned value)
{
        vga->crtc[index] = (uint8_t)value;
}

/* The VGA registers of a mode with bytes for pixels, one line a row; no line compare. */
static void set_vga_registers(struct vga *vga)
{
        unsigned lines = vga->vbe[VBE_YRES] - 1u;
        bool planes = vga->vbe[VBE_BPP] == 4;

        set_crtc(vga, CRTC_H_DISPLAY_END, vga->vbe[VBE_XRES] / 8 - 1u);
        set_crtc(vga, CRTC_OFFSET, vga_vbe_stride(vga) / 8);
        set_crtc(vga, CRTC_V_DISPLAY_END, lines);
        set_crtc(vga, CRTC_OVERFLOW, (vga->crtc[CRTC_OVERFLOW] & ~0x52u) | (lines >> 7 & 0x02) | (lines >> 3 & 0x40) | 0x10);
        set_crtc(vga, CRTC_MAX_ROW, (vga->crtc[CRTC_MAX_ROW] & 0x20u) | 0x40);
        set_crtc(vga, CRTC_LINE_COMPARE, 0xff);
        vga->crtc[CRTC_MODE] |= CRTC_MODE_ROW_0 | CRTC_MODE_ROW_1;
        vga->seq[SEQ_CLOCKING] &= (uint8_t)~CLOCKING_HALF;
        vga->seq[SEQ_MAP_MASK] = 0x0f;
        vga->seq[SEQ_MEMORY_MODE] = MEMORY_MODE_SEQUENTIAL | 2 | (planes ? 0 : MEMORY_MODE_CHAIN4);
        vga->gfx[GFX_MODE] = planes ? 0 : GFX_MODE_256;
        vga->gfx[GFX_MISC] = 1 << 2 | GFX_MISC_GRAPHICS;
}

static void write_enable(struct vga *vga, uint16_t value)
{
        bool was_on = vga_vbe_on(vga);

        value &= ENABLE_BITS;
        if ((value & VBE_ENABLED) && !was_on) {
                fix_mode(vga);
                set_virtual_width(vga, vga->vbe[VBE_XRES]);
                vga->vbe[VBE_X_OFFSET] = vga->vbe[VBE_Y_OFFSET] = 0;
                set_vga_registers(vga);
                if (!(value & VBE_KEEP_MEMORY))
                        memset(vga->memory, 0, (size_t)line_bytes(vga->vbe[VBE_BPP], vga->vbe[VBE_XRES]) * vga->vbe[VBE_YRES]);
        }
        if (!(value & VBE_ENABLED))
                vga->vbe[VBE_BANK] = 0;
        vga->vbe[VBE_ENABLE] = value;
        vga_update_window(vga);
}

/* Offsets that would show what lies past the end of memory are held back. */
static void write_offset(struct vga *vga, unsigned index, uint16_t value)
{
        unsigned room = index == VBE_X_OFFSET ? vga->vbe[VBE_VIRTUAL_WIDTH] - vga->vbe[VBE_XRES]
                                              : vga->vbe[VBE_VIRTUAL_HEIGHT] - vga->vbe[VBE_YRES];

        vga->vbe[index] = (uint16_t)MIN(value, room);
}

void vga_vbe_write(struct vga *vga, uint16_t index, uint16_t value)
{
        switch (index) {
        case VBE_ID:
                if (value >= ID_FIRST && value <= ID_LAST)
                        vga->vbe[VBE_ID] = value;
                break;
        case VBE_XRES:
        case VBE_YRES:
        case VBE_BPP:
                /* Depth 0 has always meant 8. */
                if (!vga_vbe_on(vga))
                        vga->vbe[index] = index == VBE_BPP && !value ? 8 : value;
                break;
        case VBE_BANK:
                if (vga_vbe_on(vga))
                        vga->vbe[VBE_BANK] = value & (VGA_MEMORY_BYTES / VGA_BANK_BYTES - 1);
                vga_update_window(vga);
                break;
        case VBE_ENABLE:
                write_enable(vga, value);
                break;
        case VBE_VIRTUAL_WIDTH:
                if (vga_vbe_on(vga)) {
                        set_virtual_width(vga, value);
                        write_offset(vga, VBE_X_OFFSET, vga->vbe[VBE_X_OFFSET]);
                        write_offset(vga, VBE_Y_OFFSET, vga->vbe[VBE_Y_OFFSET]);
                        set_crtc(vga, CRTC_OFFSET, vga_vbe_stride(vga) / 8);
                }
                break;
        case VBE_X_OFFSET:
        case VBE_Y_OFFSET:
                if (vga_vbe_on(vga))
                        write_offset(vga, index, value);
                break;
        default:
                guest_error("vga", "write of %#x to display register %u", value, index);
        }
}

uint16_t vga_vbe_read(struct vga *vga, uint16_t index)
{
        if (vga->vbe[VBE_ENABLE] & VBE_GET_CAPABILITIES) {
                switch (index) {
                case VBE_XRES:
                        return XRES_MAX;
                case VBE_YRES:
                        return YRES_MAX;
                case VBE_BPP:
                        return BPP_MAX;
                }
        }
        if (index == VBE_MEMORY_64K)
                return VGA_MEMORY_BYTES >> 16;
        return index < VBE_COUNT ? vga->vbe[index] : 0;
}

bool vga_vbe_valid(const struct vga *vga)
{
        const uint16_t *vbe = vga->vbe;

        if (vbe[VBE_ID] < ID_FIRST || vbe[VBE_ID] > ID_LAST || vbe[VBE_ENABLE] & ~ENABLE_BITS)
                return false;
        if (!vga_vbe_on(vga))
                return vbe[VBE_BANK] == 0;
        if (!depth_known(vbe[VBE_BPP]) || vbe[VBE_BANK] >= VGA_MEMORY_BYTES / VGA_BANK_BYTES)
                return false;
        if (!vbe[VBE_XRES] || vbe[VBE_XRES] > XRES_MAX || !vbe[VBE_YRES] || vbe[VBE_YRES] > YRES_MAX || vbe[VBE_XRES] % 8 ||
            vbe[VBE_VIRTUAL_WIDTH] % 8 || vbe[VBE_VIRTUAL_WIDTH] < vbe[VBE_XRES] || vbe[VBE_VIRTUAL_HEIGHT] < vbe[VBE_YRES])
                return false;
        if ((uint64_t)line_bytes(vbe[VBE_BPP], vbe[VBE_VIRTUAL_WIDTH]) * vbe[VBE_VIRTUAL_HEIGHT] > VGA_MEMORY_BYTES)
                return false;
        return vbe[VBE_X_OFFSET] <= vbe[VBE_VIRTUAL_WIDTH] - vbe[VBE_XRES] &&
               vbe[VBE_Y_OFFSET] <= vbe[VBE_VIRTUAL_HEIGHT] - vbe[VBE_YRES];
}

/* -- Ports -------------------------------------------------------------------------------------- */

static uint32_t vbe_port_read(void *opaque, uint16_t port, unsigned size)
{
        struct vga *vga = opaque;
        uint16_t value = port == PORT_INDEX ? vga->vbe_index : vga_vbe_read(vga, vga->vbe_index);

        return size == 2 ? value : value & 0xff;
}

static void vbe_port_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct vga *vga = opaque;

        if (size != 2)
                guest_error("vga", "byte write to port %03xh", port);
        else if (port == PORT_INDEX)
                vga->vbe_index = (uint16_t)value;
        else
                vga_vbe_write(vga, vga->vbe_index, (uint16_t)value);
}

const struct port_ops vga_vbe_port_ops = { vbe_port_read, vbe_port_write, 2 | PORTS_UNALIGNED };
