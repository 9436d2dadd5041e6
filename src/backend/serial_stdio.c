/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial_stdio.c - a serial line on the terminal (or whatever standard input and output are).
 *
 * Keys: Ctrl-A X ends the machine, Ctrl-A B sends a break, Ctrl-A H lists the keys, Ctrl-A Ctrl-A
 * sends Ctrl-A (traps.md T20).
 *
 * A terminal is put in raw mode and restored however the process ends: in order, by close(); by
 * exit(), in an atexit function; by a signal, kill -9 included, by a small child process
 * that holds one end of a pipe and waits for the other end to go away.  The child closes everything
 * but the pipe and the terminal, and calls only functions that are safe after fork() in a process
 * with threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "backend/serial.h"
#include "base/log.h"

enum { KEY_ESCAPE = 0x01 };

/* One per process: there is one standard input. */
static struct {
        struct serial_backend *owner;
        bool raw;                       /* the terminal has been changed */
        struct termios settings;        /* as they were */
        int keeper_pipe;                /* its closing makes the keeper act; -1: none */
        pid_t keeper;
        int out_fd;
        bool escape;                    /* the last key was Ctrl-A */
} stdio = { .keeper_pipe = -1, .out_fd = -1 };

/* -- The terminal ------------------------------------------------------------------------------ */

/* The child: waits for the parent's end, then restores.  fd 0: terminal, fd 1: pipe. */
static _Noreturn void keeper_run(int pipe_fd, const struct termios *settings)
{
        char byte;
        ssize_t n;

        for (int signal_number = 1; signal_number < NSIG; signal_number++)
                if (signal_number != SIGKILL && signal_number != SIGSTOP)
                        signal(signal_number, SIG_IGN);
        if (dup2(pipe_fd, 1) < 0)
                _exit(1);
        if (syscall(SYS_close_range, 2u, ~0u, 0u) < 0)
                for (int fd = 2; fd < 1024; fd++)
                        close(fd);
        do
                n = read(1, &byte, 1);
        while (n < 0 && errno == EINTR);
        /* A byte: the parent has restored the terminal itself. */
        if (n == 0)
                tcsetattr(0, TCSANOW, settings);
        _exit(0);
}

static void keeper_start(void)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        stdio.keeper = fork();
        if (stdio.keeper == 0)
                keeper_run(ends[0], &stdio.settings);
        close(ends[0]);
        if (stdio.keeper < 0)
                close(ends[1]);
        else
                stdio.keeper_pipe = ends[1];
}

static void terminal_restore(void)
{
        if (!stdio.raw)
                return;
        stdio.raw = false;
        tcsetattr(0, TCSADRAIN, &stdio.settings);
        if (stdio.keeper_pipe >= 0) {
                ssize_t n = write(stdio.keeper_pipe, "", 1);
                (void)n;
                close(stdio.keeper_pipe);
                stdio.keeper_pipe = -1;
                while (waitpid(stdio.keeper, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
}

/* A background job must leave its terminal alone (it would be stopped). */
static bool terminal_is_ours(void)
{
        return isatty(0) && tcgetpgrp(0) == getpgrp();
}

static void terminal_make_raw(void)
{
        static bool registered;
        struct termios raw;

        if (!terminal_is_ours() || tcgetattr(0, &stdio.settings) < 0)
                return;
        raw = stdio.settings;
        /* Keys go to the guest as they are, Ctrl-C and Ctrl-Z too.  Output stays as it was, so that
         * Lodger's own messages look right. */
        raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
        raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
        raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
        raw.c_cflag |= CS8;
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        keeper_start();
        stdio.raw = true;
        if (!registered)
                atexit(terminal_restore);
        registered = true;
        tcsetattr(0, TCSANOW, &raw);
}

/* -- Keys -------------------------------------------------------------------------------------- */

static void stdio_help(void)
{
        fputs("\r\nCtrl-A X  end the machine\r\nCtrl-A B  send a break\r\nCtrl-A H  this list\r\n"
              "Ctrl-A Ctrl-A  send Ctrl-A\r\n", stderr);
}

static enum serial_input stdio_filter(struct serial_backend *backend, uint8_t key)
{
        if (!stdio.escape) {
                stdio.escape = key == KEY_ESCAPE;
                return stdio.escape ? SERIAL_DROP : SERIAL_PASS;
        }
        stdio.escape = false;
        switch (key) {
        case KEY_ESCAPE:
                return SERIAL_PASS;
        case 'x':
        case 'X':
                if (backend->host.quit)
                        backend->host.quit(backend->host.opaque);
                return SERIAL_DROP;
        case 'b':
        case 'B':
                return SERIAL_BREAK;
        case 'h':
        case 'H':
        case '?':
                stdio_help();
                return SERIAL_DROP;
        default:
                return SERIAL_DROP;
        }
}

/* -- Life -------------------------------------------------------------------------------------- */

/* Standard output, not blocking where that can be had without changing it for the processes that
 * share it: a terminal or pipe is opened anew, which gives a file description of our own. */
static int stdio_open_output(void)
{
        struct stat status;
        int fd = -1;

        if (!fstat(1, &status) && (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)))
                fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd >= 0 ? fd : fcntl(1, F_DUPFD_CLOEXEC, 3);
}

static bool stdio_open(struct serial_backend *backend, const char *argument, GError **error)
{
        (void)argument;
        if (stdio.owner) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "only one serial line can be on stdio");
                return false;
        }
        fflush(stdout);
        stdio.out_fd = stdio_open_output();
        if (stdio.out_fd < 0)
                log_warning("standard output is closed; output of the serial line on it is lost");
        stdio.owner = backend;
        stdio.escape = false;
        terminal_make_raw();
        bool input = fcntl(0, F_GETFL) >= 0 && (!isatty(0) || terminal_is_ours());
        serial_streams_open(backend, input ? 0 : -1, stdio.out_fd);
        return true;
}

static void stdio_close(struct serial_backend *backend)
{
        (void)backend;
        if (stdio.out_fd >= 0)
                close(stdio.out_fd);
        stdio.out_fd = -1;
        terminal_restore();
        stdio.owner = NULL;
}

const struct serial_kind serial_kind_stdio = {
        .name = "stdio",
        .lossless = true,
        .open = stdio_open,
        .close = stdio_close,
        .filter = stdio_filter,
};
