/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.c - tables, output, and the C half of running snippets for the guest tests.
 */
#include <stdarg.h>
#include "guest.h"

extern struct context guest_frame;
extern u8 guest_stubs[], guest_real_stubs[], guest_iret[];
extern u8 guest_handler_stack_end[];
extern struct { u16 limit; u32 base; } __attribute__((packed)) guest_gdtr_low;
u32 guest_run_frame(void);
u32 guest_run_real(void);
void guest_init(void);
int guest_handle(void);
void guest_main(void);

struct context ctx;
u32 ctx_start;
hook_fn *hooks[256];

u64 gdt[64] __attribute__((aligned(16)));
u64 ldt[16] __attribute__((aligned(16)));
u64 idt[256] __attribute__((aligned(16)));
struct tss tss __attribute__((aligned(256)));
u32 page_directory[1024] __attribute__((aligned(4096)));
u32 page_tables[4][1024] __attribute__((aligned(4096)));
u8 snippet_stack[8192] __attribute__((aligned(4096)));
u8 user_stack[8192] __attribute__((aligned(4096)));

/* The GDT start.S loads before any C has run: null, flat code, flat data. */
static u64 boot_gdt[] __attribute__((aligned(16))) = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
struct table_register { u16 limit; u32 base; } __attribute__((packed));
struct table_register guest_gdtr = { sizeof boot_gdt - 1, (u32)boot_gdt };
struct table_register guest_idtr = { sizeof idt - 1, (u32)idt };

enum { RUN_NONE, RUN_PROTECTED, RUN_REAL };
static volatile int running;

/* -- Output ------------------------------------------------------------------------------------ */

static void print_char(char c)
{
        outb(0xe9, (u8)c);
}

static void print_number(u32 value, unsigned base, unsigned width, char pad)
{
        char digits[12];
        unsigned n = 0;

        do {
                digits[n++] = "0123456789abcdef"[value % base];
                value /= base;
        } while (value);
        while (width-- > n)
                print_char(pad);
        while (n)
                print_char(digits[--n]);
}

void print(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        for (; *format; format++) {
                unsigned width = 0;
                char pad = ' ';

                if (*format != '%') {
                        print_char(*format);
                        continue;
                }
                format++;
                if (*format == '0')
                        pad = '0';
                while (*format >= '0' && *format <= '9')
                        width = width * 10 + (unsigned)(*format++ - '0');
                switch (*format) {
                case 'x': print_number(va_arg(args, u32), 16, width, pad); break;
                case 'X': print_number(va_arg(args, u32), 16, 8, '0'); break;
                case 'u': print_number(va_arg(args, u32), 10, width, pad); break;
                case 'd': {
                        int value = va_arg(args, int);
                        if (value < 0)
                                print_char('-');
                        print_number(value < 0 ? -(u32)value : (u32)value, 10, width, pad);
                        break;
                }
                case 'c': print_char((char)va_arg(args, int)); break;
                case 's':
                        for (const char *s = va_arg(args, const char *); *s; s++)
                                print_char(*s);
                        break;
                default: print_char(*format);
                }
        }
        va_end(args);
}

void guest_exit(u32 value)
{
        outl(0xf4, value);
        for (;;)
                asm volatile("cli; hlt");
}

void check(const char *name, bool good)
{
        print("%s: %s\n", name, good ? "ok" : "FAILED");
}

static const char *const vector_names[] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "int 9", "#TS", "#NP", "#SS", "#GP", "#PF",
        "int f", "#MF", "#AC", "#MC", "#XM",
};

static void print_end(const struct context *c)
{
        if (c->vector == VECTOR_DONE) {
                print("done");
                return;
        }
        if (c->vector < sizeof vector_names / sizeof vector_names[0])
                print("%s", vector_names[c->vector]);
        else
                print("int %x", c->vector);
        if (c->vector == 8 || (c->vector >= 10 && c->vector <= 14) || c->vector == 17)
                print("(%04x)", c->error);
        if (c->eip == (u32)guest_iret)
                print(" iret");
        else if (c->eip >= ctx_start)
                print(" +%x", c->eip - ctx_start);
        else
                print(" -%x", ctx_start - c->eip);
        if (c->vector == 14)
                print(" cr2=%X", c->cr2);
}

