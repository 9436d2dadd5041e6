/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_uart.c - the 16550A: FIFOs, interrupts and their order, loopback, the line to the host. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "devices/serial/uart16550.h"
#include "rig.h"
#include "unit.h"

enum { DATA = 0x3f8, IER = 0x3f9, IIR = 0x3fa, FCR = 0x3fa, LCR = 0x3fb, MCR = 0x3fc, LSR = 0x3fd, MSR = 0x3fe, SCR = 0x3ff };
enum { LOOP = 0x10, OUT2 = 0x08 };

static struct rig rig;
static struct device *uart;
static struct serial_backend *backend;
static bool level;
static unsigned edges;

static void irq_note(void *opaque, int line, bool value)
{
        (void)opaque;
        (void)line;
        edges += value && !level;
        level = value;
}

static void open_uart(const char *spec)
{
        GError *error = NULL;

        rig_open(&rig);
        level = false;
        edges = 0;
        backend = spec ? serial_backend_new(spec, &(struct serial_host){ .lock = &rig.lock }, &error) : NULL;
        ck_assert_msg(!spec || backend, "%s", error ? error->message : "");
        uart = device_new("serial", "serial0", &rig.env);
        uart_set_irq(uart, (struct irq){ irq_note, NULL, 4 });
        uart_set_backend(uart, backend);
        rig_start(&rig, uart);
}

static void close_uart(void)
{
        rig_free(&rig, uart);
        serial_backend_free(backend);
        rig_close(&rig);
}

START_TEST(test_registers)
{
        open_uart(NULL);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0x01);
        ck_assert_uint_eq(rig_in(&rig, MSR), 0xb0);
        rig_out(&rig, IER, 0xff);
        ck_assert_uint_eq(rig_in(&rig, IER), 0x0f);
        rig_out(&rig, MCR, 0xff);
        ck_assert_uint_eq(rig_in(&rig, MCR), 0x1f);
        rig_out(&rig, SCR, 0x5a);
        ck_assert_uint_eq(rig_in(&rig, SCR), 0x5a);
        rig_out(&rig, LCR, 0x83);
        rig_out(&rig, DATA, 0x34);
        rig_out(&rig, IER, 0x12);
        ck_assert_uint_eq(rig_in(&rig, DATA), 0x34);
        ck_assert_uint_eq(rig_in(&rig, IER), 0x12);
        rig_out(&rig, LCR, 0x03);
        ck_assert_uint_eq(rig_in(&rig, IER), 0x0f);
        rig_out(&rig, LSR, 0);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
        /* The trigger and mode bits come only with the enable bit. */
        rig_out(&rig, FCR, 0xc6);
        ck_assert_uint_eq(rig_in(&rig, IIR) & 0xc0, 0);
        rig_out(&rig, FCR, 0xc7);
        ck_assert_uint_eq(rig_in(&rig, IIR) & 0xc0, 0xc0);
        close_uart();
}
END_TEST

START_TEST(test_transmitter_empty)
{
        open_uart(NULL);
        rig_out(&rig, MCR, OUT2);
        rig_out(&rig, IER, 0x02);
        ck_assert(level);               /* enabled with the register empty */
        ck_assert_uint_eq(rig_in(&rig, IIR), 0x02);
        ck_assert(!level);              /* reading it was the answer */
        ck_assert_uint_eq(rig_in(&rig, IIR), 0x01);
        rig_out(&rig, DATA, 'a');
        ck_assert_uint_eq(edges, 2);
        rig_out(&rig, DATA, 'b');       /* a new edge for each */
        ck_assert_uint_eq(edges, 3);
        rig_out(&rig, IER, 0);
        ck_assert(!level);
        rig_out(&rig, IER, 2);
        ck_assert_uint_eq(edges, 4);
        rig_out(&rig, MCR, 0);          /* OUT2 is the gate */
        ck_assert(!level);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0x02);
        close_uart();
}
END_TEST

START_TEST(test_loopback_modem)
{
        open_uart(NULL);
        rig_out(&rig, MCR, LOOP);
        ck_assert_uint_eq(rig_in(&rig, MSR), 0x0b);     /* everything went off; RI never was on */
        for (unsigned i = 0; i < 16; i++) {
                rig_out(&rig, MCR, (uint8_t)(LOOP | i));
                unsigned want = (i & 1 ? 0x20 : 0) | (i & 2 ? 0x10 : 0) | (i & 4 ? 0x40 : 0) | (i & 8 ? 0x80 : 0);
                ck_assert_uint_eq(rig_in(&rig, MSR) & 0xf0, want);
        }
        rig_out(&rig, MCR, LOOP | 4);
        rig_in(&rig, MSR);
        rig_out(&rig, MCR, LOOP);
        ck_assert_uint_eq(rig_in(&rig, MSR), 0x04);     /* trailing edge of RI */
        rig_out(&rig, MCR, LOOP | 4);
        ck_assert_uint_eq(rig_in(&rig, MSR), 0x40);
        rig_out(&rig, IER, 8);
        rig_out(&rig, MCR, LOOP | 5);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0x00);
        ck_assert(!level);
        rig_in(&rig, MSR);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0x01);
        close_uart();
}
END_TEST

