/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flash.c - the NOR flash in which UEFI keeps its variables: one x8 chip with Intel's command set (CFI primary
 * command set 0001h; Intel 28F640J3 datasheet), in blocks of 4 KiB.
 *
 * A write is a command, which a read then answers to:
 *
 *      FFh  read array         70h  read status        50h  clear status
 *      10h, 40h  program: the next write is the byte   20h  erase: the next write, D0h, is the confirmation
 *      90h  identify           98h  query (CFI)
 *
 * Programming can only clear bits, erasing sets all of a block.  Status is 0 after 50h until something was programmed
 * or erased, where the chip would always say "ready": this is how the firmware that was written for virtual machines
 * (OVMF) tells flash from ROM.  Not modelled: the write buffer (the query table says there is none), suspension of an
 * erase, locks, protection registers.  Everything is done at once.
 *
 * The bytes lie behind RAM in the memory's file, so snapshots hold them.  With a path they are kept in that file too:
 * a while after the last change (one change of a variable is some dozen writes), and at the end, as a whole new file that
 * takes the old one's place, so that what a crash of the host leaves is an earlier state and never half of one.
 */
#include <gio/gio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/log.h"
#include "devices/chipset/flash.h"

enum {
        FLASH_READ_ARRAY = 0xff, FLASH_READ_STATUS = 0x70, FLASH_CLEAR_STATUS = 0x50, FLASH_PROGRAM = 0x10,
        FLASH_PROGRAM_ALTERNATE = 0x40, FLASH_ERASE = 0x20, FLASH_CONFIRM = 0xd0, FLASH_IDENTIFY = 0x90, FLASH_QUERY = 0x98,
};
enum { STATUS_READY = 1 << 7, STATUS_PROGRAM_ERROR = 1 << 4, STATUS_ERASE_ERROR = 1 << 5 };
enum { MAKER_INTEL = 0x89, DEVICE_CODE = 0x18 };
enum { BLOCK_BYTES = 4096, QUERY_BYTES = 0x34 };
/* How long after a change the file is written. */
#define SAVE_DELAY_NS (NS_PER_SEC / 20)

struct flash {
        struct device device;
        uint8_t mode;                   /* saved: the last command, reset FFh */
        uint8_t status;                 /* saved: R, reset 0 */
        char *path;                     /* property; NULL: the bytes end with the process */
        /* Host. */
        gpa_t base;
        GBytes *initial;
        uint64_t offset, size;          /* of the bytes, in the memory's file */
        struct timer save_timer;
        GThread *writer;
        int writing;                    /* atomic: the thread is at work */
};

static const struct state_field flash_fields[] = {
        STATE_U8(struct flash, mode),
        STATE_U8(struct flash, status),
        STATE_SKIP(struct flash, path, "property"),
        STATE_SKIP(struct flash, base, "set by the machine"),
        STATE_SKIP(struct flash, initial, "set by the machine"),
        STATE_SKIP(struct flash, offset, "reserved by create()"),
        STATE_SKIP(struct flash, size, "reserved by create()"),
        STATE_SKIP(struct flash, save_timer, "about the host's file, set by post_load()"),
        STATE_SKIP(struct flash, writer, "about the host's file"),
        STATE_SKIP(struct flash, writing, "about the host's file"),
        STATE_END
};

static const struct property flash_properties[] = {
        { "path", PROPERTY_STRING, offsetof(struct flash, path), 0, 0, NULL, NULL, N_("file that keeps the contents") },
        { 0 }
};

static uint8_t *flash_bytes(struct flash *flash) { return memory_ram(flash->device.env->memory) + flash->offset; }

/* -- The file ----------------------------------------------------------------------------------- */

struct save {
        struct flash *flash;
        char *path;
        char *bytes;
        gsize size;
};

static void save_write(struct save *save)
{
        GError *error = NULL;

        if (!g_file_set_contents_full(save->path, save->bytes, (gssize)save->size,
                                      G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &error)) {
                log_error(_("UEFI variables could not be kept: %s"), error->message);
                g_error_free(error);
        }
        g_free(save->path);
        g_free(save->bytes);
}

static struct save save_make(struct flash *flash)
{
        return (struct save){ flash, g_strdup(flash->path), g_memdup2(flash_bytes(flash), flash->size), flash->size };
}

