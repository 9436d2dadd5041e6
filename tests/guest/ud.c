/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ud.c - T1, T2: encodings that must raise #UD (SDM 2, opcode map A.2 to A.4), the instruction length
 * limit, and encodings that look odd but are valid.
 */
#include "guest.h"

struct encoding {
        const char *name;
        u8 length;
        u8 bytes[16];
};

static u8 buffer[64] __attribute__((aligned(64)));
static u32 scratch[16];

static const struct encoding invalid[] = {
        { "0f 0b", 2, { 0x0f, 0x0b } },
        { "0f b9", 3, { 0x0f, 0xb9, 0xc0 } },
        { "0f 04", 2, { 0x0f, 0x04 } },
        { "0f 0a", 2, { 0x0f, 0x0a } },
        { "0f 0c", 2, { 0x0f, 0x0c } },
        { "0f 24 mov tr", 3, { 0x0f, 0x24, 0xc0 } },
        { "0f 26 mov tr", 3, { 0x0f, 0x26, 0xc0 } },
        { "0f 36", 2, { 0x0f, 0x36 } },
        { "0f 39", 2, { 0x0f, 0x39 } },
        { "0f 3f", 2, { 0x0f, 0x3f } },
        { "rsm outside SMM", 2, { 0x0f, 0xaa } },
        { "syscall, SCE clear", 2, { 0x0f, 0x05 } },
        { "sysret, SCE clear", 2, { 0x0f, 0x07 } },
        { "lea from a register", 2, { 0x8d, 0xc0 } },
        { "mov sreg 6", 2, { 0x8c, 0xf0 } },
        { "mov sreg 7", 2, { 0x8c, 0xf8 } },
        { "mov to cs", 2, { 0x8e, 0xc8 } },
        { "mov to sreg 6", 2, { 0x8e, 0xf0 } },
        { "fe /2", 2, { 0xfe, 0xd0 } },
        { "fe /7", 2, { 0xfe, 0xf8 } },
        { "ff /7", 2, { 0xff, 0xf8 } },
        { "far call from a register", 2, { 0xff, 0xd8 } },
        { "far jmp from a register", 2, { 0xff, 0xe8 } },
        { "c6 /1", 3, { 0xc6, 0xc8, 0 } },
        { "c7 /2", 6, { 0xc7, 0xd0, 0, 0, 0, 0 } },
        { "8f /1", 2, { 0x8f, 0xc8 } },
        { "0f 00 /6", 3, { 0x0f, 0x00, 0xf0 } },
        { "0f 00 /7", 3, { 0x0f, 0x00, 0xf8 } },
        { "sgdt to a register", 3, { 0x0f, 0x01, 0xc0 } },
        { "lgdt from a register", 3, { 0x0f, 0x01, 0xd7 } },
        { "swapgs outside 64-bit mode", 3, { 0x0f, 0x01, 0xf8 } },
        { "0f ba /0", 4, { 0x0f, 0xba, 0xc0, 1 } },
        { "0f ba /3", 4, { 0x0f, 0xba, 0xd8, 1 } },
        { "cmpxchg8b of a register", 3, { 0x0f, 0xc7, 0xc8 } },
        { "0f c7 /0", 3, { 0x0f, 0xc7, 0x00 } },
        { "mov from cr1", 3, { 0x0f, 0x20, 0xc8 } },
        { "mov to cr5", 3, { 0x0f, 0x22, 0xe8 } },
        { "d9 d1", 2, { 0xd9, 0xd1 } },
        { "da f0", 2, { 0xda, 0xf0 } },
        { "df f8", 2, { 0xdf, 0xf8 } },
        { "movntps reg", 3, { 0x0f, 0x2b, 0xc0 } },
        { "movhps f3", 4, { 0xf3, 0x0f, 0x17, 0x03 } },
};

static const struct encoding valid[] = {
        { "15 bytes", 15, { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90 } },
        { "shl /6", 2, { 0xd1, 0xf0 } },
        { "group 82h", 3, { 0x82, 0xc0, 1 } },
        { "salc", 1, { 0xd6 } },
        { "nop 0f 1f", 3, { 0x0f, 0x1f, 0x03 } },
        { "nop 0f 0d", 3, { 0x0f, 0x0d, 0x0b } },
        { "nop 0f 18 /7", 3, { 0x0f, 0x18, 0x3b } },
        { "nop 0f 19", 3, { 0x0f, 0x19, 0x03 } },
        { "pause", 2, { 0xf3, 0x90 } },
        { "mov sreg with 66", 3, { 0x66, 0x8c, 0xd8 } },
        { "rep ret form of nop", 2, { 0xf2, 0x90 } },
        { "segment override twice", 4, { 0x26, 0x3e, 0x8b, 0x03 } },
        { "66 67 jecxz", 4, { 0x67, 0x66, 0x90, 0x90 } },
        { "bsf with f2", 4, { 0xf2, 0x0f, 0xbc, 0xc0 } },
};

static void try_bytes(const struct encoding *e)
{
        memcpy(buffer, e->bytes, e->length);
        buffer[e->length] = 0xcd;
        buffer[e->length + 1] = VECTOR_DONE;
        context_init(buffer);
        ctx.ebx = (u32)scratch;
        ctx.esi = (u32)scratch;
        ctx.edi = (u32)scratch;
        run();
        report(e->name);
}

void guest_main(void)
{
        print("guest: ud\n");
        write_cr4(read_cr4() | 0x600);  /* SSE is enabled: its #UDs have no other cause */
        for (unsigned i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
                try_bytes(&invalid[i]);
        for (unsigned i = 0; i < sizeof valid / sizeof valid[0]; i++)
                try_bytes(&valid[i]);

        static const struct encoding too_long = { "16 bytes", 16, { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90 } };
        try_bytes(&too_long);
}