void report(const char *name)
{
        print("%s: ", name);
        print_end(&ctx);
        print("\n");
}

/* -- Running ----------------------------------------------------------------------------------- */

void context_init(const void *code)
{
        memset(&ctx, 0, sizeof ctx);
        ctx_start = ctx.eip = (u32)code;
        ctx.cs = SEL_CODE;
        ctx.ds = ctx.es = ctx.fs = ctx.gs = ctx.ss = SEL_DATA;
        ctx.eflags = 2;
        ctx.esp = STACK_TOP;
}

void context_init_user(const void *code)
{
        context_init(code);
        ctx.cs = SEL_UCODE;
        ctx.ds = ctx.es = ctx.fs = ctx.gs = ctx.ss = SEL_UDATA;
        ctx.esp = USER_STACK_TOP;
}

void context_init_v86(const void *code, unsigned iopl)
{
        context_init_real(code);
        ctx.eflags = FL_VM | iopl << 12 | 2;
}

void context_init_real(const void *code)
{
        memset(&ctx, 0, sizeof ctx);
        ctx_start = ctx.eip = (u32)code;
        ctx.eflags = 2;
        ctx.esp = V86_SP;
}

u32 run(void)
{
        guest_frame = ctx;
        running = RUN_PROTECTED;
        guest_run_frame();
        return ctx.vector;
}

u32 run_real(void)
{
        guest_frame = ctx;
        running = RUN_REAL;
        guest_run_real();
        return ctx.vector;
}

void try(const char *name, const void *code)
{
        context_init(code);
        run();
        report(name);
}

void try_user(const char *name, const void *code)
{
        context_init_user(code);
        run();
        report(name);
}

void guest_load_real(void) __attribute__((noreturn));

/* Called by the stubs with the interrupted context in guest_frame.  Nonzero resumes it. */
int guest_handle(void)
{
        hook_fn *hook = hooks[guest_frame.vector & 0xff];

        if (hook && hook(&guest_frame)) {
                if (running == RUN_REAL)
                        guest_load_real();
                return 1;
        }
        if (running == RUN_NONE) {
                ctx_start = 0;
                print("UNEXPECTED ");
                print_end(&guest_frame);
                print("\n");
                guest_exit(1);
        }
        ctx = guest_frame;
        running = RUN_NONE;
        return 0;
}

/* -- Segments ---------------------------------------------------------------------------------- */

