# SPDX-License-Identifier: GPL-2.0-or-later
# lodger-gtk, a program of its own: containers need no GTK.
if HAVE_GTK
bin_PROGRAMS += lodger-gtk
endif
lodger_gtk_SOURCES = \
        src/ui/advice.c \
        src/ui/advice.h \
        src/ui/application.c \
        src/ui/application.h \
        src/ui/application_actions.c \
        src/ui/application_private.h \
        src/ui/assistant.c \
        src/ui/assistant.h \
        src/ui/console.c \
        src/ui/console.h \
        src/ui/console_actions.c \
        src/ui/console_private.h \
        src/ui/console_status.c \
        src/ui/control_display.c \
        src/ui/control_display.h \
        src/ui/display.c \
        src/ui/display.h \
        src/ui/display_input.c \
        src/ui/display_private.h \
        src/ui/framebuffer.c \
        src/ui/framebuffer.h \
        src/ui/guess.c \
        src/ui/guess.h \
        src/ui/keymap.c \
        src/ui/keymap.h \
        src/ui/launch.c \
        src/ui/launch.h \
        src/ui/machine.c \
        src/ui/machine.h \
        src/ui/machine_actions.c \
        src/ui/machine_actions.h \
        src/ui/machine_calls.c \
        src/ui/machine_list.c \
        src/ui/machine_list.h \
        src/ui/machine_private.h \
        src/ui/machine_row.c \
        src/ui/machine_row.h \
        src/ui/main.c \
        src/ui/manager.c \
        src/ui/manager.h \
        src/ui/preferences.c \
        src/ui/preferences.h \
        src/ui/preferences_window.c \
        src/ui/settings_dialog.c \
        src/ui/settings_dialog.h \
        src/ui/snapshot_dialog.c \
        src/ui/snapshot_dialog.h \
        src/ui/snapshot_run.c \
        src/ui/thumbnail.c \
        src/ui/thumbnail.h \
        src/ui/tool.c \
        src/ui/tool.h
nodist_lodger_gtk_SOURCES = src/ui/resources.c
lodger_gtk_CPPFLAGS = $(AM_CPPFLAGS) $(GTK_CFLAGS) -DSCHEMADIR='"$(datadir)/glib-2.0/schemas"'
lodger_gtk_LDADD = $(lodger_libs) $(GTK_LIBS)

# Layouts, style and icons go into the program.
ui_manifest = data/lodger.gresource.xml
ui_resources = \
        data/icons/org.lodger.Lodger-symbolic.svg \
        data/icons/org.lodger.Lodger.svg \
        data/ui/assistant.ui \
        data/ui/console.ui \
        data/ui/manager.ui \
        data/ui/preferences.ui \
        data/ui/shortcuts.ui \
        data/ui/snapshots.ui \
        data/ui/style.css
EXTRA_DIST += $(ui_manifest) $(ui_resources)
CLEANFILES += src/ui/resources.c
src/ui/resources.c: $(ui_manifest) $(ui_resources)
	$(AM_V_GEN)$(MKDIR_P) src/ui && $(GLIB_COMPILE_RESOURCES) --sourcedir=$(srcdir)/data --target=$@ --generate-source \
	        --c-name lodger $(srcdir)/$(ui_manifest)
