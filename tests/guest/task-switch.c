/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task-switch.c - hardware task switches: JMP, CALL, IRET and task gates, 16- and 32-bit TSSs, busy bits, links,
 * LDT, CR3, TS, the T flag, and the faults on the way (SDM 3A chapter 8).
 */
#include "guest.h"

enum { SEL_B = 0x50, SEL_16 = 0x58, SEL_GATE = 0x60, SEL_BAD = 0x68, SEL_LDT2 = 0x70, SEL_NOT_PRESENT = 0x78, SEL_C = 0x80,
       ACC_TASK_GATE = 0x85, TSS_LIMIT = 103 };

struct tss16 {
        u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};

static struct tss task_b, task_c;
static struct tss16 task_16;
static u8 stack_c[1024] __attribute__((aligned(16)));
static u8 stack_b[1024] __attribute__((aligned(16)));
static u32 seen[12];

extern u8 task_entry[], task_again[], task_handler[], task_16_entry[], task_error[], task_fault[];
/* What the tasks do: note where they are, and go back. */
asm(".text\n.intel_syntax noprefix\n"
    "task_entry: mov [seen], eax\n str [seen+4]\n pushfd\n pop dword ptr [seen+8]\n mov ecx, cr0\n mov [seen+12], ecx\n"
    "mov ecx, cr3\n mov [seen+16], ecx\n sldt [seen+20]\n mov [seen+24], esp\n inc eax\n iretd\n"
    "task_again: inc eax\n jmp task_entry\n"
    "task_error: pop dword ptr [seen+28]\n mov ecx, [tss+32]\n mov [seen+32], ecx\n mov ecx, [tss+36]\n mov [seen+36], ecx\n"
    "mov ecx, offset leave\n mov [tss+32], ecx\n iretd\n jmp task_error\n"
    "leave: int 0x40\n"
    /* The handler of what is wrong with task B: back to the tests, whose TSS is still busy. */
    "task_fault: pop dword ptr [seen+28]\n and byte ptr [gdt+0x3d], 0xfd\n jmp 0x38:0\n jmp task_fault\n"
    "task_16_entry: mov [seen], eax\n str [seen+4]\n mov ecx, cr0\n mov [seen+12], ecx\n pushfd\n pop dword ptr [seen+8]\n iretd\n"
    ".att_syntax prefix\n");

CODE(by_call, "mov eax, 5\n call 0x50:0\n nop\n mov ebx, 7");
CODE(by_jmp, "mov eax, 5\n jmp 0x50:0\n nop\n mov ebx, 7");
CODE(by_gate, "mov eax, 5\n call 0x60:0");
CODE(by_16, "mov eax, 0x12345\n call 0x58:0\n mov ebx, 9");
CODE(by_int, "mov eax, 5\n int 0x31\n mov ebx, 8");
CODE(fault, "mov eax, 5\n mov dx, 0xfff8\n mov es, dx");
CODE(bad_iret, "pushfd\n or dword ptr [esp], 0x4000\n popfd\n iretd");
CODE(stays, "mov eax, 6\n int 0x40");
CODE(clear_ts, "clts");

static void fresh(void)
{
        fill(&task_b, 0, TSS_LIMIT + 1);
        task_b.eip = (u32)task_entry;
        task_b.eflags = 2;
        task_b.eax = 0x100;
        task_b.esp = (u32)stack_b + sizeof stack_b;
        task_b.cs = SEL_CODE;
        task_b.ss = task_b.ds = task_b.es = SEL_DATA;
        task_b.fs = SEL_DATA;
        task_b.cr3 = read_cr3();
        task_b.io_base = 104;
        gdt_set(SEL_B, descriptor((u32)&task_b, TSS_LIMIT, ACC_TSS, 0));
        fill(seen, 0, sizeof seen);
        tss.link = 0;
}

