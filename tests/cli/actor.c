/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * actor.c - a bare-metal Multiboot guest that does what its command line says, word by word, for the
 * tests of `lodger run` (tests/check-run).
 *
 *      say:TEXT        to the first serial port, with a line end      say2:TEXT  to the second
 *      e9:TEXT         to port E9h                                    e7:TEXT    to port E7h
 *      modules         lists the modules: count, then "STRING: CONTENT" for each
 *      memory          the upper memory in KiB, as the boot loader gave it
 *      echo            gives back what comes in at the first serial port, up to a q
 *      exit:N          writes N to the debug exit port
 *      off             powers off through ACPI's PM1 control
 *      reset  cf9  triple      resets the machine in three ways
 *      spin  halt      for ever, without and with interrupts to wait for
 *      havoc:SEED      writes random values to random ports, registers in memory and PCI functions, for ever
 *      nowhere         jumps to where there is no memory
 *      work            for ever: memory is rewritten and what was there compared, numbers are kept in the x87's
 *                      registers; "round N" now and then, or what was BAD
 *      ticks           halts through 20 interrupts of the timer
 */
#include <stdint.h>

/* Multiboot 1, 3.1.1: magic, flags (memory information), checksum. */
asm(".pushsection .text\n.balign 4\n.long 0x1badb002, 2, -(0x1badb002 + 2)\n"
    ".globl _start\n_start: movl $stack_end, %esp\npushl %ebx\ncall actor\n1: hlt\njmp 1b\n"
    ".bss\n.balign 16\n.skip 8192\nstack_end:\n.popsection\n");

enum { COM1 = 0x3f8, COM2 = 0x2f8, UART_DATA = 0, UART_LSR = 5, LSR_DR = 1, LSR_THRE = 0x20 };
enum { DEBUG_EXIT = 0xf4, KBC_COMMAND = 0x64, RESET_CONTROL = 0xcf9, PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc };
enum { PM_FUNCTION = 1 << 11 | 3 << 8, PMBA = 0x40, PMCNTRL = 4, SUS_EN = 1 << 13 };

/* Multiboot information, 3.3. */
struct module {
        uint32_t start, end, string, reserved;
};
struct information {
        uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods;
};

