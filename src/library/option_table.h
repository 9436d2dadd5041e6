/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * option_table.h - the one table of a machine's options.
 *
 * The command lines of `run` and `create`, the keys of `set` and `show`, and the definitions of named
 * machines all come from it.  A new option is a row here, its check in option_check.c, and its line in
 * option_config.c, which hands it to the machine; the manual page and completion follow --help.
 *
 *      X(ID, name, kind, path, scope, check, argument, help)
 *
 * name      without the dashes; the key of `set` and of definitions too
 * kind      TEXT (the last one counts), LIST (repeatable), FLAG (no value; "yes" or "no" as a key)
 * path      NONE, FILE (the value is a file's path), SPEC ("FILE[,option...]"), SERIAL ("file:PATH"): made
 *           absolute in definitions, which are used from any folder
 * scope     MACHINE, or RUN: of one run only, never part of a definition
 * check     name of a function check_NAME in option_check.c
 */
#ifndef LODGER_LIBRARY_OPTION_TABLE_H
#define LODGER_LIBRARY_OPTION_TABLE_H

#include "base/i18n.h"

#define MACHINE_OPTIONS(X) \
        X(NAME, "name", TEXT, NONE, RUN, name, N_("NAME"), N_("the machine's name (default: lodger-PID)")) \
        X(CONTROL, "control", TEXT, FILE, RUN, any, N_("PATH"), N_("control socket (default: $XDG_RUNTIME_DIR/lodger/NAME)")) \
        X(ENGINE, "engine", TEXT, NONE, MACHINE, engine, N_("ENGINE"), \
          N_("what runs the guest's code: auto, dbt, kvm (default: auto)")) \
        X(MEMORY, "memory", TEXT, NONE, MACHINE, memory, N_("SIZE"), N_("the guest's memory (default: 512M)")) \
        X(CPUS, "cpus", TEXT, NONE, MACHINE, cpus, "N", N_("number of vCPUs, 1 to 32 (default: 1)")) \
        X(UUID, "uuid", TEXT, NONE, MACHINE, uuid, "UUID", \
          N_("what the machine is known by, and its cards' addresses come from (named machines have one of their own)")) \
        X(CPU, "cpu", TEXT, NONE, MACHINE, cpu, N_("MODEL"), \
          N_("CPU model: host, 486, pentium, pentium3, core2, x86-64-v1, x86-64-v2, x86-64-v3 (default: host)")) \
        X(FIRMWARE, "firmware", TEXT, FILE, MACHINE, any, N_("FILE"), \
          N_("firmware image, or uefi (default: the distribution's SeaBIOS)")) \
        X(KERNEL, "kernel", TEXT, FILE, MACHINE, any, N_("FILE"), N_("Linux or Multiboot image to start directly")) \
        X(INITRD, "initrd", LIST, FILE, MACHINE, any, N_("FILE"), N_("initial RAM disk, or a Multiboot module (repeatable)")) \
        X(APPEND, "append", TEXT, NONE, MACHINE, any, N_("TEXT"), N_("the kernel's command line")) \
        X(DISK, "disk", LIST, SPEC, MACHINE, any, N_("FILE[,bus=BUS][,readonly]..."), \
          N_("disk on bus=ide, ahci, virtio or scsi; the manual has all options (repeatable)")) \
        X(CDROM, "cdrom", LIST, SPEC, MACHINE, any, N_("FILE"), N_("CD image (repeatable)")) \
        X(FLOPPY, "floppy", LIST, SPEC, MACHINE, any, N_("FILE[,readonly][,throwaway]"), N_("floppy image (twice at most)")) \
        X(BOOT, "boot", TEXT, NONE, MACHINE, boot, N_("cdrom,disk,floppy,network"), \
          N_("what is tried first, second, third (default: IMAGE, then disk,cdrom,floppy)")) \
        X(SERIAL, "serial", LIST, SERIAL, MACHINE, serial, N_("PORT"), \
          N_("next serial port: stdio, file:PATH, unix:PATH, pty, none (repeatable; default: stdio)")) \
        X(CONSOLE, "console", LIST, SERIAL, MACHINE, console, N_("PORT[,name=NAME]"), \
          N_("virtio console on PORT, or a channel NAME to a guest's agent (repeatable)")) \
        X(RNG, "rng", FLAG, NONE, MACHINE, flag, NULL, N_("virtio entropy device: random numbers of the host")) \
        X(BALLOON, "balloon", FLAG, NONE, MACHINE, flag, NULL, \
          N_("virtio balloon: memory the guest does not use goes back to the host")) \
        X(TABLET, "tablet", FLAG, NONE, MACHINE, flag, NULL, N_("virtio tablet: the pointer needs no grab in a window")) \
        X(DISPLAY, "display", TEXT, NONE, MACHINE, display, N_("DISPLAY"), \
          N_("where the screen is shown: auto, none (default: auto)")) \
        X(RESTORE, "restore", TEXT, FILE, RUN, any, N_("FILE"), N_("go on from the instant of a snapshot")) \
        X(HEADLESS, "headless", FLAG, NONE, RUN, flag, NULL, N_("the same as --display none")) \
        X(NET, "net", LIST, NONE, MACHINE, net, N_("NETWORK[,model=CARD]..."), \
          N_("card on user, tap[=NAME], bridge=BRIDGE, passt, socket=listen:ADDR or connect:ADDR, none (repeatable; default: user)")) \
        X(THROWAWAY, "throwaway", FLAG, NONE, RUN, flag, NULL, N_("throw the guest's writes to all its disks away")) \
        X(WAIT_FOR, "wait-for", TEXT, NONE, RUN, regex, N_("REGEX"), \
          N_("wait for this text on the first serial port, then --exec, then end")) \
        X(EXEC, "exec", LIST, NONE, RUN, any, N_("COMMAND"), \
          N_("run COMMAND by the guest's agent or in its serial shell, and end with its status (repeatable)")) \
        X(NO_REBOOT, "no-reboot", FLAG, NONE, MACHINE, flag, NULL, N_("end with status 3 when the guest resets")) \
        X(TIMEOUT, "timeout", TEXT, NONE, MACHINE, timeout, N_("TIME"), N_("end the guest after this time, with status 4")) \
        X(DEBUG_EXIT, "debug-exit", FLAG, NONE, MACHINE, flag, NULL, \
          N_("let the guest end with status (v<<1)|1 by writing v to port 0xf4")) \
        X(DEBUG_CONSOLE, "debug-console", LIST, SPEC, MACHINE, debug_console, N_("FILE[,port=N]"), \
          N_("write bytes the guest writes to a port (default: 0xe9) to FILE (repeatable)")) \
        X(GDB, "gdb", TEXT, NONE, MACHINE, any, N_("ADDR[,wait]"), \
          N_("let GDB debug the guest through ADDR, [HOST:]PORT or unix:PATH")) \
        X(TRACE, "trace", TEXT, NONE, MACHINE, any, N_("LIST"), N_("trace these categories, separated by commas, or all")) \
        X(TRACE_FILE, "trace-file", TEXT, FILE, MACHINE, any, N_("FILE"), N_("write traces to FILE (default: standard error)")) \
        X(CHECK, "check", FLAG, NONE, MACHINE, flag, NULL, N_("run each block twice, optimised and step by step, and compare"))

#endif
