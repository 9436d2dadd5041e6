# SPDX-License-Identifier: GPL-2.0-or-later
# The desktop application, driven through X and through the eyes of a screen reader.
test_scripts += tests/ui/check-console tests/ui/check-hostile tests/ui/check-manager
EXTRA_DIST += tests/ui/under-x tests/ui/desktop.py tests/ui/console.py tests/ui/hostile.py tests/ui/manager.py \
        tests/ui/make-screenshots tests/ui/screenshots.py tests/ui/soak-attach tests/ui/attach.py bench/frames bench/frames.py
