/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_render.c - the picture: its size, its colours, and the walk of the CRTC's counters down it.
 *
 * The size is that of the active display in dots and scan lines, as a monitor would be driven: mode 3
 * is 720 by 400, mode 13h 640 by 400, each of its pixels two dots wide and two lines high.
 *
 *      row address     start address and byte panning; plus twice the offset register after each
 *                      character row; 0 after the line compare value (split screen)
 *      row scan        from the preset row, up to the maximum row, each line twice with double scan
 */
#include <string.h>

#include "devices/display/vga.h"
#include "devices/display/vga_common.h"

/* The cursor is lit for 8 frames of 16, blinking text for 16 of 32. */
enum { CURSOR_FRAMES = 8, BLINK_FRAMES = 16 };

enum picture { PICTURE_BLANK, PICTURE_TEXT, PICTURE_PLANES, PICTURE_LINEAR };

static enum picture vga_picture(const struct vga *vga)
{
        if (!(vga->attr_index & ATTR_INDEX_PALETTE_ON) || vga->seq[SEQ_CLOCKING] & CLOCKING_SCREEN_OFF)
                return PICTURE_BLANK;
        if (vga_vbe_on(vga))
                return vga->vbe[VBE_BPP] == 4 ? PICTURE_PLANES : PICTURE_LINEAR;
        return vga->gfx[GFX_MISC] & GFX_MISC_GRAPHICS ? PICTURE_PLANES : PICTURE_TEXT;
}

static unsigned row_lines(const struct vga *vga)
{
        return ((vga->crtc[CRTC_MAX_ROW] & 0x1f) + 1u) << (vga->crtc[CRTC_MAX_ROW] & MAX_ROW_DOUBLE ? 1 : 0);
}

/* -- Colours ------------------------------------------------------------------------------------ */

/* 6 bits to 8: the new low bits repeat the lowest, as QEMU does it, so that pictures compare equal. */
static unsigned widen(unsigned value)
{
        return (value & 0x3f) << 2 | (value & 1) * 3;
}

static uint32_t dac_color(const struct vga *vga, unsigned index)
{
        const uint8_t *entry = vga->dac + (index & vga->dac_mask) * 3;

        if (vga->vbe[VBE_ENABLE] & VBE_8BIT_DAC)
                return (uint32_t)entry[0] << 16 | (uint32_t)entry[1] << 8 | entry[2];
        return widen(entry[0]) << 16 | widen(entry[1]) << 8 | widen(entry[2]);
}

/* 16 colours go through the palette and the colour select register, 256 straight to the DAC. */
static unsigned vga_fill_palette(const struct vga *vga, bool wide, uint32_t *palette)
{
        unsigned mode = vga->attr[ATTR_MODE], select = vga->attr[ATTR_COLOR];

        for (unsigned i = 0; i < 256; i++) {
                unsigned index = i;

                if (!wide) {
                        index = vga->attr[i & 15] & 0x3fu;
                        if (mode & ATTR_MODE_COLOR_5_4)
                                index = (index & 0x0f) | (select & 3) << 4;
                        index |= (select & 0x0c) << 4;
                }
                palette[i] = dac_color(vga, index);
        }
        return wide ? 256 : 16;
}

/* -- Planes and text ---------------------------------------------------------------------------- */

/* Dots by which the picture is moved left (horizontal PEL panning register). */
static unsigned panning_dots(const struct vga *vga, bool text)
{
        unsigned value = vga->attr[ATTR_PANNING];

        if (vga->gfx[GFX_MODE] & GFX_MODE_256 && !text)
                return value >> 1 & 3;
        if (text && !(vga->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS))
                return value >= 8 ? 0 : value + 1;
        return value & 7;
}

