/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahci.c - serial ATA controller: Intel 82801IR (ICH9R) in AHCI mode (8086:2922), Serial ATA AHCI 1.3: the
 * registers, six ports with a drive each or none, the interrupt.  Commands are in ahci_command.c.
 *
 * Saving: the images are drained first; then no command is on its way.
 *
 * Not modelled: port multipliers, power management (links are always active), legacy IDE mode and the
 * index/data I/O ports, staggered spin-up, enclosure management, command completion coalescing.
 */
#include <string.h>

#include "base/log.h"
#include "devices/storage/ahci_common.h"

enum { BAR_REGISTERS = 5, BAR_BYTES = 4096, BAR_PRIORITY = 20 };
/* Generic host control (AHCI 1.3, 3.1). */
enum { HBA_CAP = 0x00, HBA_GHC = 0x04, HBA_IS = 0x08, HBA_PI = 0x0c, HBA_VS = 0x10, HBA_CAP2 = 0x24 };
#define CAP_BITS (1u << 31 | 1u << 30 | 1u << 24 | 3u << 20 | 1u << 18 | (AHCI_SLOTS - 1u) << 8 | (AHCI_PORTS - 1u))
#define GHC_AE (1u << 31)
#define GHC_IE (1u << 1)
#define GHC_HR (1u << 0)
#define VERSION_1_3 0x00010300u
/* Port registers (3.3), from 100h on, 80h each. */
enum { PORTS_AT = 0x100, PORT_BYTES = 0x80 };
enum {
        PORT_CLB = 0x00, PORT_CLBU = 0x04, PORT_FB = 0x08, PORT_FBU = 0x0c, PORT_IS = 0x10, PORT_IE = 0x14, PORT_CMD = 0x18,
        PORT_TFD = 0x20, PORT_SIG = 0x24, PORT_SSTS = 0x28, PORT_SCTL = 0x2c, PORT_SERR = 0x30, PORT_SACT = 0x34, PORT_CI = 0x38,
};
#define IS_BITS 0xfdc000afu
#define IE_BITS 0xfdc000ffu
#define CMD_WRITABLE 0x0f000017u
#define CMD_FIXED (1u << 1 | 1u << 2)   /* spun up and powered: neither can be had otherwise */
#define CMD_FR (1u << 14)
#define CMD_CR (1u << 15)
#define SERR_EXCHANGED (1u << 26)
enum { DET_MASK = 15, DET_RESET = 1, DET_OFF = 4 };
/* Status of a link that is up (third generation, active), and of one that is switched off. */
enum { SSTS_UP = 0x133, SSTS_OFF = 0x004 };
enum { TFD_NOBODY = 0x7f };
#define SIG_NOBODY 0xffffffffu

static const struct state_field port_fields[] = {
        STATE_STRUCT(struct ahci_port, drive, ata_drive_fields),
        STATE_U32(struct ahci_port, clb),
        STATE_U32(struct ahci_port, clbu),
        STATE_U32(struct ahci_port, fb),
        STATE_U32(struct ahci_port, fbu),
        STATE_U32(struct ahci_port, is),
        STATE_U32(struct ahci_port, ie),
        STATE_U32(struct ahci_port, cmd),
        STATE_U32(struct ahci_port, tfd),
        STATE_U32(struct ahci_port, sig),
        STATE_U32(struct ahci_port, ssts),
        STATE_U32(struct ahci_port, sctl),
        STATE_U32(struct ahci_port, serr),
        STATE_U32(struct ahci_port, sact),
        STATE_U32(struct ahci_port, ci),
        STATE_U8(struct ahci_port, last_slot),
        STATE_BOOL(struct ahci_port, stopped),
        STATE_BOOL(struct ahci_port, soft_reset),
        STATE_SKIP(struct ahci_port, busy, "of a callback"),
        STATE_SKIP(struct ahci_port, current, "commands end before a save"),
        STATE_SKIP(struct ahci_port, packet_due, "commands end before a save"),
        STATE_SKIP(struct ahci_port, header, "commands end before a save"),
        STATE_SKIP(struct ahci_port, table, "commands end before a save"),
        STATE_SKIP(struct ahci_port, prds, "commands end before a save"),
        STATE_SKIP(struct ahci_port, prd, "commands end before a save"),
        STATE_SKIP(struct ahci_port, prd_offset, "commands end before a save"),
        STATE_SKIP(struct ahci_port, moved, "commands end before a save"),
        STATE_SKIP(struct ahci_port, queued, "commands end before a save"),
        STATE_SKIP(struct ahci_port, held_bytes, "commands end before a save"),
        STATE_SKIP(struct ahci_port, generation, "of commands, which end before a save"),
        STATE_SKIP(struct ahci_port, ahci, "wiring"),
        STATE_SKIP(struct ahci_port, number, "wiring"),
        STATE_END
};

