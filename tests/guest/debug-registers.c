/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug-registers.c - T9: instruction breakpoints, data watchpoints of every length, port watchpoints, general
 * detect, RF, and all of them together with single-stepping (SDM 3B chapter 18).
 */
#include "guest.h"

enum { EXECUTE = 0, WRITE = 1, PORT = 2, ACCESS = 3, LEN1 = 0, LEN2 = 1, LEN4 = 3, DR6_CLEAR = (int)0xffff0ff0, CR4_DE = 8 };

CODE(counts, "nop\n inc eax\n inc eax\n inc eax\n inc eax\n jmp 1f\n nop\n 1: inc eax\n nop");
CODE(loops, "mov ecx, 3\n 1: inc eax\n loop 1b\n nop");
CODE(writes, "mov byte ptr [0x800100], 1\n nop\n mov dword ptr [0x8000fe], 2\n nop\n mov word ptr [0x800102], 3\n nop\n"
             "mov al, [0x800101]\n nop\n mov eax, [0x8000fc]\n nop\n inc dword ptr [0x800100]\n nop\n mov al, [0x800104]\n nop");
CODE(pushes, "mov esp, 0x800108\n push eax\n push eax\n nop\n pop edx\n call 1f\n int 0x40\n 1: ret");
CODE(strings, "mov edi, 0x8000f8\n mov ecx, 5\n cld\n rep stosd\n nop\n mov esi, 0x8000fc\n mov edi, 0x801000\n mov ecx, 3\n rep movsd\n nop");
CODE(locked, "mov eax, 1\n lock xadd [0x800100], eax\n nop\n bts dword ptr [0x800100], 5\n nop\n cmpxchg8b [0x800100]\n nop\n fld qword ptr [0x800100]\n fstp st(0)\n nop");
CODE(crosses, "mov dword ptr [0x800ffe], 7\n nop\n mov eax, [0x800ffe]\n nop");
CODE(faults, "mov dword ptr [0x800100], 7\n nop\n push dword ptr [0x800100]\n ud2");
CODE(ports, "mov dx, 0x80\n out dx, al\n nop\n out dx, eax\n nop\n out 0x84, al\n nop\n mov dx, 0x81\n in al, dx\n xor eax, eax\n nop");
CODE(detect, "nop\n mov eax, dr0\n nop\n mov eax, dr0\n nop");
CODE(mov_ss, "mov eax, ss\n mov [0x800100], eax\n mov ss, [0x800100]\n inc ebx\n nop");
CODE(mov_ss_icebp, "mov eax, ss\n mov [0x800100], eax\n mov ss, [0x800100]\n .byte 0xf1\n nop");
CODE(icebp, "nop\n .byte 0xf1\n nop");
CODE(popf_rf, "nop\n nop\n inc eax\n nop");
CODE(fault_at, "inc eax\n ud2\n nop");

static bool want_resume, stop_trap, in_ring3;

static void set_dr(unsigned i, u32 address, unsigned kind, unsigned len)
{
        u32 dr7;

        switch (i) {
        case 0: asm volatile("movl %0, %%dr0" :: "r"(address)); break;
        case 1: asm volatile("movl %0, %%dr1" :: "r"(address)); break;
        case 2: asm volatile("movl %0, %%dr2" :: "r"(address)); break;
        default: asm volatile("movl %0, %%dr3" :: "r"(address)); break;
        }
        asm volatile("movl %%dr7, %0" : "=r"(dr7));
        dr7 &= ~(0xfu << (16 + 4 * i));
        dr7 |= 2u << (2 * i) | kind << (16 + 4 * i) | len << (18 + 4 * i);
        asm volatile("movl %0, %%dr7" :: "r"(dr7));
}

static void clear(void)
{
        asm volatile("movl %0, %%dr7" :: "r"(0x400));
        asm volatile("movl %0, %%dr6" :: "r"(DR6_CLEAR));
}