START_TEST(test_fifo_and_overrun)
{
        static const uint8_t triggers[] = { 1, 4, 8, 14 };

        open_uart(NULL);
        rig_out(&rig, MCR, LOOP);
        rig_out(&rig, IER, 0x05);
        for (unsigned t = 0; t < 4; t++) {
                rig_out(&rig, FCR, (uint8_t)(t << 6 | 7));
                for (unsigned i = 1; i <= 16; i++) {
                        rig_out(&rig, DATA, (uint8_t)i);
                        ck_assert_uint_eq(rig_in(&rig, IIR), i >= triggers[t] ? 0xc4 : 0xc1);
                }
                rig_out(&rig, DATA, 99);
                ck_assert_uint_eq(rig_in(&rig, IIR), 0xc6);     /* overrun: line status comes first */
                ck_assert_uint_eq(rig_in(&rig, LSR), 0x63);
                ck_assert_uint_eq(rig_in(&rig, LSR), 0x61);
                for (unsigned i = 1; i <= 16; i++) {
                        ck_assert_uint_eq(rig_in(&rig, IIR), 16 - i + 1 >= triggers[t] ? 0xc4 : 0xc1);
                        ck_assert_uint_eq(rig_in(&rig, DATA), i);
                }
                ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
        }
        /* Without FIFO the newer character stays. */
        rig_out(&rig, FCR, 0);
        rig_out(&rig, DATA, 1);
        rig_out(&rig, DATA, 2);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x63);
        ck_assert_uint_eq(rig_in(&rig, DATA), 2);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
        close_uart();
}
END_TEST

START_TEST(test_timeout)
{
        open_uart(NULL);
        rig_out(&rig, LCR, 0x83);
        rig_out(&rig, DATA, 12);        /* 9600 baud: four characters are 4.2 ms */
        rig_out(&rig, IER, 0);
        rig_out(&rig, LCR, 0x03);
        rig_out(&rig, MCR, LOOP);
        rig_out(&rig, FCR, 0x87);
        rig_out(&rig, IER, 1);
        rig_out(&rig, DATA, 'x');
        rig_out(&rig, DATA, 'y');
        rig_pass(&rig, 3000000);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0xc1);
        rig_pass(&rig, 2000000);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0xcc);
        ck_assert_uint_eq(rig_in(&rig, DATA), 'x');
        ck_assert_uint_eq(rig_in(&rig, IIR), 0xc1);
        rig_pass(&rig, 5000000);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0xcc);
        ck_assert_uint_eq(rig_in(&rig, DATA), 'y');
        rig_pass(&rig, 5000000);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0xc1);
        close_uart();
}
END_TEST

START_TEST(test_break)
{
        open_uart(NULL);
        rig_out(&rig, MCR, LOOP);
        rig_out(&rig, FCR, 1);
        rig_out(&rig, IER, 4);
        rig_out(&rig, DATA, 'x');
        rig_out(&rig, LCR, 0x43);
        /* Its flag waits in the FIFO until the break is at the top. */
        ck_assert_uint_eq(rig_in(&rig, LSR), 0xe1);
        ck_assert_uint_eq(rig_in(&rig, IIR), 0xc1);
        ck_assert_uint_eq(rig_in(&rig, DATA), 'x');
        ck_assert_uint_eq(rig_in(&rig, IIR), 0xc6);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0xf1);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x61);
        ck_assert_uint_eq(rig_in(&rig, DATA), 0);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
        close_uart();
}
END_TEST

/* -- The line to the host ------------------------------------------------------------------------ */

static void spin(unsigned times)
{
        for (unsigned i = 0; i < times; i++) {
                g_main_context_iteration(NULL, FALSE);
                usleep(100);
        }
}

