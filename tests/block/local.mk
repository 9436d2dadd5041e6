# SPDX-License-Identifier: GPL-2.0-or-later
# Images: random requests compared with a model and with qemu-img, kills, damaged images.
noinst_PROGRAMS += tests/block/image_ops
tests_block_image_ops_SOURCES = tests/block/image_ops.c
tests_block_image_ops_LDADD = $(lodger_libs)

test_scripts += tests/check-images
EXTRA_DIST += tests/soak/disks tests/soak/images

noinst_PROGRAMS += tests/block/image_fuzz
tests_block_image_fuzz_SOURCES = tests/block/image_fuzz.c
tests_block_image_fuzz_LDADD = $(lodger_libs)
