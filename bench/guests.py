# SPDX-License-Identifier: GPL-2.0-or-later
"""guests.py - what the benchmarks share: building a static guest, and the command lines that start one.

The kernels are the distribution's: debian-installer-12-netboot-amd64 and -i386, or whatever KERNEL_amd64 and
KERNEL_i386 name in the environment.
"""
import os
import platform
import shutil
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALLER = "/usr/lib/debian-installer/images/12/{0}/text/debian-installer/{0}/linux"
COMPILE = {"amd64": ["-m64"], "i386": ["-m32", "-msse2", "-mfpmath=sse"]}
QUIET = "console=ttyS0 quiet panic=-1"
BARE = QUIET + " nokaslr mitigations=off"


def kernel(arch):
    """The distribution's kernel for a guest, or None."""
    path = os.environ.get("KERNEL_" + arch) or INSTALLER.format(arch)
    return path if os.path.exists(path) else None


def compile_static(source, output, arch):
    """False: this host cannot build for arch."""
    compiler = os.environ.get("CC", "gcc").split()
    built = subprocess.run([*compiler, *COMPILE[arch], "-O2", "-static", "-o", output, os.path.join(HERE, source)],
                           stderr=subprocess.PIPE, text=True, check=False)
    if built.returncode and arch == "amd64":
        sys.exit(built.stderr)
    return built.returncode == 0


class Archive:
    """A cpio archive in the kernel's format (newc), written here because device nodes otherwise need root."""

    def __init__(self):
        self.data = bytearray()
        self.entries = 0

    def add(self, name, mode, content=b"", device=(0, 0)):
        self.entries += 1
        encoded = name.encode() + b"\0"
        fields = (self.entries, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self.data += bytes(-len(self.data) % 4) + content
        self.data += bytes(-len(self.data) % 4)

    def write(self, path):
        self.add("TRAILER!!!", 0)
        with open(path, "wb") as file:
            file.write(self.data)


def build(folder, arch, programs=("workload",)):
    """Makes programs (of bench/PROGRAM.c) and an initial RAM disk with them; its path, or None."""
    archive = Archive()
    archive.add("dev", 0o40755)
    archive.add("dev/console", 0o20600, device=(5, 1))
    for program in ("init", *programs):
        path = os.path.join(folder, f"{program}-{arch}")
        if not compile_static(program + ".c", path, arch):
            return None
        with open(path, "rb") as file:
            archive.add(program, 0o100755, file.read())
    path = os.path.join(folder, f"initrd-{arch}")
    archive.write(path)
    return path


def commands(lodger, guest, memory="512", disk=None, engine="dbt"):
    """By engine, what starts a guest with its console on standard output; guest: (kernel, initrd, command line)."""
    image, initrd, append = guest
    result = {"lodger": [lodger, "run", "--engine", engine, "--memory", memory + "M", "--headless", "--serial", "stdio", "--net", "none",
                         "--kernel", image, "--initrd", initrd, "--append", append]}
    qemu = shutil.which("qemu-system-x86_64")
    if qemu:
        result["tcg"] = [qemu, "-accel", "tcg,thread=single", "-cpu", "max", "-m", memory, "-nodefaults", "-display", "none", "-serial",
                         "stdio", "-no-reboot", "-kernel", image, "-initrd", initrd, "-append", append]
    if disk:
        result["lodger"] += ["--disk", f"{disk},format=raw,bus=virtio"]
        if qemu:
            result["tcg"] += ["-drive", f"file={disk},format=raw,if=virtio"]
    return result


def cpu_seconds(pid):
    """CPU time of a process and of those of its children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def run(command, seconds, up="BENCH-UP", on_line=None):
    """(output, seconds until `up` was there or None, exit status) of a guest or program; killed after `seconds`.
    on_line(line, process) is called with each line as it comes."""
    begin = time.monotonic()
    lines, seen = [], None
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace")
    limit = threading.Timer(seconds, process.kill)
    limit.start()
    for line in process.stdout:
        lines.append(line)
        if on_line:
            on_line(line, process)
        if seen is None and up in line:
            seen = time.monotonic() - begin
    status = process.wait()
    limit.cancel()
    return "".join(lines), seen, status


def host():
    """One line about the machine that measures."""
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}"
