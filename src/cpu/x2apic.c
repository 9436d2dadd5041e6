/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x2apic.c - the local APIC's registers as MSRs 800h to 8FFh (SDM 3A 11.12), which is the only way to them in x2APIC mode.
 *
 * Register 8xxh is the one at offset xx0h of the page, with these differences: the interrupt command register is one of
 * 64 bits, there is a register for interrupts to itself, destination format and arbitration are gone, and what
 * hardware ignores in the page (writes of read-only registers, reserved bits) is refused here.
 */
#include "cpu/lapic.h"
#include "cpu/msr.h"

enum { REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_PPR = 0x0a, REG_EOI = 0x0b, REG_LDR = 0x0d, REG_SVR = 0x0f,
       REG_ISR = 0x10, REG_IRR_LAST = 0x27, REG_ESR = 0x28, REG_ICR = 0x30, REG_LVT = 0x32, REG_LVT_LAST = 0x37,
       REG_INITIAL = 0x38, REG_CURRENT = 0x39, REG_DIVIDE = 0x3e, REG_SELF_IPI = 0x3f };
/* Vector, delivery mode, destination mode, level, trigger mode, shorthand; and the destination. */
#define ICR_BITS UINT64_C(0xffffffff000ccfff)
enum { SVR_BITS = 0x1ff, LVT_READ_ONLY = 1 << 12 | 1 << 14 };

bool lapic_msr_read(struct lapic *lapic, uint32_t index, uint64_t *value)
{
        unsigned reg = index - MSR_X2APIC;

        switch (reg) {
        case REG_ID: case REG_VERSION: case REG_TPR: case REG_PPR: case REG_LDR: case REG_SVR: case REG_ISR ... REG_IRR_LAST:
        case REG_ESR: case REG_LVT ... REG_LVT_LAST: case REG_INITIAL: case REG_CURRENT: case REG_DIVIDE:
                *value = lapic_read(lapic, reg << 4);
                return true;
        case REG_ICR:
                *value = lapic_read(lapic, REG_ICR << 4) | lapic_read(lapic, (REG_ICR + 1) << 4) << 32;
                return true;
        default:                        /* not there, or write-only */
                return false;
        }
}

/* Whether a register takes a value. */
static bool valid(unsigned reg, uint64_t value)
{
        switch (reg) {
        case REG_TPR:
                return !(value >> 8);
        case REG_EOI: case REG_ESR:
                return !value;
        case REG_SVR:
                return !(value & ~(uint64_t)SVR_BITS);
        case REG_ICR:
                return !(value & ~ICR_BITS);
        case REG_LVT ... REG_LVT_LAST:
                return !((value & ~(uint64_t)LVT_READ_ONLY) & ~(uint64_t)lapic_lvt_writable(reg - REG_LVT));
        case REG_INITIAL:
                return !(value >> 32);
        case REG_DIVIDE:
                return !(value & ~UINT64_C(0xb));
        case REG_SELF_IPI:
                return !(value >> 8);
        default:                        /* not there, or read-only */
                return false;
        }
}

bool lapic_msr_write(struct lapic *lapic, uint32_t index, uint64_t value)
{
        unsigned reg = index - MSR_X2APIC;

        if (!valid(reg, value))
                return false;
        if (reg == REG_ICR)
                lapic_write(lapic, (REG_ICR + 1) << 4, (uint32_t)(value >> 32));
        if (reg == REG_SELF_IPI) {
                lapic_send_self(lapic, (uint8_t)value);
                return true;
        }
        lapic_write(lapic, reg << 4, (uint32_t)value);
        return true;
}
