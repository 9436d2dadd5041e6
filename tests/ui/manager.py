# SPDX-License-Identifier: GPL-2.0-or-later
"""manager.py - the manager window of lodger-gtk and what it opens."""
import os

from desktop import BUTTONS, Failure, click, find, has_line, lodger, main, nodes, place, press, press_in_menu, shows, texts, wait, xdotool

GUEST = os.path.join(os.environ["top_builddir"], "tests/control/echo.elf")


def rows():
    return [node.name for node in nodes("list item", showing=True)]


def set_text(name, text):
    find("text", name).queryEditableText().setTextContents(text)


def test_assistant(desktop):
    # A CD image in one of the usual folders is suggested, by the name in its volume descriptor.
    os.mkdir(desktop.path("ISO"))
    with open(desktop.path("ISO/some.iso"), "wb") as file:
        descriptor = bytearray(2048)
        descriptor[0:7] = b"\x01CD001\x01"
        descriptor[40:72] = b"Debian 12.5.0 amd64 n".ljust(32)
        descriptor[80:84] = (20).to_bytes(4, "little")
        file.write(bytes(16 * 2048) + descriptor + bytes(3 * 2048))
    gtk = desktop.gtk()
    press("push button", "New Machine…")
    click("list item", "Debian 12.5.0 amd64 n")
    press("push button", "Create")
    wait("the machine is listed", lambda: "some" in rows(), gtk)
    definition = desktop.path("XDG_DATA_HOME/lodger/machines/some/definition")
    wait("the definition is there", lambda: has_line(definition, "os=linux64"), gtk)
    if os.stat(os.path.dirname(definition) + "/disk.raw").st_size != 32 << 30:
        raise Failure("the disk has another size")
    # Settings: what is wrong is said and not taken, what is right is written.
    press("push button", "Settings")
    find("text", "memory").queryEditableText().setTextContents("banana")
    press("push button", "Apply")
    shows("banana: not a size")
    find("text", "memory").queryEditableText().setTextContents("300M")
    press("push button", "Apply")
    wait("the memory is set", lambda: has_line(definition, "memory=300M"), gtk)
    # Deleting asks first.
    press("toggle button", "More Actions")
    press(BUTTONS, "Delete…")
    press("push button", "Delete")
    wait("the machine is gone", lambda: "some" not in rows() and not os.path.exists(definition), gtk)


def test_import(desktop):
    """A machine that another program has defined, by its file on the command line."""
    with open(desktop.path("box.ovf"), "w") as file:
        file.write("""<Envelope><References><File id="f" href="disk.img"/></References>
            <DiskSection><Disk diskId="d" fileRef="f" capacity="1"/></DiskSection>
            <VirtualSystem id="box"><OperatingSystemSection/><VirtualHardwareSection>
            <Item><HostResource>/disk/d</HostResource><ResourceType>17</ResourceType></Item>
            </VirtualHardwareSection></VirtualSystem></Envelope>""")
    with open(desktop.path("disk.img"), "wb") as file:
        file.write(bytes(1 << 20))
    gtk = desktop.gtk(desktop.path("box.ovf"))
    wait("the machine is listed", lambda: rows() == ["box"], gtk)
    if not os.path.exists(desktop.path("XDG_DATA_HOME/lodger/machines/box/disk0.qcow2")):
        raise Failure("the disk was not copied")
    # One that cannot be read says why.
    os.remove(desktop.path("disk.img"))
    second = desktop.gtk(desktop.path("box.ovf"))
    wait("the second start ends", lambda: second.poll() is not None)
    shows("No such file")
    press("push button", "Cancel")
    wait("the window is closed", lambda: not any("No such file" in text for text in texts()))


def test_life(desktop):
    console = desktop.path("console")
    lodger("create", "lively", "--memory", "16M", "--serial", "none", "--kernel", GUEST, "--debug-console", console)
    gtk = desktop.gtk()
    wait("the machine is listed", lambda: rows() == ["lively"], gtk)
    shows("Off")
    press("push button", "Start")
    wait("the guest is ready", lambda: has_line(console, "ready"), gtk)
    find("canvas", "Screen of the guest")
    # Closing the console leaves the machine alone; the manager shows it.
    xdotool("key", "ctrl+alt+w")
    wait("the console is closed", lambda: not list(nodes("canvas", "Screen of the guest", True)))
    wait("the machine runs", lambda: "running" in lodger("list"))
    # One that is started elsewhere appears by itself; search finds it.
    desktop.machine("elsewhere")
    wait("both are listed", lambda: sorted(rows()) == ["elsewhere", "lively"])
    press("toggle button", "Search")
    set_text("Search machines", "else")
    wait("one is found", lambda: rows() == ["elsewhere"])
    set_text("Search machines", "")
    wait("both are shown again", lambda: len(rows()) == 2)
    # From outside, to its end.
    lodger("stop", "--force", "elsewhere")
    wait("the machine has ended", lambda: "elsewhere" not in lodger("list"))
    click("list item", "lively")
    press("toggle button", "More Actions")
    press(BUTTONS, "Press the Power Button")
    wait("the guest has noticed", lambda: has_line(console, "power button"))
    wait("the machine is off", lambda: "lively" not in lodger("list"))
    wait("its button starts it again", lambda: next(nodes("push button", "Start", True), None))


