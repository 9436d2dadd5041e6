/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pic.c - the two cascaded 8259A interrupt controllers of the PC as the PIIX3 has them.
 *
 * Datasheets: Intel 8259A (231468), 82371SB PIIX3 (290550) for the edge/level registers (ELCR).
 * Not modelled: MCS-80/85 mode, buffered mode (nothing on a PC shows it), LTIM of ICW1 (the PIIX3
 * ignores it in favour of the ELCR).
 *
 * A request latches on the rising edge of its input (or follows the level, by ELCR), and goes away
 * when the input falls before the CPU has acknowledged it; the CPU then sees a spurious IRQ 7 or 15
 * that sets no in-service bit.  Guests rely on both halves: Linux looks at the ISR to tell spurious
 * interrupts apart, and DOS-era programs probe for lines that way.
 */
#include "base/log.h"
#include "devices/chipset/pic.h"

enum {
        PIC_COMMAND = 0, PIC_DATA = 1,          /* A0 */
        ICW1_IC4 = 1 << 0, ICW1_SNGL = 1 << 1, ICW1_MARK = 1 << 4,
        ICW4_AEOI = 1 << 1, ICW4_SFNM = 1 << 4,
        OCW2_EOI = 1 << 5, OCW2_SL = 1 << 6, OCW2_R = 1 << 7,
        OCW3_MARK = 1 << 3, OCW3_RIS = 1 << 0, OCW3_RR = 1 << 1, OCW3_P = 1 << 2, OCW3_SMM = 1 << 5, OCW3_ESMM = 1 << 6,
};

enum { PRIMARY, SECONDARY, PIC_CHIPS, CASCADE_LINE = 2 };

/* Lines that stay edge-triggered: 0, 1, 2 on the primary, 8 and 13 on the secondary (PIIX3 2.5.1). */
static const uint8_t elcr_mask[PIC_CHIPS] = { 0xf8, 0xde };

struct pic_chip {
        /* Saved. */
        uint8_t lines;          /* levels of the inputs */
        uint8_t irr;            /* R: requests */
        uint8_t isr;            /* R: in service */
        uint8_t imr;            /* R/W OCW1: masked lines; reset 0 */
        uint8_t lowest;         /* line of lowest priority, 0-7; reset 7 */
        uint8_t base;           /* W ICW2: vector of line 0, low 3 bits zero */
        uint8_t icw_step;       /* next ICW expected at A0=1: 2, 3, 4; 0: none */
        uint8_t elcr;           /* R/W: 1 = level-triggered */
        bool single;            /* ICW1.SNGL */
        bool wants_icw4;        /* ICW1.IC4 */
        bool auto_eoi;          /* ICW4.AEOI */
        bool rotate_auto_eoi;   /* OCW2: rotate in automatic EOI mode */
        bool nested;            /* ICW4.SFNM */
        bool special_mask;      /* OCW3.SMM */
        bool read_isr;          /* OCW3.RIS */
        bool poll;              /* OCW3.P: the next read is an acknowledge */
};

struct pic {
        struct device device;
        /* Machine lock; callbacks on any thread that holds it. */
        struct pic_chip chip[PIC_CHIPS];
        /* Host. */
        bool output;            /* level last given to INTR */
        struct irq intr;
        struct pic_watch watch;
        struct port_range *ranges[3];
};

static const struct state_field pic_chip_fields[] = {
        STATE_U8(struct pic_chip, lines),
        STATE_U8(struct pic_chip, irr),
        STATE_U8(struct pic_chip, isr),
        STATE_U8(struct pic_chip, imr),
        STATE_U8(struct pic_chip, lowest),
        STATE_U8(struct pic_chip, base),
        STATE_U8(struct pic_chip, icw_step),
        STATE_U8(struct pic_chip, elcr),
        STATE_BOOL(struct pic_chip, single),
        STATE_BOOL(struct pic_chip, wants_icw4),
        STATE_BOOL(struct pic_chip, auto_eoi),
        STATE_BOOL(struct pic_chip, rotate_auto_eoi),
        STATE_BOOL(struct pic_chip, nested),
        STATE_BOOL(struct pic_chip, special_mask),
        STATE_BOOL(struct pic_chip, read_isr),
        STATE_BOOL(struct pic_chip, poll),
        STATE_END
};

