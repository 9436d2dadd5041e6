/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_memory.c - the window at A0000h: from a guest's address to planes, and the data path of writes
 * and reads (IBM VGA reference, graphics controller; Intel 810 PRM volume 2 tells the same).
 *
 *      address         chain-4         plane = bits 1:0, rest is the address
 *                      odd/even        plane = bit 0 (and the map mask), bit 0 of the address is 0
 *                      otherwise       all planes of the map mask
 *      write mode 0    rotate, set/reset where enabled, function with the latches, bit mask
 *                 1    latches
 *                 2    bits 3:0 give each plane all ones or all zeros, function, bit mask
 *                 3    set/reset everywhere; the rotated value narrows the bit mask
 *      read mode 0     the byte of one plane
 *                1     bits where all planes that matter equal the compared colour
 *
 * A guest that uses none of this in a mode of consecutive bytes has the window mapped as RAM.  Such
 * reads leave the latches alone, which shows only if a program loads them by reading before it selects
 * the write mode that uses them.
 */
#include "devices/display/vga_common.h"

/* A byte in each of the four planes, as one word. */
static uint32_t planes_of_byte(uint8_t value)
{
        return value * UINT32_C(0x01010101);
}

/* Bits 3:0 as all ones or all zeros in each plane. */
static uint32_t planes_of_bits(unsigned bits)
{
        return (bits & 1 ? 0xffu : 0) | (bits & 2 ? 0xff00u : 0) | (bits & 4 ? 0xff0000u : 0) | (bits & 8 ? 0xff000000u : 0);
}

