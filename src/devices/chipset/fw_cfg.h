/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg.h - what the machine hands to its firmware (class "fw_cfg").
 *
 * Items are added before the machine runs and never change.
 */
#ifndef LODGER_DEVICES_CHIPSET_FW_CFG_H
#define LODGER_DEVICES_CHIPSET_FW_CFG_H

#include "devices/device.h"

/* Item numbers, as the interface's specification fixes them. */
enum fw_cfg_item {
        FW_CFG_SIGNATURE = 0x00, FW_CFG_ID = 0x01, FW_CFG_UUID = 0x02, FW_CFG_RAM_SIZE = 0x03, FW_CFG_NB_CPUS = 0x05,
        FW_CFG_KERNEL_ADDR = 0x07, FW_CFG_KERNEL_SIZE = 0x08, FW_CFG_INITRD_ADDR = 0x0a, FW_CFG_INITRD_SIZE = 0x0b,
        FW_CFG_BOOT_MENU = 0x0e, FW_CFG_MAX_CPUS = 0x0f, FW_CFG_KERNEL_ENTRY = 0x10, FW_CFG_KERNEL_DATA = 0x11,
        FW_CFG_INITRD_DATA = 0x12, FW_CFG_CMDLINE_ADDR = 0x13, FW_CFG_CMDLINE_SIZE = 0x14, FW_CFG_CMDLINE_DATA = 0x15,
        FW_CFG_SETUP_ADDR = 0x16, FW_CFG_SETUP_SIZE = 0x17, FW_CFG_SETUP_DATA = 0x18, FW_CFG_FILE_DIR = 0x19,
        FW_CFG_FILE_FIRST = 0x20,
};

/* Takes over the reference to bytes. */
void fw_cfg_set(struct device *device, enum fw_cfg_item item, GBytes *bytes);
/* The item is the first `size` bytes of an open file, read each time the guest asks, so that an initrd
 * does not take up memory twice.  Takes over the descriptor. */
void fw_cfg_set_file(struct device *device, enum fw_cfg_item item, int fd, uint32_t size);
void fw_cfg_set_u16(struct device *device, enum fw_cfg_item item, uint16_t value);
void fw_cfg_set_u32(struct device *device, enum fw_cfg_item item, uint32_t value);
void fw_cfg_set_u64(struct device *device, enum fw_cfg_item item, uint64_t value);
/* name: up to 55 bytes, "etc/e820".  Takes over the reference. */
void fw_cfg_add_file(struct device *device, const char *name, GBytes *bytes);

#endif
