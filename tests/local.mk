# SPDX-License-Identifier: GPL-2.0-or-later
# Checks over the sources and objects rather than of behaviour.
test_scripts += \
        tests/check-cli \
        tests/check-gdb \
        tests/check-gpr \
        tests/check-includes \
        tests/check-man \
        tests/check-net \
        tests/check-style \
        tests/check-uefi
EXTRA_DIST += tests/gpr-allowed
EXTRA_DIST += tests/soak/churn
EXTRA_DIST += tests/gpr-allowed tests/soak/net tests/soak/networks