static const struct state_field pic_fields[] = {
        STATE_ARRAY(struct pic, chip, PIC_CHIPS, pic_chip_fields),
        STATE_SKIP(struct pic, output, "derived by pic_update()"),
        STATE_SKIP(struct pic, intr, "wire, connected by the machine"),
        STATE_SKIP(struct pic, watch, "wire, connected by the machine"),
        STATE_SKIP(struct pic, ranges, "ports, registered by create()"),
        STATE_END
};

/* -- Priorities and lines ---------------------------------------------------------------------- */

/* The line of highest priority among bits, -1 when there is none. */
static int chip_highest(const struct pic_chip *chip, uint8_t bits)
{
        for (unsigned i = 1; i <= 8; i++) {
                int line = (chip->lowest + i) & 7;
                if (bits & (1 << line))
                        return line;
        }
        return -1;
}

/* How far line is from the highest priority: 0 is the most urgent. */
static int chip_rank(const struct pic_chip *chip, int line)
{
        return (line - chip->lowest - 1) & 7;
}

/* The line that the chip would raise INT for, or -1. */
static int chip_pending(const struct pic *pic, int which)
{
        const struct pic_chip *chip = &pic->chip[which];
        int request = chip_highest(chip, chip->irr & ~chip->imr);

        if (request < 0 || chip->icw_step)
                return -1;
        /* What is in service holds off its own and lower priorities, except that in special mask
         * mode a masked line in service holds off nothing, and in the special fully nested mode the
         * secondary may interrupt itself (8259A, "Special Fully Nested Mode"). */
        uint8_t service = chip->isr;
        if (chip->special_mask)
                service &= ~chip->imr;
        if (chip->nested && which == PRIMARY && request == CASCADE_LINE)
                service &= ~(1 << CASCADE_LINE);
        int active = chip_highest(chip, service);
        return active < 0 || chip_rank(chip, request) < chip_rank(chip, active) ? request : -1;
}

static void chip_set_line(struct pic_chip *chip, int line, bool level)
{
        uint8_t bit = 1 << line;

        if (!level)
                chip->irr &= ~bit;
        else if ((chip->elcr & bit) || !(chip->lines & bit))
                chip->irr |= bit;
        chip->lines = level ? chip->lines | bit : chip->lines & ~bit;
}

/* Derives the cascade and INTR from state; nothing else touches them.  The primary sees the cascade
 * as a level: the secondary's INT falls and rises again for each of its requests, faster than the
 * primary could miss. */
static void pic_update(struct pic *pic)
{
        struct pic_chip *primary = &pic->chip[PRIMARY];

        primary->irr &= ~(1 << CASCADE_LINE);
        if (chip_pending(pic, SECONDARY) >= 0)
                primary->irr |= 1 << CASCADE_LINE;
        bool output = chip_pending(pic, PRIMARY) >= 0;
        if (output != pic->output) {
                pic->output = output;
                irq_set(&pic->intr, output);
        }
}

static void pic_line(void *opaque, int line, bool level)
{
        struct pic *pic = opaque;

        TRACE(IRQ, "pic: line %d %s", line, level ? "up" : "down");
        chip_set_line(&pic->chip[line >> 3], line & 7, level);
        pic_update(pic);
}

/* -- Acknowledge and end of interrupt ---------------------------------------------------------- */

/* INTA for one chip: the line goes into service.  -1: spurious. */
static int chip_acknowledge(struct pic *pic, int which)
{
        struct pic_chip *chip = &pic->chip[which];
        int line = chip_pending(pic, which);

        if (line < 0)
                return -1;
        uint8_t bit = 1 << line;
        if (!(chip->elcr & bit))
                chip->irr &= ~bit;
        if (!chip->auto_eoi)
                chip->isr |= bit;
        else if (chip->rotate_auto_eoi)
                chip->lowest = line;
        return line;
}

