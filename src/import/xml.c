/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml.c - a tree built from what GMarkup reports. */
#include <string.h>

#include "base/i18n.h"
#include "import/xml.h"

struct builder {
        struct xml *root;
        GPtrArray *open;                /* of struct xml *, from the root to the innermost */
        guint nodes;
};

static const char *local_name(const char *name)
{
        const char *colon = strchr(name, ':');

        return colon ? colon + 1 : name;
}

/* -- Building --------------------------------------------------------------------------------------- */

static struct xml *node_new(const char *name, const char **names, const char **values)
{
        struct xml *node = g_new0(struct xml, 1);
        guint count = g_strv_length((char **)names);

        node->name = g_strdup(local_name(name));
        node->attributes = g_new0(char *, 2 * count + 1);
        for (guint i = 0; i < count; i++) {
                node->attributes[2 * i] = g_strdup(local_name(names[i]));
                node->attributes[2 * i + 1] = g_strdup(values[i]);
        }
        node->text = g_string_new(NULL);
        node->children = g_ptr_array_new_with_free_func((GDestroyNotify)xml_free);
        return node;
}

static void element_begins(GMarkupParseContext *context, const char *name, const char **names, const char **values, gpointer opaque,
                           GError **error)
{
        struct builder *builder = opaque;
        struct xml *node;

        (void)context;
        if (!builder->open->len && builder->root) {
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, _("something stands behind its end"));
                return;
        }
        if (builder->open->len >= XML_DEPTH_MAX || ++builder->nodes > XML_NODES_MAX) {
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, _("too many elements, or too deep"));
                return;
        }
        node = node_new(name, names, values);
        if (builder->open->len)
                g_ptr_array_add(((struct xml *)g_ptr_array_index(builder->open, builder->open->len - 1))->children, node);
        else
                builder->root = node;
        g_ptr_array_add(builder->open, node);
}

static void element_ends(GMarkupParseContext *context, const char *name, gpointer opaque, GError **error)
{
        struct builder *builder = opaque;

        (void)context;
        (void)name;
        (void)error;
        g_ptr_array_set_size(builder->open, (gint)builder->open->len - 1);
}

static void text_comes(GMarkupParseContext *context, const char *text, gsize length, gpointer opaque, GError **error)
{
        struct builder *builder = opaque;

        (void)context;
        (void)error;
        if (builder->open->len)
                g_string_append_len(((struct xml *)g_ptr_array_index(builder->open, builder->open->len - 1))->text, text, (gssize)length);
}

struct xml *xml_parse(const char *text, gsize length, GError **error)
{
        static const GMarkupParser parser = { element_begins, element_ends, text_comes, NULL, NULL };
        struct builder builder = { NULL, g_ptr_array_new(), 0 };
        GMarkupParseContext *context;
        gboolean ok = length <= XML_BYTES_MAX;

        if (!ok)
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, _("more than %d MiB of XML"), XML_BYTES_MAX >> 20);
        context = g_markup_parse_context_new(&parser, G_MARKUP_DEFAULT_FLAGS, &builder, NULL);
        ok = ok && g_markup_parse_context_parse(context, text, (gssize)length, error) && g_markup_parse_context_end_parse(context, error);
        g_markup_parse_context_free(context);
        g_ptr_array_unref(builder.open);
        if (!ok)
                g_clear_pointer(&builder.root, xml_free);
        else if (!builder.root)
                g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_EMPTY, _("no XML"));
        return builder.root;
}

void xml_free(struct xml *xml)
{
        if (!xml)
                return;
        g_ptr_array_unref(xml->children);
        g_string_free(xml->text, TRUE);
        g_strfreev(xml->attributes);
        g_free(xml->name);
        g_free(xml);
}

/* -- Looking ---------------------------------------------------------------------------------------- */

const char *xml_attribute(const struct xml *xml, const char *name)
{
        for (char **at = xml ? xml->attributes : NULL; at && *at; at += 2)
                if (!strcmp(at[0], name))
                        return at[1];
        return NULL;
}

const struct xml *xml_child(const struct xml *xml, const char *name)
{
        for (guint i = 0; xml && i < xml->children->len; i++) {
                const struct xml *child = g_ptr_array_index(xml->children, i);

                if (!strcmp(child->name, name))
                        return child;
        }
        return NULL;
}

const char *xml_child_text(const struct xml *xml, const char *name)
{
        const struct xml *child = xml_child(xml, name);

        return child ? g_strstrip(child->text->str) : "";
}

void xml_find_all(const struct xml *xml, const char *name, GPtrArray *found)
{
        for (guint i = 0; xml && i < xml->children->len; i++) {
                struct xml *child = g_ptr_array_index(xml->children, i);

                if (!strcmp(child->name, name))
                        g_ptr_array_add(found, child);
                xml_find_all(child, name, found);
        }
}
