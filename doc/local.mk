# SPDX-License-Identifier: GPL-2.0-or-later
dist_man_MANS += doc/lodger.1
if HAVE_GTK
dist_man_MANS += doc/lodger-gtk.1
else
EXTRA_DIST += doc/lodger-gtk.1
endif
EXTRA_DIST += doc/containers.md doc/kvm.md doc/performance.md doc/snapshot-format.md
EXTRA_DIST += doc/images/assistant.png doc/images/console.png doc/images/manager.png
