/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent.h - commands carried out by the guest's agent (qemu-ga), over a virtio channel whose host side is a socket.
 *
 * Everything happens on the thread-default main loop.  What the agent says comes from the guest: it is believed as far as
 * output and status of a command go, and no further.
 */
#ifndef LODGER_CLI_AGENT_H
#define LODGER_CLI_AGENT_H

#include <stdbool.h>

/* The channel by which guests know it. */
#define AGENT_CHANNEL "org.qemu.guest_agent.0"

struct agent;

/* answered: once, when there is an agent.  NULL: the socket cannot be reached. */
struct agent *agent_new(const char *path, void (*answered)(void *opaque), void *opaque);
bool agent_is_there(const struct agent *agent);
/* Runs a command of the guest's shell; its output goes to this process's.  done: with its status, or -1 when the agent does
 * not carry out commands, which it has been asked not to.  One at a time. */
void agent_run(struct agent *agent, const char *command, void (*done)(void *opaque, int status));
void agent_free(struct agent *agent);

#endif