static uint32_t get_planes(const uint8_t *bytes)
{
        return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void put_planes(uint8_t *bytes, uint32_t planes)
{
        for (unsigned plane = 0; plane < 4; plane++)
                bytes[plane] = (uint8_t)(planes >> 8 * plane);
}

/* -- Addresses ---------------------------------------------------------------------------------- */

/* Offset within what the memory map select register shows; false outside of it. */
static bool window_offset(const struct vga *vga, uint32_t at, uint32_t *offset)
{
        static const struct { uint32_t base, size; } maps[4] = {
                { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 },
        };
        unsigned map = vga_vbe_linear(vga) ? 1 : vga->gfx[GFX_MISC] >> 2 & 3;

        if (!(vga->misc & MISC_MEMORY_ON) || at < maps[map].base || at - maps[map].base >= maps[map].size)
                return false;
        *offset = at - maps[map].base;
        return true;
}

static uint32_t bank_offset(const struct vga *vga)
{
        return vga_vbe_on(vga) ? (uint32_t)vga->vbe[VBE_BANK] * VGA_BANK_BYTES : 0;
}

static bool chain4(const struct vga *vga)
{
        return vga->seq[SEQ_MEMORY_MODE] & MEMORY_MODE_CHAIN4;
}

/* The address of a byte of each plane: 64 KiB of them, more through the bank register. */
static uint8_t *window_planes(struct vga *vga, uint32_t offset, bool odd_even)
{
        uint32_t address = odd_even && vga->gfx[GFX_MISC] & GFX_MISC_CHAIN ? offset & ~1u : offset;

        return vga->memory + (((address & 0xffff) + bank_offset(vga)) * 4 & VGA_MEMORY_MASK);
}

/* -- Writes ------------------------------------------------------------------------------------- */

static uint8_t rotate(uint8_t value, unsigned count)
{
        return count ? (uint8_t)(value >> count | value << (8 - count)) : value;
}

static uint32_t apply_function(const struct vga *vga, uint32_t value, uint32_t latches)
{
        switch (vga->gfx[GFX_ROTATE] >> 3 & 3) {
        case 1:
                return value & latches;
        case 2:
                return value | latches;
        case 3:
                return value ^ latches;
        default:
                return value;
        }
}

/* What the data path makes of a byte: the new contents of all four planes. */
static uint32_t write_data(const struct vga *vga, uint8_t value)
{
        uint32_t latches = get_planes(vga->latch), set_reset = planes_of_bits(vga->gfx[GFX_SET_RESET]);
        uint32_t enable = planes_of_bits(vga->gfx[GFX_ENABLE_SET_RESET]), planes;
        uint8_t mask = vga->gfx[GFX_BIT_MASK], rotated = rotate(value, vga->gfx[GFX_ROTATE] & 7);

        switch (vga->gfx[GFX_MODE] & 3) {
        case 0:
                planes = (planes_of_byte(rotated) & ~enable) | (set_reset & enable);
                break;
        case 1:
                return latches;
        case 2:
                planes = planes_of_bits(value);
                break;
        default:
                planes = set_reset;
                mask &= rotated;
                break;
        }
        planes = apply_function(vga, planes, latches);
        return (planes & planes_of_byte(mask)) | (latches & ~planes_of_byte(mask));
}

static void window_write_byte(struct vga *vga, uint32_t at, uint8_t value)
{
        uint32_t offset, mask;
        unsigned planes = vga->seq[SEQ_MAP_MASK];
        uint8_t *bytes;

        if (!window_offset(vga, at, &offset))
                return;
        if (vga_vbe_linear(vga)) {
                vga->memory[(offset + bank_offset(vga)) & VGA_MEMORY_MASK] = value;
                return;
        }
        if (chain4(vga)) {
                planes &= 1u << (offset & 3);
                bytes = vga->memory + ((offset + bank_offset(vga)) & VGA_MEMORY_MASK & ~3u);
        } else {
                bool odd_even = !(vga->seq[SEQ_MEMORY_MODE] & MEMORY_MODE_SEQUENTIAL);

                if (odd_even)
                        planes &= offset & 1 ? 0xa : 0x5;
                bytes = window_planes(vga, offset, odd_even);
        }
        mask = planes_of_bits(planes);
        put_planes(bytes, (get_planes(bytes) & ~mask) | (write_data(vga, value) & mask));
}

/* -- Reads -------------------------------------------------------------------------------------- */

static uint8_t window_read_byte(struct vga *vga, uint32_t at)
{
        uint32_t offset;
        unsigned plane = vga->gfx[GFX_READ_MAP] & 3;
        uint8_t *bytes;

        if (!window_offset(vga, at, &offset))
                return 0xff;
        if (vga_vbe_linear(vga))
                return vga->memory[(offset + bank_offset(vga)) & VGA_MEMORY_MASK];
        if (chain4(vga)) {
                plane = offset & 3;
                bytes = vga->memory + ((offset + bank_offset(vga)) & VGA_MEMORY_MASK & ~3u);
        } else {
                bool odd_even = vga->gfx[GFX_MODE] & GFX_MODE_ODD_EVEN;

                if (odd_even)
                        plane = (plane & 2) | (offset & 1);
                bytes = window_planes(vga, offset, odd_even);
        }
        put_planes(vga->latch, get_planes(bytes));
        if (!(vga->gfx[GFX_MODE] & GFX_MODE_READ_1))
                return vga->latch[plane];

        uint32_t differs = get_planes(vga->latch) ^ planes_of_bits(vga->gfx[GFX_COLOR_COMPARE]);

        differs &= planes_of_bits(vga->gfx[GFX_COLOR_DONT_CARE]);
        return (uint8_t)~(differs | differs >> 8 | differs >> 16 | differs >> 24);
}

/* -- The window --------------------------------------------------------------------------------- */

static uint64_t window_read(void *opaque, uint64_t offset, unsigned size)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < size; i++)
                value |= (uint64_t)window_read_byte(opaque, (uint32_t)offset + i) << 8 * i;
        return value;
}

static void window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        for (unsigned i = 0; i < size; i++)
                window_write_byte(opaque, (uint32_t)offset + i, (uint8_t)(value >> 8 * i));
}

const struct mmio_ops vga_window_ops = { window_read, window_write, 1, 8 };

/* True when every write stores and every read gives just the byte addressed. */
static bool window_is_plain(const struct vga *vga)
{
        unsigned map = vga->gfx[GFX_MISC] >> 2 & 3;

        if (!(vga->misc & MISC_MEMORY_ON))
                return false;
        if (vga_vbe_linear(vga))
                return true;
        return chain4(vga) && map <= 1 && vga->seq[SEQ_MAP_MASK] == 0xf && !(vga->gfx[GFX_MODE] & (3 | GFX_MODE_READ_1)) &&
               !vga->gfx[GFX_ENABLE_SET_RESET] && !vga->gfx[GFX_ROTATE] && vga->gfx[GFX_BIT_MASK] == 0xff;
}

void vga_update_window(struct vga *vga)
{
        bool plain = window_is_plain(vga);

        if (!plain)
                memory_region_set(vga->direct, VGA_WINDOW, false);
        memory_region_set_offset(vga->direct, vga->memory_offset + (bank_offset(vga) & VGA_MEMORY_MASK));
        if (plain)
                memory_region_set(vga->direct, VGA_WINDOW, true);
}