static const struct state_field ahci_fields[] = {
        STATE_STRUCT(struct ahci, pci, pci_device_fields),
        STATE_U32(struct ahci, ghc),
        STATE_U32(struct ahci, is),
        STATE_ARRAY(struct ahci, port, AHCI_PORTS, port_fields),
        STATE_SKIP(struct ahci, level, "derived by ahci_update()"),
        STATE_SKIP(struct ahci, region, "region, registered by create()"),
        STATE_END
};

/* -- Interrupts ---------------------------------------------------------------------------------- */

/* A port's interrupt status; one bit follows from the error register. */
static uint32_t port_status(const struct ahci_port *port)
{
        return port->is | (port->serr & SERR_EXCHANGED ? AHCI_IS_PCS : 0);
}

/* The only place that touches the interrupt: ports -> IS -> pin or message.  A message is sent when the
 * level rises, and again when it is still there after the guest has cleared bits of IS (10.6.2). */
static void ahci_update(struct ahci *ahci)
{
        bool level, msi = pci_msi_enabled(&ahci->pci);

        for (unsigned i = 0; i < AHCI_PORTS; i++)
                if (port_status(&ahci->port[i]) & ahci->port[i].ie)
                        ahci->is |= 1u << i;
        level = ahci->is && (ahci->ghc & GHC_IE);
        if (msi && level && !ahci->level)
                pci_msi_send(&ahci->pci);
        ahci->level = level;
        pci_set_intx(&ahci->pci, level && !msi);
}

static void ahci_update_again(struct ahci *ahci)
{
        ahci->level = false;
        ahci_update(ahci);
}

void ahci_port_interrupt(struct ahci_port *port, uint32_t bits)
{
        port->is |= bits;
        ahci_update(port->ahci);
}

/* -- Resets -------------------------------------------------------------------------------------- */

/* COMRESET and what follows when the link is up again (10.4.2). */
static void port_link_reset(struct ahci_port *port)
{
        ahci_port_abort(port);
        port->ci = port->sact = 0;
        port->stopped = port->soft_reset = false;
        port->tfd = TFD_NOBODY;
        port->sig = SIG_NOBODY;
        port->ssts = 0;
        if (port->drive.kind != ATA_NONE)
                ata_drive_reset(&port->drive, true);
}

static void port_link_up(struct ahci_port *port)
{
        if (port->drive.kind == ATA_NONE)
                return;
        port->ssts = SSTS_UP;
        port->serr |= SERR_EXCHANGED;
        ahci_port_send_signature(port);
        ahci_update(port->ahci);
}

static void port_reset(struct ahci_port *port)
{
        port_link_reset(port);
        port->is = port->ie = port->serr = port->sctl = 0;
        port->cmd = CMD_FIXED;
        port->last_slot = AHCI_SLOTS - 1;
        if (port->drive.kind != ATA_NONE) {     /* the link comes up by itself, and nothing was exchanged */
                port->ssts = SSTS_UP;
                ahci_port_send_signature(port);
        }
}

/* GHC.HR: all but where the lists are (10.4.3). */
static void hba_reset(struct ahci *ahci)
{
        ahci->ghc = GHC_AE;
        ahci->is = 0;
        for (unsigned i = 0; i < AHCI_PORTS; i++)
                port_reset(&ahci->port[i]);
        ahci_update_again(ahci);
}

/* -- Registers ----------------------------------------------------------------------------------- */

static uint32_t port_read(const struct ahci_port *port, unsigned offset)
{
        switch (offset) {
        case PORT_CLB:
                return port->clb;
        case PORT_CLBU:
                return port->clbu;
        case PORT_FB:
                return port->fb;
        case PORT_FBU:
                return port->fbu;
        case PORT_IS:
                return port_status(port);
        case PORT_IE:
                return port->ie;
        case PORT_CMD:
                return port->cmd | (port->cmd & AHCI_CMD_ST ? CMD_CR : 0) | (port->cmd & AHCI_CMD_FRE ? CMD_FR : 0) |
                       (port->cmd & AHCI_CMD_ST ? (uint32_t)port->last_slot << 8 : 0);
        case PORT_TFD:
                return port->tfd;
        case PORT_SIG:
                return port->sig;
        case PORT_SSTS:
                return port->ssts;
        case PORT_SCTL:
                return port->sctl;
        case PORT_SERR:
                return port->serr;
        case PORT_SACT:
                return port->sact;
        case PORT_CI:
                return port->ci;
        default:
                return 0;
        }
}

