/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recorder.c - frames through a pipe.
 *
 * The encoder counts frames to know the time, so as many are sent as have been due since the beginning: one that comes late is
 * sent as often as it takes, and the video never runs faster than the guest did.  The pipe is never waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gunixoutputstream.h>
#include <glib-unix.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "ui/recorder.h"

enum { FRAMES_PER_SECOND = 20, PIPE_BYTES = 1 << 20 };

struct recorder {
        GWeakRef owner;
        LodgerMachine *machine;
        char *path;
        recorder_ended ended;
        gpointer opaque;
        GSubprocess *encoder;
        int fd;                         /* the encoder's standard input, -1 after the end */
        guint tick, writable;           /* main loop sources */
        gint64 started_us;
        guint64 sent;                   /* whole frames */
        cairo_surface_t *frame;
        gsize written;                  /* of the frame that is being sent */
        gboolean sending;
};

/* -- Frames ---------------------------------------------------------------------------------------- */

/* The screen as it is now, into a frame of the video's size: the guest may have chosen another one meanwhile. */
static void draw(struct recorder *recorder)
{
        cairo_surface_t *screen = lodger_machine_get_screen(recorder->machine);
        double width = cairo_image_surface_get_width(recorder->frame), height = cairo_image_surface_get_height(recorder->frame);
        cairo_t *cr = cairo_create(recorder->frame);

        cairo_set_source_rgb(cr, 0, 0, 0);
        cairo_paint(cr);
        if (screen) {
                double wide = cairo_image_surface_get_width(screen), high = cairo_image_surface_get_height(screen);
                double factor = fmin(width / wide, height / high);

                cairo_translate(cr, floor((width - wide * factor) / 2), floor((height - high * factor) / 2));
                cairo_scale(cr, factor, factor);
                cairo_set_source_surface(cr, screen, 0, 0);
                cairo_paint(cr);
        }
        cairo_destroy(cr);
        cairo_surface_flush(recorder->frame);
}

static gboolean is_due(const struct recorder *recorder)
{
        return recorder->sent < (guint64)(g_get_monotonic_time() - recorder->started_us) * FRAMES_PER_SECOND / G_USEC_PER_SEC;
}

static gboolean write_more(gint fd, GIOCondition condition, gpointer opaque)
{
        struct recorder *recorder = opaque;
        gsize size = (gsize)cairo_image_surface_get_stride(recorder->frame) * (gsize)cairo_image_surface_get_height(recorder->frame);
        ssize_t n = write(fd, cairo_image_surface_get_data(recorder->frame) + recorder->written, size - recorder->written);

        (void)condition;
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
                recorder->writable = 0;         /* the encoder is gone, and will be heard of */
                return G_SOURCE_REMOVE;
        }
        recorder->written += n > 0 ? (gsize)n : 0;
        if (recorder->written < size)
                return G_SOURCE_CONTINUE;
        recorder->written = 0;
        recorder->sent++;
        if (is_due(recorder))
                return G_SOURCE_CONTINUE;       /* the same once more */
        recorder->sending = FALSE;
        recorder->writable = 0;
        return G_SOURCE_REMOVE;
}

static gboolean tick(gpointer opaque)
{
        struct recorder *recorder = opaque;

        if (recorder->sending || !is_due(recorder))
                return G_SOURCE_CONTINUE;
        draw(recorder);
        recorder->sending = TRUE;
        recorder->writable = g_unix_fd_add(recorder->fd, G_IO_OUT, write_more, recorder);
        return G_SOURCE_CONTINUE;
}

/* -- Beginning and end ------------------------------------------------------------------------------ */

static void end_input(struct recorder *recorder)
{
        g_clear_handle_id(&recorder->tick, g_source_remove);
        g_clear_handle_id(&recorder->writable, g_source_remove);
        if (recorder->fd >= 0)
                g_output_stream_close(g_subprocess_get_stdin_pipe(recorder->encoder), NULL, NULL);
        recorder->fd = -1;
}

