# Guest memory and the I/O ports.
lodger_core_SOURCES += \
	src/memory/access.c \
	src/memory/internal.h \
	src/memory/map.c \
	src/memory/memory.c \
	src/memory/memory.h \
	src/memory/note.c \
	src/memory/note.h \
	src/memory/ports.c \
	src/memory/ports.h

# Runs while a guest's vector registers are live.
lodger_gpr_SOURCES += src/memory/pages.c