static gpointer save_thread(gpointer opaque)
{
        struct save *save = opaque;

        save_write(save);
        g_atomic_int_set(&save->flash->writing, 0);
        g_free(save);
        return NULL;
}

static void flash_changed(struct flash *flash)
{
        if (flash->path)
                timer_set(&flash->save_timer, clock_now_ns(flash->device.env->clock) + SAVE_DELAY_NS);
}

/* A slow disk makes neither the guest nor the main loop wait. */
static void flash_save(void *opaque)
{
        struct flash *flash = opaque;
        struct save *save;

        if (g_atomic_int_get(&flash->writing)) {
                flash_changed(flash);
                return;
        }
        if (flash->writer)
                g_thread_join(flash->writer);
        save = g_new(struct save, 1);
        *save = save_make(flash);
        flash->writing = 1;
        flash->writer = g_thread_new("flash", save_thread, save);
}

/* The file's bytes, or none when it is not there yet. */
static bool flash_load(struct flash *flash, GError **error)
{
        GError *problem = NULL;
        char *bytes;
        gsize size;

        if (!g_file_get_contents(flash->path, &bytes, &size, &problem)) {
                if (g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
                        g_error_free(problem);
                        return true;
                }
                g_propagate_error(error, problem);
                return false;
        }
        if (size == flash->size) {
                memcpy(flash_bytes(flash), bytes, size);
        } else {
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                            _("%s: not the variables of this firmware (%" G_GSIZE_FORMAT " bytes, not %" G_GUINT64_FORMAT
                              "); remove it to begin with new ones"), flash->path, size, flash->size);
        }
        g_free(bytes);
        return size == flash->size;
}

/* -- Commands ----------------------------------------------------------------------------------- */

static void flash_touch(struct flash *flash, uint64_t offset, uint64_t size)
{
        memory_before_write_file(flash->device.env->memory, flash->offset + offset, size);
}

static void flash_program(struct flash *flash, uint64_t offset, uint64_t value, unsigned size)
{
        uint8_t *at = flash_bytes(flash) + offset;

        flash_touch(flash, offset, size);
        for (unsigned i = 0; i < size; i++)
                at[i] &= (uint8_t)(value >> 8 * i);
        flash->status |= STATUS_READY;
        flash->mode = FLASH_READ_STATUS;
        flash_changed(flash);
}

static void flash_erase(struct flash *flash, uint64_t offset, uint8_t confirmation)
{
        flash->mode = FLASH_READ_STATUS;
        flash->status |= STATUS_READY;
        if (confirmation != FLASH_CONFIRM) {            /* a sequence error sets both bits */
                flash->status |= STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR;
                return;
        }
        offset &= ~(uint64_t)(BLOCK_BYTES - 1);
        flash_touch(flash, offset, BLOCK_BYTES);
        memset(flash_bytes(flash) + offset, 0xff, BLOCK_BYTES);
        flash_changed(flash);
}

static void flash_command(struct flash *flash, uint8_t command)
{
        switch (command) {
        case FLASH_CLEAR_STATUS:
                flash->status = 0;
                flash->mode = FLASH_READ_ARRAY;
                break;
        case FLASH_PROGRAM_ALTERNATE:
                flash->mode = FLASH_PROGRAM;
                break;
        case FLASH_READ_ARRAY:
        case FLASH_READ_STATUS:
        case FLASH_PROGRAM:
        case FLASH_ERASE:
        case FLASH_IDENTIFY:
        case FLASH_QUERY:
                flash->mode = command;
                break;
        default:
                guest_error("flash", "unknown command %02xh", command);
                flash->mode = FLASH_READ_ARRAY;
                break;
        }
}

static void flash_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct flash *flash = opaque;

        if (flash->mode == FLASH_PROGRAM)
                flash_program(flash, offset, value, size);
        else if (flash->mode == FLASH_ERASE)
                flash_erase(flash, offset, (uint8_t)value);
        else
                flash_command(flash, (uint8_t)value);
}