static void render_counted(struct vga *vga, struct surface *surface, bool text)
{
        uint32_t palette[256];
        struct vga_timing timing;
        int64_t now = clock_now_ns(vga->pci.device.env->clock);
        unsigned compare = vga_vbe_on(vga) ? UINT_MAX : vga_line_compare(vga), lines = row_lines(vga), pitch, counter = 0;
        unsigned start = vga->crtc[CRTC_START_HIGH] << 8 | vga->crtc[CRTC_START_LOW];
        bool twice = vga->crtc[CRTC_MAX_ROW] & MAX_ROW_DOUBLE;
        struct vga_line line = { .vga = vga, .palette = palette };

        vga_timing(vga, &timing);
        vga_fill_palette(vga, !text && vga->gfx[GFX_MODE] & GFX_MODE_256, palette);
        line.columns = surface->width / vga_character_width(vga);
        line.cursor = !(now / timing.frame_ns / CURSOR_FRAMES & 1);
        line.blink = now / timing.frame_ns / BLINK_FRAMES & 1;
        line.panning = panning_dots(vga, text);
        line.pixels = g_new0(uint32_t, surface->width);
        if (vga_vbe_on(vga)) {
                pitch = vga_vbe_stride(vga);
                start = vga->vbe[VBE_Y_OFFSET] * pitch + vga->vbe[VBE_X_OFFSET] / 8;
                line.panning = vga->vbe[VBE_X_OFFSET] & 7;
                lines = 1;
        } else {
                pitch = vga->crtc[CRTC_OFFSET] * 2u;
                start += vga->crtc[CRTC_PRESET_ROW] >> 5 & 3;
                counter = (vga->crtc[CRTC_PRESET_ROW] & 0x1fu) << twice;
        }
        line.address = start;
        for (unsigned y = 0; y < surface->height; y++) {
                line.row = counter >> twice;
                if (text)
                        vga_draw_text_line(&line);
                else
                        vga_draw_plane_line(&line);
                surface_put_row(surface, y, line.pixels);
                /* The row counter is five bits: a preset row beyond the last one runs to the end of those. */
                if (++counter == lines || counter == 32u << twice) {
                        counter = 0;
                        line.address += pitch;
                }
                if (y == compare) {
                        counter = 0;
                        line.address = 0;
                        if (vga->attr[ATTR_MODE] & ATTR_MODE_SPLIT_PANNING)
                                line.panning = 0;
                }
        }
        g_free(line.pixels);
}

/* -- Linear modes ------------------------------------------------------------------------------- */

static unsigned widen_5(unsigned value)
{
        return (value & 31) << 3 | (value >> 2 & 7);
}

static unsigned widen_6(unsigned value)
{
        return (value & 63) << 2 | (value >> 4 & 3);
}

static void linear_row(const struct vga *vga, const uint32_t *palette, const uint8_t *from, uint32_t *to, unsigned width)
{
        switch (vga->vbe[VBE_BPP]) {
        case 8:
                for (unsigned x = 0; x < width; x++)
                        to[x] = palette[from[x]];
                break;
        case 15:
                for (unsigned x = 0; x < width; x++, from += 2) {
                        unsigned v = from[0] | from[1] << 8;
                        to[x] = widen_5(v >> 10) << 16 | widen_5(v >> 5) << 8 | widen_5(v);
                }
                break;
        case 16:
                for (unsigned x = 0; x < width; x++, from += 2) {
                        unsigned v = from[0] | from[1] << 8;
                        to[x] = widen_5(v >> 11) << 16 | widen_6(v >> 5) << 8 | widen_5(v);
                }
                break;
        case 24:
                for (unsigned x = 0; x < width; x++, from += 3)
                        to[x] = (uint32_t)from[2] << 16 | (uint32_t)from[1] << 8 | from[0];
                break;
        default:
                for (unsigned x = 0; x < width; x++, from += 4)
                        to[x] = (uint32_t)from[2] << 16 | (uint32_t)from[1] << 8 | from[0];
                break;
        }
}

