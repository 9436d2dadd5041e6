# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest of `lodger bench`.  Its user-mode half is compiled once, without regard to the build's own flags, and linked
# into the program too, so that the same code is measured natively.
bench_compile = $(CC) -m64 -O2 -std=gnu17 -ffreestanding -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
        -mno-red-zone -mno-avx $(KEEP_LOOPS) -Wall -Wextra -Wshadow -Wstrict-prototypes -I$(srcdir)/src
bench_objects = src/bench/start.o src/bench/guest.o src/bench/kernels.o

src/bench/kernels.o: $(srcdir)/src/bench/kernels.c $(srcdir)/src/bench/kernels.h
	$(AM_V_GEN)$(MKDIR_P) src/bench && $(bench_compile) -fPIE -c -o $@ $(srcdir)/src/bench/kernels.c
src/bench/guest.o: $(srcdir)/src/bench/guest.c $(srcdir)/src/bench/kernels.h
	$(AM_V_GEN)$(MKDIR_P) src/bench && $(bench_compile) -fno-pie -c -o $@ $(srcdir)/src/bench/guest.c
src/bench/start.o: $(srcdir)/src/bench/start.S
	$(AM_V_GEN)$(MKDIR_P) src/bench && $(bench_compile) -fno-pie -c -o $@ $(srcdir)/src/bench/start.S
src/bench/guest.bin: $(bench_objects) $(srcdir)/src/bench/guest.ld
	$(AM_V_GEN)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments -T $(srcdir)/src/bench/guest.ld -o $@ $(bench_objects)
src/bench/guest_image.h: src/bench/guest.bin $(srcdir)/src/machine/bytes-to-c
	$(AM_V_GEN)sh $(srcdir)/src/machine/bytes-to-c bench_guest src/bench/guest.bin >$@.tmp && mv $@.tmp $@

lodger_SOURCES += src/bench/kernels.h
nodist_lodger_SOURCES = src/bench/guest_image.h
lodger_LDADD += src/bench/kernels.o
BUILT_SOURCES += src/bench/guest_image.h
CLEANFILES += src/bench/guest_image.h src/bench/guest.bin $(bench_objects)
EXTRA_DIST += src/bench/guest.c src/bench/guest.ld src/bench/kernels.c src/bench/start.S
src/cli/bench.$(OBJEXT): src/bench/guest_image.h
