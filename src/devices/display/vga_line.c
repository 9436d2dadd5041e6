/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_line.c - draws one scan line: of characters, or of what the serializers make of four planes.
 *
 * A character clock fetches one byte of each plane.  In text, planes 0 and 1 are character and
 * attribute and plane 2 holds the fonts.  In graphics the four bytes become pixels:
 *
 *      planes          8 pixels, a bit of each plane
 *      CGA             8 pixels of 2 bits: 4 from planes 0 and 2, 4 from planes 1 and 3
 *      256 colours     4 pixels, a byte each, two dots wide
 */
#include "devices/display/vga_common.h"

enum { FONT_BYTES = 8192, GLYPH_BYTES = 32 };
enum { ATTRIBUTE_BLINK = 0x80, ATTRIBUTE_FONT = 0x08 };

/* -- Addresses ---------------------------------------------------------------------------------- */

/* Byte, word and doubleword modes of the CRTC, and the row bits that CGA and Hercules modes put in the
 * address (CRTC mode control and underline location registers). */
unsigned vga_plane_address(const struct vga *vga, unsigned address, unsigned row)
{
        unsigned mode = vga->crtc[CRTC_MODE];

        address &= 0xffff;
        if (!(vga->crtc[CRTC_UNDERLINE] & UNDERLINE_DOUBLEWORD) && !(mode & CRTC_MODE_BYTE))
                address = (address << 1 & 0xffff) | (address >> (mode & CRTC_MODE_WRAP ? 15 : 13) & 1);
        if (!(mode & CRTC_MODE_ROW_0))
                address = (address & ~(1u << 13)) | (row & 1) << 13;
        if (!(mode & CRTC_MODE_ROW_1))
                address = (address & ~(1u << 14)) | (row >> 1 & 1) << 14;
        return address;
}

/* Every, every second or every fourth character clock moves on. */
static unsigned address_shift(const struct vga *vga)
{
        if (vga->crtc[CRTC_UNDERLINE] & UNDERLINE_BY_4)
                return 2;
        return vga->crtc[CRTC_MODE] & CRTC_MODE_BY_2 ? 1 : 0;
}

/* -- Text --------------------------------------------------------------------------------------- */

unsigned vga_character_width(const struct vga *vga)
{
        unsigned dots = 8;

        if (!(vga->gfx[GFX_MISC] & GFX_MISC_GRAPHICS) && !(vga->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS))
                dots = 9;
        return vga->seq[SEQ_CLOCKING] & CLOCKING_HALF ? dots * 2 : dots;
}

/* Character map select: which of the eight fonts in plane 2 an attribute's bit 3 picks. */
static unsigned font_offset(const struct vga *vga, bool second)
{
        unsigned select = vga->seq[SEQ_FONTS];
        unsigned font = second ? (select >> 1 & 6) | (select >> 5 & 1) : (select << 1 & 6) | (select >> 4 & 1);

        return font * FONT_BYTES;
}

/* The nine dots of a glyph's line, leftmost in bit 8.  The ninth repeats the eighth for line graphics:
 * IBM's manual says C0h-DFh; the shades at B0h-B2h are joined up as well, as other machines do it. */
static unsigned glyph_dots(const struct vga_line *line, uint8_t character, uint8_t attribute)
{
        const struct vga *vga = line->vga;
        unsigned font = font_offset(vga, attribute & ATTRIBUTE_FONT);
        unsigned bits = vga_planes(vga, font + character * GLYPH_BYTES + line->row)[2];
        bool repeat = character >= 0xb0 && character <= 0xdf && vga->attr[ATTR_MODE] & ATTR_MODE_LINE_GRAPHICS;

        return bits << 1 | (repeat ? bits & 1 : 0);
}

static bool cursor_covers(const struct vga_line *line)
{
        const uint8_t *crtc = line->vga->crtc;

        return line->cursor && !(crtc[CRTC_CURSOR_START] & CURSOR_OFF) && line->row >= (crtc[CRTC_CURSOR_START] & 0x1fu) &&
               line->row <= (crtc[CRTC_CURSOR_END] & 0x1fu);
}

