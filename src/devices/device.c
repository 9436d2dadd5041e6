/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.c - the registry of device classes, and the life of a device and its properties.
 *
 * Classes register themselves before main() (DEVICE_CLASS()), so the registry needs no lock: it is
 * only read afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/device.h"

/* -- Classes ----------------------------------------------------------------------------------- */

static const struct device_class **classes;
static size_t class_count;

void device_class_register(const struct device_class *class)
{
        size_t i = class_count++;

        g_assert(class->size >= sizeof(struct device));
        classes = g_renew(const struct device_class *, classes, class_count);
        for (; i && strcmp(classes[i - 1]->name, class->name) > 0; i--)
                classes[i] = classes[i - 1];
        classes[i] = class;
        g_assert(!i || strcmp(classes[i - 1]->name, class->name));
}

const struct device_class *device_class_find(const char *name)
{
        for (size_t i = 0; i < class_count; i++)
                if (!strcmp(classes[i]->name, name))
                        return classes[i];
        return NULL;
}

const struct device_class *const *device_classes(size_t *n)
{
        *n = class_count;
        return classes;
}

/* -- Properties -------------------------------------------------------------------------------- */

static void *property_place(struct device *device, const struct property *property)
{
        return (char *)device + property->offset;
}

static const struct property *property_find(const struct device_class *class, const char *name)
{
        for (const struct property *property = class->properties; property && property->name; property++)
                if (!strcmp(property->name, name))
                        return property;
        return NULL;
}

static bool parse_bool(const char *text, bool *value)
{
        static const char *const yes[] = { "on", "yes", "true", "1" }, *const no[] = { "off", "no", "false", "0" };

        for (size_t i = 0; i < G_N_ELEMENTS(yes); i++) {
                if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
                        *value = !strcmp(text, yes[i]);
                        return true;
                }
        }
        return false;
}

static bool property_set(struct device *device, const struct property *property, const char *value, GError **error)
{
        void *place = property_place(device, property);
        uint64_t number;
        char *end;

        switch (property->type) {
        case PROPERTY_BOOL:
                if (parse_bool(value, place))
                        return true;
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s.%s: \"%s\" is neither on nor off",
                            device->id, property->name, value);
                return false;
        case PROPERTY_UINT:
                number = g_ascii_strtoull(value, &end, 0);
                if (end != value && !*end && *value != '-' && number >= property->minimum && number <= property->maximum) {
                        *(uint64_t *)place = number;
                        return true;
                }
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "%s.%s: \"%s\" is not a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                            device->id, property->name, value, property->minimum, property->maximum);
                return false;
        case PROPERTY_STRING:
                g_free(*(char **)place);
                *(char **)place = g_strdup(value);
                return true;
        }
        g_assert_not_reached();
}

bool device_set(struct device *device, const char *name, const char *value, GError **error)
{
        const struct property *property = property_find(device->class, name);

        g_assert(!device->created);
        if (!property) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "device \"%s\" has no property \"%s\"",
                            device->class->name, name);
                return false;
        }
        return property_set(device, property, value, error);
}

/* -- Life -------------------------------------------------------------------------------------- */

struct device *device_new(const char *class_name, const char *id, const struct device_env *env)
{
        const struct device_class *class = device_class_find(class_name);

        g_assert(class);
        struct device *device = g_malloc0(class->size);
        device->class = class;
        device->id = g_strdup(id);
        device->env = env;
        for (const struct property *property = class->properties; property && property->name; property++)
                if (property->initial) {
                        bool valid = property_set(device, property, property->initial, NULL);
                        g_assert(valid);
                }
        return device;
}

bool device_start(struct device *device, GError **error)
{
        g_assert(!device->created);
        if (device->class->create && !device->class->create(device, error))
                return false;
        device->created = true;
        device_reset(device);
        return true;
}

void device_reset(struct device *device)
{
        if (device->class->reset)
                device->class->reset(device);
}

void device_free(struct device *device)
{
        if (!device)
                return;
        if (device->created && device->class->destroy)
                device->class->destroy(device);
        for (const struct property *property = device->class->properties; property && property->name; property++)
                if (property->type == PROPERTY_STRING)
                        g_free(*(char **)property_place(device, property));
        g_free(device->id);
        g_free(device);
}
