/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * churn.c - what tests/soak/churn runs in a guest: processes come and go, memory is mapped and unmapped, new code is
 * written and executed, for a given time.  Every few seconds it says what fixed pieces of work cost just then, so that
 * a cost which grows with uptime shows.
 *
 *   churn SECONDS
 *
 * Lines: "CHURN SECOND forks N exec-us N map-us N code-us N loop-us N", the last four the least of that interval.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, BIG = 64 << 20, FUNCTIONS = 256, INTERVAL_S = 10 };

static double now_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* A child that becomes this program anew and ends. */
static void work_exec(void)
{
        pid_t child = fork();

        if (child == 0) {
                execl("/churn", "churn", "0", (char *)NULL);
                _exit(127);
        }
        waitpid(child, NULL, 0);
}

/* A big mapping at wherever the kernel puts it, touched here and there; half of it goes first. */
static void work_map(void)
{
        static unsigned round;
        uint8_t *big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (big == MAP_FAILED)
                return;
        for (size_t at = 0; at < BIG; at += 32 * PAGE)
                big[at + round % 32 * PAGE] = 1;
        munmap(big, BIG / 2);
        munmap(big + BIG / 2, BIG / 2);
        round++;
}

/* Functions that did not exist before: mov eax, N; ret. */
static void work_code(void)
{
        static uint32_t number;
        uint8_t *code = mmap(NULL, FUNCTIONS * 16, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (code == MAP_FAILED)
                return;
        for (unsigned i = 0; i < FUNCTIONS; i++) {
                uint8_t *at = code + i * 16;
                number++;
                at[0] = 0xb8;
                memcpy(at + 1, &number, 4);
                at[5] = 0xc3;
                uint32_t (*function)(void);
                memcpy(&function, &at, sizeof function);
                if (function() != number)
                        printf("CHURN-WRONG code\n");
        }
        munmap(code, FUNCTIONS * 16);
}

static void work_loop(void)
{
        static uint32_t values[16384];

        for (unsigned i = 0; i < 16384 * 8; i++)
                values[i * 7919 % 16384] += i ^ values[i % 16384];
}

static double least(double before, void (*work)(void))
{
        double begin = now_us();

        work();
        begin = now_us() - begin;
        return before == 0 || begin < before ? begin : before;
}

int main(int argc, char **argv)
{
        double begin = now_us(), end = begin + (argc > 1 ? atof(argv[1]) : 0) * 1e6, last = begin;
        double exec_us = 0, map_us = 0, code_us = 0, loop_us = 0;
        unsigned forks = 0;

        while (now_us() < end) {
                exec_us = least(exec_us, work_exec);
                map_us = least(map_us, work_map);
                code_us = least(code_us, work_code);
                if (forks++ % 16 == 0)
                        loop_us = least(loop_us, work_loop);
                if (now_us() - last < INTERVAL_S * 1e6)
                        continue;
                last = now_us();
                printf("CHURN %.0f forks %u exec-us %.0f map-us %.0f code-us %.0f loop-us %.0f\n", (last - begin) / 1e6, forks, exec_us,
                       map_us, code_us, loop_us);
                fflush(stdout);
                exec_us = map_us = code_us = loop_us = 0;
                forks = 0;
        }
        return 0;
}
