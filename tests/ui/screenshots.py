# SPDX-License-Identifier: GPL-2.0-or-later
"""screenshots.py - pictures of the windows, with Debian's installer as the guest; see make-screenshots."""
import os
import time

import gi
gi.require_version("Gdk", "3.0")

# The program is what is scaled, not this script, which sees the screen as it is.
SCALE = os.environ.pop("GDK_SCALE", "1")
THEME = os.environ.get("GTK_THEME", "Adwaita")

from gi.repository import Gdk

from desktop import find, lodger, main, nodes, place, press, wait

INSTALLER = "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/"
IMAGES = os.environ["IMAGES"]
SUFFIX = ("-dark" if "dark" in THEME else "") + ("-%sx" % SCALE if SCALE != "1" else "")
SETTLE_SECONDS = 3                      # animations end, pictures arrive


def save(name, title):
    time.sleep(SETTLE_SECONDS)
    box = [value * int(SCALE) for value in place(find(("frame", "dialog"), title))]
    picture = Gdk.pixbuf_get_from_window(Gdk.get_default_root_window(), *box)
    picture.savev(os.path.join(IMAGES, name + SUFFIX + ".png"), "png", ["compression"], ["9"])


def show(desktop, *arguments):
    return desktop.gtk(*arguments, GDK_SCALE=SCALE)


def all_of_them(desktop):
    os.makedirs(IMAGES, exist_ok=True)
    lodger("create", "dos-games", "--os", "dos")
    lodger("create", "windows-98", "--os", "win9x")
    lodger("create", "debian-installer", "--os", "linux32", "--memory", "512M", "--kernel", INSTALLER + "linux", "--initrd",
           INSTALLER + "initrd.gz", "--append", "vga=normal nomodeset fb=false priority=high")
    lodger("start", "--headless", "debian-installer")
    wait("the installer asks", lambda: "language" in lodger("screen", "debian-installer"), seconds=600)
    gtk = show(desktop, "--show", "debian-installer")
    find("canvas", "Screen of the guest")
    save("console", "debian-installer")
    gtk.terminate()
    gtk.wait()
    wait("it is gone", lambda: not list(nodes("frame")))
    lodger("snapshot", "take", "debian-installer", "first-question")
    lodger("key", "debian-installer", "enter")
    wait("the next question", lambda: "location" in lodger("screen", "debian-installer"), seconds=120)
    lodger("snapshot", "take", "debian-installer", "location")
    for button, name, title in ((None, "manager", "Lodger"), ("Settings", "settings", "Settings of “debian-installer”"),
                                ("Snapshots", "snapshots", "Snapshots of “debian-installer”")):
        gtk = show(desktop)
        wait("the list", lambda: len(list(nodes("list item", showing=True))) == 3)
        if button:
            press("push button", button)
        save(name, title)
        gtk.terminate()
        gtk.wait()
        wait("it is gone", lambda: not list(nodes("frame")))
    with open(desktop.path("debian-12-amd64.iso"), "wb") as file:
        file.write(bytes(100000))
    show(desktop, desktop.path("debian-12-amd64.iso"))
    find("text", "Name")
    wait("the engine is known", lambda: any("engine" in (node.name or "") for node in nodes("label", showing=True)))
    save("assistant", "New Machine")
    lodger("stop", "--force", "debian-installer")


main(all_of_them)
