/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.c - errors of the control interface, registered under their names on the wire for both sides. */
#include "control/error.h"

static const GDBusErrorEntry entries[] = {
        { CONTROL_ERROR_FAILED, "org.lodger.Error.Failed" },
        { CONTROL_ERROR_NOT_LISTENING, "org.lodger.Error.NotListening" },
        { CONTROL_ERROR_NO_SUCH_DEVICE, "org.lodger.Error.NoSuchDevice" },
        { CONTROL_ERROR_NO_SUCH_KEY, "org.lodger.Error.NoSuchKey" },
        { CONTROL_ERROR_NO_DISPLAY, "org.lodger.Error.NoDisplay" },
        { CONTROL_ERROR_NOT_TEXT, "org.lodger.Error.NotText" },
        { CONTROL_ERROR_BUSY, "org.lodger.Error.Busy" },
};
_Static_assert(G_N_ELEMENTS(entries) == CONTROL_ERRORS, "every error has a name");

GQuark control_error_quark(void)
{
        static gsize quark;

        g_dbus_error_register_error_domain("lodger-control-error-quark", &quark, entries, G_N_ELEMENTS(entries));
        return (GQuark)quark;
}
