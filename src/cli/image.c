/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.c - `lodger image`: makes, checks, copies and changes disk images that no machine uses.
 *
 * Verbs share one table of options; each says how many arguments it takes.
 */
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "block/tool.h"
#include "cli/cli.h"
#include "cli/image.h"
#include "cli/progress.h"
#include "library/parse.h"

static struct {
        char *format, *from, *to, *backing, *backing_format, *cluster_size;
        gint version, refcount_bits;
        gboolean compress, zstd, lazy_refcounts, preallocate, force, shrink, unsafe, trust_backing, quiet;
} options;

static int image_fail(GError *error)
{
        int status = cli_fail(EXIT_HOST, "image", "%s", error->message);

        g_error_free(error);
        return status;
}

static int bad_size(const char *text)
{
        return cli_fail(EXIT_USAGE, "image", _("%s: not a size; write for example 512M or 20G"), text);
}

/* What create and convert are told of the new image. */
static bool create_options(struct image_create_options *to, int *status)
{
        *to = (struct image_create_options){ .backing = options.backing, .backing_format = options.backing_format,
                                             .version = (unsigned)options.version, .refcount_bits = (unsigned)options.refcount_bits,
                                             .zstd = options.zstd, .lazy_refcounts = options.lazy_refcounts,
                                             .preallocate = options.preallocate };
        if (options.version && options.version != 2 && options.version != 3) {
                *status = cli_fail(EXIT_USAGE, "image", _("--qcow2-version %d: write 2 or 3"), options.version);
                return false;
        }
        if (options.refcount_bits < 0 || options.refcount_bits > 64) {
                *status = cli_fail(EXIT_USAGE, "image", _("--refcount-bits %d: write 1, 2, 4, 8, 16, 32 or 64"), options.refcount_bits);
                return false;
        }
        if (options.cluster_size && !parse_size(options.cluster_size, &to->cluster_bytes)) {
                *status = bad_size(options.cluster_size);
                return false;
        }
        return true;
}

/* -- Verbs ------------------------------------------------------------------------------------------------------ */

static int image_create_run(int count, char **arguments)
{
        const char *path = arguments[0], *format = options.format ? options.format : image_format_of_name(path);
        struct image_create_options create;
        GError *error = NULL;
        uint64_t size = 0;
        int status;

        if (!create_options(&create, &status))
                return status;
        create.must_be_new = !options.force;
        if (options.backing && !options.format)
                format = "qcow2";
        if (count == 2 && !parse_size(arguments[1], &size))
                return bad_size(arguments[1]);
        if (count < 2 && !options.backing)
                return cli_fail(EXIT_USAGE, "image", _("create %s: give the size too, for example 20G"), path);
        if (options.backing && !image_backing(path, options.backing, &create.backing_format, count < 2 ? &size : NULL, &error))
                return image_fail(error);
        if (size % 512)
                return cli_fail(EXIT_USAGE, "image", _("%s: a disk has a whole number of 512-byte sectors"), arguments[1]);
        return image_create(path, format, size, &create, &error) ? EXIT_OK : image_fail(error);
}

static int image_info_run(int count, char **arguments)
{
        GError *error = NULL;
        struct image_info *info = image_info(arguments[0], options.format, &error);

        (void)count;
        if (!info)
                return image_fail(error);
        image_print_info(arguments[0], info);
        image_info_free(info);
        return EXIT_OK;
}

static void check_line(const char *text)
{
        if (!options.quiet)
                puts(text);
}

static int check_or_repair(const char *path, bool repair)
{
        struct image_check_result result;
        GError *error = NULL;

        if (!image_check(path, options.format, repair, progress_watch(options.quiet), check_line, &result, &error))
                return image_fail(error);
        if (!options.quiet)
                image_print_check(path, &result);
        return result.errors > result.fixed_errors ? EXIT_HOST : EXIT_OK;
}

static int image_check_run(int count, char **arguments)
{
        (void)count;
        return check_or_repair(arguments[0], false);
}

static int image_repair_run(int count, char **arguments)
{
        (void)count;
        return check_or_repair(arguments[0], true);
}

