/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahci_common.h - what the two files of the AHCI controller share: ahci.c (registers, interrupts, life) and
 * ahci_command.c (command lists, data, FISes, queued commands).
 */
#ifndef LODGER_DEVICES_STORAGE_AHCI_COMMON_H
#define LODGER_DEVICES_STORAGE_AHCI_COMMON_H

#include "devices/storage/ahci.h"
#include "devices/storage/ata_common.h"
#include "machine/pci.h"

enum { AHCI_SLOTS = 32, AHCI_NO_SLOT = 0xff };

/* Port interrupt status (AHCI 1.3, 3.3.5). */
#define AHCI_IS_DHRS (1u << 0)          /* device to host register FIS */
#define AHCI_IS_PSS (1u << 1)           /* PIO setup FIS */
#define AHCI_IS_SDBS (1u << 3)          /* set device bits FIS */
#define AHCI_IS_PCS (1u << 6)           /* port connect change: SERR.DIAG.X */
#define AHCI_IS_OFS (1u << 24)          /* more data than the PRD table has room for */
#define AHCI_IS_HBFS (1u << 29)         /* the host bus did not answer */
#define AHCI_IS_TFES (1u << 30)         /* task file error */
/* Port command and status (3.3.7). */
#define AHCI_CMD_ST (1u << 0)
#define AHCI_CMD_CLO (1u << 3)
#define AHCI_CMD_FRE (1u << 4)

struct ahci;

struct ahci_port {
        struct ata_drive drive;
        /* Saved: registers, R/W as AHCI 1.3, 3.3 has them. */
        uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
        uint8_t last_slot;              /* the one begun last: slots take turns */
        bool stopped;                   /* an error waits for the guest to clear ST */
        bool soft_reset;                /* between the two FISes of a software reset */
        /* Of commands that are carried out, which a save lets end. */
        bool busy;                      /* ahci_port_work() is on the stack */
        uint8_t current;                /* slot of the unqueued command, or none */
        bool packet_due;                /* its packet has not been fetched */
        gpa_t header, table;            /* of that command */
        uint32_t prds, prd, prd_offset; /* its data: entries, the present one, place in it */
        uint32_t moved;                 /* bytes so far, for PRDBC */
        uint32_t queued;                /* slots of queued commands on their way through the image */
        uint64_t held_bytes;            /* in their buffers */
        uint32_t generation;            /* of them: what a reset left behind is dropped */
        /* Wiring. */
        struct ahci *ahci;
        unsigned number;
};

struct ahci {
        struct pci_device pci;
        uint32_t ghc, is;               /* saved */
        struct ahci_port port[AHCI_PORTS];
        bool level;                     /* derived by ahci_update() */
        struct memory_region *region;
};

/* -- ahci.c -------------------------------------------------------------------------------------- */

/* Sets bits in the port's interrupt status, and tells the guest if it wants to hear of them. */
void ahci_port_interrupt(struct ahci_port *port, uint32_t bits);

/* -- ahci_command.c ------------------------------------------------------------------------------ */

extern const struct ata_host ahci_host;

/* Goes on with what there is to do: data to move, commands to begin. */
void ahci_port_work(struct ahci_port *port);
/* Forgets commands, as ST going to 0 and resets do. */
void ahci_port_abort(struct ahci_port *port);
/* The drive tells what it is, after a reset: signature, task file, and a FIS. */
void ahci_port_send_signature(struct ahci_port *port);

#endif
