# SPDX-License-Identifier: GPL-2.0-or-later
"""frames.py - see bench/frames.  What reaches the screen is seen by the X server's Damage extension."""
import ctypes
import os
import select
import socket
import sys
import time

from desktop import LODGER, find, main, place, wait

LATE_SECONDS = 0.050
SAME_FRAME_SECONDS = 0.004              # pieces of one picture
LATE_SHARE_MAX = 0.01
COST_MAX = 0.5
SECONDS = float(os.environ["FRAMES_SECONDS"])
# The picture moves by itself: what is drawn is taken from a file that is longer than the screen.
ANIMATION = ("i=0; while :; do dd if=/tmp/noise of=/dev/fb0 bs=65536 count=12 skip=$i 2>/dev/null; i=$(((i+1)%16)); "
             "busybox usleep 28000; done")
SCROLLING = "while :; do cat /tmp/lines; done >/dev/tty0"


class Damage:
    """Times at which anything within the guest's screen was drawn."""

    def __init__(self):
        self.x11, self.damage = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXdamage.so.1")
        self.x11.XOpenDisplay.restype = ctypes.c_void_p
        self.x11.XDefaultRootWindow.restype = ctypes.c_ulong
        self.display = ctypes.c_void_p(self.x11.XOpenDisplay(None))
        base, error = ctypes.c_int(), ctypes.c_int()
        self.damage.XDamageQueryExtension(self.display, ctypes.byref(base), ctypes.byref(error))
        self.damage.XDamageCreate(self.display, ctypes.c_ulong(self.x11.XDefaultRootWindow(self.display)), 0)
        self.x11.XSync(self.display, 0)

    def watch(self, seconds, least_height):
        """Times of the frames in so many seconds; small ones (a blinking cursor, the status strip) do not count."""
        event = (ctypes.c_char * 192)()
        times, end = [], time.monotonic() + seconds
        connection = self.x11.XConnectionNumber(self.display)
        while time.monotonic() < end:
            if not self.x11.XPending(self.display):
                select.select([connection], [], [], 0.2)
            now = time.monotonic()
            for _ in range(self.x11.XPending(self.display)):
                self.x11.XNextEvent(self.display, ctypes.byref(event))
                # XDamageNotifyEvent, where long has 64 bits: its area, x, y, width and height, begins at byte 64.
                height = int.from_bytes(event[70:72], sys.byteorder)
                if height >= least_height and (not times or now - times[-1] > SAME_FRAME_SECONDS):
                    times.append(now)
        return times


def cpu_seconds(process, without_vcpus=False):
    """User and system time of a process, or of its threads that run no guest."""
    total = 0
    folder = "/proc/%d/task" % process
    for thread in os.listdir(folder):
        with open("%s/%s/stat" % (folder, thread)) as file:
            text = file.read()
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        # The main loop is the first thread, GDBus's have names; vCPUs are the ones called like the program.
        if not without_vcpus or int(thread) == process or name != "lodger":
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


class Shell:
    """The guest's, on its serial console."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(0.1)
        self.text = ""

    def said(self, text):
        try:
            self.text += self.socket.recv(65536).decode(errors="replace")
        except TimeoutError:
            pass
        return text in self.text

    def run(self, command):
        self.text = ""
        self.socket.sendall((command + "; echo DO''NE\n").encode())
        wait("the guest does: " + command, lambda: self.said("DONE"))


def measure(what, damage, gtk, machine):
    before = cpu_seconds(gtk), cpu_seconds(machine, True)
    times = damage.watch(SECONDS, 100)
    cost = [(now - then) / SECONDS for now, then in zip((cpu_seconds(gtk), cpu_seconds(machine, True)), before)]
    gaps = sorted(b - a for a, b in zip(times, times[1:]))
    late = sum(gap > LATE_SECONDS for gap in gaps)
    if len(gaps) < SECONDS * 10:
        print("%s: only %d frames in %.0f s" % (what, len(gaps), SECONDS))
        return False
    print("%s: %d frames in %.0f s, middle %.1f ms, 99 of 100 within %.1f ms, longest %.1f ms; %d later than %.0f ms (%.2f %%); "
          "CPU: window %.0f %%, machine beyond its vCPUs %.0f %%" %
          (what, len(gaps), SECONDS, gaps[len(gaps) // 2] * 1e3, gaps[len(gaps) * 99 // 100] * 1e3, gaps[-1] * 1e3, late,
           LATE_SECONDS * 1e3, 100 * late / len(gaps), cost[0] * 100, cost[1] * 100), flush=True)
    return late <= LATE_SHARE_MAX * len(gaps) and sum(cost) <= COST_MAX


def frames(desktop):
    port = desktop.path("serial")
    machine = desktop.run(LODGER, "run", "--name", "frames", "--headless", "--net", "none", "--memory", "512M", "--serial", "unix:" + port,
                          "--kernel", os.environ["FRAMES_LINUX"], "--initrd", os.environ["FRAMES_INITRD"],
                          "--append", "console=tty0 console=ttyS0 quiet")
    wait("the port is there", lambda: os.path.exists(port), machine)
    shell = Shell(port)
    wait("the guest has a shell", lambda: shell.said("GUEST-READY"), machine)
    shell.run("modprobe bochs; ls /dev/fb0 && dd if=/dev/urandom of=/tmp/noise bs=65536 count=28 && seq 1 2000 >/tmp/lines")
    gtk = desktop.gtk("--show", "frames")
    wait("the screen is shown", lambda: place(find("canvas", "Screen of the guest"))[2] > 600, gtk)
    if "/dev/fb0" not in shell.text:
        sys.exit("the guest has no framebuffer: " + shell.text)
    damage = Damage()
    fine = True
    for what, command in (("console scrolling", SCROLLING), ("animation, 30 frames a second", ANIMATION)):
        shell.run("(%s) & sleep 3" % command)
        fine &= measure(what, damage, gtk.pid, machine.pid)
        shell.run("kill %1; sleep 1")
    if not fine:
        sys.exit(1)


main(frames)
