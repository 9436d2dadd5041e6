# SPDX-License-Identifier: GPL-2.0-or-later
"""guest.py - a machine whose guest gives a root shell on its serial port, which is the program's standard input and output."""
import os
import select
import subprocess
import sys
import time


class Guest:
    def __init__(self, command, ready):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.text = ""
        self.number = 0
        self.wait_for(ready, 300)

    def wait_for(self, text, seconds):
        """What came before the text."""
        end = time.monotonic() + seconds
        while text not in self.text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                sys.exit(f"no \"{text}\" from the guest; it said: {self.text[-300:]}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                sys.exit(f"the machine ended; the guest said: {self.text[-300:]}")
            self.text += data.decode(errors="replace").replace("\r", "")
        before, _, self.text = self.text.partition(text)
        return before

    def ask(self, command, seconds=300):
        """Output, status and seconds of a command."""
        self.number += 1
        mark = f"@{self.number}@"
        line = f"echo \"{mark[:1]}\"\"{mark[1:]}b\"; {command}; echo \"{mark[:1]}\"\"{mark[1:]}$?.\"\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        self.wait_for(mark + "b", 60)
        start = time.monotonic()
        output = self.wait_for(mark, seconds)
        took = time.monotonic() - start
        return output, int(self.wait_for(".", 60)), took

    def run(self, command, seconds=300):
        """Seconds the command took; None when it failed."""
        _, status, took = self.ask(command + " >/dev/null 2>&1", seconds)
        return took if status == 0 else None

    def end(self):
        self.process.kill()
        self.process.wait()