static void out8(uint16_t port, uint8_t value)
{
        asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void out32(uint16_t port, uint32_t value)
{
        asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
        uint8_t value;

        asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
        return value;
}

static uint32_t in32(uint16_t port)
{
        uint32_t value;

        asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
        return value;
}

/* -- Output ------------------------------------------------------------------------------------ */

static void put(uint16_t port, char c)
{
        if (port == COM1 || port == COM2)
                while (!(in8((uint16_t)(port + UART_LSR)) & LSR_THRE))
                        ;
        out8(port, (uint8_t)c);
}

/* Up to the end of the word or of the string. */
static void put_text(uint16_t port, const char *text, char end)
{
        for (; *text && *text != end; text++)
                put(port, *text);
}

static void put_number(uint16_t port, uint32_t value)
{
        if (value >= 10)
                put_number(port, value / 10);
        put(port, (char)('0' + value % 10));
}

static void put_line(uint16_t port, const char *word)
{
        put_text(port, word, ' ');
        put(port, '\n');
}

/* -- Acts -------------------------------------------------------------------------------------- */

static void modules(const struct information *information)
{
        const struct module *module = (const struct module *)information->mods;
        uint32_t count = information->flags & 8 ? information->mods_count : 0;

        put_text(COM1, "modules: ", 0);
        put_number(COM1, count);
        put(COM1, '\n');
        for (; count--; module++) {
                put_text(COM1, (const char *)module->string, 0);
                put_text(COM1, ": ", 0);
                for (const char *byte = (const char *)module->start; byte < (const char *)module->end; byte++)
                        put(COM1, *byte);
                put(COM1, '\n');
        }
}

static void echo(void)
{
        uint8_t byte;

        do {
                while (!(in8(COM1 + UART_LSR) & LSR_DR))
                        ;
                byte = in8(COM1 + UART_DATA);
                put(COM1, (char)byte);
        } while (byte != 'q');
        put(COM1, '\n');
}

static void power_off(void)
{
        uint16_t base;

        out32(PCI_ADDRESS, 0x80000000u | PM_FUNCTION | PMBA);
        base = (uint16_t)(in32(PCI_DATA) & 0xffc0);
        asm volatile("outw %0, %1" : : "a"((uint16_t)SUS_EN), "Nd"((uint16_t)(base + PMCNTRL)));
}

/* An empty interrupt table, then an exception. */
static void triple_fault(void)
{
        static const struct {
                uint16_t limit;
                uint32_t base;
        } __attribute__((packed)) nothing = { 0, 0 };

        asm volatile("lidt %0\nud2" : : "m"(nothing));
}

/* Twenty ticks of the 8254, each awaited in HLT with a freshly opened 8259. */
static void ticks(void)
{
        static uint64_t gates[256], segments[2] = { 0, 0x00cf9a000000ffff };
        struct {
                uint16_t limit;
                uint32_t base;
        } __attribute__((packed)) idt = { sizeof(gates) - 1, (uint32_t)gates }, gdt = { sizeof(segments) - 1, (uint32_t)segments };
        uint32_t handler;

        asm volatile("movl $1f, %0\njmp 2f\n1: pushl %%eax\nmovb $0x20, %%al\noutb %%al, $0x20\npopl %%eax\niret\n2:" : "=r"(handler));
        gates[32] = (uint64_t)(handler >> 16) << 48 | 0x8e0000080000 | (handler & 0xffff);
        out8(0x20, 0x11), out8(0x21, 32), out8(0x21, 4), out8(0x21, 1);
        out8(0xa1, 0xff), out8(0x21, 0xfe);
        out8(0x43, 0x34), out8(0x40, 11932 & 0xff), out8(0x40, 11932 >> 8);
        asm volatile("lgdt %0\nlidt %1\nljmp $8, $1f\n1:" : : "m"(gdt), "m"(idt));
        for (int i = 0; i < 20; i++)
                asm volatile("sti\nhlt\ncli" : : : "memory");
}

static uint32_t random_state;

static uint32_t random_next(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 17;
        return random_state ^= random_state << 5;
}

/* Mostly not to what resets the machine or switches it off, which would be the end of it. */
static int is_end(uint16_t port)
{
        return port == KBC_COMMAND || port == 0x92 || port == DEBUG_EXIT || port == RESET_CONTROL || (port & 0xffc0) == 0x600;
}

static void havoc(uint32_t seed)
{
        static const uint32_t regions[] = { 0xa0000, 0xe0000000, 0xfe000000, 0xfeb00000, 0xfec00000, 0xfed00000, 0xfee00000, 0xfffc0000 };

        random_state = seed * 2654435761u + 1;
        for (;;) {
                uint32_t choice = random_next(), value = random_next() >> (choice >> 8 & 31);
                uint16_t port = (uint16_t)(choice & 1 ? random_next() : random_next() & 0x3ff);

                if (choice & 2) {
                        uint32_t at = regions[choice >> 13 & 7] + (random_next() & (choice & 4 ? 0x1ffff : 0xfff));

                        if (choice & 8)
                                *(volatile uint32_t *)(at & ~3u) = value;
                        else
                                (void)*(volatile uint8_t *)at;
                } else if ((choice & 0xc0) == 0) {
                        out32(PCI_ADDRESS, 0x80000000u | (random_next() & 0xfffc));
                        out32(PCI_DATA, value);
                } else if (!is_end(port) || (choice & 0xf0) == 0xf0) {
                        if (choice & 16)
                                out32(port, value);
                        else
                                out8(port, (uint8_t)value);
                }
        }
}

/* Every page of 4 MiB to 8 MiB is written in each pass, from what it should hold.  A state that mixes two instants, or
 * lost a page, shows. */
static void work(void)
{
        enum { FIRST = 4 << 20, PAGES = 1024, PASSES = 100 };
        uint32_t pass = 0, kept;

        asm volatile("fninit\nfldz");
        for (uint32_t i = 0; i < PAGES; i++)
                *(volatile uint32_t *)(FIRST + i * 4096 + i % 1000 * 4) = i;
        for (;; pass++) {
                for (uint32_t i = 0; i < PAGES; i++) {
                        volatile uint32_t *at = (volatile uint32_t *)(FIRST + i * 4096 + i % 1000 * 4);

                        if (*at != pass * 2654435761u + i) {
                                put_text(COM1, "BAD page ", 0), put_number(COM1, i), put(COM1, '\n');
                                return;
                        }
                        *at = (pass + 1) * 2654435761u + i;
                }
                asm volatile("fld1\nfaddp\nfistl %0" : "=m"(kept));
                if (kept != pass + 1) {
                        put_text(COM1, "BAD number ", 0), put_number(COM1, kept), put(COM1, '\n');
                        return;
                }
                if (pass % PASSES == PASSES - 1)
                        put_text(COM1, "round ", 0), put_number(COM1, pass / PASSES), put(COM1, '\n');
        }
}

/* Whether the word at *text begins with key; *text is then what follows the key. */
static int word_is(const char **text, const char *key)
{
        const char *at = *text;

        while (*key)
                if (*at++ != *key++)
                        return 0;
        if (at[-1] != ':' && *at && *at != ' ')
                return 0;
        *text = at;
        return 1;
}

static uint32_t number(const char *text)
{
        uint32_t value = 0;

        for (; *text >= '0' && *text <= '9'; text++)
                value = value * 10 + (uint32_t)(*text - '0');
        return value;
}

static void act(const char *word, const struct information *information)
{
        if (word_is(&word, "say:"))
                put_line(COM1, word);
        else if (word_is(&word, "say2:"))
                put_line(COM2, word);
        else if (word_is(&word, "e9:"))
                put_line(0xe9, word);
        else if (word_is(&word, "e7:"))
                put_line(0xe7, word);
        else if (word_is(&word, "modules"))
                modules(information);
        else if (word_is(&word, "memory"))
                put_number(COM1, information->mem_upper), put(COM1, '\n');
        else if (word_is(&word, "echo"))
                echo();
        else if (word_is(&word, "exit:"))
                out32(DEBUG_EXIT, number(word));
        else if (word_is(&word, "off"))
                power_off();
        else if (word_is(&word, "reset"))
                out8(KBC_COMMAND, 0xfe);
        else if (word_is(&word, "cf9"))
                out8(RESET_CONTROL, 2), out8(RESET_CONTROL, 6);
        else if (word_is(&word, "triple"))
                triple_fault();
        else if (word_is(&word, "havoc:"))
                havoc(number(word));
        else if (word_is(&word, "nowhere"))
                ((void (*)(void))0xd0000000)();
        else if (word_is(&word, "ticks"))
                ticks();
        else if (word_is(&word, "work"))
                work();
        else if (word_is(&word, "spin"))
                for (;;)
                        asm volatile("");
        else if (word_is(&word, "halt"))
                for (;;)
                        asm volatile("cli\nhlt");
}

void actor(const struct information *information);
void actor(const struct information *information)
{
        const char *word = (const char *)information->cmdline;

        while (*word) {
                act(word, information);
                while (*word && *word != ' ')
                        word++;
                while (*word == ' ')
                        word++;
        }
        /* What ends the machine takes effect a little later. */
        for (;;)
                asm volatile("cli\nhlt");
}