static void cmd_write(struct ahci_port *port, uint32_t value)
{
        bool was = port->cmd & AHCI_CMD_ST;

        port->cmd = (value & CMD_WRITABLE) | CMD_FIXED;
        if (was && !(value & AHCI_CMD_ST)) {    /* 3.3.14: both are cleared */
                ahci_port_abort(port);
                port->ci = port->sact = 0;
                port->stopped = false;
                port->last_slot = AHCI_SLOTS - 1;
        }
        if (value & AHCI_CMD_CLO)               /* done at once, reads 0 */
                port->tfd &= ~(uint32_t)(ATA_BSY | ATA_DRQ);
        ahci_port_work(port);
}

static void sctl_write(struct ahci_port *port, uint32_t value)
{
        unsigned old = port->sctl & DET_MASK, new = value & DET_MASK;

        port->sctl = value & 0xfff;
        if (old == new)
                return;
        if (new == DET_RESET) {
                port_link_reset(port);
        } else if (new == DET_OFF) {
                port_link_reset(port);
                port->ssts = SSTS_OFF;
        } else if (new == 0) {
                if (old == DET_OFF)
                        port_link_reset(port);
                port_link_up(port);
        }
}

static void port_write(struct ahci_port *port, unsigned offset, uint32_t value)
{
        switch (offset) {
        case PORT_CLB:
                port->clb = value & ~0x3ffu;
                break;
        case PORT_CLBU:
                port->clbu = value;
                break;
        case PORT_FB:
                port->fb = value & ~0xffu;
                break;
        case PORT_FBU:
                port->fbu = value;
                break;
        case PORT_IS:
                port->is &= ~value;
                ahci_update(port->ahci);
                break;
        case PORT_IE:
                port->ie = value & IE_BITS;
                ahci_update(port->ahci);
                break;
        case PORT_CMD:
                cmd_write(port, value);
                break;
        case PORT_SCTL:
                sctl_write(port, value);
                break;
        case PORT_SERR:
                port->serr &= ~value;
                ahci_update(port->ahci);
                break;
        case PORT_SACT:
                if (port->cmd & AHCI_CMD_ST)
                        port->sact |= value;
                break;
        case PORT_CI:
                if (port->cmd & AHCI_CMD_ST) {
                        port->ci |= value;
                        if (port->drive.block)
                                block_begin(port->drive.block);
                        ahci_port_work(port);
                        if (port->drive.block)
                                block_end(port->drive.block);
                } else {
                        guest_error(port->ahci->pci.device.id, "port %u: commands while it is not started", port->number);
                }
                break;
        default:
                break;
        }
}

static uint64_t ahci_read(void *opaque, uint64_t offset, unsigned size)
{
        struct ahci *ahci = opaque;

        (void)size;
        if (offset >= PORTS_AT) {
                unsigned number = (unsigned)(offset - PORTS_AT) / PORT_BYTES;

                return number < AHCI_PORTS ? port_read(&ahci->port[number], (unsigned)offset % PORT_BYTES) : 0;
        }
        switch (offset) {
        case HBA_CAP:
                return CAP_BITS;
        case HBA_GHC:
                return ahci->ghc;
        case HBA_IS:
                return ahci->is;
        case HBA_PI:
                return (1u << AHCI_PORTS) - 1;
        case HBA_VS:
                return VERSION_1_3;
        default:
                return 0;
        }
}

static void ahci_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        struct ahci *ahci = opaque;

        (void)size;
        if (offset >= PORTS_AT) {
                unsigned number = (unsigned)(offset - PORTS_AT) / PORT_BYTES;

                if (number < AHCI_PORTS)
                        port_write(&ahci->port[number], (unsigned)offset % PORT_BYTES, (uint32_t)value);
                return;
        }
        switch (offset) {
        case HBA_GHC:
                if (value & GHC_HR) {
                        hba_reset(ahci);
                } else {
                        ahci->ghc = GHC_AE | ((uint32_t)value & GHC_IE);
                        ahci_update(ahci);
                }
                break;
        case HBA_IS:
                ahci->is &= ~(uint32_t)value;
                ahci_update_again(ahci);
                break;
        default:
                break;                          /* the others are read-only */
        }
}

/* Registers are 32 bits wide (3): 64-bit accesses come as two, narrower ones are widened. */
static const struct mmio_ops ahci_ops = { ahci_read, ahci_write, 4, 4 };

static void ahci_config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
        struct ahci *ahci = (struct ahci *)pci;

        (void)offset;
        (void)size;
        ahci_update(ahci);                      /* MSI may have been switched */
        for (unsigned i = 0; i < AHCI_PORTS; i++)
                ahci_port_work(&ahci->port[i]); /* and bus mastering */
}

/* -- Wiring and trays ---------------------------------------------------------------------------- */