static int image_convert_run(int count, char **arguments)
{
        struct image_convert_options convert = { .from = options.from ? options.from : options.format, .to = options.to,
                                                 .compress = options.compress, .trust_backing = options.trust_backing };
        GError *error = NULL;
        int status;

        (void)count;
        if (!create_options(&convert.create, &status))
                return status;
        if (options.backing && !image_backing(arguments[1], options.backing, &convert.create.backing_format, NULL, &error))
                return image_fail(error);
        return image_convert(arguments[0], arguments[1], &convert, progress_watch(options.quiet), &error) ? EXIT_OK : image_fail(error);
}

static int image_resize_run(int count, char **arguments)
{
        const char *text = arguments[1];
        GError *error = NULL;
        uint64_t size, add = 0;

        (void)count;
        if (*text == '+') {             /* relative to what it is */
                struct image_info *info = image_info(arguments[0], options.format, &error);

                if (!info)
                        return image_fail(error);
                add = info->size_bytes;
                image_info_free(info);
                text++;
        }
        if (!parse_size(text, &size) || size > INT64_MAX - add)
                return bad_size(arguments[1]);
        size += add;
        if (!size || size % 512)
                return cli_fail(EXIT_USAGE, "image", _("%s: a disk has a whole number of 512-byte sectors"), arguments[1]);
        return image_resize(arguments[0], options.format, size, options.shrink, options.trust_backing, &error) ? EXIT_OK : image_fail(error);
}

static int image_commit_run(int count, char **arguments)
{
        GError *error = NULL;

        (void)count;
        return image_commit(arguments[0], options.trust_backing, progress_watch(options.quiet), &error) ? EXIT_OK : image_fail(error);
}

static int image_rebase_run(int count, char **arguments)
{
        const char *backing = options.backing && *options.backing ? options.backing : NULL;
        GError *error = NULL;

        (void)count;
        if (!options.backing)
                return cli_fail(EXIT_USAGE, "image", _("rebase: name the new backing file with --backing=FILE; --backing= for none"));
        return image_rebase(arguments[0], backing, options.backing_format, options.unsafe, options.trust_backing,
                            progress_watch(options.quiet), &error) ? EXIT_OK : image_fail(error);
}

static int image_snapshot_run(int count, char **arguments)
{
        static const char *const actions[] = { "create", "apply", "delete" };
        GError *error = NULL;

        if (!strcmp(arguments[0], "list") && count == 2) {
                struct image_info *info = image_info(arguments[1], NULL, &error);

                if (!info)
                        return image_fail(error);
                image_print_snapshots(info);
                image_info_free(info);
                return EXIT_OK;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++)
                if (!strcmp(arguments[0], actions[i]) && count == 3)
                        return image_snapshot(arguments[1], (enum image_snapshot_action)i, arguments[2], &error) ? EXIT_OK : image_fail(error);
        return cli_fail(EXIT_USAGE, "image", _("snapshot: write \"list FILE\", or \"create\", \"apply\" or \"delete\", then FILE and the name"));
}

static const struct verb {
        const char *name, *arguments;
        int minimum, maximum;
        int (*run)(int count, char **arguments);
        const char *help;
} verbs[] = {
        { "create", "FILE SIZE", 1, 2, image_create_run, N_("make an empty image; qcow2 if FILE ends in .qcow2, else raw") },
        { "info", "FILE", 1, 1, image_info_run, N_("tell its format, sizes, backing file and snapshots") },
        { "check", "FILE", 1, 1, image_check_run, N_("look for errors and lost space in a qcow2 image") },
        { "repair", "FILE", 1, 1, image_repair_run, N_("the same, and put it right") },
        { "convert", "SRC DST", 2, 2, image_convert_run, N_("copy, in the format DST's name suggests; zeroes take no space") },
        { "resize", "FILE [+]SIZE", 2, 2, image_resize_run, N_("give the disk another size") },
        { "commit", "FILE", 1, 1, image_commit_run, N_("write its content into its backing file, and empty it") },
        { "rebase", "FILE --backing=FILE", 1, 1, image_rebase_run, N_("give it another backing file, with the same content") },
        { "snapshot", "ACTION FILE [NAME]", 2, 3, image_snapshot_run, N_("list, create, apply or delete snapshots within it") },
};

