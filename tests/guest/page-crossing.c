/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page-crossing.c - T11: accesses over a page end where the second (or first) page faults: nothing is
 * written, registers are exact, CR2 is the first faulting byte (SDM 3A 6.15 #PF, 4.7).
 *
 * QEMU 7.2 stores parts of an 80- or 128-bit operand, loads some registers of a faulting POPAD, reports
 * RETF's and IRET's reads as a supervisor's, and leaves out ENTER's last check.
 */
#include "guest.h"

#define EDGE (ARENA + 0x1000)

CODE(write32, "mov [ebx], eax");
CODE(write16, "mov [ebx], ax");
CODE(rmw, "add [ebx], eax");
CODE(locked, "lock add [ebx], eax");
CODE(xchg, "xchg [ebx], eax");
CODE(read32, "mov eax, [ebx]");
CODE(pusha, "pushad");
CODE(popa, "popad");
CODE(push_, "push eax");
CODE(pop_memory, "pop dword ptr [ebx]");
CODE(push_memory, "push dword ptr [ebx]");
CODE(call_, "call ebx");
CODE(call_memory, "call [ebx]");
CODE(enter_, "enter 16, 2");
CODE(enter_touch, "enter 0x1000, 0");
CODE(leave_, "leave");
CODE(cmpxchg8b, "cmpxchg8b [ebx]");
CODE(cmpxchg_, "cmpxchg [ebx], ecx");
CODE(fst64, "fld1\n fstp qword ptr [ebx]");
CODE(fst80, "fld1\n fstp tbyte ptr [ebx]");
CODE(fnsave_, "fnsave [ebx]");
CODE(sgdt_, "sgdt [ebx]");
CODE(bound_, "bound eax, [ebx]");
CODE(xlat_, "xlatb");
CODE(movs_, "rep movsd");
CODE(movsb_, "rep movsb");
CODE(stos_, "rep stosd");
CODE(lods_, "rep lodsd");
CODE(scas_, "repne scasb");
CODE(cmps_, "repe cmpsb");
CODE(movs1, "movsd");
CODE(lds_, "lfs eax, [ebx]");
CODE(movups_, "movups [ebx], xmm0");
CODE(bts_far, "bts [ebx], eax");
CODE(shld_, "shld [ebx], eax, 4");
CODE(retf_, "retf");
CODE(iret_, "iretd");

/* Instructions that store several operands may have stored some of them: not counted. */
static bool counted, rmw_form;

static void prepare(const void *code)
{
        counted = code != fnsave_ && code != sgdt_ && code != pusha;
        rmw_form = code == rmw || code == locked || code == xchg || code == cmpxchg8b || code == cmpxchg_ ||
                   code == shld_ || code == bts_far;
        memset(mem8(EDGE - 64), 0x5a, 64);
        page_map(EDGE, EDGE, PTE_ALL);
        memset(mem8(EDGE), 0x5a, 64);
        page_map(EDGE, EDGE, 0);
        context_init_user(code);
        ctx.eax = 0x01020304;
        ctx.ecx = 8;
        ctx.edx = 0x11;
        ctx.ebp = 0x22;
}

/* How many of the bytes around the edge are no longer 5Ah. */
static void finish(const char *name)
{
        unsigned before = 0, after = 0;

        /* A read-modify-write of a page that is not there: W is the processor's choice. */
        if (rmw_form && !(ctx.error & 1))
                ctx.error &= ~2u;
        report(name);
        page_map(EDGE, EDGE, PTE_ALL);
        for (unsigned i = 0; i < 64; i++) {
                before += *mem8(EDGE - 64 + i) != 0x5a;
                after += *mem8(EDGE + i) != 0x5a;
        }
        if (counted)
                print("  changed %u %u,", before, after);
        print("  eax=%x ecx=%x esi=%x edi=%x\n", ctx.eax, ctx.ecx,
              ctx.esi ? ctx.esi - EDGE : 0, ctx.edi ? ctx.edi - EDGE : 0);
}

static void at(const char *name, const void *code, int offset)
{
        prepare(code);
        ctx.ebx = EDGE + (u32)offset;
        run();
        finish(name);
}

static void stack(const char *name, const void *code, int offset)
{
        prepare(code);
        ctx.esp = EDGE + (u32)offset;
        run();
        if (code == pusha)      /* the order of the eight stores is not specified */
                ctx.cr2 &= ~0xfffu;
        print("esp%c ebp=%x ", ctx.esp == EDGE + (u32)offset ? '=' : '!', ctx.ebp);
        finish(name);
}

static void string(const char *name, const void *code, int source, int destination, bool down)
{
        prepare(code);
        ctx.esi = EDGE + (u32)source;
        ctx.edi = EDGE + (u32)destination;
        ctx.eax = 0x11;
        if (down)
                ctx.eflags |= FL_DF;
        run();
        finish(name);
}

void guest_main(void)
{
        print("guest: page-crossing\n");
        paging_on();
        write_cr4(read_cr4() | 0x600);
        at("write32", write32, -2);
        at("write16", write16, -1);
        at("write32 second page only", write32, 0);
        at("rmw", rmw, -1);
        at("locked", locked, -3);
        at("xchg", xchg, -2);
        at("read32", read32, -3);
        at("cmpxchg8b", cmpxchg8b, -4);
        at("cmpxchg", cmpxchg_, -2);
        at("fst64", fst64, -5);
        at("fst80", fst80, -8);
        at("fnsave", fnsave_, -50);
        at("sgdt", sgdt_, -2);
        prepare(bound_);
        ctx.ebx = EDGE - 4;
        ctx.eax = 0x7fffffff;           /* above any lower bound, or the upper one is not read */
        run();
        finish("bound");
        prepare(xlat_);
        ctx.ebx = EDGE - 4;
        run();
        finish("xlat");
        at("lfs", lds_, -4);
        at("movups", movups_, -8);
        at("shld", shld_, -1);
        prepare(bts_far);
        ctx.ebx = EDGE - 32;
        ctx.eax = 32 * 8;
        run();
        finish("bts past the edge");
        prepare(bts_far);
        ctx.ebx = EDGE;
        ctx.eax = (u32)-8;
        run();
        finish("bts before the edge");
        at("pop memory", pop_memory, -2);
        check("  esp kept", ctx.esp == USER_STACK_TOP);
        at("push memory", push_memory, -2);
        check("  esp kept", ctx.esp == USER_STACK_TOP);
        at("call memory", call_memory, -2);

        stack("push", push_, 2);
        stack("pushad", pusha, 16);
        stack("popad", popa, -16);
        stack("call", call_, 2);
        stack("retf", retf_, -4);
        stack("iret", iret_, -8);
        prepare(leave_);
        ctx.ebp = EDGE - 2;
        run();
        print("esp%c ebp=%x ", ctx.esp == USER_STACK_TOP ? '=' : '!', ctx.ebp - EDGE);
        finish("leave");

        /* Stacks that fall off the low end of a page. */
        page_map(ARENA - 0x1000, 0, 0);
        prepare(pusha);
        ctx.esp = ARENA + 12;
        run();
        ctx.cr2 &= ~0xfffu;
        report("pushad over the low end");
        check("  esp kept", ctx.esp == ARENA + 12);
        prepare(enter_);
        ctx.esp = ARENA + 4;
        ctx.ebp = ARENA + 0x100;
        run();
        ctx.cr2 &= ~0xfffu;
        report("enter over the low end");
        check("  esp, ebp kept", ctx.esp == ARENA + 4 && ctx.ebp == ARENA + 0x100);
        prepare(enter_touch);
        ctx.esp = ARENA + 0x100;
        run();
        ctx.cr2 &= ~0xfffu;
        report("enter's last check is a write at the new esp");
        check("  esp, ebp kept", ctx.esp == ARENA + 0x100 && ctx.ebp == 0x22);
        page_map(ARENA - 0x1000, ARENA - 0x1000, PTE_ALL);

        string("movsd to the edge", movs_, -64, -12, false);
        string("movsd across by 2", movs_, -64, -14, false);
        string("movsd from the edge", movs_, -8, -64, false);
        string("movsb overlapping", movsb_, -9, -8, false);
        string("movsd down, source absent", movs_, 4, -8, true);
        string("movsd down", movs_, -4, -40, true);
        string("stosd", stos_, 0, -10, false);
        string("stosd down, absent", stos_, 0, 8, true);
        string("lodsd", lods_, -7, 0, false);
        string("scasb", scas_, 0, -3, false);
        string("cmpsb", cmps_, -3, -40, false);
        string("single movsd", movs1, -20, -1, false);

        /* First page absent, second present. */
        prepare(write32);
        page_map(EDGE, EDGE, PTE_ALL);
        page_map(EDGE - 0x1000, 0, 0);
        ctx.ebx = EDGE - 2;
        run();
        report("first page absent");
        page_map(EDGE - 0x1000, EDGE - 0x1000, PTE_ALL);
        /* Second page read-only. */
        prepare(rmw);
        page_map(EDGE, EDGE, PTE_P | PTE_U);
        ctx.ebx = EDGE - 2;
        run();
        finish("second page read-only");
        /* Both pages mapped apart. */
        prepare(write32);
        page_map(EDGE, ARENA + 0x5000, PTE_ALL);
        ctx.ebx = EDGE - 2;
        run();
        report("pages mapped apart");
        print("%x %x\n", *mem16(EDGE - 2), *mem16(ARENA + 0x5000));
}
