/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_tablet.c - a pointer that goes where it is put, on virtio (Virtio 1.2, 5.8 "Input Device").
 *
 * The device describes itself as Linux's input layer would (linux/input-event-codes.h): two absolute axes, five buttons, a
 * wheel.  No property is set: a touch screen would be INPUT_PROP_DIRECT, while what has axes and a left button and nothing
 * else is a mouse to guests, whose pointer then lies under the host's.
 *
 * Configuration space is a window: the driver selects what it wants to know, and finds size and answer behind.
 *
 * A report is a handful of events, ended by SYN_REPORT, each in a buffer of its own.  It is sent when there are buffers for
 * all of it; what happens before that is summed up, so a slow guest sees fewer places and no button is lost that is
 * still held.  Not modelled: the status queue does nothing, since a tablet has no lamps; buffers on it are given back.
 */
#include <string.h>

#include "devices/input/input.h"
#include "devices/input/virtio_tablet.h"
#include "devices/virtio/virtio.h"

enum { CLASS_CODE = 0x098000, EVENT_QUEUE = 0, STATUS_QUEUE = 1, QUEUE_SIZE = 64 };
/* 5.8.4: struct virtio_input_config. */
enum { CONFIG_SELECT = 0, CONFIG_SUBSEL = 1, CONFIG_SIZE = 2, CONFIG_ANSWER = 8, CONFIG_BYTES = 136 };
enum { SELECT_NAME = 0x01, SELECT_SERIAL = 0x02, SELECT_IDS = 0x03, SELECT_PROPERTIES = 0x10, SELECT_EVENTS = 0x11, SELECT_AXIS = 0x12 };
_Static_assert((int)CONFIG_BYTES <= (int)VIRTIO_CONFIG_BYTES, "the window fits");

/* linux/input-event-codes.h and linux/input.h. */
enum { EV_SYN = 0, EV_KEY = 1, EV_REL = 2, EV_ABS = 3, SYN_REPORT = 0, REL_WHEEL = 8, ABS_X = 0, ABS_Y = 1, BUS_VIRTUAL = 6 };
enum { BTN_LEFT = 0x110, BTN_RIGHT = 0x111, BTN_MIDDLE = 0x112, BTN_SIDE = 0x113, BTN_EXTRA = 0x114 };

enum { EVENT_BYTES = 8, REPORT_EVENTS_MAX = 9, WHEEL_MAX = 100 };
/* Of our own; drivers show them, nothing depends on them. */
enum { PRODUCT = 3, VERSION = 1 };

static const struct { unsigned button; uint16_t code; } buttons[] = {
        { INPUT_BUTTON_LEFT, BTN_LEFT }, { INPUT_BUTTON_RIGHT, BTN_RIGHT }, { INPUT_BUTTON_MIDDLE, BTN_MIDDLE },
        { INPUT_BUTTON_SIDE, BTN_SIDE }, { INPUT_BUTTON_EXTRA, BTN_EXTRA },
};

struct tablet {
        struct virtio_device virtio;
        /* Saved: where the pointer is, what is held, and what the driver was told of it last. */
        uint16_t x, y, told_x, told_y;  /* 0 to INPUT_PLACE_MAX; reset 0 */
        uint8_t held, told_held;        /* enum input_button; reset 0 */
        uint32_t wheel;                 /* two's complement: turns not told yet, towards the user; reset 0 */
        bool placed;                    /* since the driver began */
        /* Host. */
        struct input *input;
};

static const struct state_field tablet_fields[] = {
        STATE_STRUCT(struct tablet, virtio, virtio_device_fields),
        STATE_U16(struct tablet, x),
        STATE_U16(struct tablet, y),
        STATE_U16(struct tablet, told_x),
        STATE_U16(struct tablet, told_y),
        STATE_U8(struct tablet, held),
        STATE_U8(struct tablet, told_held),
        STATE_U32(struct tablet, wheel),
        STATE_BOOL(struct tablet, placed),
        STATE_SKIP(struct tablet, input, "identity"),
        STATE_END
};

static const struct property tablet_properties[] = {
        VIRTIO_PROPERTIES(struct tablet, virtio),
        { 0 }
};

/* -- What it says of itself ------------------------------------------------------------------------ */

static void set_bit(uint8_t *bits, unsigned bit) { bits[bit / 8] |= (uint8_t)(1u << bit % 8); }