static bool trap(struct context *frame)
{
        u32 dr6;

        asm volatile("movl %%dr6, %0" : "=r"(dr6));
        asm volatile("movl %0, %%dr6" :: "r"(DR6_CLEAR));
        print(" +%x:%x%s", frame->eip - ctx_start, dr6 & 0xe00f, frame->eflags & FL_RF ? ",RF" : "");
        if (want_resume)
                frame->eflags |= FL_RF;
        return !stop_trap;
}

static void go(const char *name, const void *code, u32 flags)
{
        print("%s:", name);
        if (in_ring3)
                context_init_user(code);
        else
                context_init(code);
        ctx.eflags |= flags;
        run();
        print("\n");
        clear();
        report(" end");
        print("  eax %x ecx %x edx %x\n", ctx.eax, ctx.ecx, ctx.edx);
}

static void watch(const char *name, const void *code, u32 address, unsigned kind, unsigned len, u32 flags)
{
        fill(mem8(0x800000), 0, 8192);
        set_dr(0, address, kind, len);
        go(name, code, flags);
}

static void all(void)
{
        want_resume = true;
        set_dr(0, (u32)counts + 1, EXECUTE, LEN1);
        set_dr(2, (u32)counts + 3, EXECUTE, LEN1);
        set_dr(3, (u32)counts + 3, EXECUTE, LEN1);
        go("execute", counts, 0);
        set_dr(1, (u32)counts, EXECUTE, LEN1);
        go("first", counts, 0);
        set_dr(1, (u32)counts, EXECUTE, LEN1);
        go("RF at start", counts, FL_RF);
        set_dr(1, (u32)loops + 5, EXECUTE, LEN1);
        go("loop", loops, 0);
        set_dr(1, (u32)counts + 2, EXECUTE, LEN1);
        go("with TF", counts, FL_TF);
        set_dr(1, (u32)fault_at + 1, EXECUTE, LEN1);
        go("at a fault", fault_at, 0);

        watch("write 1", writes, 0x800101, WRITE, LEN1, 0);
        watch("write 2", writes, 0x800102, WRITE, LEN2, 0);
        watch("write 4", writes, 0x800100, WRITE, LEN4, 0);
        watch("access 1", writes, 0x800101, ACCESS, LEN1, 0);
        watch("access 4", writes, 0x800103, ACCESS, LEN4, 0);
        watch("access 4 and TF", writes, 0x800100, ACCESS, LEN4, FL_TF);
        set_dr(3, (u32)writes + 7, EXECUTE, LEN1);
        watch("write 4 and execute", writes, 0x800100, WRITE, LEN4, 0);
        in_ring3 = true;        /* or the handler's own frames would be seen */
        watch("stack", pushes, 0x800104, ACCESS, LEN4, 0);
        watch("ring 3", writes, 0x800100, WRITE, LEN4, 0);
        in_ring3 = false;
        watch("strings", strings, 0x800100, ACCESS, LEN4, 0);
        watch("locked", locked, 0x800100, ACCESS, LEN4, 0);
        watch("crossing 1", crosses, 0x800ffc, ACCESS, LEN4, 0);
        watch("crossing 2", crosses, 0x801000, ACCESS, LEN1, 0);
        watch("faulting", faults, 0x800100, ACCESS, LEN4, 0);
        watch("mov ss", mov_ss, 0x800100, ACCESS, LEN4, 0);
        watch("mov ss, icebp", mov_ss_icebp, 0x800100, ACCESS, LEN4, 0);
        watch("elsewhere", writes, 0x800108, ACCESS, LEN4, 0);
}

void guest_main(void)
{
        print("guest: debug-registers\n");
        hooks[1] = trap;
        all();
        print("paging\n");
        paging_on();
        all();
        paging_off();

        write_cr4(read_cr4() | CR4_DE);
        set_dr(0, 0x80, PORT, LEN1);
        go("port 1", ports, 0);
        set_dr(0, 0x80, PORT, LEN4);
        go("port 4", ports, 0);
        want_resume = false;
        asm volatile("movl %0, %%dr7" :: "r"(0x2400));
        go("general detect", detect, 0);
        go("icebp", icebp, 0);

        /* Without RF the handler would be entered for ever. */
        stop_trap = true;
        set_dr(1, (u32)counts + 1, EXECUTE, LEN1);
        go("no RF", counts, 0);
}
