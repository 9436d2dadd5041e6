/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xml.h - an XML file as a tree, for reading foreign definitions.
 *
 * Namespaces are left out: "ovf:File" is "File", its attribute "ovf:href" is "href".  Entities other than the five of XML
 * and character references are errors, so no file can name another one or grow while it is read; size, depth and
 * number of elements are bounded.
 */
#ifndef LODGER_IMPORT_XML_H
#define LODGER_IMPORT_XML_H

#include <glib.h>

enum { XML_BYTES_MAX = 4 << 20, XML_DEPTH_MAX = 64, XML_NODES_MAX = 50000 };

struct xml {
        char *name;
        char **attributes;              /* name, value, name, value ...; ended by NULL */
        GString *text;                  /* what stands in it, all pieces joined */
        GPtrArray *children;            /* of struct xml * */
};

struct xml *xml_parse(const char *text, gsize length, GError **error);
void xml_free(struct xml *xml);

/* NULL: it has none.  Any node may be NULL: it has nothing then. */
const char *xml_attribute(const struct xml *xml, const char *name);
/* The first child of that name. */
const struct xml *xml_child(const struct xml *xml, const char *name);
/* The text of that child without blanks around it, "" when there is none. */
const char *xml_child_text(const struct xml *xml, const char *name);
/* Appends all descendants of that name, in the file's order. */
void xml_find_all(const struct xml *xml, const char *name, GPtrArray *found);

#endif
