/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * option_check.c - what can be judged of options before a machine is made.
 *
 * check_NAME() looks at one value and gives NULL, or what is wrong with it and what to write instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/cpuid.h"
#include "library/options.h"
#include "library/parse.h"
#include "machine/firmware.h"
#include "machine/image.h"
#include "machine/storage.h"
#include "net/net.h"

enum { SERIAL_PORTS_MAX = 4 };

static const uint64_t MEMORY_BYTES_MIN = 1024 * 1024;

/* -- One value ----------------------------------------------------------------------------------- */

static const char *check_any(const char *value)
{
        (void)value;
        return NULL;
}

static const char *check_flag(const char *value)
{
        return strcmp(value, "yes") ? _("neither yes nor no") : NULL;
}

static const char *check_name(const char *value)
{
        return parse_name(value) ? NULL
               : _("not a name; up to 64 letters, digits, '-', '_' and '.', starting with a letter or digit");
}

static const char *check_engine(const char *value)
{
        return strcmp(value, "auto") && strcmp(value, "dbt") && strcmp(value, "kvm") ? _("no such engine; write auto, dbt or kvm") : NULL;
}

static const char *check_memory(const char *value)
{
        uint64_t bytes;

        if (!parse_size(value, &bytes))
                return _("not a size; write for example 512M or 2G");
        if (bytes < MEMORY_BYTES_MIN)
                return _("less than 1M; write for example 512M or 2G");
        return bytes % MEMORY_BYTES_MIN ? _("not a whole number of MiB; write for example 512M or 2G") : NULL;
}

static const char *check_cpus(const char *value)
{
        guint64 number;

        return g_ascii_string_to_unsigned(value, 10, 1, MACHINE_CPUS_MAX, &number, NULL)
               ? NULL : _("a machine has 1 to 32 vCPUs; write for example 4");
}

static const char *check_cpu(const char *value)
{
        if (!cpu_model_find(value) && strcmp(value, "x86-64-v4"))
                return _("no such model; write host, 486, pentium, pentium3, core2, x86-64-v1, x86-64-v2 or x86-64-v3");
        return cpu_model_why_not(value);
}

static const char *check_uuid(const char *value)
{
        return g_uuid_string_is_valid(value) ? NULL : _("not a UUID; uuidgen(1) makes one");
}

static const char *check_boot(const char *value)
{
        uint8_t order[3];

        return storage_boot_order(value, order) ? NULL : _("not a boot order; write for example cdrom,disk,floppy");
}

static const char *check_serial(const char *value)
{
        return parse_serial(value) ? NULL : _("no such port; write stdio, file:PATH, unix:PATH, pty or none");
}

static const char *check_console(const char *value)
{
        const char *name = g_strrstr(value, ",name=");
        char *port = name ? g_strndup(value, (gsize)(name - value)) : g_strdup(value);
        bool ok = parse_serial(port) && strcmp(port, "stdio") && (!name || name[strlen(",name=")]);

        g_free(port);
        return ok ? NULL : _("no such console; write file:PATH, unix:PATH, pty or none, and ,name=NAME for a channel");
}

static const char *check_display(const char *value)
{
        return strcmp(value, "auto") && strcmp(value, "none") ? _("no such display; write auto or none") : NULL;
}

static const char *check_net(const char *value)
{
        GError *error = NULL;
        struct net_options *options = net_options_parse(value, &error);
        const char *problem = options ? NULL : g_intern_string(error->message);

        net_options_free(options);
        g_clear_error(&error);
        return problem;
}

static const char *check_timeout(const char *value)
{
        double seconds;

        return parse_duration(value, &seconds) ? NULL : _("not a duration; write for example 90s, 10m or 2h");
}

static const char *check_regex(const char *value)
{
        GRegex *regex = g_regex_new(value, 0, 0, NULL);

        if (!regex)
                return _("not a regular expression; see pcrepattern(3)");
        g_regex_unref(regex);
        return NULL;
}

static const char *check_debug_console(const char *value)
{
        return parse_debug_console(value) ? NULL : _("not a debug console; write FILE or FILE,port=0xe9");
}

