/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bounded.c - a UNIX connection on which only so many bytes can be read as a stream.
 *
 * A client that sends a line without end while it authenticates would otherwise fill the memory of
 * the machine's process.
 */
#include <gio/gunixconnection.h>

#include "control/bounded.h"

/* -- The stream ---------------------------------------------------------------------------------- */

#define BOUNDED_TYPE_INPUT (bounded_input_get_type())
G_DECLARE_FINAL_TYPE(BoundedInput, bounded_input, BOUNDED, INPUT, GFilterInputStream)

struct _BoundedInput {
        GFilterInputStream parent;
        gsize left;
};

G_DEFINE_TYPE(BoundedInput, bounded_input, G_TYPE_FILTER_INPUT_STREAM)

static gssize bounded_input_read(GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable, GError **error)
{
        BoundedInput *self = BOUNDED_INPUT(stream);
        gssize got;

        if (!self->left) {
                g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, "too long an authentication");
                return -1;
        }
        got = g_input_stream_read(g_filter_input_stream_get_base_stream(&self->parent), buffer, MIN(count, self->left),
                                  cancellable, error);
        if (got > 0)
                self->left -= (gsize)got;
        return got;
}

static void bounded_input_class_init(BoundedInputClass *class)
{
        G_INPUT_STREAM_CLASS(class)->read_fn = bounded_input_read;
}

static void bounded_input_init(BoundedInput *self)
{
        g_filter_input_stream_set_close_base_stream(&self->parent, FALSE);
}

/* -- The connection ------------------------------------------------------------------------------ */

#define BOUNDED_TYPE_CONNECTION (bounded_connection_get_type())
G_DECLARE_FINAL_TYPE(BoundedConnection, bounded_connection, BOUNDED, CONNECTION, GUnixConnection)

struct _BoundedConnection {
        GUnixConnection parent;
        GInputStream *input;            /* made on first use, from the parent's */
        gsize limit;
};

G_DEFINE_TYPE(BoundedConnection, bounded_connection, G_TYPE_UNIX_CONNECTION)

static GInputStream *bounded_connection_get_input(GIOStream *stream)
{
        BoundedConnection *self = BOUNDED_CONNECTION(stream);

        if (!self->input) {
                GInputStream *base = G_IO_STREAM_CLASS(bounded_connection_parent_class)->get_input_stream(stream);

                self->input = g_object_new(BOUNDED_TYPE_INPUT, "base-stream", base, NULL);
                BOUNDED_INPUT(self->input)->left = self->limit;
        }
        return self->input;
}

static void bounded_connection_finalize(GObject *object)
{
        g_clear_object(&BOUNDED_CONNECTION(object)->input);
        G_OBJECT_CLASS(bounded_connection_parent_class)->finalize(object);
}

static void bounded_connection_class_init(BoundedConnectionClass *class)
{
        G_IO_STREAM_CLASS(class)->get_input_stream = bounded_connection_get_input;
        G_OBJECT_CLASS(class)->finalize = bounded_connection_finalize;
}

static void bounded_connection_init(BoundedConnection *self)
{
        (void)self;
}

GIOStream *bounded_connection_new(GSocket *socket, gsize limit_bytes)
{
        BoundedConnection *self = g_object_new(BOUNDED_TYPE_CONNECTION, "socket", socket, NULL);

        self->limit = limit_bytes;
        return G_IO_STREAM(self);
}
