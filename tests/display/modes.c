/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modes.c - a real-mode guest that sets one video mode through the VGA BIOS, draws in it, and says so.
 *
 * A Multiboot program whose command line names the picture ("text", "vga13", ...).  It writes "drawn\n"
 * to the debug port E9h and stays; whoever runs it looks at the screen then.  Compiled with -m16: near
 * pointers reach the first 64 KiB, FS the window being drawn in.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

/* Multiboot header; then from flat protected mode to real mode, with the command line at 7C00h. */
asm(".section .start, \"awx\"\n"
    ".code32\n"
    ".align 4\n"
    ".long 0x1badb002, 0, -0x1badb002\n"
    ".globl start\n"
    "start: cld; cli\n"
    "movl $low_start, %edi\nmovl $low_load, %esi\nmovl $low_end, %ecx\nsubl $low_start, %ecx\nrep movsb\n"
    "movl 16(%ebx), %esi\nmovl $0x7c00, %edi\nmovl $63, %ecx\nrep movsb\n"
    "lgdt gdtr\n"
    "ljmp $8, $to_real\n"
    ".text\n"
    ".code16\n"
    "to_real: movw $16, %ax\nmovw %ax, %ds\nmovw %ax, %es\nmovw %ax, %fs\nmovw %ax, %gs\nmovw %ax, %ss\n"
    "lidt idtr\n"
    "movl %cr0, %eax\nandb $0xfe, %al\nmovl %eax, %cr0\nljmp $0, $real\n"
    "real: xorw %ax, %ax\nmovw %ax, %ds\nmovw %ax, %es\nmovw %ax, %ss\nmovl $0x7c00, %esp\nsti\ncalll main\n"
    "stop: hlt\njmp stop\n"
    ".align 8\n"
    "gdt: .quad 0, 0x00009b000000ffff, 0x000093000000ffff\n"
    "gdtr: .word 23\n.long gdt\n"
    "idtr: .word 0x3ff\n.long 0\n"
    ".code16gcc\n");

