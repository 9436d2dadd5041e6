/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ud-lock.c - T1: LOCK raises #UD with instructions that are not lockable, and with register or source
 * memory operands (SDM 2, LOCK).  QEMU 7.2 accepts most of these and aborts on some: not run there.
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
        { "lock add reg", 3, { 0xf0, 0x01, 0xc0 } },
        { "lock mov", 3, { 0xf0, 0x89, 0x03 } },
        { "lock add from memory", 3, { 0xf0, 0x03, 0x03 } },
        { "lock cmp", 3, { 0xf0, 0x39, 0x03 } },
        { "lock cmp imm", 4, { 0xf0, 0x83, 0x3b, 0 } },
        { "lock nop", 2, { 0xf0, 0x90 } },
        { "lock test", 3, { 0xf0, 0x85, 0x03 } },
        { "lock push", 3, { 0xf0, 0xff, 0x33 } },
        { "lock shl", 3, { 0xf0, 0xd1, 0x23 } },
        { "lock bt", 4, { 0xf0, 0x0f, 0xa3, 0x03 } },
        { "lock bt imm", 5, { 0xf0, 0x0f, 0xba, 0x23, 1 } },
        { "lock bts reg", 4, { 0xf0, 0x0f, 0xab, 0xc3 } },
        { "lock movs", 2, { 0xf0, 0xa5 } },
        { "lock cpuid", 3, { 0xf0, 0x0f, 0xa2 } },
        { "lock jmp", 3, { 0xf0, 0xeb, 0x00 } },
        { "lock mul", 3, { 0xf0, 0xf7, 0x23 } },
};

static const struct encoding valid[] = {
        { "lock add", 3, { 0xf0, 0x01, 0x03 } },
        { "lock not", 3, { 0xf0, 0xf7, 0x13 } },
        { "lock xchg", 3, { 0xf0, 0x87, 0x03 } },
        { "lock bts imm", 5, { 0xf0, 0x0f, 0xba, 0x2b, 1 } },
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
        print("guest: ud-lock\n");
        write_cr4(read_cr4() | 0x600);  /* SSE is enabled: its #UDs have no other cause */
        for (unsigned i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
                try_bytes(&invalid[i]);
        for (unsigned i = 0; i < sizeof valid / sizeof valid[0]; i++)
                try_bytes(&valid[i]);
}
