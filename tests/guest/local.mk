# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bare-metal guest programs: one NAME.c with its NAME.expect each, linked with tests/guest/lib into
# NAME.elf, which run-guest-tests starts under lodger and compares.

TEST_EXTENSIONS = .elf
ELF_LOG_COMPILER = $(SHELL) $(srcdir)/tests/guest/run-guest-tests

guest_tests = \
        tests/guest/a20.elf tests/guest/alignment-check.elf tests/guest/apic.elf tests/guest/call-gates.elf \
        tests/guest/code16.elf tests/guest/control-registers.elf tests/guest/cpuid-tsc.elf tests/guest/debug-registers.elf \
        tests/guest/double-fault.elf tests/guest/double-fault-stack.elf tests/guest/exceptions.elf \
        tests/guest/far-transfers.elf tests/guest/fetch-crossing.elf tests/guest/flags-privilege.elf \
        tests/guest/fpu-environment.elf tests/guest/fpu-exceptions.elf tests/guest/fpu-irq13.elf \
        tests/guest/fpu-state.elf tests/guest/high-bytes.elf tests/guest/hostile.elf tests/guest/io-permission.elf \
        tests/guest/iret.elf tests/guest/irq.elf tests/guest/kick.elf tests/guest/lar-lsl.elf tests/guest/limits.elf \
        tests/guest/long-blocks.elf tests/guest/loops.elf tests/guest/page-crossing.elf tests/guest/paging.elf \
        tests/guest/paging-large.elf tests/guest/pic.elf tests/guest/precise.elf tests/guest/real-mode.elf \
        tests/guest/real-mode-limits.elf tests/guest/reset.elf tests/guest/segments.elf tests/guest/single-step.elf \
        tests/guest/smp.elf tests/guest/smp-torture.elf tests/guest/smc.elf tests/guest/smoke.elf tests/guest/stack-corners.elf tests/guest/stack-limits.elf \
        tests/guest/strings.elf tests/guest/sysenter.elf tests/guest/task-switch.elf tests/guest/triple-fault.elf tests/guest/ud.elf \
        tests/guest/ud-lock.elf tests/guest/ud-modes.elf tests/guest/v86.elf tests/guest/v86-limits.elf tests/guest/vme.elf

