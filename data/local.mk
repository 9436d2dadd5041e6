# SPDX-License-Identifier: GPL-2.0-or-later
completionsdir = $(datadir)/bash-completion/completions
dist_completions_DATA = data/completions/lodger

# The schema of the desktop application's settings; compiled for programs in the build folder, and where it is installed
# (packages set DESTDIR and do that themselves).
gsettings_schema = data/org.lodger.Lodger.gschema.xml
EXTRA_DIST += $(gsettings_schema)
if HAVE_GTK
schemasdir = $(datadir)/glib-2.0/schemas
dist_schemas_DATA = $(gsettings_schema)
noinst_DATA = data/gschemas.compiled
CLEANFILES += data/gschemas.compiled
data/gschemas.compiled: $(srcdir)/$(gsettings_schema)
	$(AM_V_GEN)$(MKDIR_P) data && $(GLIB_COMPILE_SCHEMAS) --strict --targetdir=data $(srcdir)/data

install-data-hook:
	test -n "$(DESTDIR)" || $(GLIB_COMPILE_SCHEMAS) $(schemasdir)
uninstall-hook:
	test -n "$(DESTDIR)" || test ! -d $(schemasdir) || $(GLIB_COMPILE_SCHEMAS) $(schemasdir)
endif
