# SPDX-License-Identifier: GPL-2.0-or-later
dist_man_MANS += doc/lodger.1
EXTRA_DIST += doc/containers.md doc/snapshot-format.md
