/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_rng.c - entropy device (Virtio 1.2, 5.4): fills what buffers the driver offers from the host's
 * random numbers.
 *
 * A request gets at most REPLY_MAX bytes, so that none holds up the machine; drivers ask again.
 */
#include <errno.h>
#include <sys/random.h>

#include "base/log.h"
#include "devices/virtio/virtio.h"

enum { CLASS_CODE = 0x00ff00, QUEUE_SIZE = 64, REPLY_MAX = 4096 };

struct virtio_rng {
        struct virtio_device virtio;
};

static const struct state_field rng_fields[] = {
        STATE_STRUCT(struct virtio_rng, virtio, virtio_device_fields),
        STATE_END
};

static const struct property rng_properties[] = {
        VIRTIO_PROPERTIES(struct virtio_rng, virtio),
        { 0 }
};

/* Random bytes as far as the host has them at once; it always has, once it has started up. */
static size_t rng_fill(uint8_t *to, size_t size)
{
        size_t done = 0;

        while (done < size) {
                ssize_t n = getrandom(to + done, size - done, GRND_NONBLOCK);

                if (n > 0)
                        done += (size_t)n;
                else if (n < 0 && errno != EINTR)
                        break;
        }
        return done;
}

static void rng_notify(struct virtio_device *virtio, unsigned index)
{
        struct virtio_queue *queue = &virtio->queue[index];
        struct virtio_request *request;

        while ((request = virtio_pop(queue)) != NULL) {
                uint8_t bytes[REPLY_MAX];
                size_t size = rng_fill(bytes, MIN(request->in_bytes, sizeof(bytes)));

                virtio_push(request, (uint32_t)virtio_put(request, 0, bytes, size));
        }
        virtio_interrupt(queue);
}

static const struct virtio_ops rng_ops = { .notify = rng_notify };

/* -- Life ---------------------------------------------------------------------------------------- */

static bool rng_create(struct device *device, GError **error)
{
        struct virtio_rng *rng = (struct virtio_rng *)device;

        (void)error;
        virtio_init(&rng->virtio, VIRTIO_ENTROPY, CLASS_CODE, 0, 0, &rng_ops);
        virtio_add_queue(&rng->virtio, QUEUE_SIZE);
        return true;
}

static void rng_reset(struct device *device)
{
        virtio_device_reset((struct virtio_device *)device);
}

static bool rng_post_load(struct device *device, GError **error)
{
        return virtio_device_restored((struct virtio_device *)device, error);
}

static void rng_destroy(struct device *device)
{
        virtio_device_destroy((struct virtio_device *)device);
}

static const struct device_class rng_class = {
        .name = "virtio_rng",
        .description = "virtio entropy device",
        .size = sizeof(struct virtio_rng),
        .state = rng_fields,
        .properties = rng_properties,
        .create = rng_create,
        .reset = rng_reset,
        .post_load = rng_post_load,
        .destroy = rng_destroy,
};

DEVICE_CLASS(rng_class);
