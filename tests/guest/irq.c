/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.c - the 8259s and the 8254 as a source of interrupts; HLT wakes; the shadow of STI and of loads
 * of SS (T9); interrupts into ring 3 and virtual-8086 code; IF when an interrupt or trap gate is taken.
 */
#include "guest.h"

static volatile u32 ticks;
static u32 stop_after;

/* Never interrupted between the load of SS and the instruction behind it. */
CODE(ss_loop, "1: mov ss, ecx\n inc eax\n mov ss, ecx\n mov esp, ebx\n jmp 1b");
static u32 bad;

/* Counts; ends the run at the tick asked for. */
static bool tick(struct context *frame)
{
        ticks++;
        if (frame->eip == (u32)ss_loop + 2)
                bad++;
        pic_eoi(0);
        return !stop_after || ticks < stop_after;
}

CODE(sti_shadow, "sti\n inc eax\n inc eax\n cli");
CODE(sti_cli, "sti\n cli\n inc eax\n nop");
CODE(sti_sti, "sti\n sti\n inc eax");
CODE(sti_hlt, "sti\n hlt\n inc eax");
CODE(popf_now, "push 0x202\n popfd\n inc eax\n cli");
CODE(iret_now, "push 0x202\n push cs\n push offset 1f\n iretd\n 1: inc eax\n cli");
CODE(spin, "1: inc eax\n jmp 1b");
CODE(hlt_loop, "1: hlt\n inc eax\n jmp 1b");
CODE16(v_spin, "1: inc eax\n jmp 1b");
CODE(pushf_only, "pushfd\n pop eax");

/* An interrupt is pending at the PIC, IF is 0: where is it taken once the snippet runs? */
static void pending(const char *name, const void *code)
{
        pic_mask_all();
        pit_start(2, 1193);
        ticks = 0;
        stop_after = 1;
        pic_unmask(0);
        /* IRR bit 0 set: the interrupt is requested. */
        do
                outb(0x20, 0x0a);
        while (!(inb(0x20) & 1));
        context_init(code);
        run();
        pic_mask_all();
        report(name);
        print("  ticks=%u eax=%x IF=%u\n", ticks, ctx.eax, ctx.eflags >> 9 & 1);
        stop_after = 0;
}

void guest_main(void)
{
        u8 mask;

        print("guest: irq\n");
        hooks[0x20] = tick;
        mask = inb(0x21);
        print("masks %x %x\n", mask, inb(0xa1));

        pending("sti", sti_shadow);
        pending("sti cli", sti_cli);
        pending("sti sti", sti_sti);
        pending("sti hlt", sti_hlt);
        pending("popf", popf_now);
        pending("iret", iret_now);

        /* HLT wakes and goes on behind it. */
        pit_start(2, 1193);
        ticks = 0;
        stop_after = 0;
        pic_unmask(0);
        while (ticks < 10)
                asm volatile("sti; hlt; cli" ::: "memory");
        pic_mask_all();
        /* A host that was late makes up for ticks, one right behind the other. */
        print("hlt woken: %s\n", ticks >= 10 ? "10 or more" : "too few");

        /* From ring 3. */
        ticks = 0;
        stop_after = 5;
        pic_unmask(0);
        context_init_user(spin);
        ctx.eflags |= FL_IF;
        run();
        pic_mask_all();
        print("ring 3: vector=%x cs=%x ticks=%u in loop=%u counted=%u\n", ctx.vector, ctx.cs, ticks,
              ctx.eip - (u32)spin < 3, ctx.eax != 0);
        /* Ring 3 cannot hold interrupts off whatever it does with POPF. */
        ticks = 0;
        pic_unmask(0);
        context_init_v86(v_spin, 0);
        ctx.eflags |= FL_IF;
        run();
        pic_mask_all();
        print("v86: vector=%x VM=%u ticks=%u counted=%u\n", ctx.vector, ctx.eflags >> 17 & 1, ticks, ctx.eax != 0);
        ticks = 0;
        pic_unmask(0);
        context_init(hlt_loop);
        ctx.eflags |= FL_IF;
        run();
        pic_mask_all();
        print("ring 0 hlt loop: ticks=%u woken=%s %s\n", ticks, ctx.eax <= 4 ? "at most 4" : "too often",
              ctx.eip - (u32)hlt_loop <= 1 ? "at or behind hlt" : "elsewhere");

        ticks = bad = 0;
        stop_after = 100;
        pic_unmask(0);
        context_init(ss_loop);
        ctx.eflags |= FL_IF;
        ctx.ecx = SEL_DATA;
        ctx.ebx = ctx.esp;
        run();
        pic_mask_all();
        print("loads of ss: ticks=%u bad=%u\n", ticks, bad);

        /* One shot: exactly one interrupt. */
        ticks = 0;
        stop_after = 0;
        pit_start(0, 2000);
        pic_unmask(0);
        sti();
        u64 start = rdtsc();
        while (ticks < 1)
                continue;
        for (u32 i = 0; i < 2000000; i++)
                asm volatile("");
        cli();
        print("one shot: %u\n", ticks);
        check("time passed", rdtsc() > start);

        /* Masked at the PIC: none. */
        pic_mask_all();
        pit_start(2, 1193);
        ticks = 0;
        sti();
        for (u32 i = 0; i < 2000000; i++)
                asm volatile("");
        cli();
        print("masked: %u\n", ticks);

        /* A trap gate leaves IF, an interrupt gate clears it: seen with INT n into code. */
        idt_set(0x30, gate(SEL_CODE, (u32)pushf_only, ACC_INT32, 0));
        idt_set(0x31, gate(SEL_CODE, (u32)pushf_only, ACC_TRAP32, 0));
        context_init(popf_now);
        ctx.eflags |= FL_IF | FL_AC | FL_DF;
        static u8 int30[] = { 0xcd, 0x30 }, int31[] = { 0xcd, 0x31 };
        ctx.eip = (u32)int30;
        run();
        print("interrupt gate: %x\n", ctx.eax & ~FL_ARITH);
        context_init(int31);
        ctx.eflags |= FL_IF | FL_AC | FL_DF;
        run();
        print("trap gate: %x\n", ctx.eax & ~FL_ARITH);
}
