/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - values of a machine's options, wherever they come from: a command line, `set`, a definition.
 *
 * Errors of G_OPTION_ERROR are the user's mistakes (exit status 2); others are the host's.  Each is one
 * line that names the option, its value and what to write instead.
 */
#ifndef LODGER_LIBRARY_OPTIONS_H
#define LODGER_LIBRARY_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include "library/option_table.h"
#include "machine/machine.h"

enum option {
#define X(id, ...) OPTION_##id,
        MACHINE_OPTIONS(X)
#undef X
        OPTION_COUNT
};

enum option_kind { OPTION_TEXT, OPTION_LIST, OPTION_FLAG };
enum option_path { OPTION_PATH_NONE, OPTION_PATH_FILE, OPTION_PATH_SPEC, OPTION_PATH_SERIAL };
enum option_scope { OPTION_SCOPE_MACHINE, OPTION_SCOPE_RUN };

struct option_info {
        const char *name;
        enum option_kind kind;
        enum option_path path;
        enum option_scope scope;
        const char *(*check)(const char *value);        /* NULL: fine; otherwise what to write instead */
        const char *argument, *help;                    /* N_() */
};

extern const struct option_info option_table[OPTION_COUNT];

/* Values, each a NULL-terminated array; NULL: not given.  TEXT has one word, FLAG the word "yes". */
struct option_set {
        char **values[OPTION_COUNT];
};

/* -- options.c ----------------------------------------------------------------------------------- */

void options_clear(struct option_set *set);
void options_copy(struct option_set *to, const struct option_set *from);
/* The value of a TEXT; NULL: not given. */
const char *options_text(const struct option_set *set, enum option option);
bool options_flag(const struct option_set *set, enum option option);
guint options_count(const struct option_set *set, enum option option);
/* By name, without dashes; OPTION_COUNT: there is none. */
enum option options_find(const char *name);
/* Replaces the values by one. */
void options_set(struct option_set *set, enum option option, const char *value);
void options_add(struct option_set *set, enum option option, const char *value);
void options_insert(struct option_set *set, enum option option, const char *value);     /* in front of the others */
void options_unset(struct option_set *set, enum option option);
/* "KEY=VALUE", "KEY+=VALUE" (one more of a LIST), "KEY=" (back to the default); paths relative to the current
 * folder become absolute.  Options of one run only are no keys. */
bool options_assign(struct option_set *set, const char *assignment, GError **error);
/* Paths relative to the current folder become absolute. */
void options_make_absolute(struct option_set *set);
/* The options for a command line, RUN ones among them or not; their values go to set.  Becomes the context's main group. */
GOptionGroup *options_group(struct option_set *set, bool of_a_run);
/* One option a line, "KEY=VALUE". */
char *options_describe(const struct option_set *set);

/* -- option_check.c ------------------------------------------------------------------------------ */

/* What can be judged from the words alone, each option and their combination. */
bool options_check(const struct option_set *set, GError **error);
/* Files that the machine only reads: there, and files. */
bool options_check_files(const struct option_set *set, GError **error);
/* IMAGE: goes where its content says it belongs, before others of its kind, and boots first. */
bool options_place_image(struct option_set *set, const char *image, GError **error);

/* --throwaway: every disk and floppy gets the option. */
void options_throw_away(struct option_set *set);

/* -- option_config.c ----------------------------------------------------------------------------- */

/* The configuration of a set that has been checked.  Strings stay the set's; options_config_clear() frees the rest. */
void options_config(const struct option_set *set, struct machine_config *config);
void options_config_clear(struct machine_config *config);

#endif