/* Bytes of the bitmap of codes that a type of events has; 0: none. */
static unsigned describe_events(uint8_t *bits, unsigned type)
{
        switch (type) {
        case EV_KEY:
                for (unsigned i = 0; i < G_N_ELEMENTS(buttons); i++)
                        set_bit(bits, buttons[i].code);
                return BTN_EXTRA / 8 + 1;
        case EV_REL:
                set_bit(bits, REL_WHEEL);
                return REL_WHEEL / 8 + 1;
        case EV_ABS:
                set_bit(bits, ABS_X);
                set_bit(bits, ABS_Y);
                return ABS_Y / 8 + 1;
        default:
                return 0;
        }
}

static unsigned describe(uint8_t *answer, unsigned select, unsigned subselect)
{
        static const char name[] = "Lodger tablet";

        switch (select) {
        case SELECT_NAME:
                memcpy(answer, name, sizeof(name) - 1);
                return subselect ? 0 : sizeof(name) - 1;
        case SELECT_IDS:
                pci_put16(answer, 0, BUS_VIRTUAL);
                pci_put16(answer, 4, PRODUCT);
                pci_put16(answer, 6, VERSION);
                return subselect ? 0 : 8;
        case SELECT_EVENTS:
                return describe_events(answer, subselect);
        case SELECT_AXIS:
                pci_put32(answer, 4, INPUT_PLACE_MAX);          /* behind the minimum, 0; no fuzz, flat or resolution */
                return subselect <= ABS_Y ? 20 : 0;
        default:
                return 0;
        }
}

static void tablet_config_written(struct virtio_device *virtio, unsigned offset, unsigned size)
{
        uint8_t *config = virtio->config;

        (void)offset;
        (void)size;
        memset(config + CONFIG_SIZE, 0, CONFIG_BYTES - CONFIG_SIZE);
        config[CONFIG_SIZE] = (uint8_t)describe(config + CONFIG_ANSWER, config[CONFIG_SELECT], config[CONFIG_SUBSEL]);
        if (!config[CONFIG_SIZE])
                memset(config + CONFIG_ANSWER, 0, CONFIG_BYTES - CONFIG_ANSWER);
}

/* -- Reports --------------------------------------------------------------------------------------- */

struct event {
        uint16_t type, code;
        int32_t value;
};

static unsigned report_make(const struct tablet *tablet, struct event *events)
{
        unsigned count = 0, changed = tablet->held ^ tablet->told_held;

        if (tablet->placed && tablet->x != tablet->told_x)
                events[count++] = (struct event){ EV_ABS, ABS_X, tablet->x };
        if (tablet->placed && tablet->y != tablet->told_y)
                events[count++] = (struct event){ EV_ABS, ABS_Y, tablet->y };
        for (unsigned i = 0; i < G_N_ELEMENTS(buttons); i++)
                if (changed & buttons[i].button)
                        events[count++] = (struct event){ EV_KEY, buttons[i].code, (tablet->held & buttons[i].button) != 0 };
        if (tablet->wheel)              /* Linux's wheel turns the other way round */
                events[count++] = (struct event){ EV_REL, REL_WHEEL, -(int32_t)tablet->wheel };
        if (count)
                events[count++] = (struct event){ EV_SYN, SYN_REPORT, 0 };
        return count;
}

static bool event_send(struct virtio_queue *queue, const struct event *event)
{
        struct virtio_request *request = virtio_pop(queue);
        uint8_t bytes[EVENT_BYTES];

        if (!request)
                return false;
        pci_put16(bytes, 0, event->type);
        pci_put16(bytes, 2, event->code);
        pci_put32(bytes, 4, (uint32_t)event->value);
        virtio_push(request, (uint32_t)virtio_put(request, 0, bytes, sizeof(bytes)));
        return true;
}

static void report(struct tablet *tablet)
{
        struct virtio_queue *queue = &tablet->virtio.queue[EVENT_QUEUE];
        struct event events[REPORT_EVENTS_MAX];
        unsigned count = report_make(tablet, events);

        /* A driver whose buffers are larger than events has room for fewer of them than it seems: its loss. */
        if (!count || !virtio_is_running(&tablet->virtio) || !virtio_has_room(queue, (uint64_t)count * EVENT_BYTES))
                return;
        for (unsigned i = 0; i < count && event_send(queue, &events[i]); i++)
                ;
        tablet->told_x = tablet->x;
        tablet->told_y = tablet->y;
        tablet->told_held = tablet->held;
        tablet->wheel = 0;
        virtio_interrupt(queue);
}