static void pic_taken(struct pic *pic, int line)
{
        if (pic->watch.taken)
                pic->watch.taken(pic->watch.opaque, line);
}

uint8_t pic_acknowledge(struct device *device)
{
        struct pic *pic = (struct pic *)device;
        int line = chip_acknowledge(pic, PRIMARY), taken = line;
        uint8_t vector = pic->chip[PRIMARY].base + (line < 0 ? 7 : line);

        if (line == CASCADE_LINE && !pic->chip[PRIMARY].single) {
                int second = chip_acknowledge(pic, SECONDARY);
                vector = pic->chip[SECONDARY].base + (second < 0 ? 7 : second);
                taken = second < 0 ? -1 : 8 + second;
        }
        pic_update(pic);
        TRACE(IRQ, "pic: acknowledged line %d, vector %#x", taken, vector);
        if (taken >= 0)
                pic_taken(pic, taken);
        return vector;
}

static void chip_end(struct pic_chip *chip, uint8_t value)
{
        int line = value & 7;

        /* Non-specific: the highest in service; in special mask mode, of those not masked. */
        if (!(value & OCW2_SL))
                line = chip_highest(chip, chip->special_mask ? chip->isr & ~chip->imr : chip->isr);
        if (line < 0)
                return;
        chip->isr &= ~(1 << line);
        if (value & OCW2_R)
                chip->lowest = line;
}

/* -- Registers --------------------------------------------------------------------------------- */

static void chip_icw1(struct pic_chip *chip, uint8_t value)
{
        /* "The edge sense circuit is reset": a line that is up needs a new edge, unless by level. */
        chip->irr = chip->lines & chip->elcr;
        chip->isr = 0;
        chip->imr = 0;
        chip->lowest = 7;
        chip->special_mask = false;
        chip->read_isr = false;
        chip->poll = false;
        chip->rotate_auto_eoi = false;
        chip->auto_eoi = false;
        chip->nested = false;
        chip->single = value & ICW1_SNGL;
        chip->wants_icw4 = value & ICW1_IC4;
        chip->icw_step = 2;
}

static void chip_ocw2(struct pic_chip *chip, uint8_t value)
{
        if (value & OCW2_EOI)
                chip_end(chip, value);
        else if ((value & (OCW2_R | OCW2_SL)) == (OCW2_R | OCW2_SL))
                chip->lowest = value & 7;
        else if (!(value & OCW2_SL))
                chip->rotate_auto_eoi = value & OCW2_R;
}

static void chip_ocw3(struct pic_chip *chip, uint8_t value)
{
        if (value & OCW3_ESMM)
                chip->special_mask = value & OCW3_SMM;
        chip->poll = value & OCW3_P;
        if (value & OCW3_RR)
                chip->read_isr = value & OCW3_RIS;
}

static void chip_data(struct pic *pic, int which, uint8_t value)
{
        struct pic_chip *chip = &pic->chip[which];
        uint8_t opened = chip->imr & ~value;

        switch (chip->icw_step) {
        case 2:
                chip->base = value & 0xf8;
                chip->icw_step = !chip->single ? 3 : chip->wants_icw4 ? 4 : 0;
                return;
        case 3:         /* how the pair is cascaded is soldered */
                chip->icw_step = chip->wants_icw4 ? 4 : 0;
                return;
        case 4:
                chip->auto_eoi = value & ICW4_AEOI;
                chip->nested = value & ICW4_SFNM;
                chip->icw_step = 0;
                return;
        default:
                chip->imr = value;
                for (int line = 0; pic->watch.unmasked && line < 8; line++)
                        if (opened & (1 << line))
                                pic->watch.unmasked(pic->watch.opaque, which * 8 + line);
        }
}

static uint32_t pic_read(void *opaque, uint16_t port, unsigned size)
{
        struct pic *pic = opaque;
        int which = port & 0x80 ? SECONDARY : PRIMARY;
        struct pic_chip *chip = &pic->chip[which];

        (void)size;
        if (chip->poll) {
                chip->poll = false;
                int line = chip_acknowledge(pic, which);
                pic_update(pic);
                if (line < 0)
                        return 0;
                if (which == SECONDARY || line != CASCADE_LINE)
                        pic_taken(pic, which * 8 + line);
                return 0x80 | line;
        }
        if ((port & 1) == PIC_DATA)
                return chip->imr;
        return chip->read_isr ? chip->isr : chip->irr;
}

