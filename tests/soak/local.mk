# SPDX-License-Identifier: GPL-2.0-or-later
# Runs of half an hour and more, by hand.
EXTRA_DIST += \
        tests/soak/boots \
        tests/soak/debian \
        tests/soak/fuzz \
        tests/soak/gdb-kernel \
        tests/soak/images \
        tests/soak/installer \
        tests/soak/invaders \
        tests/soak/make-debian-disk \
        tests/soak/memtest \
        tests/soak/nested \
        tests/soak/net \
        tests/soak/snapshots
