/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner.c - children that carry out batches of cases, and what happens when one dies or hangs.
 *
 * Cases and results are in memory shared with the child; a byte on a socket starts a batch and a byte
 * ends it.  The child advances `next` as it goes, so that after its death the parent knows which case
 * to blame, starts another child, and goes on with the case behind it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "isa.h"

enum { HANG_MS = 20000 };

struct isa_runner {
        const char *name;
        isa_child *child;
        struct isa_shared *shared;
        pid_t pid;                      /* 0: none is running */
        int fd;
        unsigned deaths;
};

struct isa_runner *isa_runner_new(const char *name, isa_child *child)
{
        struct isa_runner *runner = calloc(1, sizeof(*runner));
        void *shared = mmap(NULL, sizeof(struct isa_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (!runner || shared == MAP_FAILED) {
                perror("isa: shared memory");
                exit(2);
        }
        runner->name = name;
        runner->child = child;
        runner->shared = shared;
        return runner;
}

struct isa_shared *isa_runner_shared(struct isa_runner *runner)
{
        return runner->shared;
}

unsigned isa_runner_deaths(const struct isa_runner *runner)
{
        return runner->deaths;
}

static void start_child(struct isa_runner *runner)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
                perror("isa: socketpair");
                exit(2);
        }
        fflush(NULL);
        runner->pid = fork();
        if (runner->pid < 0) {
                perror("isa: fork");
                exit(2);
        }
        if (runner->pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(pair[0]);
                runner->child(runner->shared, pair[1]);
                _exit(0);
        }
        close(pair[1]);
        runner->fd = pair[0];
}

/* Reaps the child and says in text how it ended. */
static void bury_child(struct isa_runner *runner, char *text, size_t size)
{
        int status = 0;

        while (waitpid(runner->pid, &status, 0) < 0 && errno == EINTR)
                ;
        close(runner->fd);
        runner->pid = 0;
        runner->deaths++;
        if (WIFSIGNALED(status))
                snprintf(text, size, "%s runner died of signal %d (%s)", runner->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
                snprintf(text, size, "%s runner exited with status %d", runner->name, WEXITSTATUS(status));
}

void isa_runner_run(struct isa_runner *runner)
{
        struct isa_shared *shared = runner->shared;

        shared->next = 0;
        while (shared->next < shared->count) {
                struct pollfd wait;
                char byte = 'g';
                int ready;

                if (!runner->pid)
                        start_child(runner);
                if (send(runner->fd, &byte, 1, MSG_NOSIGNAL) == 1) {
                        wait = (struct pollfd){ .fd = runner->fd, .events = POLLIN };
                        uint32_t seen;

                        do {
                                seen = shared->next;
                                ready = poll(&wait, 1, HANG_MS);
                        } while ((ready < 0 && errno == EINTR) || (ready == 0 && shared->next != seen));
                        if (ready == 0)
                                kill(runner->pid, SIGKILL);
                        else if (read(runner->fd, &byte, 1) == 1)
                                continue;       /* next == count, or the child wants another child for the rest */
                }
                if (shared->next < shared->count) {
                        struct isa_result *result = &shared->results[shared->next];

                        memset(result, 0, sizeof(*result));
                        result->vector = ISA_VECTOR_CRASH;
                        bury_child(runner, result->note, sizeof(result->note));
                        shared->next++;
                }
        }
}

void isa_runner_free(struct isa_runner *runner)
{
        if (runner->pid) {
                close(runner->fd);
                kill(runner->pid, SIGKILL);
                waitpid(runner->pid, NULL, 0);
        }
        munmap(runner->shared, sizeof(*runner->shared));
        free(runner);
}
