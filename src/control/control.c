/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.c - connections to the control socket: who may connect, how many, how much they may ask.
 *
 * The life of a connection:
 *
 *      accepted        main loop; the kernel says who it is: only this user goes on
 *      authenticating  a thread of GDBus, for AUTHENTICATION_SECONDS and AUTHENTICATION_BYTES at most
 *      connected       a thread of GDBus reads and writes; methods run on the main loop
 *      closed          main loop; from either side
 *
 * What a client can do to the machine is bounded, since all of it may be a mistake or malice: PEERS_MAX
 * connections, of which the one longest silent makes room for a new one, so that the machine can
 * always be reached; and CALLS_MAX calls of each that are not answered yet, answers that the client
 * does not read among them.  Who exceeds that is disconnected.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "control/bounded.h"
#include "control/control.h"
#include "control/methods.h"
#include "control/place.h"

enum { PEERS_MAX = 32, CALLS_MAX = 64, AUTHENTICATION_SECONDS = 3, AUTHENTICATION_BYTES = 4096 };
#define OBJECT_PATH "/org/lodger/Machine1"

struct control {
        char *path;
        GSocket *listener;
        GSource *accepting;
        GDBusAuthObserver *observer;
        struct methods *methods;
        GPtrArray *peers;               /* of struct peer *, each with a reference */
};

/* A client.  Counted references, since GDBus's thread looks at it too: atomic what that thread touches. */
struct peer {
        struct control *control;        /* NULL once dropped; the main loop's */
        int fd;                         /* of the socket, for shutdown(); valid while `stream` lives */
        GIOStream *stream;
        GDBusConnection *connection;    /* NULL while authenticating */
        GCancellable *cancellable;      /* of the authentication */
        GSource *timer;                 /* of the authentication */
        gint calls;                     /* atomic: not answered yet */
        gint heard;                     /* atomic: seconds of the monotonic clock when it last called */
};

/* -- Peers --------------------------------------------------------------------------------------- */

static gint now_seconds(void) { return (gint)(g_get_monotonic_time() / G_USEC_PER_SEC); }

static void peer_clear(void *opaque)
{
        struct peer *peer = opaque;

        g_clear_object(&peer->connection);
        g_clear_object(&peer->stream);
        g_clear_object(&peer->cancellable);
}

static void peer_unref(void *peer) { g_atomic_rc_box_release_full(peer, peer_clear); }

/* Any thread: both directions end, and GDBus will report the connection closed. */
static void peer_hang_up(struct peer *peer) { shutdown(peer->fd, SHUT_RDWR); }

static void peer_end_authentication(struct peer *peer)
{
        if (!peer->timer)
                return;
        g_source_destroy(peer->timer);
        g_clear_pointer(&peer->timer, g_source_unref);
}

/* Main loop: nothing of this peer reaches the machine any more. */
static void peer_drop(struct peer *peer)
{
        struct control *control = peer->control;

        if (!control)
                return;
        peer->control = NULL;
        peer_end_authentication(peer);
        g_cancellable_cancel(peer->cancellable);
        peer_hang_up(peer);
        if (peer->connection) {
                GDBusInterfaceSkeleton *skeleton = G_DBUS_INTERFACE_SKELETON(methods_object(control->methods));

                g_signal_handlers_disconnect_by_data(peer->connection, peer);
                if (g_dbus_interface_skeleton_has_connection(skeleton, peer->connection))
                        g_dbus_interface_skeleton_unexport_from_connection(skeleton, peer->connection);
                /* Its filter refers to the peer, so the peer must not go on to refer to it. */
                g_clear_object(&peer->connection);
        }
        g_ptr_array_remove_fast(control->peers, peer);          /* the last reference, perhaps */
}

static void peer_make_room(struct control *control)
{
        struct peer *silent = NULL;

        if (control->peers->len < PEERS_MAX)
                return;
        for (guint i = 0; i < control->peers->len; i++) {
                struct peer *peer = g_ptr_array_index(control->peers, i);

                if (!silent || g_atomic_int_get(&peer->heard) - g_atomic_int_get(&silent->heard) < 0)
                        silent = peer;
        }
        peer_drop(silent);
}

/* On GDBus's thread, for every message in both directions.  Messages that are no calls, or calls that
 * want no answer, have no place here and would escape the count. */
static GDBusMessage *peer_filter(GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer opaque)
{
        struct peer *peer = opaque;
        GDBusMessageType type = g_dbus_message_get_message_type(message);

        (void)connection;
        if (!incoming) {
                if (type == G_DBUS_MESSAGE_TYPE_METHOD_RETURN || type == G_DBUS_MESSAGE_TYPE_ERROR)
                        g_atomic_int_add(&peer->calls, -1);
                return message;
        }
        g_atomic_int_set(&peer->heard, now_seconds());
        if (type == G_DBUS_MESSAGE_TYPE_METHOD_CALL &&
            !(g_dbus_message_get_flags(message) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED) &&
            g_atomic_int_add(&peer->calls, 1) < CALLS_MAX)
                return message;
        peer_hang_up(peer);
        g_object_unref(message);
        return NULL;
}

