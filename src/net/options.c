/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.c - what the user writes after --net: "KIND[=ARGUMENT][,KEY=VALUE]...".
 *
 * What can be judged from the words is judged here (G_OPTION_ERROR), with what to write instead.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "net/internal.h"

static bool bad(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool bad(GError **error, const char *format, ...)
{
        va_list arguments;
        char *text;

        va_start(arguments, format);
        text = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, text);
        g_free(text);
        return false;
}

bool net_parse_mac(const char *text, uint8_t mac[6])
{
        unsigned part[6];
        int end = 0;

        if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5], &end) != 6 ||
            text[end] || (part[0] & 1) || strlen(text) != 17)
                return false;
        for (unsigned i = 0; i < 6; i++)
                mac[i] = (uint8_t)part[i];
        return true;
}

static bool parse_switch(const char *key, const char *value, bool *to, GError **error)
{
        if (!strcmp(value, "on") || !strcmp(value, "off")) {
                *to = !strcmp(value, "on");
                return true;
        }
        return bad(error, _("%s=%s: write on or off"), key, value);
}

static bool take_string(char **to, const char *value)
{
        g_free(*to);
        *to = g_strdup(value);
        return true;
}

static bool parse_model(struct net_options *options, const char *value, GError **error)
{
        static const char *const models[] = { "e1000", "rtl8139", "ne2k", "virtio" };

        for (size_t i = 0; i < G_N_ELEMENTS(models); i++)
                if (!strcmp(models[i], value))
                        return take_string(&options->model, value);
        return bad(error, _("model=%s: no such card; write e1000, rtl8139, ne2k or virtio"), value);
}

/* Keys that go with every kind, then those of the user network. */
static bool parse_key(struct net_options *options, const char *key, const char *value, GError **error)
{
        static const char *const of_user[] = { "hostfwd", "restrict", "ipv6", "tftp", "bootfile", "hostname", "dns" };
        struct in_addr address;

        if (!strcmp(key, "model"))
                return parse_model(options, value, error);
        if (!strcmp(key, "mac")) {
                options->has_mac = net_parse_mac(value, options->mac);
                return options->has_mac || bad(error, _("mac=%s: not the address of one card; write for example 52:54:00:12:34:56"), value);
        }
        if (!strcmp(key, "port"))
                return take_string(&options->port, value);
        if (!strcmp(key, "irq"))
                return take_string(&options->irq, value);
        for (size_t i = 0; i < G_N_ELEMENTS(of_user); i++)
                if (!strcmp(of_user[i], key) && strcmp(options->kind, "user"))
                        return bad(error, _("%s=%s: goes with \"user\" only"), key, value);
        if (!strcmp(key, "hostfwd")) {
                g_ptr_array_add(options->forwards, g_strdup(value));
                return true;
        }
        if (!strcmp(key, "restrict"))
                return parse_switch(key, value, &options->restricted, error);
        if (!strcmp(key, "ipv6"))
                return parse_switch(key, value, &options->ipv6, error);
        if (!strcmp(key, "tftp"))
                return take_string(&options->tftp, value);
        if (!strcmp(key, "bootfile"))
                return take_string(&options->bootfile, value);
        if (!strcmp(key, "hostname"))
                return take_string(&options->hostname, value);
        if (!strcmp(key, "dns")) {
                if (inet_pton(AF_INET, value, &address) != 1)
                        return bad(error, _("dns=%s: not an IPv4 address"), value);
                return take_string(&options->dns, value);
        }
        return bad(error, _("%s=%s: no such key; there are model, mac, hostfwd, restrict, ipv6, tftp, bootfile, hostname, dns, port "
                            "and irq"), key, value);
}

static bool parse_kind(struct net_options *options, const char *word, GError **error)
{
        size_t length = strcspn(word, "=");
        const struct net_kind *kind = net_kind_find(word, length);

        if (!kind && length == 4 && !strncmp(word, "user", 4))
                return bad(error, _("this build has no user network (configure found no libslirp); write none, tap, bridge, passt or socket"));
        if (!kind)
                return bad(error, _("no such network; write user, none, tap, bridge=BRIDGE, passt, socket=listen:ADDRESS or "
                                    "socket=connect:ADDRESS"));
        if (word[length] && !kind->takes_argument)
                return bad(error, _("\"%s\" takes nothing after it"), kind->name);
        if (kind->needs_argument && (!word[length] || !word[length + 1]))
                return bad(error, _("write what \"%s=\" is to be"), kind->name);
        options->kind = g_strdup(kind->name);
        options->argument = word[length] ? g_strdup(word + length + 1) : NULL;
        return true;
}

struct net_options *net_options_parse(const char *spec, GError **error)
{
        struct net_options *options = g_new0(struct net_options, 1);
        char **words = g_strsplit(spec, ",", -1);
        bool ok;

        options->forwards = g_ptr_array_new_with_free_func(g_free);
        options->ipv6 = true;
        ok = parse_kind(options, words[0] ? words[0] : "", error);
        for (char **word = words + 1; ok && words[0] && *word; word++) {
                char *value = strchr(*word, '=');

                if (value)
                        *value++ = '\0';
                ok = value ? parse_key(options, *word, value, error) : bad(error, _("\"%s\": write KEY=VALUE"), *word);
        }
        g_strfreev(words);
        if (!ok)
                g_clear_pointer(&options, net_options_free);
        return options;
}

void net_options_free(struct net_options *options)
{
        if (!options)
                return;
        char *strings[] = {
                options->kind, options->argument, options->model, options->tftp, options->bootfile, options->hostname, options->dns,
                options->port, options->irq,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(strings); i++)
                g_free(strings[i]);
        g_ptr_array_free(options->forwards, TRUE);
        g_free(options);
}
