# SPDX-License-Identifier: GPL-2.0-or-later
"""attach.py - see soak-attach."""
import os

from desktop import Failure, find, lodger, main, nodes, wait, xdotool

CYCLES = int(os.environ["CYCLES"])
# Caches of the toolkit fill in the first ones.
WARM = 10
GROWTH_KIB_MAX = 8192


def descriptors(process):
    return len(os.listdir("/proc/%d/fd" % process))


def resident_kib(process):
    with open("/proc/%d/status" % process) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def attach_and_detach(desktop):
    desktop.machine("cycles")
    machine = desktop.processes[-1].pid
    gtk = desktop.gtk()
    find("list item", "cycles")
    before = None
    for cycle in range(CYCLES + 1):
        if cycle == min(WARM, CYCLES // 2):
            before = [(descriptors(p), resident_kib(p)) for p in (machine, gtk.pid)]
        second = desktop.gtk("--show", "cycles")
        find("canvas", "Screen of the guest")
        second.wait()
        # The release keys and W close the window that the pointer is in.
        xdotool("search", "--sync", "--onlyvisible", "--name", "^cycles$")
        xdotool("mousemove", "500", "400", "key", "ctrl+alt+w")
        wait("window %d is closed" % cycle, lambda: not list(nodes("canvas", "Screen of the guest", True)), gtk)
    after = [(descriptors(p), resident_kib(p)) for p in (machine, gtk.pid)]
    for name, then, now in zip(("machine", "application"), before, after):
        print("%s: %d descriptors, %d before; %d KiB resident, %d before" % (name, now[0], then[0], now[1], then[1]), flush=True)
        if now[0] > then[0] + 3 or now[1] > then[1] + GROWTH_KIB_MAX:
            raise Failure("the %s keeps something" % name)
    if "running" not in lodger("list"):
        raise Failure("the machine does not run any more")
    print("%d windows came and went" % CYCLES)


main(attach_and_detach)
