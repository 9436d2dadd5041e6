/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8237.c - two 8237A DMA controllers and their page registers, as on an AT.
 *
 * Datasheet: Intel 8237A (231466).  Ports 00h-0Fh: channels 0 to 3, in bytes; C0h-DFh, every second
 * port: channels 4 to 7, in words; 80h-8Fh: the pages.  A device's request is served at once and in
 * one go (so demand, single and block mode are one).  An address counts within its page of 64 KiB
 * (128 KiB for words).
 *
 * Not modelled: memory-to-memory transfers, software requests (both unused on a PC), priorities.
 */
#include "base/log.h"
#include "devices/chipset/i8237.h"

enum { CHANNELS = 4, PAGES = 0x80 };
enum { REG_COMMAND = 8, REG_REQUEST, REG_MASK, REG_MODE, REG_CLEAR_POINTER, REG_CLEAR, REG_CLEAR_MASK, REG_ALL_MASKS };
enum { COMMAND_DISABLE = 1 << 2 };
enum { MODE_TYPE = 0x0c, MODE_VERIFY = 0x00, MODE_TO_MEMORY = 0x04, MODE_FROM_MEMORY = 0x08, MODE_AUTO = 0x10,
       MODE_DOWN = 0x20, MODE_CASCADE = 0xc0 };

struct dma_channel {
        uint16_t base_address, base_count;      /* W */
        uint16_t address, count;                /* R; count: transfers still to come, less one */
        uint8_t mode;                           /* W */
};

struct dma_controller {
        struct dma_channel channel[CHANNELS];
        uint8_t command, status, mask, temporary;
        bool high_byte;                         /* the next access to an address or count is to bits 8-15 */
};

struct i8237 {
        struct device device;
        struct dma_controller controller[2];    /* saved */
        uint8_t page[16];                       /* saved: ports 80h-8Fh, R/W */
};

static const struct state_field channel_fields[] = {
        STATE_U16(struct dma_channel, base_address),
        STATE_U16(struct dma_channel, base_count),
        STATE_U16(struct dma_channel, address),
        STATE_U16(struct dma_channel, count),
        STATE_U8(struct dma_channel, mode),
        STATE_END
};

static const struct state_field controller_fields[] = {
        STATE_ARRAY(struct dma_controller, channel, CHANNELS, channel_fields),
        STATE_U8(struct dma_controller, command),
        STATE_U8(struct dma_controller, status),
        STATE_U8(struct dma_controller, mask),
        STATE_U8(struct dma_controller, temporary),
        STATE_BOOL(struct dma_controller, high_byte),
        STATE_END
};

static const struct state_field i8237_fields[] = {
        STATE_SKIP(struct i8237, device, "identity"),
        STATE_ARRAY(struct i8237, controller, 2, controller_fields),
        STATE_U8(struct i8237, page),
        STATE_END
};

/* -- Transfers ----------------------------------------------------------------------------------- */

/* Where the page of a channel is kept among ports 80h-8Fh (a matter of the AT's wiring). */
static const uint8_t page_of[8] = { 7, 3, 1, 2, 0xf, 0xb, 9, 0xa };

static uint32_t channel_address(const struct i8237 *dma, unsigned number)
{
        const struct dma_channel *channel = &dma->controller[number / 4].channel[number % 4];
        uint32_t page = dma->page[page_of[number]];

        return number < 4 ? page << 16 | channel->address : (page & 0xfe) << 16 | (uint32_t)channel->address << 1;
}

/* Counts run out: once, or from the start again. */
static void terminal_count(struct dma_controller *controller, unsigned n)
{
        struct dma_channel *channel = &controller->channel[n];

        controller->status |= (uint8_t)(1u << n);
        if (channel->mode & MODE_AUTO) {
                channel->address = channel->base_address;
                channel->count = channel->base_count;
        } else {
                controller->mask |= (uint8_t)(1u << n);
        }
}

/* How many transfers can be made in one piece: up to the end of the count and of the page. */
static uint32_t run_length(const struct dma_channel *channel, size_t wanted)
{
        uint32_t run = MIN((uint32_t)channel->count + 1, 0x10000u - channel->address);

        if (channel->mode & MODE_DOWN)          /* rare enough to go one by one */
                run = 1;
        return (uint32_t)MIN((size_t)run, wanted);
}

static size_t i8237_transfer(void *opaque, unsigned number, uint8_t *bytes, size_t size, bool to_memory, bool *terminal)
{
        struct i8237 *dma = opaque;
        struct dma_controller *controller = &dma->controller[number / 4];
        struct dma_channel *channel = &controller->channel[number % 4];
        struct memory *memory = dma->device.env->memory;
        unsigned unit = number < 4 ? 1 : 2;
        uint8_t type = channel->mode & MODE_TYPE;
        size_t left = size / unit;

        if ((controller->mask >> number % 4 & 1) || (controller->command & COMMAND_DISABLE) ||
            (channel->mode & MODE_CASCADE) == MODE_CASCADE ||
            (type != MODE_VERIFY && type != (to_memory ? MODE_TO_MEMORY : MODE_FROM_MEMORY)))
                return 0;
        while (left && !*terminal) {
                uint32_t run = run_length(channel, left), address = channel_address(dma, number);

                if (type == MODE_TO_MEMORY)
                        memory_write(memory, address, bytes, run * unit);
                else if (type == MODE_FROM_MEMORY)
                        memory_read(memory, address, bytes, run * unit);
                bytes += run * unit;
                left -= run;
                channel->address = (uint16_t)(channel->mode & MODE_DOWN ? channel->address - run : channel->address + run);
                channel->count = (uint16_t)(channel->count - run);
                if (channel->count == 0xffff) {
                        *terminal = true;
                        terminal_count(controller, number % 4);
                }
        }
        return size / unit * unit - left * unit;
}