static void tablet_notify(struct virtio_device *virtio, unsigned index)
{
        struct virtio_queue *queue = &virtio->queue[index];
        struct virtio_request *request;

        if (index == EVENT_QUEUE) {
                report((struct tablet *)virtio);
                return;
        }
        while ((request = virtio_pop(queue)) != NULL)
                virtio_push(request, 0);
        virtio_interrupt(queue);
}

/* -- Host events ----------------------------------------------------------------------------------- */

static bool tablet_is_listening(void *opaque) { return virtio_is_running(opaque); }

static void tablet_move(void *opaque, int right, int down, int wheel, unsigned held)
{
        struct tablet *tablet = opaque;
        int turns = (int32_t)tablet->wheel + CLAMP(wheel, -WHEEL_MAX, WHEEL_MAX);

        (void)right;
        (void)down;
        tablet->wheel = (uint32_t)CLAMP(turns, -WHEEL_MAX, WHEEL_MAX);
        tablet->held = (uint8_t)(held & INPUT_BUTTONS);
        report(tablet);
}

static void tablet_place(void *opaque, unsigned x, unsigned y)
{
        struct tablet *tablet = opaque;

        tablet->x = (uint16_t)MIN(x, INPUT_PLACE_MAX);
        tablet->y = (uint16_t)MIN(y, INPUT_PLACE_MAX);
        tablet->placed = true;
        report(tablet);
}

void virtio_tablet_connect_input(struct device *device, struct input *input)
{
        ((struct tablet *)device)->input = input;
        input_connect_tablet(input, &(struct input_tablet){ tablet_is_listening, tablet_place, tablet_move, device });
}

/* -- Life ------------------------------------------------------------------------------------------ */

/* A driver begins with axes at 0 and nothing pressed, so that is what it has been told. */
static void tablet_forget(struct virtio_device *virtio)
{
        struct tablet *tablet = (struct tablet *)virtio;

        tablet->x = tablet->y = tablet->told_x = tablet->told_y = 0;
        tablet->held = tablet->told_held = 0;
        tablet->wheel = 0;
        tablet->placed = false;
        if (tablet->input)
                input_listening_changed(tablet->input);
}

static void tablet_ready(struct virtio_device *virtio)
{
        struct tablet *tablet = (struct tablet *)virtio;

        if (tablet->input)
                input_listening_changed(tablet->input);
}

static const struct virtio_ops tablet_ops = {
        .notify = tablet_notify, .reset = tablet_forget, .ready = tablet_ready, .config_written = tablet_config_written,
};

static bool tablet_create(struct device *device, GError **error)
{
        struct tablet *tablet = (struct tablet *)device;

        (void)error;
        virtio_init(&tablet->virtio, VIRTIO_INPUT, CLASS_CODE, 0, CONFIG_BYTES, &tablet_ops);
        tablet->virtio.config_writable[CONFIG_SELECT] = tablet->virtio.config_writable[CONFIG_SUBSEL] = 0xff;
        virtio_add_queue(&tablet->virtio, QUEUE_SIZE);
        virtio_add_queue(&tablet->virtio, QUEUE_SIZE);
        return true;
}

static void tablet_reset(struct device *device) { virtio_device_reset((struct virtio_device *)device); }

static bool tablet_post_load(struct device *device, GError **error)
{
        struct tablet *tablet = (struct tablet *)device;

        if (tablet->x > INPUT_PLACE_MAX || tablet->y > INPUT_PLACE_MAX || (tablet->held | tablet->told_held) & ~INPUT_BUTTONS) {
                g_set_error(error, STATE_ERROR, STATE_ERROR_MISMATCH, "%s: its place or buttons are impossible", device->id);
                return false;
        }
        tablet->wheel = (uint32_t)CLAMP((int32_t)tablet->wheel, -WHEEL_MAX, WHEEL_MAX);
        if (tablet->input)
                input_listening_changed(tablet->input);
        return virtio_device_restored((struct virtio_device *)device, error);
}

static void tablet_destroy(struct device *device) { virtio_device_destroy((struct virtio_device *)device); }

static const struct device_class tablet_class = {
        .name = "virtio_tablet",
        .description = "virtio tablet: a pointer without a grab",
        .size = sizeof(struct tablet),
        .state = tablet_fields,
        .properties = tablet_properties,
        .create = tablet_create,
        .reset = tablet_reset,
        .post_load = tablet_post_load,
        .destroy = tablet_destroy,
};

DEVICE_CLASS(tablet_class);
