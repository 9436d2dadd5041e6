/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flash.h - what the machine tells its NOR flash (class "flash"). */
#ifndef LODGER_DEVICES_CHIPSET_FLASH_H
#define LODGER_DEVICES_CHIPSET_FLASH_H

#include "devices/device.h"

/* Where it lies, and what it holds when it has no file yet, whole pages; before device_start(). */
void flash_set_contents(struct device *device, gpa_t base, GBytes *bytes);

#endif