static void encoder_ended(GObject *source, GAsyncResult *result, gpointer opaque)
{
        struct recorder *recorder = opaque;
        GObject *owner = g_weak_ref_get(&recorder->owner);
        GSubprocess *encoder = G_SUBPROCESS(source);
        gboolean asked = recorder->fd < 0;
        gboolean ok = asked && g_subprocess_wait_finish(encoder, result, NULL) && g_subprocess_get_if_exited(encoder) &&
                      g_subprocess_get_exit_status(encoder) == 0;

        end_input(recorder);
        if (owner)
                recorder->ended(recorder->path, ok ? NULL : _("GStreamer's encoder failed; is gstreamer1.0-plugins-good installed?"),
                                recorder->opaque);
        g_clear_object(&owner);
        g_object_unref(recorder->encoder);
        g_object_unref(recorder->machine);
        cairo_surface_destroy(recorder->frame);
        g_weak_ref_clear(&recorder->owner);
        g_free(recorder->path);
        g_free(recorder);
}

static GSubprocess *start_encoder(const char *path, int width, int height, GError **error)
{
        char *program = g_find_program_in_path("gst-launch-1.0");
        char *wide = g_strdup_printf("width=%d", width), *high = g_strdup_printf("height=%d", height);
        char *rate = g_strdup_printf("framerate=%d/1", FRAMES_PER_SECOND), *location = g_strconcat("location=", path, NULL);
        const char *const command[] = {
                program, "--quiet", "fdsrc", "fd=0", "blocksize=1048576", "!", "rawvideoparse", wide, high, "format=bgrx", rate, "!",
                "videoconvert", "!", "vp8enc", "deadline=1", "cpu-used=8", "threads=2", "!", "webmmux", "!", "filesink",
                "buffer-mode=unbuffered", location, NULL
        };
        GSubprocess *encoder = NULL;

        if (program)
                encoder = g_subprocess_newv(command, G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_SILENCE, error);
        else
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                            _("GStreamer's gst-launch-1.0 is not installed; install gstreamer1.0-tools and gstreamer1.0-plugins-good"));
        g_free(location);
        g_free(rate);
        g_free(high);
        g_free(wide);
        g_free(program);
        return encoder;
}

struct recorder *recorder_start(GObject *owner, LodgerMachine *machine, const char *path, recorder_ended ended, gpointer opaque,
                                GError **error)
{
        cairo_surface_t *screen = lodger_machine_get_screen(machine);
        /* The encoder works in pairs of pixels. */
        int width = screen ? (cairo_image_surface_get_width(screen) + 1) & ~1 : 640;
        int height = screen ? (cairo_image_surface_get_height(screen) + 1) & ~1 : 400;
        GSubprocess *encoder = start_encoder(path, width, height, error);
        struct recorder *recorder;

        if (!encoder)
                return NULL;
        recorder = g_new0(struct recorder, 1);
        g_weak_ref_init(&recorder->owner, owner);
        recorder->machine = g_object_ref(machine);
        recorder->path = g_strdup(path);
        recorder->ended = ended;
        recorder->opaque = opaque;
        recorder->encoder = encoder;
        recorder->fd = g_unix_output_stream_get_fd(G_UNIX_OUTPUT_STREAM(g_subprocess_get_stdin_pipe(encoder)));
        g_unix_set_fd_nonblocking(recorder->fd, TRUE, NULL);
        fcntl(recorder->fd, F_SETPIPE_SZ, PIPE_BYTES);
        recorder->frame = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
        recorder->started_us = g_get_monotonic_time();
        recorder->tick = g_timeout_add(1000 / FRAMES_PER_SECOND, tick, recorder);
        g_subprocess_wait_async(encoder, NULL, encoder_ended, recorder);
        return recorder;
}

void recorder_stop(struct recorder *recorder) { end_input(recorder); }
