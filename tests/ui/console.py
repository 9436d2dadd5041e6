# SPDX-License-Identifier: GPL-2.0-or-later
"""console.py - the console window of lodger-gtk."""
import os
import shutil
import signal
import subprocess

import pyatspi

from desktop import (BUTTONS, LODGER, Failure, find, has_line, lines, lodger, main, nodes, place, press, press_in_menu,
                     screen_colours, shows, texts, wait, walk, xdotool)


def middle_of_screen():
    x, y, width, height = wait("the guest's screen has a size",
                               lambda: next((place(node) for node in nodes("canvas", "Screen of the guest", True)
                                             if place(node)[2] > 600), None))
    return str(x + width // 2), str(y + height // 2)


def grab():
    """Clicks the screen and waits until the window says how to get away again."""
    x, y = middle_of_screen()
    xdotool("mousemove", x, y, "click", "1")
    shows("to let go of mouse and keyboard")


def typed(console, *codes):
    """The guest has got exactly these bytes since it was ready or since the last call."""
    done = typed.done.setdefault(console, lines(console).index("ready") + 1)
    got = lambda: [line for line in lines(console)[done:] if line.startswith("k")]
    wait("keys %s, not %s" % (codes, got()), lambda: got() == list(codes))
    typed.done[console] = len(lines(console)) - 1


typed.done = {}


def test_keys_and_grab(desktop):
    console = desktop.machine("keys")
    gtk = desktop.gtk("--show", "keys")
    grab()
    wait("the window shows the guest", lambda: len(screen_colours()) > 20, gtk)
    named = [node.name for node in nodes(BUTTONS) if node.name]
    if len(named) < 5:
        raise Failure("named buttons: %s" % named)
    xdotool("key", "a")
    typed(console, "k1e", "k9e")
    xdotool("key", "Return")
    typed(console, "k1c", "k9c")
    # By position: on a German keyboard the key between T and U types z.
    if shutil.which("setxkbmap"):
        subprocess.run(("setxkbmap", "de"), check=True)
        xdotool("key", "z")
        typed(console, "k15", "k95")
        subprocess.run(("setxkbmap", "us"), check=True)
    # The mouse, by relative movement.
    before = len([line for line in lines(console) if line.startswith("m")])
    xdotool("mousemove_relative", "15", "7")
    wait("the mouse moves", lambda: len([line for line in lines(console) if line.startswith("m")]) > before)
    # The release keys reach the guest too, which sees them go up again.
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    shows("Click the screen to use the mouse")
    typed(console, "k1d", "k38", "kb8", "k9d")
    # A key that is down when the window's process dies comes up.
    grab()
    xdotool("keydown", "b")
    wait("the key is down", lambda: has_line(console, "k30"))
    gtk.kill()
    wait("the key is up", lambda: has_line(console, "kb0"))
    xdotool("keyup", "b")
    if "keys" not in lodger("list"):
        raise Failure("the machine ended with the window")


def test_buttons(desktop):
    console = desktop.machine("buttons")
    gtk = desktop.gtk("--show", "buttons")
    press("toggle button", "Pause")
    wait("the machine is paused", lambda: "paused" in lodger("list"), gtk)
    press("toggle button", "Resume")
    wait("the machine runs", lambda: "running" in lodger("list"), gtk)
    find("toggle button", "Pause")
    press("push button", "Take a Screenshot")
    shows("Screenshot saved as")
    pictures = [name for name in os.listdir(desktop.work) if name.endswith(".png")]
    lodger("screenshot", "buttons", desktop.path("other.png"))
    compare(desktop.path(pictures[0]), desktop.path("other.png"))
    # Another client pauses it: the window follows.
    lodger("pause", "buttons")
    find("toggle button", "Resume")
    lodger("resume", "buttons")
    press("toggle button", "Full Screen")
    find("push button", "Leave Full Screen")
    press("push button", "Leave Full Screen")
    wait("the header bar is back", lambda: next(nodes("toggle button", "Main Menu", True), None))
    press("toggle button", "Power")
    press(BUTTONS, "Press the Power Button")
    wait("the guest has noticed", lambda: has_line(console, "power button"))
    shows("The machine has ended.")


def compare(one, other):
    """Both files hold the same picture."""
    import gi
    gi.require_version("GdkPixbuf", "2.0")
    from gi.repository import GdkPixbuf
    first, second = (GdkPixbuf.Pixbuf.new_from_file(path) for path in (one, other))
    if (first.get_width(), first.get_height()) != (second.get_width(), second.get_height()):
        raise Failure("the pictures have different sizes")
    width = first.get_width()
    different = 0
    for y in range(0, first.get_height()):
        rows = [p.get_pixels()[y * p.get_rowstride():y * p.get_rowstride() + width * p.get_n_channels()] for p in (first, second)]
        different += rows[0] != rows[1]
    # The cursor blinks.
    if different > 20:
        raise Failure("the pictures differ in %d rows" % different)


def test_ends(desktop):
    # A file nothing can be started from: the window says why, with the log.
    nothing = desktop.path("nothing.iso")
    with open(nothing, "wb") as file:
        file.write(bytes(100000))
    gtk = desktop.gtk("--start", nothing)
    shows("The machine could not go on.")
    shows("neither a CD image")
    gtk.kill()
    gtk.wait()
    # A process that is killed.
    guest = os.environ["top_builddir"] + "/tests/control/echo.elf"
    gtk = desktop.gtk("--start", guest)
    wait("the machine runs", lambda: "running" in lodger("list"), gtk)
    find("canvas", "Screen of the guest")
    for process in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % process, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[:2] == [LODGER.encode(), b"run"] and guest.encode() in words:
            os.kill(int(process), signal.SIGKILL)
    shows("was ended by signal 9")
    # Again, from the window; then closing the window leaves it alone.
    press("push button", "Start Again")
    wait("the machine runs again", lambda: "running" in lodger("list"), gtk)
    gtk.terminate()
    gtk.wait()
    wait("the machine runs without the window", lambda: "running" in lodger("list"))


def test_missing_file(desktop):
    """A disk that is not where it was: its new place is asked for, and the machine starts."""
    guest, disk = os.environ["top_builddir"] + "/tests/control/echo.elf", desktop.path("moved.raw")
    with open(disk, "wb") as file:
        file.write(bytes(1 << 20))
    lodger("create", "mislaid", "--serial", "none", "--memory", "16M", "--net", "none", "--kernel", guest, "--disk", disk + ",bus=ahci")
    os.rename(disk, desktop.path("here.raw"))
    gtk = desktop.gtk()
    press("push button", "Start")
    press("push button", "Find the Missing File…")
    wait("its place is asked for", lambda: any("Where is “moved.raw” now?" in (node.name or "") for node in
                                               nodes(("file chooser", "dialog", "frame"), showing=True)), gtk)
    # A slash opens the file chooser's entry for a path.
    xdotool("key", "slash")
    chooser = next(nodes("file chooser", showing=True))
    entry = wait("an entry", lambda: next((node for node in walk(chooser) if node.getRoleName() == "text" and
                                           node.getState().contains(pyatspi.STATE_SHOWING)), None))
    entry.queryEditableText().setTextContents(desktop.path("here.raw"))
    press("push button", "Choose")
    wait("the machine runs", lambda: "running" in lodger("list"), gtk)
    definition = lodger("show", "mislaid")
    if "disk=%s,bus=ahci" % desktop.path("here.raw") not in definition:
        raise Failure("the definition has: " + definition)


def test_video(desktop):
    desktop.machine("film")
    gtk = desktop.gtk("--show", "film")
    # A menu closes when the guest's screen takes the focus, as it does when it is there.
    wait("the window shows the guest", lambda: len(screen_colours()) > 20, gtk)
    press_in_menu(BUTTONS, "Record a Video")
    if not shutil.which("gst-launch-1.0"):
        shows("gst-launch-1.0 is not installed")
        return
    shows("Recording the screen")
    video = lambda: [name for name in os.listdir(desktop.work) if name.endswith(".webm")]
    wait("the file grows", lambda: video() and os.stat(desktop.path(video()[0])).st_size > 0, gtk)
    press_in_menu(BUTTONS, "Record a Video")
    shows("Video saved as")
    with open(desktop.path(video()[0]), "rb") as file:
        if file.read(4) != b"\x1aE\xdf\xa3":               # EBML
            raise Failure("no WebM file")


def test_cycles(desktop):
    """Windows come and go, in all sizes, while the guest runs; the machine keeps nothing of them."""
    console = desktop.machine("cycles")
    process = desktop.processes[-1].pid
    descriptors = lambda: len(os.listdir("/proc/%d/fd" % process))
    lodger("screenshot", "cycles", desktop.path("first.png"))
    before = descriptors()
    for width in (700, 1200, 900, 1100, 800):
        gtk = desktop.gtk("--show", "cycles")
        middle_of_screen()
        xdotool("search", "--sync", "--onlyvisible", "--name", "^cycles$", "windowsize", str(width), "600")
        wait("the screen is %d wide" % width, lambda: any(abs(place(node)[2] - width) < 60
                                                          for node in nodes("canvas", "Screen of the guest", True)), gtk)
        wait("the window shows the guest", lambda: len(screen_colours()) > 5, gtk)
        gtk.terminate()
        gtk.wait()
        wait("it is gone", lambda: not list(nodes("frame")))
    # The framebuffer may stay mapped; connections may not.
    wait("the machine has closed them, not %d descriptors, %d before" % (descriptors(), before), lambda: descriptors() <= before + 2)
    lodger("key", "cycles", "a")
    typed(console, "k1e", "k9e")


main(test_keys_and_grab, test_buttons, test_ends, test_missing_file, test_video, test_cycles)
