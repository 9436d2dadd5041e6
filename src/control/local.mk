# SPDX-License-Identifier: GPL-2.0-or-later
lodger_core_SOURCES += \
        src/control/bounded.c \
        src/control/bounded.h \
        src/control/control.c \
        src/control/control.h \
        src/control/error.c \
        src/control/error.h \
        src/control/keys.c \
        src/control/keys.h \
        src/control/methods.c \
        src/control/methods.h \
        src/control/place.c \
        src/control/place.h \
        src/control/screen.c \
        src/control/screen.h \
        src/control/snapshots.c \
        src/control/snapshots.h

# Both sides of the interface, from its description.
control_interface = data/org.lodger.Machine1.xml
control_generated = src/control/machine1.c src/control/machine1.h
nodist_lodger_core_SOURCES += $(control_generated)
BUILT_SOURCES += $(control_generated)
CLEANFILES += $(control_generated)
EXTRA_DIST += $(control_interface)

control_codegen = $(AM_V_GEN)$(MKDIR_P) src/control && $(GDBUS_CODEGEN) --interface-prefix org.lodger. --c-namespace Control
src/control/machine1.h: $(srcdir)/$(control_interface)
	$(control_codegen) --header --output $@ $(srcdir)/$(control_interface)
src/control/machine1.c: $(srcdir)/$(control_interface)
	$(control_codegen) --body --output $@ $(srcdir)/$(control_interface)
