/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crc32c.c - the Castagnoli CRC (polynomial 1EDC6F41h, reflected; as in RFC 3720, appendix B.4).
 *
 * With SSE4.2 eight bytes take three cycles, so that checking a snapshot costs less than reading it.
 */
#include <string.h>

#include "snapshot/crc32c.h"

enum { POLYNOMIAL_REFLECTED = 0x82f63b78u };

static uint32_t crc_bitwise(uint32_t crc, const uint8_t *bytes, size_t size)
{
        while (size--) {
                crc ^= *bytes++;
                for (int i = 0; i < 8; i++)
                        crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL_REFLECTED : 0);
        }
        return crc;
}

__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *bytes, size_t size)
{
        uint64_t state = crc, word;

        for (; size >= 8; size -= 8, bytes += 8) {
                memcpy(&word, bytes, 8);
                state = __builtin_ia32_crc32di(state, word);
        }
        while (size--)
                state = __builtin_ia32_crc32qi((uint32_t)state, *bytes++);
        return (uint32_t)state;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
        return ~(__builtin_cpu_supports("sse4.2") ? crc_hardware : crc_bitwise)(~crc, bytes, size);
}