static int connect_to(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

        strcpy(address.sun_path, path);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

START_TEST(test_file_loses_nothing)
{
        char path[] = "/tmp/lodger-test-XXXXXX", spec[64];
        close(mkstemp(path));
        g_snprintf(spec, sizeof(spec), "file:%s", path);

        open_uart(spec);
        for (unsigned i = 0; i < 100000; i++)
                rig_out(&rig, DATA, (uint8_t)('a' + i % 26));
        /* So much waits that the transmitter is busy; the main loop drains it and it is ready again. */
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x00);
        rig_out(&rig, MCR, OUT2);
        rig_out(&rig, IER, 2);
        ck_assert(!level);
        spin(60);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
        ck_assert(level);
        for (unsigned i = 0; i < 5000; i++)
                rig_out(&rig, DATA, '.');
        close_uart();

        gchar *bytes;
        gsize size;
        ck_assert(g_file_get_contents(path, &bytes, &size, NULL));
        ck_assert_uint_eq(size, 105000);
        for (unsigned i = 0; i < 100000; i++)
                ck_assert_int_eq(bytes[i], 'a' + i % 26);
        g_free(bytes);
        unlink(path);
}
END_TEST

START_TEST(test_socket)
{
        char path[64], spec[80], bytes[4096];
        g_snprintf(path, sizeof(path), "/tmp/lodger-test-%d.sock", (int)getpid());
        g_snprintf(spec, sizeof(spec), "unix:%s", path);

        open_uart(spec);
        rig_out(&rig, FCR, 0x01);
        rig_out(&rig, DATA, 'e');       /* before anybody is there */
        for (unsigned round = 0; round < 3; round++) {
                int fd = connect_to(path);
                spin(5);
                rig_out(&rig, DATA, 'x');
                spin(5);
                ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), round ? 1 : 2);
                ck_assert_int_eq(bytes[0], round ? 'x' : 'e');
                /* Forty bytes: sixteen fit, the others wait for the guest. */
                memset(bytes, 'a' + (int)round, 40);
                ck_assert_int_eq(write(fd, bytes, 40), 40);
                spin(10);
                for (unsigned i = 0; i < 40; i++) {
                        if (i % 16 == 0)
                                spin(10);
                        ck_assert_uint_eq(rig_in(&rig, LSR), 0x61);
                        ck_assert_uint_eq(rig_in(&rig, DATA), 'a' + round);
                }
                ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
                close(fd);
                spin(10);
        }
        /* A client that never reads holds nobody up. */
        int fd = connect_to(path);
        spin(5);
        for (unsigned i = 0; i < 3000000; i++)
                rig_out(&rig, DATA, 'z');
        spin(100);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
        close(fd);
        close_uart();
        ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_pty)
{
        char bytes[16];

        open_uart("pty");
        int fd = open(serial_backend_place(backend), O_RDWR | O_NOCTTY | O_NONBLOCK);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, "\r\003", 2), 2);
        rig_out(&rig, DATA, '\n');
        spin(10);
        rig_out(&rig, FCR, 1);          /* clears the FIFO's first character: it came before the FIFO */
        spin(10);
        ck_assert_uint_eq(rig_in(&rig, DATA), 3);
        ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 1);
        ck_assert_int_eq(bytes[0], '\n');
        close(fd);
        spin(10);
        /* Nobody has it open: no hang-up, no spinning; the next user finds it as it was. */
        fd = open(serial_backend_place(backend), O_RDWR | O_NOCTTY | O_NONBLOCK);
        ck_assert_int_eq(write(fd, "q", 1), 1);
        spin(10);
        ck_assert_uint_eq(rig_in(&rig, DATA), 'q');
        close(fd);
        close_uart();
}
END_TEST

static unsigned quits;

static void note_quit(void *opaque)
{
        (void)opaque;
        quits++;
}

/* Standard input that ends, and the keys after Ctrl-A (traps.md T20). */
START_TEST(test_t20_stdio)
{
        int in[2], out[2], saved_in = dup(0), saved_out = dup(1);
        char bytes[16] = "";
        GError *error = NULL;

        ck_assert(!pipe(in) && !pipe(out));
        fflush(stdout);
        dup2(in[0], 0);
        dup2(out[1], 1);
        rig_open(&rig);
        backend = serial_backend_new("stdio", &(struct serial_host){ .lock = &rig.lock, .quit = note_quit }, NULL);
        ck_assert_ptr_null(serial_backend_new("stdio", &(struct serial_host){ .lock = &rig.lock }, &error));
        g_clear_error(&error);
        uart = device_new("serial", "serial0", &rig.env);
        uart_set_backend(uart, backend);
        rig_start(&rig, uart);
        rig_out(&rig, FCR, 1);
        ck_assert_int_eq(write(in[1], "a\001\001b\001b", 6), 6);
        for (unsigned i = 0; i < 100; i++)
                ck_assert_int_eq(write(in[1], "cdefg", 5), 5);
        ck_assert_int_eq(write(in[1], "\001x", 2), 2);
        spin(30);
        ck_assert_uint_eq(quits, 1);            /* though the guest has read nothing */
        close(in[1]);
        rig_out(&rig, DATA, 'O');
        rig_out(&rig, DATA, 'K');
        spin(20);
        ck_assert_uint_eq(rig_in(&rig, DATA), 'a');
        ck_assert_uint_eq(rig_in(&rig, DATA), 1);
        ck_assert_uint_eq(rig_in(&rig, DATA), 'b');
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x71 | 0x80);
        ck_assert_uint_eq(rig_in(&rig, DATA), 0);
        for (unsigned i = 0; i < 500; i++)
                ck_assert_uint_eq(rig_in(&rig, DATA), 'c' + i % 5);
        ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
        /* At the end of input the source sleeps: an iteration that may block finds nothing to do. */
        spin(20);
        ck_assert(!g_main_context_pending(NULL));
        close_uart();
        ck_assert_int_eq(read(out[0], bytes, sizeof(bytes)), 2);
        ck_assert_str_eq(bytes, "OK");
        dup2(saved_in, 0);
        dup2(saved_out, 1);
}
END_TEST