u64 descriptor(u32 base, u32 limit, u8 access, u8 flags)
{
        return (u64)(limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 |
               (u64)(limit >> 16 & 0xf) << 48 | (u64)(flags & 0xf) << 52 | (u64)(base >> 24) << 56;
}

u64 gate(u16 selector, u32 offset, u8 access, u8 parameters)
{
        return (u64)(offset & 0xffff) | (u64)selector << 16 | (u64)parameters << 32 | (u64)access << 40 |
               (u64)(offset >> 16) << 48;
}

void gdt_set(u16 selector, u64 value)
{
        gdt[selector >> 3] = value;
}

void idt_set(u8 vector, u64 value)
{
        idt[vector] = value;
}

u64 idt_default(u8 vector, u8 access)
{
        return gate(SEL_CODE, (u32)guest_stubs + vector * 16u, access, 0);
}

void load_ldt(void)
{
        gdt_set(SEL_LDT, descriptor((u32)ldt, sizeof ldt - 1, ACC_LDT, 0));
        asm volatile("lldt %w0" :: "r"(SEL_LDT));
}

void load_idt(u32 limit)
{
        struct table_register r = { (u16)limit, (u32)idt };

        asm volatile("lidt %0" :: "m"(r));
}

void guest_init(void)
{
        volatile u32 *ivt = (volatile u32 *)mem32(0);

        gdt_set(SEL_CODE, descriptor(0, 0xfffff, ACC_CODE, SEG_32));
        gdt_set(SEL_DATA, descriptor(0, 0xfffff, ACC_DATA, SEG_32));
        gdt_set(SEL_UCODE, descriptor(0, 0xfffff, ACC_CODE | ACC_DPL3, SEG_32));
        gdt_set(SEL_UDATA, descriptor(0, 0xfffff, ACC_DATA | ACC_DPL3, SEG_32));
        gdt_set(SEL_CODE16, descriptor(0, 0xffff, ACC_CODE, 0));
        gdt_set(SEL_DATA16, descriptor(0, 0xffff, ACC_DATA, 0));
        gdt_set(SEL_TSS, descriptor((u32)&tss, sizeof tss - 1, ACC_TSS, 0));
        guest_gdtr.limit = sizeof gdt - 1;
        guest_gdtr.base = (u32)gdt;
        guest_gdtr_low.limit = sizeof gdt - 1;
        guest_gdtr_low.base = (u32)gdt;
        asm volatile("lgdt %0" :: "m"(guest_gdtr));

        tss.ss0 = SEL_DATA;
        tss.esp0 = (u32)guest_handler_stack_end;
        tss.io_base = offsetof(struct tss, io_bitmap);
        memset(tss.io_bitmap, 0xff, sizeof tss.io_bitmap);
        asm volatile("ltr %w0" :: "r"(SEL_TSS));

        for (unsigned i = 0; i < 256; i++) {
                idt_set((u8)i, idt_default((u8)i, ACC_INT32));
                ivt[i] = (u32)guest_real_stubs + i * 8u;
        }
        idt_set(VECTOR_DONE, idt_default(VECTOR_DONE, ACC_INT32 | ACC_DPL3));
        load_idt(sizeof idt - 1);

        for (unsigned i = 0; i < 4; i++) {
                page_directory[i] = (u32)page_tables[i] | PTE_ALL;
                for (unsigned j = 0; j < 1024; j++)
                        page_tables[i][j] = (i << 22 | j << 12) | PTE_ALL;
        }
        pic_init();
        /* After a reset every exception is unmasked and no register is empty (SDM 3A table 10-1). */
        asm volatile("fninit");
}

/* -- Paging ------------------------------------------------------------------------------------ */

void paging_on(void)
{
        write_cr3((u32)page_directory);
        write_cr0(read_cr0() | 0x80000000u);
}

void paging_off(void)
{
        write_cr0(read_cr0() & ~0x80000000u);
}

void page_map(u32 linear, u32 physical, u32 flags)
{
        ((volatile u32 *)page_tables[linear >> 22])[linear >> 12 & 1023] = physical | flags;
        invlpg(linear);
}

u32 page_entry(u32 linear)
{
        return ((volatile u32 *)page_tables[linear >> 22])[linear >> 12 & 1023];
}

/* -- Interrupt hardware ------------------------------------------------------------------------ */

void pic_init(void)
{
        outb(0x20, 0x11);
        outb(0xa0, 0x11);
        outb(0x21, 0x20);
        outb(0xa1, 0x28);
        outb(0x21, 4);
        outb(0xa1, 2);
        outb(0x21, 1);
        outb(0xa1, 1);
        pic_mask_all();
}

void pic_mask_all(void)
{
        outb(0x21, 0xff);
        outb(0xa1, 0xff);
}

void pic_unmask(unsigned line)
{
        if (line >= 8) {
                outb(0xa1, (u8)(inb(0xa1) & ~(1u << (line - 8))));
                line = 2;
        }
        outb(0x21, (u8)(inb(0x21) & ~(1u << line)));
}

void pic_eoi(unsigned line)
{
        if (line >= 8)
                outb(0xa0, 0x20);
        outb(0x20, 0x20);
}

void pit_start(unsigned mode, u16 count)
{
        outb(0x43, (u8)(0x30 | mode << 1));
        outb(0x40, (u8)count);
        outb(0x40, (u8)(count >> 8));
}

/* -- Memory ------------------------------------------------------------------------------------ */

void *memcpy(void *to, const void *from, size_t n)
{
        void *result = to;

        asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
        return result;
}

void *memset(void *to, int byte, size_t n)
{
        void *result = to;

        asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(byte) : "memory");
        return result;
}

void copy(void *to, const void *from, size_t n)
{
        memcpy(to, from, n);
}

void fill(void *to, u8 byte, size_t n)
{
        memset(to, byte, n);
}