/* A byte of the query table (JEDEC JESD68.01): what the chip is. */
static uint8_t flash_query(const struct flash *flash, uint64_t at)
{
        uint64_t blocks = flash->size / BLOCK_BYTES - 1;
        const uint8_t table[QUERY_BYTES] = {
                [0x10] = 'Q', 'R', 'Y', 0x01, 0x00, 0x31, 0x00,         /* command set 1, its table */
                [0x1b] = 0x45, 0x55,                                    /* supply: 4.5 to 5.5 V */
                [0x1f] = 0x07, [0x21] = 0x0a, [0x23] = 0x04, [0x25] = 0x04,     /* times: typical, and by how much longer */
                [0x27] = (uint8_t)g_bit_storage(flash->size - 1),       /* 2^n bytes */
                [0x2c] = 1, (uint8_t)blocks, (uint8_t)(blocks >> 8), BLOCK_BYTES >> 8 & 0xff, BLOCK_BYTES >> 16,
                [0x31] = 'P', 'R', 'I',
        };

        return at < QUERY_BYTES ? table[at] : 0;
}

static uint64_t flash_read(void *opaque, uint64_t offset, unsigned size)
{
        struct flash *flash = opaque;
        const uint8_t *at = flash_bytes(flash) + offset;
        uint64_t value = 0;

        for (unsigned i = 0; i < size; i++) {
                uint8_t byte = flash->status;

                if (flash->mode == FLASH_READ_ARRAY)
                        byte = at[i];
                else if (flash->mode == FLASH_IDENTIFY)
                        byte = (offset + i) % BLOCK_BYTES == 0 ? MAKER_INTEL : (offset + i) % BLOCK_BYTES == 1 ? DEVICE_CODE : 0;
                else if (flash->mode == FLASH_QUERY)
                        byte = flash_query(flash, offset + i);
                value |= (uint64_t)byte << 8 * i;
        }
        return value;
}

static const struct mmio_ops flash_ops = { flash_read, flash_write, 1, 8 };

/* -- Life --------------------------------------------------------------------------------------- */

void flash_set_contents(struct device *device, gpa_t base, GBytes *bytes)
{
        struct flash *flash = (struct flash *)device;

        flash->base = base;
        flash->initial = g_bytes_ref(bytes);
}

static void flash_reset(struct device *device)
{
        struct flash *flash = (struct flash *)device;

        flash->mode = FLASH_READ_ARRAY;
        flash->status = 0;
}

static bool flash_create(struct device *device, GError **error)
{
        struct flash *flash = (struct flash *)device;
        struct memory *memory = device->env->memory;
        gsize size;
        const void *bytes;

        timer_init(&flash->save_timer, device->env->clock, flash_save, flash);
        if (!flash->initial)                    /* a board without the chip */
                return true;
        bytes = g_bytes_get_data(flash->initial, &size);
        flash->size = size;
        flash->offset = memory_reserve(memory, size);
        if (!flash->offset)
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no room for %" G_GSIZE_FORMAT " KiB of UEFI variables", size >> 10);
        else
                memcpy(flash_bytes(flash), bytes, size);
        g_clear_pointer(&flash->initial, g_bytes_unref);
        if (!flash->offset)
                return false;
        if (flash->path && !flash_load(flash, error))
                return false;
        memory_map_mmio(memory, flash->base, size, &flash_ops, flash, 0, "UEFI variables");
        return true;
}

static void flash_destroy(struct device *device)
{
        struct flash *flash = (struct flash *)device;
        bool unsaved = timer_is_set(&flash->save_timer);

        timer_cancel(&flash->save_timer);
        if (flash->writer)
                g_thread_join(flash->writer);
        if (unsaved) {
                struct save save = save_make(flash);

                save_write(&save);
        }
}

static bool flash_post_load(struct device *device, GError **error)
{
        struct flash *flash = (struct flash *)device;

        (void)error;
        /* The bytes are back to what they were: so shall the file be. */
        if (flash->size)
                flash_changed(flash);
        return true;
}

static const struct device_class flash_class = {
        .name = "flash",
        .description = "NOR flash with the firmware's variables",
        .size = sizeof(struct flash),
        .state = flash_fields,
        .properties = flash_properties,
        .create = flash_create,
        .reset = flash_reset,
        .post_load = flash_post_load,
        .destroy = flash_destroy,
};

DEVICE_CLASS(flash_class);