/* A process with a terminal of its own that opens the stdio line and ends in the given way. */
static void end_with_terminal(const char *terminal, int how, int ready)
{
        setsid();
        int fd = open(terminal, O_RDWR);
        dup2(fd, 0);
        dup2(fd, 1);
        rig_open(&rig);
        backend = serial_backend_new("stdio", &(struct serial_host){ .lock = &rig.lock, .quit = note_quit }, NULL);
        if (write(ready, "r", 1) != 1)
                _exit(1);
        usleep(100000);
        if (how == 0) {
                serial_backend_free(backend);
        } else if (how == 1) {
                exit(0);
        } else {
                signal(how, SIG_DFL);           /* Check has handlers of its own */
                raise(how);
        }
        _exit(0);
}

/* The terminal is raw meanwhile, and as before afterwards, however the process ends (traps.md T20). */
START_TEST(test_t20_terminal_restored)
{
        static const int ways[] = { 0, 1, SIGTERM, SIGSEGV, SIGKILL };

        for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
                int master = posix_openpt(O_RDWR | O_NOCTTY), ready[2], status;
                char name[64], byte;
                struct termios before, during, after;

                ck_assert(!grantpt(master) && !unlockpt(master) && !ptsname_r(master, name, sizeof(name)) && !pipe(ready));
                int slave = open(name, O_RDWR | O_NOCTTY);
                ck_assert_int_eq(tcgetattr(slave, &before), 0);
                pid_t child = fork();
                if (!child)
                        end_with_terminal(name, ways[i], ready[1]);
                ck_assert_int_eq(read(ready[0], &byte, 1), 1);
                tcgetattr(slave, &during);
                ck_assert_uint_eq(during.c_lflag & (ICANON | ECHO | ISIG), 0);
                ck_assert_int_eq(waitpid(child, &status, 0), child);
                for (unsigned wait = 0; wait < 200; wait++) {
                        tcgetattr(slave, &after);
                        if (after.c_lflag == before.c_lflag)
                                break;
                        usleep(10000);
                }
                ck_assert_msg(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag, "not restored, way %d", ways[i]);
                close(slave);
                close(master);
        }
}
END_TEST

START_TEST(test_bad_specs)
{
        static const char *const bad[] = { "", "stdio:", "file", "file:", "unix:", "tcp:1", "ptyx", "file:/nonexistent/x", "unix:/nonexistent/x" };

        rig_open(&rig);
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                GError *error = NULL;
                ck_assert_ptr_null(serial_backend_new(bad[i], &(struct serial_host){ .lock = &rig.lock }, &error));
                ck_assert_ptr_nonnull(error);
                g_error_free(error);
        }
        char *longest = g_strdup_printf("unix:/tmp/%0120d", 0);
        ck_assert_ptr_null(serial_backend_new(longest, &(struct serial_host){ .lock = &rig.lock }, NULL));
        g_free(longest);
        struct serial_backend *none = serial_backend_new("none", &(struct serial_host){ .lock = &rig.lock }, NULL);
        serial_backend_write(none, (const uint8_t *)"x", 1);
        ck_assert(serial_backend_writable(none));
        serial_backend_free(none);
        rig_close(&rig);
}
END_TEST

UNIT_MAIN("uart", test_registers, test_transmitter_empty, test_loopback_modem, test_fifo_and_overrun, test_timeout, test_break,
          test_file_loses_nothing, test_socket, test_pty, test_t20_stdio, test_t20_terminal_restored, test_bad_specs)