static char *describe_verbs(void)
{
        GString *text = g_string_new(_("Verbs:\n"));

        for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++) {
                char *usage = g_strdup_printf("%s %s", verbs[i].name, verbs[i].arguments);

                g_string_append_printf(text, "  %-28s %s\n", usage, _(verbs[i].help));
                g_free(usage);
        }
        g_string_append(text, _("\nFormats: raw and qcow2 are read and written; vdi, vmdk, vhd, vhdx and others are read through an\n"
                                "installed qemu-nbd, http:, https:, ssh: and xz through nbdkit or qemu-nbd, nbd: and nbd+unix: through libnbd."));
        return g_string_free(text, FALSE);
}

static int verb_run(int argc, char **argv)
{
        for (unsigned i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++) {
                const struct verb *verb = &verbs[i];

                if (strcmp(argv[1], verb->name))
                        continue;
                if (argc - 2 < verb->minimum || argc - 2 > verb->maximum)
                        return cli_fail(EXIT_USAGE, "image", _("usage: lodger image %s %s"), verb->name, verb->arguments);
                return verb->run(argc - 2, argv + 2);
        }
        if (argc > 1)
                return cli_fail(EXIT_USAGE, "image", _("%s: no such verb; \"lodger image --help\" lists them"), argv[1]);
        return cli_fail(EXIT_USAGE, "image", _("say what to do; \"lodger image --help\" lists it"));
}

int image_main(int argc, char **argv)
{
        static const GOptionEntry entries[] = {
                { "format", 'f', 0, G_OPTION_ARG_STRING, &options.format,
                  N_("format of FILE (default: its content, or its name if it is new)"), "FORMAT" },
                { "from", 0, 0, G_OPTION_ARG_STRING, &options.from, N_("format of SRC (default: its content)"), "FORMAT" },
                { "to", 0, 0, G_OPTION_ARG_STRING, &options.to, N_("format of DST (default: its name)"), "FORMAT" },
                { "compress", 'c', 0, G_OPTION_ARG_NONE, &options.compress, N_("convert to a compressed qcow2 image"), NULL },
                { "zstd", 0, 0, G_OPTION_ARG_NONE, &options.zstd, N_("compress with zstd, not with zlib"), NULL },
                { "backing", 'b', 0, G_OPTION_ARG_STRING, &options.backing, N_("what the new image is based upon"), "FILE" },
                { "backing-format", 0, 0, G_OPTION_ARG_STRING, &options.backing_format, N_("its format (default: its content)"), "FORMAT" },
                { "trust-backing", 0, 0, G_OPTION_ARG_NONE, &options.trust_backing, N_("read backing files wherever the image says they are"), NULL },
                { "cluster-size", 0, 0, G_OPTION_ARG_STRING, &options.cluster_size, N_("of a new qcow2 image (default: 64K)"), "SIZE" },
                { "refcount-bits", 0, 0, G_OPTION_ARG_INT, &options.refcount_bits, N_("of a new qcow2 image (default: 16)"), "N" },
                { "qcow2-version", 0, 0, G_OPTION_ARG_INT, &options.version, N_("2 or 3 (default: 3)"), "N" },
                { "lazy-refcounts", 0, 0, G_OPTION_ARG_NONE, &options.lazy_refcounts, N_("allow lazy reference counts in a new qcow2 image"), NULL },
                { "preallocate", 0, 0, G_OPTION_ARG_NONE, &options.preallocate, N_("reserve the space of a new raw image"), NULL },
                { "force", 0, 0, G_OPTION_ARG_NONE, &options.force, N_("create: replace a file that exists"), NULL },
                { "shrink", 0, 0, G_OPTION_ARG_NONE, &options.shrink, N_("resize: the disk may lose its end"), NULL },
                { "unsafe", 'u', 0, G_OPTION_ARG_NONE, &options.unsafe, N_("rebase: only change the name of the backing file"), NULL },
                { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options.quiet, N_("no progress and no report"), NULL },
                { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
        };
        GOptionContext *context = g_option_context_new(_("VERB ARGUMENTS"));
        char *verbs_text = describe_verbs();
        int status;

        g_option_context_set_summary(context, _("Makes, checks, copies and changes disk images."));
        g_option_context_set_description(context, verbs_text);
        g_option_context_add_main_entries(context, entries, NULL);
        if (cli_parse(context, "image", &argc, &argv, &status))
                status = verb_run(argc, argv);
        g_option_context_free(context);
        g_free(verbs_text);
        return status;
}
