/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioapic.c - the 82093AA I/O APIC: 24 pins, each with an entry that makes messages of its edges or level.
 *
 * Datasheet: Intel 82093AA (290566), version 11h: no EOI register, the local APICs' EOI messages come
 * over the APIC bus.  Not modelled: arbitration (the ID register serves for both), and polarity -
 * wires carry "asserted", whatever the voltage.
 *
 * Guests of that age clear a stuck remote IRR by making the entry edge-triggered and then
 * level-triggered again (Linux does), which therefore works here as it does there.
 */
#include "base/log.h"
#include "devices/chipset/ioapic.h"

enum { IOAPIC_BYTES = 0x1000, IOREGSEL = 0x00, IOWIN = 0x10 };
enum { REG_ID = 0, REG_VERSION = 1, REG_ARBITRATION = 2, REG_TABLE = 0x10, REG_END = REG_TABLE + 2 * IOAPIC_PINS };
enum { ID_MASK = 0x0f000000, VERSION_VALUE = (IOAPIC_PINS - 1) << 16 | 0x11 };

#define ENTRY_VECTOR UINT64_C(0xff)
#define ENTRY_MODE_SHIFT 8
#define ENTRY_LOGICAL (UINT64_C(1) << 11)
#define ENTRY_PENDING (UINT64_C(1) << 12)        /* delivery status: messages go out at once, so always 0 */
#define ENTRY_REMOTE_IRR (UINT64_C(1) << 14)
#define ENTRY_LEVEL (UINT64_C(1) << 15)
#define ENTRY_MASKED (UINT64_C(1) << 16)
#define ENTRY_DEST_SHIFT 56
#define ENTRY_READ_ONLY (ENTRY_PENDING | ENTRY_REMOTE_IRR)
#define ENTRY_WRITABLE ((UINT64_C(0xff) << ENTRY_DEST_SHIFT | UINT64_C(0x1ffff)) & ~ENTRY_READ_ONLY)

struct ioapic {
        struct device device;
        /* Saved.  Machine lock. */
        uint8_t select;                 /* R/W IOREGSEL; reset 0 */
        uint32_t id;                    /* R/W bits 24-27; reset 0 */
        uint32_t lines;                 /* levels of the pins */
        uint64_t entry[IOAPIC_PINS];    /* R/W redirection table; reset: masked */
        /* Host. */
        struct ioapic_output output;
        struct memory_region *region;
};

static const struct state_field ioapic_fields[] = {
        STATE_U8(struct ioapic, select),
        STATE_U32(struct ioapic, id),
        STATE_U32(struct ioapic, lines),
        STATE_U64(struct ioapic, entry),
        STATE_SKIP(struct ioapic, output, "wire, connected by the machine"),
        STATE_SKIP(struct ioapic, region, "registers, mapped by create()"),
        STATE_END
};

/* -- Messages ---------------------------------------------------------------------------------- */

/* Level-triggered delivery exists for fixed and lowest-priority messages; the others are edges. */
static bool entry_level(uint64_t entry)
{
        unsigned mode = entry >> ENTRY_MODE_SHIFT & 7;

        return (entry & ENTRY_LEVEL) && (mode == IOAPIC_FIXED || mode == IOAPIC_LOWEST);
}

static void ioapic_send(struct ioapic *ioapic, int pin)
{
        uint64_t entry = ioapic->entry[pin];

        TRACE(IRQ, "ioapic: pin %d sends vector %#x to %#x, mode %u%s", pin, (unsigned)(entry & ENTRY_VECTOR),
              (unsigned)(entry >> ENTRY_DEST_SHIFT), (unsigned)(entry >> ENTRY_MODE_SHIFT & 7),
              entry_level(entry) ? ", level" : "");
        if (ioapic->output.deliver)
                ioapic->output.deliver(ioapic->output.opaque, entry & ENTRY_VECTOR, entry >> ENTRY_DEST_SHIFT,
                                       entry & ENTRY_LOGICAL, entry >> ENTRY_MODE_SHIFT & 7, entry_level(entry));
}

/* Sends what the level of a pin calls for; nothing else sends level-triggered messages. */
static void ioapic_update(struct ioapic *ioapic, int pin)
{
        uint64_t entry = ioapic->entry[pin];

        if (!entry_level(entry) || (entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) || !(ioapic->lines & (1u << pin)))
                return;
        ioapic->entry[pin] |= ENTRY_REMOTE_IRR;
        ioapic_send(ioapic, pin);
}

static void ioapic_line(void *opaque, int pin, bool level)
{
        struct ioapic *ioapic = opaque;
        uint32_t bit = 1u << pin;
        bool rose = level && !(ioapic->lines & bit);

        ioapic->lines = level ? ioapic->lines | bit : ioapic->lines & ~bit;
        if (entry_level(ioapic->entry[pin])) {
                ioapic_update(ioapic, pin);
        } else if (rose && !(ioapic->entry[pin] & ENTRY_MASKED)) {
                /* An edge on a masked pin is ignored, not held (82093AA 3.2.4, bit 16). */
                ioapic_send(ioapic, pin);
                if (ioapic->output.taken)
                        ioapic->output.taken(ioapic->output.opaque, pin);
        }
}