static void show(const char *name)
{
        u16 tr;

        asm volatile("str %0" : "=r"(tr));
        report(name);
        print("  eax %x ebx %x tr %x task: eax %x tr %x flags %x ts %x ldt %x esp %x\n", ctx.eax, ctx.ebx, tr, seen[0],
              seen[1] & 0xffff, seen[2], seen[3] >> 3 & 1, seen[5] & 0xffff,
              seen[6] ? seen[6] - (u32)stack_b - sizeof stack_b : 0);
        print("  link %x type %x old type %x saved eax %x eip %x\n", task_b.link & 0xffff, (u32)(gdt[SEL_B / 8] >> 40) & 15,
              (u32)(gdt[SEL_TSS / 8] >> 40) & 15, task_b.eax, task_b.eip - (u32)task_entry);
}

static void go(const char *name, const void *code)
{
        context_init(code);
        run();
        show(name);
        context_init(clear_ts);
        run();
}

/* Faults raised in the new task end the run from there: go back to the tests' own TSS by hand. */
static void recover(void)
{
        gdt_set(SEL_TSS, descriptor((u32)&tss, sizeof tss - 1, ACC_TSS, 0));
        asm volatile("ltr %w0" :: "r"(SEL_TSS));
        asm volatile("lldt %w0" :: "r"(SEL_LDT));
        context_init(clear_ts);
        run();
}

/* A fault in the new task is for a task of its own: the new one may have no stack. */
static void bad(const char *name, u32 *field, u32 value)
{
        static const u8 vectors[] = { 10, 11, 12, 13 };

        fresh();
        *field = value;
        fill(&task_c, 0, TSS_LIMIT + 1);
        task_c.eip = (u32)task_fault;
        task_c.eflags = 2;
        task_c.esp = (u32)stack_c + sizeof stack_c;
        task_c.cs = SEL_CODE;
        task_c.ss = task_c.ds = task_c.es = SEL_DATA;
        task_c.cr3 = read_cr3();
        gdt_set(SEL_C, descriptor((u32)&task_c, TSS_LIMIT, ACC_TSS, 0));
        for (unsigned i = 0; i < sizeof vectors; i++)
                idt_set(vectors[i], gate(SEL_C, 0, ACC_TASK_GATE, 0));
        context_init(by_call);
        run();
        for (unsigned i = 0; i < sizeof vectors; i++)
                idt_set(vectors[i], idt_default(vectors[i], ACC_INT32));
        report(name);
        print("  error %x in task %x at +%x eflags %x\n", seen[7], task_c.link & 0xffff, task_b.eip - (u32)task_entry, task_b.eflags);
        context_init(clear_ts);
        run();
}

static bool trapped(struct context *frame)
{
        u32 dr6;

        asm volatile("movl %%dr6, %0" : "=r"(dr6));
        print("  trap at task+%x dr6 %x\n", frame->eip - (u32)task_entry, dr6);
        asm volatile("movl %0, %%dr6" :: "r"(0xffff0ff0));
        return true;
}

