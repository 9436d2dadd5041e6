# SPDX-License-Identifier: GPL-2.0-or-later
"""screenshots.py - the pictures of README.md, with Debian's installer as the guest."""
import os
import time

import gi
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk

from desktop import find, lodger, main, nodes, place, press, shows, wait, xdotool

INSTALLER = "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/"
IMAGES = os.path.join(os.environ["top_srcdir"], "doc/images")
SETTLE_SECONDS = 3                      # animations end, pictures arrive


def save(name, x, y, width, height):
    time.sleep(SETTLE_SECONDS)
    picture = Gdk.pixbuf_get_from_window(Gdk.get_default_root_window(), x, y, width, height)
    picture.savev(os.path.join(IMAGES, name + ".png"), "png", ["compression"], ["9"])


def save_window(name, title):
    save(name, *place(find("frame", title)))


def all_of_them(desktop):
    os.makedirs(IMAGES, exist_ok=True)
    lodger("create", "dos-games", "--os", "dos")
    lodger("create", "windows-98", "--os", "win9x")
    lodger("create", "debian-installer", "--os", "linux32", "--memory", "512M", "--kernel", INSTALLER + "linux", "--initrd",
           INSTALLER + "initrd.gz", "--append", "vga=normal nomodeset fb=false priority=high")
    lodger("start", "--headless", "debian-installer")
    wait("the installer asks", lambda: "language" in lodger("screen", "debian-installer"), seconds=180)
    gtk = desktop.gtk("--show", "debian-installer")
    find("canvas", "Screen of the guest")
    save_window("console", "debian-installer")
    gtk.terminate()
    gtk.wait()
    desktop.gtk()
    wait("the list", lambda: len(list(nodes("list item", showing=True))) == 3)
    save_window("manager", "Lodger")
    xdotool("key", "ctrl+n")
    shows("What shall the machine start from?")
    xdotool("key", "Escape")
    with open(desktop.path("debian-12-amd64.iso"), "wb") as file:
        file.write(bytes(100000))
    desktop.gtk(desktop.path("debian-12-amd64.iso"))
    find("text", "Name")
    wait("the engine is known", lambda: any("engine" in (node.name or "") for node in nodes("label", showing=True)))
    window = find("frame", "New Machine")
    save("assistant", *place(window))
    lodger("stop", "--force", "debian-installer")


main(all_of_them)