static void render_linear(struct vga *vga, struct surface *surface)
{
        uint32_t palette[256], *row = g_new(uint32_t, surface->width);
        unsigned stride = vga_vbe_stride(vga), bytes = (vga->vbe[VBE_BPP] + 7u) / 8;
        const uint8_t *from = vga->memory + (size_t)vga->vbe[VBE_Y_OFFSET] * stride + vga->vbe[VBE_X_OFFSET] * bytes;

        vga_fill_palette(vga, true, palette);
        for (unsigned y = 0; y < surface->height; y++, from += stride) {
                linear_row(vga, palette, from, row, surface->width);
                surface_put_row(surface, y, row);
        }
        g_free(row);
}

/* -- Entry points ------------------------------------------------------------------------------- */

/* False until a mode has been set that has a size worth showing. */
static bool vga_size(const struct vga *vga, unsigned *width, unsigned *height)
{
        if (vga_vbe_on(vga)) {
                *width = vga->vbe[VBE_XRES];
                *height = vga->vbe[VBE_YRES];
                return true;
        }
        *width = (vga->crtc[CRTC_H_DISPLAY_END] + 1u) * vga_character_width(vga);
        *height = vga_display_lines(vga);
        return *width >= 64 && *height >= 32;
}

bool vga_get_size(struct device *device, unsigned *width, unsigned *height)
{
        return vga_size((struct vga *)device, width, height) && *width && *height;
}

bool vga_render(struct device *device, struct surface *surface)
{
        struct vga *vga = (struct vga *)device;
        enum picture picture = vga_picture(vga);
        unsigned width, height;

        if (!vga_size(vga, &width, &height)) {
                width = surface->width ? surface->width : 720;
                height = surface->height ? surface->height : 400;
                picture = PICTURE_BLANK;
        }
        surface_resize(surface, width, height);
        if (picture == PICTURE_LINEAR) {
                render_linear(vga, surface);
        } else if (picture != PICTURE_BLANK) {
                render_counted(vga, surface, picture == PICTURE_TEXT);
        } else {
                uint32_t *black = g_new0(uint32_t, width);

                for (unsigned y = 0; y < height; y++)
                        surface_put_row(surface, y, black);
                g_free(black);
        }
        return surface->damage_count > 0;
}

bool vga_read_text(struct device *device, struct text_screen *screen)
{
        const struct vga *vga = (struct vga *)device;
        unsigned cursor = vga->crtc[CRTC_CURSOR_HIGH] << 8 | vga->crtc[CRTC_CURSOR_LOW], width, height, at, y = 0;

        *screen = (struct text_screen){ 0 };
        if (vga_picture(vga) != PICTURE_TEXT || !vga_size(vga, &width, &height))
                return false;
        screen->columns = vga->crtc[CRTC_H_DISPLAY_END] + 1u;
        screen->rows = MAX(height / row_lines(vga), 1);
        screen->characters = g_malloc0((size_t)screen->columns * screen->rows);
        screen->attributes = g_malloc0((size_t)screen->columns * screen->rows);
        at = vga->crtc[CRTC_START_HIGH] << 8 | vga->crtc[CRTC_START_LOW];
        for (unsigned row = 0; row < screen->rows; row++) {
                for (unsigned column = 0; column < screen->columns; column++) {
                        unsigned address = (at + column) & 0xffff;
                        const uint8_t *planes = vga_planes(vga, vga_plane_address(vga, address, 0));

                        screen->characters[row * screen->columns + column] = planes[0];
                        screen->attributes[row * screen->columns + column] = planes[1];
                        if (address == cursor && !screen->cursor_shown) {
                                screen->cursor_shown = !(vga->crtc[CRTC_CURSOR_START] & CURSOR_OFF);
                                screen->cursor_row = row;
                                screen->cursor_column = column;
                        }
                }
                /* A split between rows; one within a row is not text any more. */
                y += row_lines(vga);
                at = y - 1 >= vga_line_compare(vga) && y - row_lines(vga) <= vga_line_compare(vga)
                             ? 0 : at + vga->crtc[CRTC_OFFSET] * 2u;
        }
        return true;
}

char *vga_text(struct device *device)
{
        struct text_screen screen;
        char *text;

        if (!vga_read_text(device, &screen))
                return NULL;
        text = text_screen_to_utf8(&screen);
        text_screen_free(&screen);
        return text;
}
