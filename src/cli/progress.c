/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.c - a long job on the command line: how far it is, and Ctrl-C. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/progress.h"

static volatile bool cancelled;

static void cancel(int number)
{
        (void)number;
        cancelled = true;
}

/* A line that is written over and over on a terminal. */
static void show_progress(void *opaque, uint64_t done, uint64_t total)
{
        static unsigned shown = UINT_MAX;
        unsigned percent = total ? (unsigned)((double)done / (double)total * 100) : 100;

        (void)opaque;
        if (percent == shown)
                return;
        shown = percent;
        fprintf(stderr, "\r%3u %%%s", percent, done == total ? "\r     \r" : "");
}

const struct image_progress *progress_watch(bool quiet)
{
        static struct image_progress progress = { .cancel = &cancelled };
        struct sigaction action = { .sa_handler = cancel };

        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGHUP, &action, NULL);
        if (!quiet && isatty(STDERR_FILENO))
                progress.report = show_progress;
        return &progress;
}
