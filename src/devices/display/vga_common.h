/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_common.h - the VGA's state, shared by the files of the chip and by nobody else.
 *
 *      vga.c           ports, registers, retrace timing, life
 *      vga_memory.c    the window at A0000h: addressing, write and read modes
 *      vga_vbe.c       the Bochs display registers (ports 1CEh-1D0h, BAR 2)
 *      vga_render.c    palette, size of the picture, linear modes, the walk down the screen
 *      vga_line.c      one line of text or of planes
 *
 * Video memory.  Byte n of plane p is byte 4n + p, so that the four planes of one address are one
 * 32-bit word, as the serializers see them.  Chain-4 (mode 13h) and the linear frame buffer then see
 * consecutive bytes, and can be plain RAM to the guest.  That makes for one difference from an IBM VGA,
 * where chain-4 uses every fourth address of a plane and the CRTC's doubleword mode skips the other
 * three: here both leave the two low address bits out, which shows only to a program that fills memory
 * with chain-4 on and displays or reads it with chain-4 off.
 */
#ifndef LODGER_DEVICES_VGA_COMMON_H
#define LODGER_DEVICES_VGA_COMMON_H

#include "backend/display.h"
#include "devices/device.h"
#include "machine/pci.h"

enum { VGA_MEMORY_BYTES = 16 << 20, VGA_MEMORY_MASK = VGA_MEMORY_BYTES - 1 };
enum { VGA_WINDOW = 0xa0000, VGA_WINDOW_BYTES = 0x20000, VGA_BANK_BYTES = 0x10000 };

/* Register names follow the IBM VGA reference: sequencer, CRT controller, graphics and attribute. */
enum { SEQ_RESET, SEQ_CLOCKING, SEQ_MAP_MASK, SEQ_FONTS, SEQ_MEMORY_MODE, SEQ_COUNT };
enum { CLOCKING_8_DOTS = 1 << 0, CLOCKING_HALF = 1 << 3, CLOCKING_SCREEN_OFF = 1 << 5 };
enum { MEMORY_MODE_SEQUENTIAL = 1 << 2, MEMORY_MODE_CHAIN4 = 1 << 3 };
enum {
        CRTC_H_TOTAL = 0x00, CRTC_H_DISPLAY_END = 0x01, CRTC_H_BLANK_START = 0x02, CRTC_H_BLANK_END = 0x03,
        CRTC_V_TOTAL = 0x06, CRTC_OVERFLOW = 0x07, CRTC_PRESET_ROW = 0x08, CRTC_MAX_ROW = 0x09, CRTC_CURSOR_START = 0x0a,
        CRTC_CURSOR_END = 0x0b, CRTC_START_HIGH = 0x0c, CRTC_START_LOW = 0x0d, CRTC_CURSOR_HIGH = 0x0e,
        CRTC_CURSOR_LOW = 0x0f, CRTC_V_RETRACE_START = 0x10, CRTC_V_RETRACE_END = 0x11, CRTC_V_DISPLAY_END = 0x12,
        CRTC_OFFSET = 0x13, CRTC_UNDERLINE = 0x14, CRTC_MODE = 0x17, CRTC_LINE_COMPARE = 0x18, CRTC_COUNT,
};
enum { MAX_ROW_DOUBLE = 1 << 7 };
enum { CURSOR_OFF = 1 << 5 };
enum { RETRACE_END_PROTECT = 1 << 7 };
enum { UNDERLINE_BY_4 = 1 << 5, UNDERLINE_DOUBLEWORD = 1 << 6 };
enum {
        CRTC_MODE_ROW_0 = 1 << 0, CRTC_MODE_ROW_1 = 1 << 1, CRTC_MODE_DOUBLE_LINES = 1 << 2, CRTC_MODE_BY_2 = 1 << 3,
        CRTC_MODE_WRAP = 1 << 5, CRTC_MODE_BYTE = 1 << 6,
};
enum {
        GFX_SET_RESET, GFX_ENABLE_SET_RESET, GFX_COLOR_COMPARE, GFX_ROTATE, GFX_READ_MAP, GFX_MODE, GFX_MISC,
        GFX_COLOR_DONT_CARE, GFX_BIT_MASK, GFX_COUNT,
};
enum { GFX_MODE_READ_1 = 1 << 3, GFX_MODE_ODD_EVEN = 1 << 4, GFX_MODE_CGA = 1 << 5, GFX_MODE_256 = 1 << 6 };
enum { GFX_MISC_GRAPHICS = 1 << 0, GFX_MISC_CHAIN = 1 << 1 };
enum { ATTR_MODE = 0x10, ATTR_OVERSCAN = 0x11, ATTR_PLANES = 0x12, ATTR_PANNING = 0x13, ATTR_COLOR = 0x14, ATTR_COUNT };
enum {
        ATTR_MODE_LINE_GRAPHICS = 1 << 2, ATTR_MODE_BLINK = 1 << 3, ATTR_MODE_SPLIT_PANNING = 1 << 5,
        ATTR_MODE_256 = 1 << 6, ATTR_MODE_COLOR_5_4 = 1 << 7,
};
enum { ATTR_INDEX_PALETTE_ON = 1 << 5 };
enum { MISC_COLOR_PORTS = 1 << 0, MISC_MEMORY_ON = 1 << 1 };

