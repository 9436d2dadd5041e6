/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i18n.h - marks text that people read, so that po/ can translate it.
 *
 * _() translates now, N_() marks a constant that is translated where it is shown.  A file that uses
 * either is listed in po/POTFILES.in (tests/check-style looks).  Traces and guest errors stay English.
 */
#ifndef LODGER_BASE_I18N_H
#define LODGER_BASE_I18N_H

#if ENABLE_NLS
#include <libintl.h>
#define _(text) gettext(text)
#else
#define _(text) (text)
#define ngettext(one, many, count) ((count) == 1 ? (one) : (many))
#endif
#define N_(text) (text)

#endif
