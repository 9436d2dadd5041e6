# SPDX-License-Identifier: GPL-2.0-or-later
# "make bench": guests natively, under Lodger and under QEMU's TCG, as a table and as bench.svg.
EXTRA_DIST += bench/README.md bench/churn.c bench/guest.py bench/guests.py bench/init.c bench/io bench/net bench/real bench/real-job bench/run bench/workload.c

bench: all
	PYTHONDONTWRITEBYTECODE=1 $(srcdir)/bench/run --lodger $(abs_top_builddir)/lodger --plot bench.svg $(BENCHFLAGS)
.PHONY: bench
CLEANFILES += bench.svg
