/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dos.c - what a program of the DOS days asks of a PC, through the BIOS in real mode: disks and a floppy by INT 13h,
 * the keyboard by INT 16h, the time by INT 1Ah, the speaker's gate, and every VGA mode by INT 10h.
 *
 * Behind the boot sector of dos.S.  What it finds goes to COM1 a line each; dos.expect is what it should.  "type now"
 * asks whoever runs it to type; after "shown NN" a picture stays until a key comes.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

struct regs {
        u16 ax, bx, cx, dx, si, di, bp, es, flags;
};

extern void bios_call(u32 number, struct regs *regs);
extern u8 boot_drive;

enum { CARRY = 1 };
enum { COM1 = 0x3f8, LINE_STATUS = 5, CAN_SEND = 0x20 };
/* A buffer of 16 KiB away from everything, and another one. */
enum { WRITTEN = 0x2000, READ = 0x3000 };
enum { SECTOR_BYTES = 512 };

static inline void outb(u16 port, u8 v) { asm volatile("outb %0, %1" :: "a"(v), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void window(u16 segment) { asm volatile("movw %0, %%fs" :: "r"(segment)); }
static inline void put(u16 at, u8 v) { asm volatile("addr32 movb %0, %%fs:(%1)" :: "q"(v), "r"((u32)at) : "memory"); }
static inline u8 get(u16 at) { u8 v; asm volatile("addr32 movb %%fs:(%1), %0" : "=q"(v) : "r"((u32)at) : "memory"); return v; }

static u8 peek(u16 segment, u16 at)
{
        window(segment);
        return get(at);
}

/* -- Output ----------------------------------------------------------------------------------------- */

static void say(const char *text)
{
        for (; *text; text++) {
                while (!(inb(COM1 + LINE_STATUS) & CAN_SEND))
                        ;
                outb(COM1, (u8)*text);
        }
}

static void say_hex(u32 value, int digits)
{
        char text[2] = { 0, 0 };

        while (digits--) {
                text[0] = "0123456789abcdef"[value >> 4 * digits & 15];
                say(text);
        }
}

static void say_result(const char *what, int good)
{
        say(what);
        say(good ? " ok\n" : " BAD\n");
}

/* -- INT 13h ----------------------------------------------------------------------------------------- */

static struct regs disk(u8 function, u8 count, u16 cylinder, u8 head, u8 sector, u8 drive, u16 segment)
{
        struct regs regs = { .ax = (u16)(function << 8 | count), .cx = (u16)(cylinder << 8 | (cylinder >> 8) << 6 | sector),
                             .dx = (u16)(head << 8 | drive), .es = segment };

        bios_call(0x13, &regs);
        return regs;
}

static void fill(u16 segment, u16 bytes, u8 seed)
{
        window(segment);
        for (u16 i = 0; i < bytes; i++)
                put(i, (u8)(i * 7 + (i >> 8) + seed));
}

static int same(u16 bytes)
{
        for (u16 i = 0; i < bytes; i++)
                if (peek(WRITTEN, i) != peek(READ, i))
                        return 0;
        return 1;
}

static struct packet {
        u8 size, zero;
        u16 count, offset, segment;
        u32 low, high;
} packet;

static struct regs disk_lba(u8 function, u8 drive, u16 count, u16 segment, u32 block)
{
        struct regs regs = { .ax = (u16)(function << 8), .dx = drive, .si = (u16)(u32)&packet };

        packet = (struct packet){ sizeof(packet), 0, count, 0, segment, block, 0 };
        bios_call(0x13, &regs);
        return regs;
}

static void say_shape(u8 drive)
{
        struct regs regs = disk(8, 0, 0, 0, 0, drive, 0);

        say("drive ");
        say_hex(drive, 2);
        say(": last cylinder, sector ");
        say_hex(regs.cx, 4);
        say(", last head ");
        say_hex(regs.dx >> 8, 2);
        regs = disk(0x15, 0, 0, 0, 0, drive, 0);
        say(", kind ");
        say_hex(regs.ax >> 8, 2);
        say("\n");
}

/* Six sectors that go over a head's end, at a place the image has for it. */
static void test_disk(u8 drive, u16 cylinder, u8 last_sector)
{
        struct regs regs;

        say_shape(drive);
        fill(WRITTEN, 6 * SECTOR_BYTES, drive + 3);
        say_result("reset", !(disk(0, 0, 0, 0, 0, drive, 0).flags & CARRY));
        say_result("write", !(disk(3, 3, cylinder, 0, last_sector - 2, drive, WRITTEN).flags & CARRY) &&
                            !(disk(3, 3, cylinder, 1, 1, drive, WRITTEN + 3 * SECTOR_BYTES / 16).flags & CARRY));
        say_result("verify", !(disk(4, 3, cylinder, 0, last_sector - 2, drive, 0).flags & CARRY));
        fill(READ, 6 * SECTOR_BYTES, 0);
        for (u8 i = 0; i < 6; i++) {
                regs = disk(2, 1, cylinder, i / 3, i < 3 ? last_sector - 2 + i : i - 2, drive, READ + i * SECTOR_BYTES / 16);
                if (regs.flags & CARRY)
                        break;
        }
        say_result("read", !(regs.flags & CARRY) && same(6 * SECTOR_BYTES));
        regs = disk(2, 1, cylinder, 0, last_sector + 1, drive, READ);
        say("read past the track: ");
        say_hex(regs.flags & CARRY, 1);
        say("\n");
}

static void test_lba(u8 drive)
{
        struct regs regs = { .ax = 0x4100, .bx = 0x55aa, .dx = drive };

        bios_call(0x13, &regs);
        say_result("extensions", !(regs.flags & CARRY) && regs.bx == 0xaa55);
        fill(WRITTEN, 4 * SECTOR_BYTES, 99);
        say_result("write by LBA", !(disk_lba(0x43, drive, 4, WRITTEN, 30000).flags & CARRY));
        fill(READ, 4 * SECTOR_BYTES, 0);
        say_result("read by LBA", !(disk_lba(0x42, drive, 4, READ, 30000).flags & CARRY) && same(4 * SECTOR_BYTES));
        say_result("no read past the end", disk_lba(0x42, drive, 1, READ, 40960).flags & CARRY);
}

/* -- INT 16h, INT 1Ah, the speaker ------------------------------------------------------------------- */

static u16 key(void)
{
        struct regs regs = { 0 };

        bios_call(0x16, &regs);
        return regs.ax;
}

static void test_keyboard(void)
{
        struct regs regs;

        say("type now\n");
        for (u8 i = 0; i < 8; i++) {
                /* Looking first must not take it. */
                do {
                        regs = (struct regs){ .ax = 0x0100 };
                        bios_call(0x16, &regs);
                } while (regs.flags & 0x40);
                say("key ");
                say_hex(regs.ax, 4);
                say(key() == regs.ax ? "\n" : " and then another\n");
        }
        regs = (struct regs){ .ax = 0x0200 };
        bios_call(0x16, &regs);
        say("shift state ");
        say_hex(regs.ax & 0x0f, 2);
        say("\n");
}

static u16 ticks(void)
{
        struct regs regs = { 0 };

        bios_call(0x1a, &regs);
        return regs.dx;
}

static void wait_ticks(u16 n)
{
        u16 start = ticks();

        while ((u16)(ticks() - start) < n)
                ;
}

static u16 counter2(void)
{
        u16 low;

        outb(0x43, 0x80);
        low = inb(0x42);
        return (u16)(low | inb(0x42) << 8);
}

/* Gate 2 holds the counter and OUT2; the speaker's own bit does neither. */
static void test_speaker(void)
{
        u8 seen = 0, before = inb(0x61) & 0xfc;
        u16 held;

        outb(0x61, before);
        outb(0x43, 0xb6);
        outb(0x42, 1193 & 0xff);
        outb(0x42, 1193 >> 8);
        held = counter2();
        for (u16 i = 0; i < 1000; i++)
                seen |= inb(0x61) & 0x20 ? 1 : 2;
        wait_ticks(1);
        say_result("speaker: held by its gate", seen == 1 && counter2() == held);
        outb(0x61, before | 3);
        seen = 0;
        for (u32 i = 0; i < 10000000 && seen != 3; i++)
                seen |= inb(0x61) & 0x20 ? 1 : 2;
        say_result("speaker: swings", seen == 3);
        outb(0x61, before | 2);
        held = counter2();
        wait_ticks(1);
        say_result("speaker: held again", counter2() == held && (inb(0x61) & 0x20));
        outb(0x61, before);
}

/* -- INT 10h ----------------------------------------------------------------------------------------- */

static struct regs video(u16 ax, u16 bx, u16 cx, u16 dx)
{
        struct regs regs = { .ax = ax, .bx = bx, .cx = cx, .dx = dx };

        bios_call(0x10, &regs);
        return regs;
}

static void type_text(const char *text, u8 colour)
{
        for (; *text; text++)
                video((u16)(0x0e00 | (u8)*text), colour, 0, 0);
}

static int draw_text(u8 columns)
{
        int good = 1;

        video(0x0100, 0, 0x2000, 0);                            /* no cursor */
        for (u8 i = 0; i < 120; i++) {
                u16 at = (u16)((3 + i / 16) << 8 | i % 16 * 2);

                video(0x0200, 0, 0, at);
                video((u16)(0x0900 | (i + 0x21)), (u16)(i & 0x7f), 1, 0);
                if (video(0x0800, 0, 0, 0).ax != (u16)((i & 0x7f) << 8 | (i + 0x21)))
                        good = 0;
        }
        video(0x0601, 0x1700, 0x0e02, (u16)(0x1200 | (columns - 3)));   /* a window, scrolled */
        video(0x0200, 0, 0, 0x0f04);
        video(0x092a, 0x1e, 10, 0);
        video(0x0200, 0, 0, 0);
        return good;
}

static int draw_dots(u16 width, u16 height, u8 colours)
{
        int good = 1;

        for (u16 i = 0; i < 1200; i++) {
                u16 x = (u16)(i * 37u % width), y = (u16)(24 + i * 11u % (height - 24));
                u8 colour = (u8)(i % colours);

                video((u16)(0x0c00 | colour), 0, x, y);
                if ((video(0x0d00, 0, x, y).ax & 0xff) != colour)
                        good = 0;
        }
        video(0x0200, 0, 0, 0);
        return good;
}

static void test_mode(u8 mode, u16 width, u16 height, u16 colours)
{
        struct regs regs;
        int good;

        /* Twice: SeaBIOS programs the CRTC before it says at which ports that is, so that the step between monochrome
         * and colour comes out half done the first time. */
        video(mode, 0, 0, 0);
        video(mode, 0, 0, 0);
        regs = video(0x0f00, 0, 0, 0);
        say("mode ");
        say_hex(regs.ax & 0x7f, 2);
        say(": columns ");
        say_hex(regs.ax >> 8, 2);
        say(", last row ");
        say_hex(peek(0x40, 0x84), 2);
        say(", character rows ");
        say_hex(peek(0x40, 0x85), 2);
        good = colours ? draw_dots(width, height, (u8)(colours > 16 ? 251 : colours)) : draw_text((u8)(regs.ax >> 8));
        if (mode == 0x13)
                video(0x1010, 5, 0x2a15, 0x3f00);               /* a colour of the palette */
        type_text("Lodger ", 1);
        type_text("\r\nPC", 1);
        say_result(colours ? ", dots" : ", text", good);
        say("shown ");
        say_hex(mode, 2);
        say("\n");
        key();
}

static void test_screen(void)
{
        static const struct { u8 mode; u16 width, height, colours; } modes[] = {
                { 0x00, 0, 0, 0 }, { 0x01, 0, 0, 0 }, { 0x02, 0, 0, 0 }, { 0x03, 0, 0, 0 }, { 0x04, 320, 200, 4 },
                { 0x05, 320, 200, 4 }, { 0x06, 640, 200, 2 }, { 0x07, 0, 0, 0 }, { 0x0d, 320, 200, 16 },
                { 0x0e, 640, 200, 16 }, { 0x0f, 640, 350, 2 }, { 0x10, 640, 350, 16 }, { 0x11, 640, 480, 2 },
                { 0x12, 640, 480, 16 }, { 0x13, 320, 200, 256 },
        };

        for (u8 i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
                test_mode(modes[i].mode, modes[i].width, modes[i].height, modes[i].colours);
        video(3, 0, 0, 0);
}

/* The firmware's MP table (MultiProcessor Specification 1.4, chapter 4), by which systems without ACPI find the
 * timer's pin of the I/O APIC. */
static void test_mp_table(void)
{
        enum { POINTER = 4, HEADER = 44, COUNT = 34, PROCESSOR = 0, BUS = 1, INTERRUPT = 3 };
        u16 at = 0, segment, isa = 0xff;

        while (at != 0xfff0 && (peek(0xf000, at) != '_' || peek(0xf000, at + 1) != 'M' || peek(0xf000, at + 2) != 'P'))
                at += 16;
        segment = (u16)(peek(0xf000, at + POINTER + 2) << 12 | peek(0xf000, at + POINTER + 1) << 4 | peek(0xf000, at + POINTER) >> 4);
        at = (peek(0xf000, at + POINTER) & 15) + HEADER;
        for (u16 left = peek(segment, at - HEADER + COUNT); left; left--) {
                u8 kind = peek(segment, at);

                if (kind == BUS && peek(segment, at + 2) == 'I')
                        isa = peek(segment, at + 1);
                if (kind == INTERRUPT && !peek(segment, at + 1) && peek(segment, at + 4) == isa && !peek(segment, at + 5)) {
                        say("timer on pin ");
                        say_hex(peek(segment, at + 7), 2);
                        say("\n");
                }
                at += kind == PROCESSOR ? 20 : 8;
        }
}

void dos_main(void)
{
        say("from drive ");
        say_hex(boot_drive, 2);
        say("\n");
        test_disk(0x00, 40, 18);
        test_disk(0x80, 10, 63);
        test_lba(0x80);
        test_mp_table();
        test_keyboard();
        test_speaker();
        test_screen();
        say("end\n");
}
