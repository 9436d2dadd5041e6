# SPDX-License-Identifier: GPL-2.0-or-later
completionsdir = $(datadir)/bash-completion/completions
dist_completions_DATA = data/completions/lodger
