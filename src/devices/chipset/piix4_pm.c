/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * piix4_pm.c - power management: Intel 82371AB function 3 (8086:7113), datasheet 290562, chapter 7,
 * and the fixed hardware of ACPI 2.0, 4.7.
 *
 * PM1 event, PM1 control with soft-off, the PM timer (3.579545 MHz, 24 bits), the GPE0 block and the
 * APM control and status ports.  There is no system-management mode in this machine, so a write to
 * the APM control port raises no SMI; the two ACPI commands the FADT names are carried out right
 * here, and APMC_EN reads as set after reset so that firmware believes its SMI handler is in place.
 * Not modelled: SMBus, device monitors, sleep states other than S5.
 */
#include "base/log.h"
#include "devices/chipset/piix4_pm.h"
#include "machine/pci.h"

/* Configuration space. */
enum { PMBA = 0x40, DEVACTB = 0x58, PMREGMISC = 0x80, SMBBA = 0x90, SMBHSTCFG = 0xd2 };
enum { DEVACTB_APMC_EN_BYTE = DEVACTB + 3, DEVACTB_APMC_EN = 1 << 1 };  /* bit 25 */
/* I/O space at PMBA. */
enum { PMSTS = 0x00, PMEN = 0x02, PMCNTRL = 0x04, PMTMR = 0x08, GPSTS = 0x0c, GPEN = 0x0e, PM_PORTS = 0x40 };
enum { TMROF = 1 << 0, GBL = 1 << 5, PWRBTN = 1 << 8, RTC = 1 << 10, RSM = 1 << 15 };
enum { SCI_EN = 1 << 0, BRLD_EN = 1 << 1, SUS_EN = 1 << 13, SUS_TYP_SHIFT = 10 };
enum { SUS_TYP_SOFT_OFF = 0 };
enum { APMC = PIIX4_SMI_COMMAND_PORT, APMS = APMC + 1 };

enum { PM_TIMER_HZ = 3579545, PM_TIMER_MASK = 0xffffff, PM_TIMER_HALF = 0x800000 };

struct piix4_pm {
        struct pci_device pci;
        uint16_t pmsts;                 /* saved: R/W1C, reset 0 */
        uint16_t pmen;                  /* saved: R/W, reset 0 */
        uint16_t pmcntrl;               /* saved: R/W, reset 0; SUS_EN always reads 0 */
        uint16_t gpsts, gpen;           /* saved: R/W1C and R/W, reset 0 */
        uint8_t apmc, apms;             /* saved: R/W, reset 0 */
        uint64_t overflow_at;           /* saved: timer count whose passing sets TMROF_STS */
        struct timer overflow_timer;    /* saved: set while TMROF may interrupt */
        struct port_range *range;
        struct irq sci;
};

static const struct state_field pm_fields[] = {
        STATE_STRUCT(struct piix4_pm, pci, pci_device_fields),
        STATE_U16(struct piix4_pm, pmsts),
        STATE_U16(struct piix4_pm, pmen),
        STATE_U16(struct piix4_pm, pmcntrl),
        STATE_U16(struct piix4_pm, gpsts),
        STATE_U16(struct piix4_pm, gpen),
        STATE_U8(struct piix4_pm, apmc),
        STATE_U8(struct piix4_pm, apms),
        STATE_U64(struct piix4_pm, overflow_at),
        STATE_TIMER(struct piix4_pm, overflow_timer),
        STATE_SKIP(struct piix4_pm, range, "mapping, derived from PMBA"),
        STATE_SKIP(struct piix4_pm, sci, "wiring"),
        STATE_END
};

/* -- Timer -------------------------------------------------------------------------------------- */

static uint64_t pm_count(struct piix4_pm *pm)
{
        unsigned __int128 now_ns = (unsigned __int128)clock_now_ns(pm->pci.device.env->clock);

        return (uint64_t)(now_ns * PM_TIMER_HZ / NS_PER_SEC);
}

/* TMROF_STS is set whenever the top bit of the 24 changes (ACPI 4.7.2.1); noticed lazily. */
static void pm_notice_overflow(struct piix4_pm *pm)
{
        uint64_t count = pm_count(pm);

        if (count >= pm->overflow_at) {
                pm->pmsts |= TMROF;
                pm->overflow_at = (count / PM_TIMER_HALF + 1) * PM_TIMER_HALF;
        }
}