guest_files = \
        tests/guest/a20.c tests/guest/a20.expect tests/guest/alignment-check.c tests/guest/alignment-check.expect \
        tests/guest/alignment-check.qemu tests/guest/apic.c tests/guest/apic.expect tests/guest/call-gates.c \
        tests/guest/call-gates.expect tests/guest/call-gates.qemu tests/guest/code16.c tests/guest/code16.expect \
        tests/guest/control-registers.c tests/guest/control-registers.expect tests/guest/control-registers.qemu \
        tests/guest/cpuid-tsc.c tests/guest/cpuid-tsc.expect tests/guest/debug-registers.c \
        tests/guest/debug-registers.expect tests/guest/debug-registers.qemu tests/guest/double-fault.c \
        tests/guest/double-fault.expect tests/guest/double-fault.qemu tests/guest/double-fault-stack.c \
        tests/guest/double-fault-stack.expect tests/guest/exceptions.c tests/guest/exceptions.expect \
        tests/guest/exceptions.qemu tests/guest/far-transfers.c tests/guest/far-transfers.expect \
        tests/guest/far-transfers.qemu tests/guest/fetch-crossing.c tests/guest/fetch-crossing.expect \
        tests/guest/flags-privilege.c tests/guest/flags-privilege.expect tests/guest/fpu-environment.c \
        tests/guest/fpu-environment.expect tests/guest/fpu-environment.qemu tests/guest/fpu-exceptions.c \
        tests/guest/fpu-exceptions.expect tests/guest/fpu-exceptions.qemu tests/guest/fpu-irq13.c \
        tests/guest/fpu-irq13.expect tests/guest/fpu-irq13.qemu tests/guest/fpu-state.c tests/guest/fpu-state.expect \
        tests/guest/high-bytes.c tests/guest/high-bytes.expect tests/guest/hostile.c tests/guest/hostile.expect \
        tests/guest/io-permission.c tests/guest/io-permission.expect tests/guest/iret.c tests/guest/iret.expect \
        tests/guest/iret.qemu tests/guest/irq.c tests/guest/irq.expect tests/guest/kick.c tests/guest/kick.expect \
        tests/guest/lar-lsl.c tests/guest/lar-lsl.expect tests/guest/limits.c tests/guest/limits.expect \
        tests/guest/limits.qemu tests/guest/long-blocks.c tests/guest/long-blocks.expect tests/guest/loops.c \
        tests/guest/loops.expect tests/guest/page-crossing.c tests/guest/page-crossing.expect \
        tests/guest/page-crossing.qemu tests/guest/paging.c tests/guest/paging.expect tests/guest/paging-large.c \
        tests/guest/paging-large.expect tests/guest/paging-large.qemu tests/guest/pic.c tests/guest/pic.expect \
        tests/guest/precise.c tests/guest/precise.expect tests/guest/real-mode.c tests/guest/real-mode.expect \
        tests/guest/real-mode-limits.c tests/guest/real-mode-limits.expect tests/guest/real-mode-limits.qemu \
        tests/guest/reset.c tests/guest/reset.expect tests/guest/reset.status tests/guest/segments.c \
        tests/guest/segments.expect tests/guest/segments.qemu tests/guest/single-step.c tests/guest/single-step.expect \
        tests/guest/smp.c tests/guest/smp.expect tests/guest/smp.options tests/guest/smp.qemu tests/guest/smp-torture.c \
        tests/guest/smp-torture.expect tests/guest/smp-torture.options tests/guest/smp-torture.qemu \
        tests/guest/smc.c tests/guest/smc.expect tests/guest/smoke.c tests/guest/smoke.expect \
        tests/guest/stack-corners.c tests/guest/stack-corners.expect tests/guest/stack-limits.c \
        tests/guest/stack-limits.expect tests/guest/stack-limits.qemu tests/guest/strings.c tests/guest/strings.expect \
        tests/guest/sysenter.c tests/guest/sysenter.expect tests/guest/task-switch.c \
        tests/guest/task-switch.expect tests/guest/task-switch.qemu tests/guest/triple-fault.c tests/guest/triple-fault.expect \
        tests/guest/triple-fault.status tests/guest/ud.c tests/guest/ud.expect tests/guest/ud.qemu \
        tests/guest/ud-lock.c tests/guest/ud-lock.expect tests/guest/ud-lock.qemu tests/guest/ud-modes.c \
        tests/guest/ud-modes.expect tests/guest/v86.c tests/guest/v86.expect tests/guest/v86.qemu \
        tests/guest/v86-limits.c tests/guest/v86-limits.expect tests/guest/v86-limits.qemu tests/guest/vme.c \
        tests/guest/vme.expect tests/guest/vme.qemu

if HAVE_M32
guest_images += $(guest_tests)
check_DATA += $(guest_tests)
endif

guest_compile_options = -m32 -march=i686 -std=gnu17 -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector \
        -fcf-protection=none -fno-asynchronous-unwind-tables -mgeneral-regs-only -O1 -g0 \
        -Wall -Wextra -Wshadow -Wstrict-prototypes -I$(srcdir)/tests/guest/lib
guest_link_options = -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments \
        -T $(srcdir)/tests/guest/lib/guest.ld

guest_lib_files = tests/guest/lib/start.S tests/guest/lib/real.S tests/guest/lib/guest.c tests/guest/lib/smp.c

AM_V_GUEST = $(am__v_GUEST_@AM_V@)
am__v_GUEST_ = $(am__v_GUEST_@AM_DEFAULT_V@)
am__v_GUEST_0 = @echo "  GUEST   " $@;
am__v_GUEST_1 =

tests/guest/lib/guest-lib.o: $(guest_lib_files) tests/guest/lib/guest.h tests/guest/lib/smp.h
	@$(MKDIR_P) tests/guest/lib
	$(AM_V_GUEST)$(CC) $(guest_compile_options) -r -o $@ $(srcdir)/tests/guest/lib/start.S $(srcdir)/tests/guest/lib/real.S \
	        $(srcdir)/tests/guest/lib/guest.c $(srcdir)/tests/guest/lib/smp.c

SUFFIXES = .elf
.c.elf:
	$(AM_V_GUEST)$(CC) $(guest_compile_options) $(guest_link_options) -o $@ $< tests/guest/lib/guest-lib.o

$(guest_tests): tests/guest/lib/guest-lib.o tests/guest/lib/guest.h tests/guest/lib/smp.h tests/guest/lib/guest.ld

EXTRA_DIST += tests/guest/run-guest-tests $(guest_lib_files) tests/guest/lib/guest.h tests/guest/lib/smp.h tests/guest/lib/guest.ld \
        $(guest_files)
CLEANFILES += $(guest_tests) tests/guest/lib/guest-lib.o
