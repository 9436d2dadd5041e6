# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzz targets: make check replays each one's corpus (tests/fuzz/replay.c).
check_PROGRAMS += tests/fuzz/fuzz_decode
tests_fuzz_fuzz_decode_SOURCES = tests/fuzz/fuzz_decode.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_fuzz_decode_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/fuzz
tests_fuzz_fuzz_decode_LDADD = $(lodger_libs)

EXTRA_DIST += \
        tests/fuzz/corpus/decode/addresses-16 \
        tests/fuzz/corpus/decode/addresses-32 \
        tests/fuzz/corpus/decode/addresses-64 \
        tests/fuzz/corpus/decode/cut-short \
        tests/fuzz/corpus/decode/few-features \
        tests/fuzz/corpus/decode/groups \
        tests/fuzz/corpus/decode/left-out \
        tests/fuzz/corpus/decode/locked \
        tests/fuzz/corpus/decode/mmx-sse \
        tests/fuzz/corpus/decode/not-in-64 \
        tests/fuzz/corpus/decode/prefix-rules \
        tests/fuzz/corpus/decode/real-mode-start \
        tests/fuzz/corpus/decode/rex-rules \
        tests/fuzz/corpus/decode/stack \
        tests/fuzz/corpus/decode/strings \
        tests/fuzz/corpus/decode/system \
        tests/fuzz/corpus/decode/too-long \
        tests/fuzz/corpus/decode/x87

check_PROGRAMS += tests/fuzz/fuzz_devices
tests_fuzz_fuzz_devices_SOURCES = tests/fuzz/fuzz_devices.c tests/fuzz/device_bench.c tests/fuzz/device_bench.h tests/unit/pci_function.h \
        tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_fuzz_devices_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/fuzz
tests_fuzz_fuzz_devices_LDADD = $(lodger_libs)

EXTRA_DIST += tests/fuzz/make-corpus \
        tests/fuzz/corpus/devices/ahci \
        tests/fuzz/corpus/devices/any \
        tests/fuzz/corpus/devices/e1000 \
        tests/fuzz/corpus/devices/ferr \
        tests/fuzz/corpus/devices/floppy \
        tests/fuzz/corpus/devices/fw_cfg \
        tests/fuzz/corpus/devices/hpet \
        tests/fuzz/corpus/devices/i440fx \
        tests/fuzz/corpus/devices/i8042 \
        tests/fuzz/corpus/devices/i8237 \
        tests/fuzz/corpus/devices/ioapic \
        tests/fuzz/corpus/devices/ne2k \
        tests/fuzz/corpus/devices/pci \
        tests/fuzz/corpus/devices/pic \
        tests/fuzz/corpus/devices/piix3 \
        tests/fuzz/corpus/devices/piix3_ide \
        tests/fuzz/corpus/devices/piix4_pm \
        tests/fuzz/corpus/devices/pit \
        tests/fuzz/corpus/devices/rtc \
        tests/fuzz/corpus/devices/rtl8139 \
        tests/fuzz/corpus/devices/saved-after-an-error \
        tests/fuzz/corpus/devices/serial \
        tests/fuzz/corpus/devices/vga \
        tests/fuzz/corpus/devices/virtio_balloon \
        tests/fuzz/corpus/devices/virtio_blk \
        tests/fuzz/corpus/devices/virtio_console \
        tests/fuzz/corpus/devices/virtio_net \
        tests/fuzz/corpus/devices/virtio_rng \
        tests/fuzz/corpus/devices/virtio_scsi

check_PROGRAMS += tests/fuzz/fuzz_snapshot
tests_fuzz_fuzz_snapshot_SOURCES = tests/fuzz/fuzz_snapshot.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_fuzz_snapshot_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/fuzz
tests_fuzz_fuzz_snapshot_LDADD = $(lodger_libs)

EXTRA_DIST += \
        tests/fuzz/corpus/snapshot/cut-short \
        tests/fuzz/corpus/snapshot/one-page \
        tests/fuzz/corpus/snapshot/zlib \
        tests/fuzz/corpus/snapshot/zstd