void ioapic_eoi(struct device *device, uint8_t vector)
{
        struct ioapic *ioapic = (struct ioapic *)device;

        for (int pin = 0; pin < IOAPIC_PINS; pin++) {
                uint64_t entry = ioapic->entry[pin];
                if ((entry & ENTRY_VECTOR) != vector || !(entry & ENTRY_REMOTE_IRR))
                        continue;
                ioapic->entry[pin] &= ~ENTRY_REMOTE_IRR;
                ioapic_update(ioapic, pin);
        }
}

/* -- Registers --------------------------------------------------------------------------------- */

static void entry_write(struct ioapic *ioapic, int pin, uint64_t value)
{
        uint64_t *entry = &ioapic->entry[pin];

        *entry = (value & ENTRY_WRITABLE) | (*entry & ENTRY_READ_ONLY);
        if (!entry_level(*entry))
                *entry &= ~ENTRY_REMOTE_IRR;
        ioapic_update(ioapic, pin);
}

static uint32_t window_read(struct ioapic *ioapic)
{
        uint8_t select = ioapic->select;

        switch (select) {
        case REG_ID:
        case REG_ARBITRATION:
                return ioapic->id;
        case REG_VERSION:
                return VERSION_VALUE;
        default:
                if (select >= REG_TABLE && select < REG_END)
                        return (uint32_t)(ioapic->entry[(select - REG_TABLE) / 2] >> (select & 1 ? 32 : 0));
                guest_error("ioapic", "read of register %#x", select);
                return 0;
        }
}

static void window_write(struct ioapic *ioapic, uint32_t value)
{
        uint8_t select = ioapic->select;

        if (select == REG_ID) {
                ioapic->id = value & ID_MASK;
        } else if (select >= REG_TABLE && select < REG_END) {
                int pin = (select - REG_TABLE) / 2;
                uint64_t entry = ioapic->entry[pin];
                if (select & 1)
                        entry_write(ioapic, pin, (uint64_t)value << 32 | (uint32_t)entry);
                else
                        entry_write(ioapic, pin, (entry & ~UINT64_C(0xffffffff)) | value);
        } else {
                guest_error("ioapic", "write of %#x to register %#x", value, select);
        }
}

static uint64_t ioapic_read(void *opaque, uint64_t offset, unsigned size)
{
        struct ioapic *ioapic = opaque;

        (void)size;
        switch (offset) {
        case IOREGSEL:
                return ioapic->select;
        case IOWIN:
                return window_read(ioapic);
        default:
                guest_error("ioapic", "read at offset %#x", (unsigned)offset);
                return 0;
        }
}

static void ioapic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct ioapic *ioapic = opaque;

        (void)size;
        switch (offset) {
        case IOREGSEL:
                ioapic->select = (uint8_t)value;
                break;
        case IOWIN:
                window_write(ioapic, (uint32_t)value);
                break;
        default:
                guest_error("ioapic", "write at offset %#x", (unsigned)offset);
        }
}

static const struct mmio_ops ioapic_ops = { ioapic_read, ioapic_write, 4, 4 };

/* -- Wires ------------------------------------------------------------------------------------- */

struct irq ioapic_input(struct device *device, int pin)
{
        g_assert(pin >= 0 && pin < IOAPIC_PINS);
        return (struct irq) { .set = ioapic_line, .opaque = device, .line = pin };
}

void ioapic_set_output(struct device *device, const struct ioapic_output *output)
{
        ((struct ioapic *)device)->output = *output;
}

/* -- Life -------------------------------------------------------------------------------------- */

static void ioapic_reset(struct device *device)
{
        struct ioapic *ioapic = (struct ioapic *)device;

        ioapic->select = 0;
        ioapic->id = 0;
        for (int pin = 0; pin < IOAPIC_PINS; pin++)
                ioapic->entry[pin] = ENTRY_MASKED;
}

static bool ioapic_create(struct device *device, GError **error)
{
        struct ioapic *ioapic = (struct ioapic *)device;

        (void)error;
        ioapic->region = memory_map_mmio(device->env->memory, IOAPIC_BASE, IOAPIC_BYTES, &ioapic_ops, ioapic, 1, "ioapic");
        return true;
}

static void ioapic_destroy(struct device *device)
{
        memory_unmap(((struct ioapic *)device)->region);
}

static bool ioapic_post_load(struct device *device, GError **error)
{
        struct ioapic *ioapic = (struct ioapic *)device;
        bool valid = !(ioapic->id & ~(uint32_t)ID_MASK) && !(ioapic->lines >> IOAPIC_PINS);

        for (int pin = 0; pin < IOAPIC_PINS; pin++) {
                uint64_t entry = ioapic->entry[pin];
                valid = valid && !(entry & ~(ENTRY_WRITABLE | ENTRY_REMOTE_IRR)) &&
                        !((entry & ENTRY_REMOTE_IRR) && !entry_level(entry));
        }
        if (!valid)
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: impossible state", device->id);
        return valid;
}

static const struct device_class ioapic_class = {
        .name = "ioapic",
        .description = "82093AA I/O APIC",
        .size = sizeof(struct ioapic),
        .state = ioapic_fields,
        .create = ioapic_create,
        .reset = ioapic_reset,
        .post_load = ioapic_post_load,
        .destroy = ioapic_destroy,
};
DEVICE_CLASS(ioapic_class);