const struct option_info option_table[OPTION_COUNT] = {
#define X(id, name_, kind_, path_, scope_, look_, argument_, help_) \
        [OPTION_##id] = { name_, OPTION_##kind_, OPTION_PATH_##path_, OPTION_SCOPE_##scope_, check_##look_, argument_, help_ },
        MACHINE_OPTIONS(X)
#undef X
};

/* -- All of them --------------------------------------------------------------------------------- */

static bool refuse(GError **error, enum option option, const char *value, const char *remedy)
{
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--%s %s: %s", option_table[option].name, value, remedy);
        return false;
}

static bool check_serials(const struct option_set *set, GError **error)
{
        char **serials = set->values[OPTION_SERIAL];
        unsigned stdio = 0;

        for (char **serial = serials; serial && *serial; serial++) {
                if (!strcmp(*serial, "stdio") && ++stdio == 2)
                        return refuse(error, OPTION_SERIAL, *serial, _("only one port can be this terminal"));
                if (serial - serials == SERIAL_PORTS_MAX)
                        return refuse(error, OPTION_SERIAL, *serial, _("a PC has four serial ports at most"));
        }
        return true;
}

bool options_check(const struct option_set *set, GError **error)
{
        const char *display = options_text(set, OPTION_DISPLAY);

        for (unsigned i = 0; i < OPTION_COUNT; i++)
                for (char **value = set->values[i]; value && *value; value++) {
                        const char *remedy = option_table[i].check(*value);

                        if (remedy)
                                return refuse(error, i, *value, remedy);
                }
        if (options_flag(set, OPTION_HEADLESS) && display && strcmp(display, "none"))
                return refuse(error, OPTION_DISPLAY, display, _("contradicts --headless; leave one of them out"));
        if (options_flag(set, OPTION_CHECK) && options_text(set, OPTION_CPUS) && strcmp(options_text(set, OPTION_CPUS), "1"))
                return refuse(error, OPTION_CHECK, _("with several vCPUs"), _("it checks one; leave --cpus out"));
        if (!options_text(set, OPTION_KERNEL)) {
                if (options_text(set, OPTION_INITRD))
                        return refuse(error, OPTION_INITRD, options_text(set, OPTION_INITRD), _("needs --kernel"));
                if (options_text(set, OPTION_APPEND))
                        return refuse(error, OPTION_APPEND, options_text(set, OPTION_APPEND), _("needs --kernel"));
        }
        if ((options_text(set, OPTION_WAIT_FOR) || options_count(set, OPTION_EXEC)) && options_text(set, OPTION_SERIAL))
                return refuse(error, OPTION_SERIAL, options_text(set, OPTION_SERIAL),
                              _("--wait-for and --exec use the serial port; leave one of them out"));
        return check_serials(set, error);
}

/* -- Files --------------------------------------------------------------------------------------- */

/* A file the machine will read: there, a file, readable, not empty. */
static bool check_file(const char *option, const char *path, GError **error)
{
        const char *problem = NULL;
        struct stat info;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd < 0 || fstat(fd, &info) < 0)
                problem = g_strerror(errno);
        else if (S_ISDIR(info.st_mode))
                problem = _("is a directory; name a file");
        else if (!S_ISREG(info.st_mode))
                problem = _("is not a regular file");
        else if (info.st_size == 0)
                problem = _("is empty");
        if (fd >= 0)
                close(fd);
        if (problem)
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s %s: %s", option, path, problem);
        return !problem;
}

bool options_check_files(const struct option_set *set, GError **error)
{
        const char *firmware = options_text(set, OPTION_FIRMWARE), *kernel = options_text(set, OPTION_KERNEL);

        if (firmware && !firmware_is_uefi(firmware) && !check_file("--firmware", firmware, error))
                return false;
        if (kernel && !check_file("--kernel", kernel, error))
                return false;
        for (char **initrd = set->values[OPTION_INITRD]; initrd && *initrd; initrd++)
                if (!check_file("--initrd", *initrd, error))
                        return false;
        return true;
}

bool options_place_image(struct option_set *set, const char *image, GError **error)
{
        enum image_kind kind;

        if (options_text(set, OPTION_KERNEL)) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, _("%s: one image only, and not together with --kernel"), image);
                return false;
        }
        if (!check_file("IMAGE", image, error))
                return false;
        if (!image_probe(image, &kind, error)) {
                g_prefix_error(error, "IMAGE ");
                return false;
        }
        if (kind != IMAGE_KERNEL && (options_text(set, OPTION_INITRD) || options_text(set, OPTION_APPEND))) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            _("IMAGE %s: --initrd and --append go with a kernel, and this is none"), image);
                return false;
        }
        switch (kind) {
        case IMAGE_KERNEL:
                options_set(set, OPTION_KERNEL, image);
                break;
        case IMAGE_CD:
                options_insert(set, OPTION_CDROM, image);
                if (!options_text(set, OPTION_BOOT))
                        options_set(set, OPTION_BOOT, "cdrom,disk,floppy");
                break;
        case IMAGE_DISK:
                options_insert(set, OPTION_DISK, image);
                break;
        case IMAGE_FLOPPY:
                options_insert(set, OPTION_FLOPPY, image);
                if (!options_text(set, OPTION_BOOT))
                        options_set(set, OPTION_BOOT, "floppy,disk,cdrom");
                break;
        }
        return true;
}