/* Derives the SCI and the timer from the registers; nothing else touches them. */
static void pm_update(struct piix4_pm *pm)
{
        bool raised;

        pm_notice_overflow(pm);
        raised = (pm->pmsts & pm->pmen & (TMROF | GBL | PWRBTN | RTC)) || (pm->gpsts & pm->gpen);
        irq_set(&pm->sci, raised && (pm->pmcntrl & SCI_EN));
        if ((pm->pmen & TMROF) && !(pm->pmsts & TMROF))
                timer_set(&pm->overflow_timer,
                          (int64_t)((unsigned __int128)pm->overflow_at * NS_PER_SEC / PM_TIMER_HZ) + 1);
        else
                timer_cancel(&pm->overflow_timer);
}

static void pm_overflow_fired(void *opaque)
{
        pm_update(opaque);
}

/* -- Registers ---------------------------------------------------------------------------------- */

static uint16_t pm_register_read(struct piix4_pm *pm, unsigned offset)
{
        switch (offset) {
        case PMSTS:
                pm_notice_overflow(pm);
                return pm->pmsts;
        case PMEN:
                return pm->pmen;
        case PMCNTRL:
                return pm->pmcntrl;
        case PMTMR:
                return (uint16_t)(pm_count(pm) & 0xffff);
        case PMTMR + 2:
                return (uint16_t)(pm_count(pm) >> 16 & 0xff);
        case GPSTS:
                return pm->gpsts;
        case GPEN:
                return pm->gpen;
        default:
                return 0;
        }
}

static uint32_t pm_read(void *opaque, uint16_t port, unsigned size)
{
        struct piix4_pm *pm = opaque;
        unsigned offset = port & (PM_PORTS - 1);
        uint32_t value;

        if ((offset & ~3u) == PMTMR)            /* both halves of one count */
                return (uint32_t)(pm_count(pm) & PM_TIMER_MASK) >> 8 * (offset & 3);
        value = pm_register_read(pm, offset & ~1u);
        if (size == 4)
                value |= (uint32_t)pm_register_read(pm, (offset & ~1u) + 2) << 16;
        return value >> 8 * (offset & 1);
}

static void pm_control_write(struct piix4_pm *pm, uint16_t value)
{
        const struct device_env *env = pm->pci.device.env;

        pm->pmcntrl = value & ~SUS_EN;
        if (!(value & SUS_EN))
                return;
        if ((value >> SUS_TYP_SHIFT & 7) == SUS_TYP_SOFT_OFF)
                env->request(env->opaque, MACHINE_POWER_OFF, 0);
        else
                guest_error("piix4_pm", "sleep type %u is not there", value >> SUS_TYP_SHIFT & 7);
}

/* One aligned 16-bit register; mask says which of its bytes are written. */
static void pm_register_write(struct piix4_pm *pm, unsigned offset, uint16_t value, uint16_t mask)
{
        value &= mask;
        switch (offset) {
        case PMSTS:
                pm_notice_overflow(pm);
                pm->pmsts &= (uint16_t)~value;
                break;
        case PMEN:
                pm->pmen = (uint16_t)((pm->pmen & ~mask) | value) & (TMROF | GBL | PWRBTN | RTC);
                break;
        case PMCNTRL:
                pm_control_write(pm, (uint16_t)((pm->pmcntrl & ~mask) | value));
                break;
        case GPSTS:
                pm->gpsts &= (uint16_t)~value;
                break;
        case GPEN:
                pm->gpen = (uint16_t)((pm->gpen & ~mask) | value);
                break;
        default:
                guest_error("piix4_pm", "write %04x to register %02xh", value, offset);
                return;
        }
        pm_update(pm);
}

static void pm_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct piix4_pm *pm = opaque;
        unsigned offset = port & (PM_PORTS - 1);

        if (size == 1) {
                unsigned shift = 8 * (offset & 1);

                pm_register_write(pm, offset & ~1u, (uint16_t)(value << shift), (uint16_t)(0xff << shift));
                return;
        }
        pm_register_write(pm, offset, (uint16_t)value, 0xffff);
        if (size == 4)
                pm_register_write(pm, offset + 2, (uint16_t)(value >> 16), 0xffff);
}

static uint32_t apm_read(void *opaque, uint16_t port, unsigned size)
{
        struct piix4_pm *pm = opaque;

        (void)size;
        return port == APMC ? pm->apmc : pm->apms;
}

static void apm_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct piix4_pm *pm = opaque;

        (void)size;
        if (port == APMS) {
                pm->apms = (uint8_t)value;
                return;
        }
        pm->apmc = (uint8_t)value;
        if (value == PIIX4_ACPI_ENABLE)
                pm->pmcntrl |= SCI_EN;
        else if (value == PIIX4_ACPI_DISABLE)
                pm->pmcntrl &= (uint16_t)~SCI_EN;
        pm_update(pm);
}

