/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crc32c.h - the Castagnoli CRC, which x86 has an instruction for. */
#ifndef LODGER_SNAPSHOT_CRC32C_H
#define LODGER_SNAPSHOT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc, which is 0 for the first bytes. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

#endif
