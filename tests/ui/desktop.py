# SPDX-License-Identifier: GPL-2.0-or-later
"""desktop.py - what tests of lodger-gtk share: machines, programs, and the desktop as a screen reader sees it.

Everything waits for conditions; PATIENCE is long because test machines are slow and busy.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

import gi
gi.require_version("Gdk", "3.0")
import pyatspi
from gi.repository import Gdk, GLib

PATIENCE = 150
LODGER = os.environ["LODGER"]
BUILD = os.environ["top_builddir"]
BUTTONS = ("push button", "toggle button", "check box", "menu item", "menu", "check menu item", "radio menu item", "button")


class Failure(Exception):
    pass


class Desktop:
    """A private place for machines, and the processes a test started."""

    def __init__(self):
        self.work = tempfile.mkdtemp()
        self.processes = []
        for variable in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            os.environ[variable] = os.path.join(self.work, variable)
            os.mkdir(os.environ[variable], 0o700)
        os.environ["HOME"] = self.work
        os.environ["GSETTINGS_BACKEND"] = "memory"
        os.environ["GSETTINGS_SCHEMA_DIR"] = os.path.join(BUILD, "data")

    def path(self, name):
        return os.path.join(self.work, name)

    def run(self, *command, **options):
        with open(self.path("output-%d" % len(self.processes)), "w") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
        self.processes.append(process)
        return process

    def machine(self, name, *options):
        """A machine whose guest prints what its keyboard sends; returns the file it prints to."""
        console = self.path(name + ".out")
        process = self.run(LODGER, "run", "--name", name, "--headless", "--net", "none", "--serial", "none", "--memory", "16M",
                           "--kernel", BUILD + "/tests/control/echo.elf", "--debug-console", console, "--timeout", "300s", *options)
        wait("the guest is ready", lambda: has_line(console, "ready"), process)
        return console

    def gtk(self, *arguments, **environment):
        return self.run(BUILD + "/lodger-gtk", *arguments, env=dict(os.environ, **environment))

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for name in lodger("list").split("\n"):
            if name:
                lodger("stop", "--force", name.split()[0])
        shutil.rmtree(self.work, ignore_errors=True)

    def show_output(self):
        for i in range(len(self.processes)):
            with open(self.path("output-%d" % i), errors="replace") as output:
                text = output.read()
            if text:
                print("-- %s:\n%s" % (" ".join(self.processes[i].args), text[-3000:]))


def lodger(*arguments):
    return subprocess.run((LODGER,) + arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60).stdout


def has_line(path, line):
    try:
        with open(path) as file:
            return line in file.read().split("\n")
    except OSError:
        return False


def lines(path):
    with open(path) as file:
        return file.read().split("\n")


def wait(what, condition, process=None, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        if process is not None and process.poll() is not None:
            raise Failure("%s: the process ended with status %d" % (what, process.returncode))
        time.sleep(0.1)
    raise Failure("waited in vain: " + what)


def xdotool(*arguments):
    subprocess.run(("xdotool",) + arguments, check=True, timeout=30, stdout=subprocess.DEVNULL)


# -- The accessible tree -------------------------------------------------------------------------------


def walk(node, depth=0):
    """Every node below one; what vanishes meanwhile is left out."""
    if node is None or depth > 30:
        return
    yield node
    try:
        children = [node.getChildAtIndex(i) for i in range(node.childCount)]
    except Exception:
        return
    for child in children:
        yield from walk(child, depth + 1)


def applications():
    try:
        return [app for app in pyatspi.Registry.getDesktop(0) if app is not None and "lodger" in (app.name or "").lower()]
    except Exception:
        return []


def nodes(role=None, name=None, showing=False, ready=False):
    """Nodes by role (or roles) and name; showing: that are on a screen; ready: and that can be used now."""
    states = [pyatspi.STATE_SHOWING] * (showing or ready) + [pyatspi.STATE_SENSITIVE] * ready
    for app in applications():
        for node in walk(app):
            try:
                if role is not None and node.getRoleName() not in (role if isinstance(role, tuple) else (role,)):
                    continue
                if name is not None and node.name != name:
                    continue
                state = node.getState() if states else None
                if not all(state.contains(wanted) for wanted in states):
                    continue
                yield node
            except Exception:
                continue


def find(role, name, showing=True):
    return wait("%s “%s”" % (role, name), lambda: next(nodes(role, name, showing), None))


def texts():
    """Everything that is shown as text."""
    return [node.name for node in nodes("label", showing=True)]


def shows(text):
    return wait("text “%s”, not %s" % (text, texts()), lambda: any(text in shown for shown in texts()))


def press(role, name, within=None):
    """Presses a button or menu item as soon as it can be pressed; within: of this dialog."""
    def ready():
        for node in nodes(role, name, ready=True):
            if within is None or any(node == other for other in walk(within)):
                return node
        return None

    wait("%s “%s” can be pressed" % (role, name), ready).queryAction().doAction(0)


def press_in_menu(role, name, menu="Main Menu"):
    """Presses an item of a window's menu.  The menu closes when another window takes the keyboard; it is opened again then."""
    tried = [0.0]

    def item():
        found = next(nodes(role, name, ready=True), None)
        button = next(nodes("toggle button", menu, ready=True), None)
        if not found and button and not button.getState().contains(pyatspi.STATE_CHECKED) and time.monotonic() > tried[0] + 2:
            tried[0] = time.monotonic()
            button.queryAction().doAction(0)
        return found

    wait("%s “%s” of %s can be pressed" % (role, name, menu), item).queryAction().doAction(0)


def place(node):
    extents = node.queryComponent().getExtents(pyatspi.DESKTOP_COORDS)
    return extents.x, extents.y, extents.width, extents.height


def click(role, name, where=lambda node, name: node.name == name):
    """Clicks what is shown under a name with the mouse, once it lies still."""
    seen = []

    def still():
        node = next((node for node in nodes(role, ready=True) if where(node, name)), None)
        seen.append(place(node) if node else None)
        return len(seen) > 1 and seen[-1] and seen[-1] == seen[-2] and seen[-1][2] > 0 and seen[-1]

    x, y, width, height = wait("%s “%s” lies still" % (role, name), still)
    xdotool("mousemove", str(x + width // 2), str(y + height // 2), "click", "1")


def screen_colours():
    """The colours of the X screen, as a set of triples."""
    window = Gdk.get_default_root_window()
    picture = Gdk.pixbuf_get_from_window(window, 0, 0, window.get_width(), window.get_height())
    data, stride, channels = picture.get_pixels(), picture.get_rowstride(), picture.get_n_channels()
    return {data[y * stride + x * channels:y * stride + x * channels + 3]
            for y in range(0, picture.get_height(), 3) for x in range(0, picture.get_width(), 3)}


def main(*tests):
    """Runs the tests one after another, each on a desktop of its own."""
    failures = 0
    for test in tests:
        desktop = Desktop()
        try:
            test(desktop)
        except (Failure, subprocess.SubprocessError, GLib.Error) as error:
            print("%s: %s" % (test.__name__, error))
            desktop.show_output()
            failures += 1
        finally:
            desktop.end()
    print("%d of %d fail" % (failures, len(tests)) if failures else "%d hold" % len(tests))
    sys.exit(failures > 0)