static unsigned draw_character(const struct vga_line *line, unsigned address, uint32_t *to, bool cursor)
{
        const struct vga *vga = line->vga;
        const uint8_t *planes = vga_planes(vga, vga_plane_address(vga, address, line->row));
        uint8_t character = planes[0], attribute = planes[1];
        unsigned dots = glyph_dots(line, character, attribute), foreground = attribute & 15, background = attribute >> 4;
        unsigned count = vga->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS ? 8 : 9, n = 0;

        /* Underlined attributes: those with foreground 1 (blue, where the row is ever reached). */
        if ((attribute & 0x07) == 1 && line->row == (vga->crtc[CRTC_UNDERLINE] & 0x1fu))
                dots = 0x1ff;
        if (vga->attr[ATTR_MODE] & ATTR_MODE_BLINK) {
                background &= 7;
                if (attribute & ATTRIBUTE_BLINK && line->blink)
                        dots = 0;
        }
        if (cursor)
                dots = 0x1ff;
        for (unsigned i = 0; i < count; i++) {
                uint32_t color = line->palette[dots >> (8 - i) & 1 ? foreground : background];

                to[n++] = color;
                if (vga->seq[SEQ_CLOCKING] & CLOCKING_HALF)
                        to[n++] = color;
        }
        return n;
}

void vga_draw_text_line(const struct vga_line *line)
{
        const struct vga *vga = line->vga;
        unsigned cursor_at = vga->crtc[CRTC_CURSOR_HIGH] << 8 | vga->crtc[CRTC_CURSOR_LOW];
        unsigned width = vga_character_width(vga), shift = address_shift(vga), hidden = 0;
        bool cursor = cursor_covers(line);
        uint32_t *to = line->pixels;

        if (line->panning)
                hidden = line->panning * (vga->seq[SEQ_CLOCKING] & CLOCKING_HALF ? 2 : 1);
        for (unsigned column = 0; column < line->columns + (hidden ? 1 : 0); column++) {
                unsigned address = (line->address + (column >> shift)) & 0xffff;
                uint32_t dots[18];

                draw_character(line, address, dots, cursor && address == cursor_at);
                for (unsigned i = column ? 0 : hidden; i < width && to < line->pixels + line->columns * width; i++)
                        *to++ = dots[i];
        }
}

/* -- Graphics ----------------------------------------------------------------------------------- */

static void planes_to_pixels(const uint8_t *planes, uint8_t *pixels)
{
        for (unsigned i = 0; i < 8; i++)
                pixels[i] = (uint8_t)((planes[0] >> (7 - i) & 1) | (planes[1] >> (7 - i) & 1) << 1 |
                                      (planes[2] >> (7 - i) & 1) << 2 | (planes[3] >> (7 - i) & 1) << 3);
}

static void cga_to_pixels(const uint8_t *planes, uint8_t *pixels)
{
        for (unsigned i = 0; i < 4; i++) {
                unsigned bit = 6 - 2 * i;

                pixels[i] = (uint8_t)((planes[0] >> bit & 3) | (planes[2] >> bit & 3) << 2);
                pixels[4 + i] = (uint8_t)((planes[1] >> bit & 3) | (planes[3] >> bit & 3) << 2);
        }
}

/* Pixels of one character clock, as palette entries. */
static unsigned fetch_pixels(const struct vga *vga, const uint8_t *planes, uint8_t *pixels)
{
        if (vga->gfx[GFX_MODE] & GFX_MODE_256) {
                for (unsigned i = 0; i < 4; i++)
                        pixels[i] = planes[i];
                return 4;
        }
        if (vga->gfx[GFX_MODE] & GFX_MODE_CGA)
                cga_to_pixels(planes, pixels);
        else
                planes_to_pixels(planes, pixels);
        for (unsigned i = 0; i < 8; i++)
                pixels[i] &= vga->attr[ATTR_PLANES];
        return 8;
}

void vga_draw_plane_line(const struct vga_line *line)
{
        const struct vga *vga = line->vga;
        unsigned repeat = (vga->gfx[GFX_MODE] & GFX_MODE_256 ? 2 : 1) * (vga->seq[SEQ_CLOCKING] & CLOCKING_HALF ? 2 : 1);
        unsigned shift = address_shift(vga), skip = line->panning;
        uint32_t *to = line->pixels, *end = to + line->columns * vga_character_width(vga);

        /* 256 colours with the halved clock of some drivers: still four pixels a character. */
        for (unsigned column = 0; to < end; column++) {
                unsigned address = line->address + (column >> shift), count;
                uint8_t pixels[8];

                if (vga_vbe_on(vga))
                        count = fetch_pixels(vga, vga_planes(vga, address), pixels);
                else
                        count = fetch_pixels(vga, vga_planes(vga, vga_plane_address(vga, address, line->row)), pixels);
                for (unsigned i = skip; i < count; i++)
                        for (unsigned n = 0; n < repeat && to < end; n++)
                                *to++ = line->palette[pixels[i]];
                skip = skip > count ? skip - count : 0;
        }
}
