/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.h - which network cards a machine has, and what their other ends are (for src/machine). */
#ifndef LODGER_MACHINE_NETWORK_H
#define LODGER_MACHINE_NETWORK_H

#include "machine/internal.h"

struct net;

/* The host's side, from config->nets; main loop, lock not held. */
bool network_open(struct machine *machine, const struct machine_config *config, GError **error);
/* The cards; lock held, within pc_build(). */
bool network_add(struct machine *machine, const struct machine_config *config, GError **error);
/* After the devices have gone. */
void network_close(struct machine *machine);
/* "net0", or empty for the first one; NULL with error set when there is none. */
struct net *network_find(struct machine *machine, const char *id, GError **error);

#endif