def test_windows(desktop):
    gtk = desktop.gtk()
    find("push button", "New Machine…")
    for key, shown in (("ctrl+comma", "Release keys"), ("F1", "Machines Inside Your Computer"), ("ctrl+n", "What shall the machine start from?")):
        xdotool("key", key)
        shows(shown)
        xdotool("key", "Escape")
        wait("it closes", lambda: not any(shown in text for text in texts()), gtk)
    press_in_menu(BUTTONS, "Check This Computer")
    wait("what was found", lambda: any("engine" in text for text in texts()), gtk)
    xdotool("key", "Escape")
    # The assistant, filled in by the command line of a second start.
    second = desktop.gtk(GUEST)
    wait("the second start ends", lambda: second.poll() is not None)
    find("text", "Name")
    shows("echo.elf")
    xdotool("key", "Escape")
    xdotool("key", "ctrl+q")
    wait("the application ends", lambda: gtk.poll() is not None)
    if gtk.returncode:
        raise Failure("status %d" % gtk.returncode)


def test_snapshots(desktop):
    lodger("create", "kept", "--memory", "16M", "--serial", "none", "--kernel", GUEST, "--debug-console", desktop.path("console"))
    gtk = desktop.gtk()
    wait("the machine is listed", lambda: rows() == ["kept"], gtk)
    lodger("start", "--headless", "kept")
    wait("the guest is ready", lambda: has_line(desktop.path("console"), "ready"), gtk)
    find("push button", "Show")
    press("push button", "Snapshots")
    shows("No Snapshots Yet")
    set_text("Name of a new snapshot", "one")
    press("push button", "Take a Snapshot")
    named = lambda node, name: name in (node.name or "")
    click("table cell", "one", named)
    if "one" not in lodger("snapshot", "list", "kept"):
        raise Failure("the command line does not know it")
    press("push button", "Restore")
    wait("that is done", lambda: next(nodes("push button", "Restore", ready=True), None))
    if "running" not in lodger("list"):
        raise Failure("the machine does not run")
    click("table cell", "one", named)
    press("push button", "Delete")
    shows("Delete the snapshot “one”?")
    press("push button", "Delete", wait("the question", lambda: next(nodes(("alert", "dialog"), showing=True), None)))
    shows("No Snapshots Yet")


def test_languages(desktop):
    """Every window in every language: what is shown is translated, and fits its window."""
    source = os.path.join(os.environ["top_srcdir"], "po")
    lodger("create", "lively", "--serial", "none", "--kernel", GUEST)
    with open(os.path.join(source, "LINGUAS")) as file:
        languages = [word for line in file if not line.startswith("#") for word in line.split()]
    english = {"New Machine", "Start", "Settings", "Release keys", "Scaling", "What shall the machine start from?", "Engine", "Off",
               "Notifications.", "Computer", "Drives", "Devices"}
    for language in languages + ["ar"]:             # no translation, but from right to left
        folder = desktop.path("locale/%s/LC_MESSAGES" % language)
        os.makedirs(folder)
        if os.path.exists("%s/%s.gmo" % (source, language)):
            os.symlink("%s/%s.gmo" % (source, language), folder + "/lodger.mo")
        gtk = desktop.gtk(LANGUAGE=language, LODGER_LOCALEDIR=desktop.path("locale"))
        wait("the machine is listed", lambda: rows() == ["lively"], gtk)
        for key in (None, "alt+Return", "ctrl+comma", "ctrl+n", "F1"):
            before = len(texts())
            if key:
                xdotool("key", key)
                wait("%s opens a window" % key, lambda: len(texts()) > before, gtk)
            shown = set(texts())
            if language != "ar" and shown & english:
                raise Failure("%s: %s in English" % (language, shown & english))
            for frame in nodes(("frame", "dialog", "alert"), showing=True):
                x, y, width, height = place(frame)
                if width > 1280 or height > 1024:
                    raise Failure("%s: %s is %d by %d" % (language, frame.name, width, height))
            if key:
                xdotool("key", "Escape")
                wait("it closes", lambda: len(texts()) <= before)
        gtk.terminate()
        gtk.wait()
        wait("it is gone", lambda: not list(nodes("frame")))


main(test_assistant, test_import, test_life, test_windows, test_snapshots, test_languages)
