/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtc.h - real-time clock and CMOS memory (class "rtc"). */
#ifndef LODGER_DEVICES_CHIPSET_RTC_H
#define LODGER_DEVICES_CHIPSET_RTC_H

#include "devices/device.h"

void rtc_connect_irq(struct device *device, struct irq irq);
/* Battery-backed memory, index 0Eh and up; not touched by a reset. */
uint8_t rtc_cmos_get(struct device *device, unsigned index);
void rtc_cmos_set(struct device *device, unsigned index, uint8_t value);
/* Where the time of day comes from: microseconds since 1970, UTC.  NULL: the host's clock. */
void rtc_set_time_source(struct device *device, int64_t (*now_us)(void));

#endif