static inline void outb(u16 port, u8 v) { asm volatile("outb %0, %1" :: "a"(v), "Nd"(port)); }
static inline void outw(u16 port, u16 v) { asm volatile("outw %0, %1" :: "a"(v), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void window(u16 segment) { asm volatile("movw %0, %%fs" :: "r"(segment)); }
static inline void put(u16 at, u8 v) { asm volatile("addr32 movb %0, %%fs:(%1)" :: "q"(v), "r"((u32)at) : "memory"); }
static inline void put2(u16 at, u16 v) { asm volatile("addr32 movw %0, %%fs:(%1)" :: "r"(v), "r"((u32)at) : "memory"); }
static inline u8 get(u16 at) { u8 v; asm volatile("addr32 movb %%fs:(%1), %0" : "=q"(v) : "r"((u32)at) : "memory"); return v; }

static u32 bios(u32 ax, u32 bx, u32 cx, u32 dx)
{
        asm volatile("pushl %%ebp\npushw %%fs\nint $0x10\npopw %%fs\npopl %%ebp"
                     : "+a"(ax), "+b"(bx), "+c"(cx), "+d"(dx) : : "esi", "edi", "memory", "cc");
        return ax;
}

static void seq(u8 index, u8 v) { outw(0x3c4, (u16)(index | v << 8)); }
static void gfx(u8 index, u8 v) { outw(0x3ce, (u16)(index | v << 8)); }
static void crtc(u8 index, u8 v) { outw(0x3d4, (u16)(index | v << 8)); }

static void attr(u8 index, u8 v)
{
        inb(0x3da);
        outb(0x3c0, index);
        outb(0x3c0, v);
        outb(0x3c0, 0x20);
}

/* All characters with all attributes but the blinking ones, no cursor. */
static void draw_text(u16 rows, u16 columns)
{
        bios(0x0100, 0, 0x2000, 0);
        window(0xb800);
        for (u16 i = 0; i < rows * columns; i++)
                put2((u16)(i * 2), (u16)((i & 0xff) | ((i * 7 + i / columns) & 0x7f) << 8));
}

static void draw_planes(u16 bytes, u16 seed)
{
        window(0xa000);
        for (u8 plane = 0; plane < 4; plane++) {
                seq(2, (u8)(1 << plane));
                for (u16 i = 0; i < bytes; i++)
                        put(i, (u8)((i * (plane * 2 + 1) >> (plane & 1)) + seed + (i >> 5)));
        }
        seq(2, 15);
}

/* Each write mode and function in a strip of its own. */
static void draw_write_modes(void)
{
        window(0xa000);
        for (u16 i = 0; i < 80; i++)
                get(i);
        for (u8 function = 0; function < 4; function++) {
                for (u16 i = 0; i < 160; i++) {
                        u16 at = (u16)(function * 1600 + i);

                        gfx(3, (u8)(function << 3 | (i & 7)));
                        gfx(5, 0); gfx(0, (u8)(i & 15)); gfx(1, 0x05); gfx(8, 0xf7);
                        get(at); put(at, (u8)i);
                        gfx(5, 2); gfx(1, 0);
                        get((u16)(at + 400)); put((u16)(at + 400), (u8)(i >> 2));
                        gfx(5, 3); gfx(0, (u8)(15 - (i & 15)));
                        get((u16)(at + 800)); put((u16)(at + 800), (u8)(i * 3));
                        gfx(5, 1);
                        get(at); put((u16)(at + 1200), 0);
                }
        }
        gfx(5, 8); gfx(2, 9); gfx(7, 13);
        for (u16 i = 0; i < 160; i++) {
                u8 match = get(i);

                gfx(5, 0); gfx(1, 0); gfx(3, 0); gfx(8, 0xff);
                put((u16)(8000 + i), match);
                gfx(5, 8);
        }
        gfx(5, 0); gfx(0, 0);
}

static void draw_palette(void)
{
        outb(0x3c8, 16);
        for (u16 i = 16; i < 256; i++) {
                outb(0x3c9, (u8)i);
                outb(0x3c9, (u8)(i * 3 >> 1));
                outb(0x3c9, (u8)(63 - (i >> 2)));
        }
}

/* 320 by 240 with four planes: mode 13h without chain-4, 480 lines. */
static void set_mode_x(void)
{
        bios(0x13, 0, 0, 0);
        seq(4, 0x06);
        outb(0x3c2, 0xe3);
        crtc(0x11, 0x2c);
        crtc(0x06, 0x0d); crtc(0x07, 0x3e); crtc(0x09, 0x41); crtc(0x10, 0xea); crtc(0x11, 0xac);
        crtc(0x12, 0xdf); crtc(0x14, 0x00); crtc(0x15, 0xe7); crtc(0x16, 0x06); crtc(0x17, 0xe3);
}

/* The upper part scrolled by some rows and dots, the lower part from address 0. */
static void set_split(void)
{
        crtc(0x0c, 0x12);
        crtc(0x0d, 0x34);
        crtc(0x11, 0x0c);
        crtc(0x18, 200);
        crtc(0x07, 0x2e);
        crtc(0x09, 0x00);
}

/* Consecutive bytes through the 64 KiB window, bank by bank. */
static void draw_banks(u16 banks)
{
        window(0xa000);
        for (u16 bank = 0; bank < banks; bank++) {
                bios(0x4f05, 0, 0, bank);
                for (u32 i = 0; i < 0x10000; i += 2)
                        put2((u16)i, (u16)(i * 3 + bank * 0x1111 + (i >> 7)));
        }
}

static int is(const char *name)
{
        const char *line = (const char *)0x7c00;

        /* The picture is the last word: QEMU puts the program's name first. */
        for (const char *at = line; *at; at++)
                if (*at == ' ')
                        line = at + 1;
        while (*name && *name == *line) {
                name++;
                line++;
        }
        return !*name && !*line;
}

int main(void)
{
        if (is("text")) {
                bios(0x03, 0, 0, 0);
                attr(0x10, 0x04);               /* bright backgrounds instead of blinking */
                draw_text(25, 80);
        } else if (is("text50")) {
                bios(0x03, 0, 0, 0);
                bios(0x1112, 0, 0, 0);
                draw_text(50, 80);
        } else if (is("text40")) {
                bios(0x01, 0, 0, 0);
                draw_text(25, 40);
        } else if (is("cga4") || is("cga6")) {
                bios(is("cga4") ? 4 : 6, 0, 0, 0);
                window(0xb800);
                for (u16 i = 0; i < 0x4000; i++)
                        put(i, (u8)(i * 5 + (i >> 6)));
        } else if (is("ega0d") || is("ega0e") || is("ega10")) {
                bios(is("ega0d") ? 0x0d : is("ega0e") ? 0x0e : 0x10, 0, 0, 0);
                draw_planes(is("ega0d") ? 8000 : is("ega0e") ? 16000 : 28000, 0);
        } else if (is("vga11") || is("vga12")) {
                bios(is("vga11") ? 0x11 : 0x12, 0, 0, 0);
                draw_planes(38400, 3);
        } else if (is("write")) {
                bios(0x12, 0, 0, 0);
                draw_planes(20000, 1);
                draw_write_modes();
        } else if (is("split")) {
                bios(0x12, 0, 0, 0);
                draw_planes(0xffff, 1);
                set_split();
        } else if (is("vga13")) {
                bios(0x13, 0, 0, 0);
                draw_palette();
                window(0xa000);
                for (u16 i = 0; i < 64000; i++)
                        put(i, (u8)(i + i / 320));
        } else if (is("modex")) {
                set_mode_x();
                draw_planes(19200, 0);
        } else if (is("vbe101") || is("vbe103")) {
                bios(0x4f02, is("vbe101") ? 0x101 : 0x103, 0, 0);
                draw_palette();
                draw_banks(is("vbe101") ? 5 : 8);
        } else if (is("vbe102")) {
                bios(0x4f02, 0x102, 0, 0);
                draw_planes(60000, 5);
        } else if (is("vbe110") || is("vbe111") || is("vbe112")) {
                bios(0x4f02, is("vbe110") ? 0x110 : is("vbe111") ? 0x111 : 0x112, 0, 0);
                draw_banks(is("vbe112") ? 20 : 10);
        }
        for (const char *text = "drawn\n"; *text; text++)
                outb(0xe9, (u8)*text);
        return 0;
}