static void ahci_add(struct device *device, unsigned number, const char *id, struct block *image, enum ata_kind kind)
{
        struct ahci_port *port = &((struct ahci *)device)->port[number];

        g_assert(number < AHCI_PORTS && device->created);
        ata_drive_attach(&port->drive, kind, id, image);
        port_reset(port);
}

void ahci_add_disk(struct device *device, unsigned port, const char *id, struct block *image)
{
        ahci_add(device, port, id, image, ATA_DISK);
}

void ahci_add_cd(struct device *device, unsigned port, const char *id, struct block *image)
{
        ahci_add(device, port, id, image, ATA_CD);
}

static struct ata_drive *find_cd(struct device *device, const char *id)
{
        struct ahci *ahci = (struct ahci *)device;

        for (unsigned i = 0; i < AHCI_PORTS; i++)
                if (ahci->port[i].drive.kind == ATA_CD && !strcmp(ahci->port[i].drive.id, id))
                        return &ahci->port[i].drive;
        return NULL;
}

bool ahci_has_cd(struct device *device, const char *id)
{
        return find_cd(device, id) != NULL;
}

bool ahci_cd_change(struct device *device, const char *id, struct block *image, bool force, GError **error)
{
        return ata_drive_change_medium(find_cd(device, id), image, force, error);
}

const char *ahci_cd_path(struct device *device, const char *id)
{
        struct ata_drive *drive = find_cd(device, id);

        return drive && drive->block ? block_path(drive->block) : NULL;
}

/* -- Life ---------------------------------------------------------------------------------------- */

static void ahci_reset(struct device *device)
{
        struct ahci *ahci = (struct ahci *)device;

        pci_device_reset(&ahci->pci);
        for (unsigned i = 0; i < AHCI_PORTS; i++) {
                struct ahci_port *port = &ahci->port[i];

                port->clb = port->clbu = port->fb = port->fbu = 0;
                memset(port->drive.ncq_log, 0, sizeof(port->drive.ncq_log));
        }
        hba_reset(ahci);
}

static bool ahci_create(struct device *device, GError **error)
{
        struct ahci *ahci = (struct ahci *)device;
        struct pci_device *pci = &ahci->pci;

        (void)error;
        pci_identify(pci, 0x8086, 0x2922, 0x010601, 2);
        pci->defaults[PCI_INTERRUPT_PIN] = 1;
        pci->config_written = ahci_config_written;
        ahci->region = memory_map_mmio(device->env->memory, 0, BAR_BYTES, &ahci_ops, ahci, BAR_PRIORITY, "AHCI");
        pci_bar_memory(pci, BAR_REGISTERS, BAR_BYTES, 0, ahci->region);
        pci_msi_add(pci);
        for (unsigned i = 0; i < AHCI_PORTS; i++) {
                struct ahci_port *port = &ahci->port[i];

                port->ahci = ahci;
                port->number = i;
                port->current = AHCI_NO_SLOT;
                port->drive.host = &ahci_host;
                port->drive.host_opaque = port;
                port->drive.sata = true;
        }
        return true;
}

static bool ahci_post_load(struct device *device, GError **error)
{
        struct ahci *ahci = (struct ahci *)device;

        for (unsigned i = 0; i < AHCI_PORTS; i++) {
                struct ahci_port *port = &ahci->port[i];

                if (!ata_drive_is_sane(&port->drive) || port->last_slot >= AHCI_SLOTS) {
                        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "ahci: impossible state of port %u", i);
                        return false;
                }
                ahci_port_abort(port);
                port->drive.phase = ATA_IDLE;   /* no command is half done */
                port->clb &= ~0x3ffu;
                port->fb &= ~0xffu;
                port->is &= IS_BITS;
                port->ie &= IE_BITS;
                port->cmd = (port->cmd & CMD_WRITABLE) | CMD_FIXED;
        }
        ahci->ghc = GHC_AE | (ahci->ghc & GHC_IE);
        ahci->is &= (1u << AHCI_PORTS) - 1;
        pci_device_restored(&ahci->pci);
        ahci->level = true;                     /* no new message: it was sent before the save */
        ahci_update(ahci);
        return true;
}

static void ahci_destroy(struct device *device)
{
        struct ahci *ahci = (struct ahci *)device;

        for (unsigned i = 0; i < AHCI_PORTS; i++) {
                ahci->port[i].generation++;     /* what still completes is only freed */
                ahci->port[i].cmd = 0;
                ata_drive_destroy(&ahci->port[i].drive);
        }
}

static const struct device_class ahci_class = {
        .name = "ahci",
        .description = "ICH9 serial ATA controller, AHCI",
        .size = sizeof(struct ahci),
        .state = ahci_fields,
        .create = ahci_create,
        .reset = ahci_reset,
        .post_load = ahci_post_load,
        .destroy = ahci_destroy,
};

DEVICE_CLASS(ahci_class);
