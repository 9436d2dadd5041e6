# SPDX-License-Identifier: GPL-2.0-or-later
completionsdir = $(datadir)/bash-completion/completions
dist_completions_DATA = data/completions/lodger

# The schema of the desktop application's settings; compiled for programs in the build folder, and where it is installed
# (packages set DESTDIR and do that themselves).
gsettings_schema = data/org.lodger.Lodger.gschema.xml
EXTRA_DIST += $(gsettings_schema) data/org.lodger.Lodger.desktop.in data/org.lodger.Lodger.metainfo.xml.in
if HAVE_GTK
schemasdir = $(datadir)/glib-2.0/schemas
dist_schemas_DATA = $(gsettings_schema)
noinst_DATA = data/gschemas.compiled
CLEANFILES += data/gschemas.compiled
data/gschemas.compiled: $(srcdir)/$(gsettings_schema)
	$(AM_V_GEN)$(MKDIR_P) data && $(GLIB_COMPILE_SCHEMAS) --strict --targetdir=data $(srcdir)/data

# With the translations of po/ in them.
desktop_translations = $(srcdir)/po/de.po $(srcdir)/po/es.po $(srcdir)/po/fr.po $(srcdir)/po/zh_CN.po
applicationsdir = $(datadir)/applications
nodist_applications_DATA = data/org.lodger.Lodger.desktop
metainfodir = $(datadir)/metainfo
nodist_metainfo_DATA = data/org.lodger.Lodger.metainfo.xml
CLEANFILES += $(nodist_applications_DATA) $(nodist_metainfo_DATA)
data/org.lodger.Lodger.desktop: data/org.lodger.Lodger.desktop.in $(desktop_translations)
	$(AM_V_GEN)$(MKDIR_P) data && $(MSGFMT) --desktop --template $(srcdir)/data/org.lodger.Lodger.desktop.in -d $(srcdir)/po -o $@
data/org.lodger.Lodger.metainfo.xml: data/org.lodger.Lodger.metainfo.xml.in $(desktop_translations)
	$(AM_V_GEN)$(MKDIR_P) data && $(MSGFMT) --xml --template $(srcdir)/data/org.lodger.Lodger.metainfo.xml.in -d $(srcdir)/po -o $@
scalableiconsdir = $(datadir)/icons/hicolor/scalable/apps
dist_scalableicons_DATA = data/icons/org.lodger.Lodger.svg
symboliciconsdir = $(datadir)/icons/hicolor/symbolic/apps
dist_symbolicicons_DATA = data/icons/org.lodger.Lodger-symbolic.svg

install-data-hook:
	test -n "$(DESTDIR)" || $(GLIB_COMPILE_SCHEMAS) $(schemasdir)
uninstall-hook:
	test -n "$(DESTDIR)" || test ! -d $(schemasdir) || $(GLIB_COMPILE_SCHEMAS) $(schemasdir)
endif
