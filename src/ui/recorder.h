/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recorder.h - a video (WebM) of a machine's screen, encoded by GStreamer in a process of its own.
 *
 * gst-launch-1.0 is found at run time: nobody needs GStreamer to build or to use the rest, and an encoder that falls over
 * or is slow takes neither the window nor the machine along.
 */
#ifndef LODGER_UI_RECORDER_H
#define LODGER_UI_RECORDER_H

#include "ui/machine.h"

struct recorder;

/* problem: NULL: the file is complete. */
typedef void (*recorder_ended)(const char *path, const char *problem, gpointer opaque);

/* Records what the machine shows, in the size its screen has now, which must be watched meanwhile.  ended is called once,
 * after recorder_stop() or when the encoder fails, and not at all when owner is gone by then. */
struct recorder *recorder_start(GObject *owner, LodgerMachine *machine, const char *path, recorder_ended ended, gpointer opaque,
                                GError **error);
/* Ends the video; the recorder frees itself when the encoder has written the rest. */
void recorder_stop(struct recorder *recorder);

#endif