static void peer_closed(GDBusConnection *connection, gboolean remote, GError *error, gpointer opaque)
{
        (void)connection;
        (void)remote;
        (void)error;
        peer_drop(opaque);
}

static void peer_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
        struct peer *peer = opaque;
        struct control *control = peer->control;
        GDBusConnection *connection = g_dbus_connection_new_finish(result, NULL);

        (void)source;
        if (connection && control) {
                peer_end_authentication(peer);
                peer->connection = connection;
                g_dbus_connection_set_exit_on_close(connection, FALSE);
                g_dbus_connection_add_filter(connection, peer_filter, g_atomic_rc_box_acquire(peer), peer_unref);
                g_signal_connect(connection, "closed", G_CALLBACK(peer_closed), peer);
                g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(methods_object(control->methods)), connection, OBJECT_PATH, NULL);
                g_dbus_connection_start_message_processing(connection);
                if (g_dbus_connection_is_closed(connection))
                        peer_drop(peer);
        } else if (control) {
                peer_drop(peer);
        } else if (connection) {
                g_object_unref(connection);
        }
        peer_unref(peer);
}

static gboolean peer_too_slow(gpointer opaque)
{
        struct peer *peer = opaque;

        peer_drop(peer);
        return G_SOURCE_REMOVE;
}

/* -- Accepting ----------------------------------------------------------------------------------- */

static bool is_same_user(GSocket *socket)
{
        GCredentials *credentials = g_socket_get_credentials(socket, NULL);
        bool same = credentials && g_credentials_get_unix_user(credentials, NULL) == geteuid();

        g_clear_object(&credentials);
        return same;
}

static gboolean allow_mechanism(GDBusAuthObserver *observer, const char *mechanism, gpointer opaque)
{
        (void)observer;
        (void)opaque;
        return !strcmp(mechanism, "EXTERNAL");
}

static gboolean authorize(GDBusAuthObserver *observer, GIOStream *stream, GCredentials *credentials, gpointer opaque)
{
        (void)observer;
        (void)stream;
        (void)opaque;
        return credentials && g_credentials_get_unix_user(credentials, NULL) == geteuid();
}

static void control_accept(struct control *control, GSocket *socket)
{
        struct peer *peer;
        char *guid;

        if (!is_same_user(socket))
                return;
        peer_make_room(control);
        peer = g_atomic_rc_box_new0(struct peer);
        peer->control = control;
        peer->fd = g_socket_get_fd(socket);
        peer->stream = bounded_connection_new(socket, AUTHENTICATION_BYTES);
        peer->cancellable = g_cancellable_new();
        peer->heard = now_seconds();
        g_ptr_array_add(control->peers, peer);
        peer->timer = g_timeout_source_new_seconds(AUTHENTICATION_SECONDS);
        g_source_set_callback(peer->timer, peer_too_slow, peer, NULL);
        g_source_attach(peer->timer, g_main_context_get_thread_default());
        guid = g_dbus_generate_guid();
        g_dbus_connection_new(peer->stream, guid,
                              G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                                      G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                              control->observer, peer->cancellable, peer_connected, g_atomic_rc_box_acquire(peer));
        g_free(guid);
}

static gboolean control_ready(GSocket *listener, GIOCondition condition, gpointer opaque)
{
        GSocket *socket = g_socket_accept(listener, NULL, NULL);

        (void)condition;
        if (!socket)
                return G_SOURCE_CONTINUE;
        control_accept(opaque, socket);
        g_object_unref(socket);
        return G_SOURCE_CONTINUE;
}

/* -- Life ---------------------------------------------------------------------------------------- */

struct control *control_open(const char *name, const char *path, GError **error)
{
        char *place = path ? g_strdup(path) : place_of(name, error);
        GSocket *listener = place ? place_listen(place, error) : NULL;
        struct control *control;

        if (!listener) {
                g_free(place);
                return NULL;
        }
        g_socket_set_blocking(listener, FALSE);
        control = g_new0(struct control, 1);
        control->path = place;
        control->listener = listener;
        control->peers = g_ptr_array_new_with_free_func(peer_unref);
        return control;
}

void control_serve(struct control *control, struct machine *machine)
{
        control->methods = methods_new(machine);
        control->observer = g_dbus_auth_observer_new();
        g_signal_connect(control->observer, "allow-mechanism", G_CALLBACK(allow_mechanism), NULL);
        g_signal_connect(control->observer, "authorize-authenticated-peer", G_CALLBACK(authorize), NULL);
        control->accepting = g_socket_create_source(control->listener, G_IO_IN, NULL);
        g_source_set_callback(control->accepting, G_SOURCE_FUNC(control_ready), control, NULL);
        g_source_attach(control->accepting, g_main_context_get_thread_default());
}

void control_free(struct control *control)
{
        if (!control)
                return;
        if (control->accepting) {
                g_source_destroy(control->accepting);
                g_source_unref(control->accepting);
        }
        while (control->peers->len)
                peer_drop(g_ptr_array_index(control->peers, 0));
        g_ptr_array_free(control->peers, TRUE);
        place_leave(control->path, control->listener);
        g_object_unref(control->listener);
        methods_free(control->methods);
        g_clear_object(&control->observer);
        g_free(control->path);
        g_free(control);
}