static void pic_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct pic *pic = opaque;
        int which = port & 0x80 ? SECONDARY : PRIMARY;
        struct pic_chip *chip = &pic->chip[which];

        (void)size;
        if ((port & 1) == PIC_DATA)
                chip_data(pic, which, value);
        else if (value & ICW1_MARK)
                chip_icw1(chip, value);
        else if (value & OCW3_MARK)
                chip_ocw3(chip, value);
        else
                chip_ocw2(chip, value);
        pic_update(pic);
}

static const struct port_ops pic_ops = { pic_read, pic_write, 1 };

static uint32_t elcr_read(void *opaque, uint16_t port, unsigned size)
{
        struct pic *pic = opaque;

        (void)size;
        return pic->chip[port & 1].elcr;
}

static void elcr_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct pic *pic = opaque;
        struct pic_chip *chip = &pic->chip[port & 1];

        (void)size;
        chip->elcr = value & elcr_mask[port & 1];
        chip->irr |= chip->lines & chip->elcr;
        pic_update(pic);
}

static const struct port_ops elcr_ops = { elcr_read, elcr_write, 1 };

/* -- Wires ------------------------------------------------------------------------------------- */

struct irq pic_input(struct device *device, int line)
{
        g_assert(line >= 0 && line < 16 && line != CASCADE_LINE);
        return (struct irq) { .set = pic_line, .opaque = device, .line = line };
}

void pic_set_output(struct device *device, struct irq output)
{
        struct pic *pic = (struct pic *)device;

        pic->intr = output;
        irq_set(&pic->intr, pic->output);
}

void pic_set_watch(struct device *device, const struct pic_watch *watch)
{
        ((struct pic *)device)->watch = *watch;
}

/* -- Life -------------------------------------------------------------------------------------- */

static void pic_reset(struct device *device)
{
        struct pic *pic = (struct pic *)device;

        for (int which = 0; which < PIC_CHIPS; which++) {
                uint8_t lines = pic->chip[which].lines;
                pic->chip[which] = (struct pic_chip) { .lines = lines, .lowest = 7 };
        }
        pic_update(pic);
}

static bool pic_create(struct device *device, GError **error)
{
        struct pic *pic = (struct pic *)device;
        struct ports *ports = device->env->ports;

        (void)error;
        pic->ranges[0] = ports_map(ports, 0x20, 2, &pic_ops, pic, "8259A primary");
        pic->ranges[1] = ports_map(ports, 0xa0, 2, &pic_ops, pic, "8259A secondary");
        pic->ranges[2] = ports_map(ports, 0x4d0, 2, &elcr_ops, pic, "interrupt edge/level control");
        return true;
}

static void pic_destroy(struct device *device)
{
        struct pic *pic = (struct pic *)device;

        for (size_t i = 0; i < G_N_ELEMENTS(pic->ranges); i++)
                ports_unmap(pic->ranges[i]);
}

static bool pic_post_load(struct device *device, GError **error)
{
        struct pic *pic = (struct pic *)device;

        for (int which = 0; which < PIC_CHIPS; which++) {
                const struct pic_chip *chip = &pic->chip[which];
                if (chip->lowest > 7 || chip->base & 7 || chip->icw_step == 1 || chip->icw_step > 4 ||
                    chip->elcr & ~elcr_mask[which]) {
                        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: impossible state of controller %d",
                                    device->id, which);
                        return false;
                }
        }
        pic_update(pic);
        return true;
}

static const struct device_class pic_class = {
        .name = "pic",
        .description = "8259A pair of interrupt controllers",
        .size = sizeof(struct pic),
        .state = pic_fields,
        .create = pic_create,
        .reset = pic_reset,
        .post_load = pic_post_load,
        .destroy = pic_destroy,
};
DEVICE_CLASS(pic_class);
