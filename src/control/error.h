/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.h - errors of the control interface, by their names on the wire. */
#ifndef LODGER_CONTROL_ERROR_H
#define LODGER_CONTROL_ERROR_H

#include <gio/gio.h>

#define CONTROL_ERROR control_error_quark()
GQuark control_error_quark(void);
enum control_error {
        CONTROL_ERROR_FAILED,           /* org.lodger.Error.Failed ... */
        CONTROL_ERROR_NOT_LISTENING,
        CONTROL_ERROR_NO_SUCH_DEVICE,
        CONTROL_ERROR_NO_SUCH_KEY,
        CONTROL_ERROR_NO_DISPLAY,
        CONTROL_ERROR_NOT_TEXT,
        CONTROL_ERROR_BUSY,
        CONTROL_ERRORS
};

#endif