/* Bochs display registers, by index. */
enum {
        VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRTUAL_WIDTH, VBE_VIRTUAL_HEIGHT, VBE_X_OFFSET,
        VBE_Y_OFFSET, VBE_COUNT, VBE_MEMORY_64K = VBE_COUNT,
};
enum { VBE_ENABLED = 1 << 0, VBE_GET_CAPABILITIES = 1 << 1, VBE_8BIT_DAC = 1 << 5, VBE_LFB = 1 << 6, VBE_KEEP_MEMORY = 1 << 7 };

struct vga {
        struct pci_device pci;
        /* Saved.  Reset values are all 0 unless said otherwise. */
        uint8_t misc;                   /* miscellaneous output, W 3C2h, R 3CCh */
        uint8_t feature;                /* feature control, W 3xAh, R 3CAh; drives nothing */
        uint8_t seq_index, seq[SEQ_COUNT];
        uint8_t crtc_index, crtc[CRTC_COUNT];
        uint8_t gfx_index, gfx[GFX_COUNT];
        uint8_t attr_index, attr[ATTR_COUNT];
        bool attr_data;                 /* the next write to 3C0h is data */
        uint8_t latch[4];               /* what the last read of the window loaded, by plane */
        uint8_t dac_mask;               /* 3C6h, reset FFh */
        uint8_t dac_state;              /* 3C7h: 3 after setting the read index, 0 after the write index */
        uint8_t dac_read_index, dac_write_index, dac_part;      /* part: 0-2, of the entry being accessed */
        uint8_t dac_entry[3];           /* parts written so far; stored as a whole with the third */
        uint8_t dac[768];               /* red, green, blue of each entry; 6 or 8 bits as written */
        uint16_t vbe_index;
        uint16_t vbe[VBE_COUNT];
        /* Video memory: RAM of the machine, saved and restored with it. */
        uint64_t memory_offset;
        uint8_t *memory;
        /* Derived. */
        struct memory_region *window;   /* callbacks for A0000h-BFFFFh, always there */
        struct memory_region *direct;   /* the first 64 KiB of it as RAM, when a write needs no logic */
        struct memory_region *frame_buffer, *registers, *rom;   /* BARs */
        GBytes *rom_bytes;              /* option ROM; NULL: none */
};

/* -- vga_memory.c ------------------------------------------------------------------------------- */

extern const struct mmio_ops vga_window_ops;
/* Brings the direct mapping in line with the registers; after any of them changed. */
void vga_update_window(struct vga *vga);

/* -- vga_vbe.c ---------------------------------------------------------------------------------- */

extern const struct port_ops vga_vbe_port_ops;
uint16_t vga_vbe_read(struct vga *vga, uint16_t index);
void vga_vbe_write(struct vga *vga, uint16_t index, uint16_t value);
/* False when a restored register holds what no write could have left there. */
bool vga_vbe_valid(const struct vga *vga);
/* Bytes from one line of the virtual screen to the next; of one plane with 4 bits per pixel. */
unsigned vga_vbe_stride(const struct vga *vga);

static inline bool vga_vbe_on(const struct vga *vga)
{
        return vga->vbe[VBE_ENABLE] & VBE_ENABLED;
}

/* A mode whose pixels are consecutive bytes, not planes. */
static inline bool vga_vbe_linear(const struct vga *vga)
{
        return vga_vbe_on(vga) && vga->vbe[VBE_BPP] > 4;
}

/* -- vga.c -------------------------------------------------------------------------------------- */

struct vga_timing {
        int64_t frame_ns, line_ns, shown_ns;    /* shown_ns: of a line, before it is blanked */
        unsigned lines, shown_lines, retrace_start, retrace_end;
};

void vga_timing(const struct vga *vga, struct vga_timing *timing);
/* A vertical CRTC value with its high bits from the overflow registers. */
unsigned vga_display_lines(const struct vga *vga);
unsigned vga_line_compare(const struct vga *vga);
uint8_t vga_register_read(struct vga *vga, uint16_t port);
void vga_register_write(struct vga *vga, uint16_t port, uint8_t value);

/* -- vga_line.c --------------------------------------------------------------------------------- */

/* What a line is drawn from; vga_render.c fills it in as it walks down the screen. */
struct vga_line {
        const struct vga *vga;
        const uint32_t *palette;        /* 16 colours (text, planes) or 256 */
        unsigned address;               /* of the line's first character or byte, as the CRTC counts */
        unsigned row;                   /* scan line within the character */
        unsigned panning;               /* dots (or pixels, with 256 colours) to the left */
        unsigned columns;               /* character clocks shown */
        bool cursor, blink;             /* phases: the cursor is lit, blinking text is dark */
        uint32_t *pixels;               /* room for vga_line_width() */
};

/* Dots of a character clock as drawn. */
unsigned vga_character_width(const struct vga *vga);
void vga_draw_text_line(const struct vga_line *line);
void vga_draw_plane_line(const struct vga_line *line);
/* Where the byte that the CRTC counts as `address` lies in a plane. */
unsigned vga_plane_address(const struct vga *vga, unsigned address, unsigned row);

static inline const uint8_t *vga_planes(const struct vga *vga, unsigned plane_address)
{
        return vga->memory + ((plane_address * 4) & VGA_MEMORY_MASK);
}

#endif