void guest_main(void)
{
        print("guest: task-switch\n");
        load_ldt();
        gdt_set(SEL_GATE, gate(SEL_B, 0, ACC_TASK_GATE, 0));
        gdt_set(SEL_LDT2, descriptor((u32)ldt, 127, ACC_LDT, 0));
        gdt_set(SEL_NOT_PRESENT, descriptor(0, 0xfffff, ACC_DATA & ~ACC_P, SEG_32));

        fresh();
        go("call", by_call);
        go("call again", by_call);              /* goes on after its IRET, outside: +2 is what the stack says */
        fresh();
        go("task gate", by_gate);
        fresh();
        task_b.ldt = SEL_LDT2;
        go("ldt", by_call);
        fresh();
        task_b.eflags |= FL_IF | FL_ZF;
        go("flags", by_call);

        /* 16-bit TSS. */
        fresh();
        task_16 = (struct tss16){ .ip = (u16)(u32)task_16_entry, .flags = 2, .ax = 0x55, .sp = 0x7000, .cs = SEL_FREE, .ss = SEL_DATA,
                                  .ds = SEL_DATA, .es = SEL_DATA };
        gdt_set(SEL_FREE, descriptor((u32)task_16_entry & 0xffff0000, 0xfffff, ACC_CODE, SEG_32));
        gdt_set(SEL_16, descriptor((u32)&task_16, 43, ACC_TSS16, 0));
        context_init(by_16);
        run();
        report("16 bits");
        print("  ebx %x task: ax %x tr %x nt %x ts %x link %x saved ax %x\n", ctx.ebx, seen[0] & 0xffff, seen[1] & 0xffff,
              seen[2] >> 14 & 1, seen[3] >> 3 & 1, task_16.link, task_16.ax);
        context_init(clear_ts);
        run();

        /* Through the IDT. */
        fresh();
        idt_set(0x31, gate(SEL_B, 0, ACC_TASK_GATE, 0));
        go("int", by_int);
        fresh();
        task_b.eip = (u32)task_error;
        idt_set(13, gate(SEL_B, 0, ACC_TASK_GATE, 0));
        context_init(fault);
        run();
        report("#GP by task");
        print("  error %x at +%x rf %x\n", seen[7], seen[8] - ctx_start, seen[9] >> 16 & 1);
        idt_set(13, idt_default(13, ACC_INT32));
        context_init(clear_ts);
        run();

        /* JMP: no link, no NT; the old task is free. */
        fresh();
        task_b.eip = (u32)stays;
        context_init(by_jmp);
        run();
        report("jmp");
        print("  eax %x nt %x type %x old %x saved eip %x eax %x\n", ctx.eax, ctx.eflags >> 14 & 1,
              (u32)(gdt[SEL_B / 8] >> 40) & 15, (u32)(gdt[SEL_TSS / 8] >> 40) & 15, tss.eip - (u32)by_jmp, tss.eax);
        recover();

        /* Faults in the old task. */
        fresh();
        gdt_set(SEL_B, descriptor((u32)&task_b, TSS_LIMIT, ACC_TSS | 2, 0));
        try("busy", by_call);
        gdt_set(SEL_B, descriptor((u32)&task_b, TSS_LIMIT, ACC_TSS & ~ACC_P, 0));
        try("not present", by_call);
        gdt_set(SEL_B, descriptor((u32)&task_b, TSS_LIMIT - 1, ACC_TSS, 0));
        try("short", by_call);
        gdt_set(SEL_GATE, gate(SEL_DATA, 0, ACC_TASK_GATE, 0));
        try("gate to data", by_gate);
        gdt_set(SEL_GATE, gate(0, 0, ACC_TASK_GATE, 0));
        try("gate to null", by_gate);
        gdt_set(SEL_GATE, gate(SEL_LDT | 4, 0, ACC_TASK_GATE, 0));
        try("gate to LDT", by_gate);
        gdt_set(SEL_GATE, gate(SEL_B, 0, ACC_TASK_GATE, 0));
        tss.link = SEL_DATA;
        try("iret to data", bad_iret);
        tss.link = SEL_B;
        gdt_set(SEL_B, descriptor((u32)&task_b, TSS_LIMIT, ACC_TSS, 0));
        try("iret to available", bad_iret);

        /* Faults in the new one. */
        bad("bad ldt", &task_b.ldt, SEL_DATA);
        bad("bad cs", &task_b.cs, SEL_DATA);
        bad("null cs", &task_b.cs, 0);
        bad("bad ss", &task_b.ss, SEL_CODE);
        bad("null ss", &task_b.ss, 0);
        bad("ss not present", &task_b.ss, SEL_NOT_PRESENT);
        bad("ds not present", &task_b.ds, SEL_NOT_PRESENT);
        bad("es beyond", &task_b.es, 0xfff8);
        bad("fs system", &task_b.fs, SEL_TSS);
        bad("eip beyond", &task_b.cs, SEL_CODE16);

        /* The debug trap. */
        fresh();
        task_b.trap = 1;
        hooks[1] = trapped;
        go("t flag", by_call);

        /* CR3. */
        paging_on();
        tss.cr3 = read_cr3();
        fresh();
        go("paging", by_call);
        print("  cr3 %s\n", seen[4] == read_cr3() && read_cr3() ? "loaded" : "wrong");
}
