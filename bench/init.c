/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * init.c - first process of the benchmarks' guests: says that the guest is up, does what the kernel's command line
 * asks for, and turns the machine off.
 *
 *   bench=MILLISECONDS   runs /workload; "BENCH-END STATUS" follows
 *   churn=SECONDS        runs /churn likewise
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void run(const char *program, const char *argument)
{
        pid_t child = fork();
        int status = -1;

        if (child == 0) {
                execl(program, program, argument, (char *)NULL);
                _exit(127);
        }
        if (child > 0)
                waitpid(child, &status, 0);
        printf("BENCH-END %d\n", status);
        fflush(stdout);
}

int main(void)
{
        char line[4096] = "", *save = NULL;
        int fd;

        mkdir("/proc", 0755);
        mount("proc", "/proc", "proc", 0, NULL);
        printf("BENCH-UP\n");
        fflush(stdout);
        fd = open("/proc/cmdline", O_RDONLY);
        if (fd >= 0 && read(fd, line, sizeof line - 1) < 0)
                perror("/proc/cmdline");
        for (char *word = strtok_r(line, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
                if (!strncmp(word, "bench=", 6))
                        run("/workload", word + 6);
                else if (!strncmp(word, "churn=", 6))
                        run("/churn", word + 6);
        }
        reboot(RB_POWER_OFF);
        return 1;
}