static const struct port_ops pm_ops = { pm_read, pm_write, 4 };
static const struct port_ops apm_ops = { apm_read, apm_write, 1 };

/* -- Configuration ------------------------------------------------------------------------------ */

static void pm_map(struct piix4_pm *pm)
{
        uint16_t base = pci_get16(pm->pci.config, PMBA) & 0xffc0;

        ports_move(pm->range, base, base && (pm->pci.config[PMREGMISC] & 1));
}

static void pm_config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
        (void)offset;
        (void)size;
        pm_map((struct piix4_pm *)pci);
}

/* -- Events ------------------------------------------------------------------------------------- */

void piix4_pm_connect_sci(struct device *device, struct irq sci)
{
        ((struct piix4_pm *)device)->sci = sci;
}

bool piix4_pm_hears_power_button(const struct device *device)
{
        const struct piix4_pm *pm = (const struct piix4_pm *)device;

        return (pm->pmcntrl & SCI_EN) && (pm->pmen & PWRBTN);
}

void piix4_pm_press_power_button(struct device *device)
{
        struct piix4_pm *pm = (struct piix4_pm *)device;

        pm->pmsts |= PWRBTN;
        pm_update(pm);
}

void piix4_pm_raise_gpe(struct device *device, unsigned event)
{
        struct piix4_pm *pm = (struct piix4_pm *)device;

        pm->gpsts |= (uint16_t)(1u << (event & 15));
        pm_update(pm);
}

/* -- Life --------------------------------------------------------------------------------------- */

static void pm_reset(struct device *device)
{
        struct piix4_pm *pm = (struct piix4_pm *)device;

        pci_device_reset(&pm->pci);
        pm->pmsts = pm->pmen = pm->pmcntrl = pm->gpsts = pm->gpen = 0;
        pm->apmc = pm->apms = 0;
        pm->overflow_at = (pm_count(pm) / PM_TIMER_HALF + 1) * PM_TIMER_HALF;
        pm_map(pm);
        pm_update(pm);
}

static bool pm_create(struct device *device, GError **error)
{
        struct piix4_pm *pm = (struct piix4_pm *)device;
        struct pci_device *pci = &pm->pci;

        (void)error;
        pci_identify(pci, 0x8086, 0x7113, 0x068000, 3);
        pci_put16(pci->defaults, PCI_STATUS, 0x0280);
        pci->defaults[PCI_INTERRUPT_PIN] = 1;
        pci_put32(pci->defaults, PMBA, 1);
        pci_put16(pci->writable, PMBA, 0xffc0);
        pci_put32(pci->defaults, SMBBA, 1);
        pci_put16(pci->writable, SMBBA, 0xfff0);
        pci->writable[PMREGMISC] = 0x01;
        pci->writable[SMBHSTCFG] = 0x0f;
        for (unsigned at = DEVACTB; at < DEVACTB + 4; at++)
                pci->writable[at] = 0xff;
        pci->defaults[DEVACTB_APMC_EN_BYTE] = DEVACTB_APMC_EN;
        pci->config_written = pm_config_written;
        pm->range = ports_map(device->env->ports, 0, PM_PORTS, &pm_ops, pm, "PIIX4 power management");
        ports_move(pm->range, 0, false);
        ports_map(device->env->ports, APMC, 2, &apm_ops, pm, "PIIX4 APM control and status");
        timer_init(&pm->overflow_timer, device->env->clock, pm_overflow_fired, pm);
        return true;
}

static bool pm_post_load(struct device *device, GError **error)
{
        struct piix4_pm *pm = (struct piix4_pm *)device;

        (void)error;
        pm->pmcntrl &= (uint16_t)~SUS_EN;
        pci_device_restored(&pm->pci);
        pm_map(pm);
        pm_update(pm);
        return true;
}

static void pm_destroy(struct device *device)
{
        timer_cancel(&((struct piix4_pm *)device)->overflow_timer);
}

static const struct device_class piix4_pm_class = {
        .name = "piix4_pm",
        .description = "82371AB ACPI power management",
        .size = sizeof(struct piix4_pm),
        .state = pm_fields,
        .create = pm_create,
        .reset = pm_reset,
        .post_load = pm_post_load,
        .destroy = pm_destroy,
};

DEVICE_CLASS(piix4_pm_class);
