# SPDX-License-Identifier: GPL-2.0-or-later
"""hostile.py - lodger-gtk against processes that only pretend to be machines.

Each listens at a machine's place and answers badly in its own way; the manager lists them, their consoles are opened, and
it lives on.
"""
import os
import socket
import threading

from desktop import Failure, main, nodes, shows, wait

import gi
from gi.repository import Gio, GLib

INTERFACE = open(os.path.join(os.environ["top_srcdir"], "data/org.lodger.Machine1.xml")).read()


def memfd(size, seal):
    fd = os.memfd_create("hostile", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    if seal:
        import fcntl
        fcntl.fcntl(fd, 1033, 0x0001 | 0x0002 | 0x0004)         # F_ADD_SEALS: seal, shrink, grow
    return fd


class Pretender:
    """A D-Bus server with the machine's interface; `picture` says what it claims of its screen."""

    def __init__(self, name, picture, flood=False):
        self.picture, self.flood = picture, flood
        folder = os.path.join(os.environ["XDG_RUNTIME_DIR"], "lodger")
        os.makedirs(folder, 0o700, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.path = os.path.join(folder, name)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.connections = []
        self.asked = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        context = GLib.MainContext.new()
        context.push_thread_default()
        info = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
        source = Gio.Socket.new_from_fd(os.dup(self.listener.fileno()))
        while True:
            accepted = source.accept(None)
            stream = accepted.connection_factory_create_connection()
            try:
                connection = Gio.DBusConnection.new_sync(stream, Gio.dbus_generate_guid(),
                                                         Gio.DBusConnectionFlags.AUTHENTICATION_SERVER, None, None)
            except GLib.Error:
                continue
            connection.register_object("/org/lodger/Machine1", info, self.call, self.get, None)
            self.connections.append(connection)
            for _ in range(600):
                context.iteration(False)
                if connection.is_closed():
                    break
                GLib.usleep(20000)

    def send_flood(self, connection):
        """More than is allowed in a second, in little memory of our own."""
        rectangles = GLib.Variant("(a(uuuu))", ([(4294967295, 4294967295, 4294967295, 4294967295)],))
        try:
            for _ in range(6000):
                connection.emit_signal(None, "/org/lodger/Machine1", "org.lodger.Machine1", "Damage", rectangles)
        except GLib.Error:
            pass                        # hung up on, as it should be

    def get(self, connection, sender, path, interface, name):
        return {"Name": GLib.Variant("s", "\u202egnirts\n" * 1000), "State": GLib.Variant("s", "nonsense" * 1000),
                "Engine": GLib.Variant("s", "%n%n%s<b>" * 10), "Memory": GLib.Variant("t", 2**64 - 1),
                "Cpus": GLib.Variant("u", 2**32 - 1)}.get(name)

    def call(self, connection, sender, path, interface, method, arguments, invocation):
        if method in ("WatchFramebuffer", "Screenshot"):
            self.asked += 1
            if self.flood:
                threading.Thread(target=self.send_flood, args=(connection,), daemon=True).start()
            size, seal, width, height, stride = self.picture
            if size is None:
                invocation.return_value_with_unix_fd_list(GLib.Variant("(huuu)", (7, width, height, stride)), None)
                return
            fd = memfd(size, seal)
            fds = Gio.UnixFDList.new()
            fds.append(fd)
            os.close(fd)
            invocation.return_value_with_unix_fd_list(GLib.Variant("(huuu)", (0, width, height, stride)), fds)
        elif method == "GetUptime":
            invocation.return_value(GLib.Variant("(t)", (2**64 - 1,)))
        elif method in ("Info", "Stats", "GetScreenText"):
            invocation.return_value(GLib.Variant("(s)", ("ide: 99999999999999999999999\n\u202e" * 2000,)))
        else:
            invocation.return_dbus_error("org.lodger.Error.Failed", "<b>no</b> %s %n")


def test_pretenders(desktop):
    kinds = {
        "huge": (4096, True, 2**32 - 1, 2**32 - 1, 2**32 - 4),
        "short": (4096, True, 1024, 768, 4096),
        "narrow": (1 << 20, True, 640, 100, 64),
        "unsealed": (640 * 480 * 4, False, 640, 480, 2560),
        "nothing": (None, True, 640, 480, 2560),
        "honest": (640 * 480 * 4, True, 640, 480, 2560),
    }
    pretenders = {name: Pretender(name, picture, name == "honest") for name, picture in kinds.items()}
    # And one that says nothing at all, and one that is no D-Bus.
    folder = os.path.join(os.environ["XDG_RUNTIME_DIR"], "lodger")
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(os.path.join(folder, "silent"))
    silent.listen(1)
    try:
        gtk = desktop.gtk()
        wait("all are listed", lambda: len(list(nodes("list item", showing=True))) == len(kinds) + 1, gtk)
        for name in kinds:
            desktop.gtk("--show", name)
            wait("%s was asked for its screen" % name, lambda: pretenders[name].asked, gtk)
        shows("the machine sent no picture")
        # It still does its work.
        desktop.machine("real")
        wait("a real one is listed", lambda: any(node.name == "real" for node in nodes("list item")), gtk)
        if gtk.poll() is not None:
            raise Failure("it ended with status %d" % gtk.returncode)
    finally:
        # Else the end of the test would stop these machines by force, which means this process.
        silent.close()
        os.unlink(os.path.join(folder, "silent"))
        for pretender in pretenders.values():
            os.unlink(pretender.path)


main(test_pretenders)