struct isa_dma i8237_channel(struct device *device, unsigned channel)
{
        g_assert(channel < 8 && channel != 4);
        return (struct isa_dma){ i8237_transfer, device, channel };
}

/* -- Registers ----------------------------------------------------------------------------------- */

static void master_clear(struct dma_controller *controller)
{
        controller->command = controller->status = controller->temporary = 0;
        controller->high_byte = false;
        controller->mask = 0x0f;
}

static uint8_t controller_read(struct dma_controller *controller, unsigned offset)
{
        const struct dma_channel *channel = &controller->channel[offset / 2 % CHANNELS];
        uint16_t value = offset & 1 ? channel->count : channel->address;
        uint8_t status = controller->status;

        if (offset < REG_COMMAND) {
                controller->high_byte = !controller->high_byte;
                return (uint8_t)(controller->high_byte ? value : value >> 8);
        }
        switch (offset) {
        case REG_COMMAND:
                controller->status &= 0xf0;     /* reading clears the terminal counts */
                return status;
        case REG_CLEAR:
                return controller->temporary;
        case REG_ALL_MASKS:
                return controller->mask | 0xf0;
        default:
                return 0xff;
        }
}

static void word_write(struct dma_controller *controller, unsigned offset, uint8_t value)
{
        struct dma_channel *channel = &controller->channel[offset / 2];
        uint16_t *base = offset & 1 ? &channel->base_count : &channel->base_address;

        *base = (uint16_t)(controller->high_byte ? (*base & 0xff) | value << 8 : (*base & 0xff00) | value);
        controller->high_byte = !controller->high_byte;
        *(offset & 1 ? &channel->count : &channel->address) = *base;
}

static void controller_write(struct dma_controller *controller, unsigned offset, uint8_t value)
{
        uint8_t bit = (uint8_t)(1u << (value & 3));

        switch (offset) {
        case REG_COMMAND:
                controller->command = value;
                break;
        case REG_REQUEST:
                guest_error("i8237", "software request %02x", value);
                break;
        case REG_MASK:
                controller->mask = (uint8_t)(value & 4 ? controller->mask | bit : controller->mask & ~bit);
                break;
        case REG_MODE:
                controller->channel[value & 3].mode = value & 0xfc;
                break;
        case REG_CLEAR_POINTER:
                controller->high_byte = false;
                break;
        case REG_CLEAR:
                master_clear(controller);
                break;
        case REG_CLEAR_MASK:
                controller->mask = 0;
                break;
        case REG_ALL_MASKS:
                controller->mask = value & 0x0f;
                break;
        default:
                word_write(controller, offset, value);
                break;
        }
}

static uint32_t i8237_read(void *opaque, uint16_t port, unsigned size)
{
        struct i8237 *dma = opaque;

        (void)size;
        if (port >= 0xc0)
                return controller_read(&dma->controller[1], port >> 1 & 15);
        return port >= PAGES ? dma->page[port & 15] : controller_read(&dma->controller[0], port & 15);
}

static void i8237_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct i8237 *dma = opaque;

        (void)size;
        if (port >= 0xc0)
                controller_write(&dma->controller[1], port >> 1 & 15, (uint8_t)value);
        else if (port >= PAGES)
                dma->page[port & 15] = (uint8_t)value;
        else
                controller_write(&dma->controller[0], port & 15, (uint8_t)value);
}

static const struct port_ops i8237_ops = { i8237_read, i8237_write, 1 };

/* -- Life ---------------------------------------------------------------------------------------- */

static void i8237_reset(struct device *device)
{
        struct i8237 *dma = (struct i8237 *)device;

        for (unsigned i = 0; i < 2; i++)
                master_clear(&dma->controller[i]);
}

static bool i8237_create(struct device *device, GError **error)
{
        (void)error;
        ports_map(device->env->ports, 0x00, 16, &i8237_ops, device, "DMA controller 1");
        ports_map(device->env->ports, PAGES, 16, &i8237_ops, device, "DMA pages");
        ports_map(device->env->ports, 0xc0, 32, &i8237_ops, device, "DMA controller 2");
        return true;
}

static const struct device_class i8237_class = {
        .name = "i8237",
        .description = "pair of 8237A DMA controllers",
        .size = sizeof(struct i8237),
        .state = i8237_fields,
        .create = i8237_create,
        .reset = i8237_reset,
};

DEVICE_CLASS(i8237_class);
