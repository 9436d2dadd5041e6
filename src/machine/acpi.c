/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi.c - ACPI tables (ACPI 2.0, chapter 5) and the script by which SeaBIOS installs them.
 *
 * One file holds FACS, DSDT, FADT, SSDT, MADT, HPET and RSDT behind one another; the RSDP is a file of its
 * own, because it must lie below 1 MiB.  The script is an array of 128-byte commands:
 *
 *      1 allocate      name, alignment, zone: put a file into memory
 *      2 add pointer   file, pointed-to file, offset, size: add where the second one lies
 *      3 add checksum  file, offset, start, length: make the bytes of a table sum to 0
 */
#include <string.h>

#include "devices/chipset/hpet.h"
#include "devices/chipset/piix4_pm.h"
#include "machine/acpi.h"
#include "machine/dsdt.h"

enum { COMMAND_ALLOCATE = 1, COMMAND_POINTER = 2, COMMAND_CHECKSUM = 3, COMMAND_BYTES = 128, NAME_BYTES = 56 };
enum { ZONE_HIGH = 1, ZONE_F_SEGMENT = 2 };
enum { HEADER_BYTES = 36, HEADER_LENGTH = 4, HEADER_CHECKSUM = 9 };
#define TABLES_FILE "etc/acpi/tables"
#define RSDP_FILE "etc/acpi/rsdp"

/* FADT: offsets (ACPI 2.0, table 5-8) and flags. */
enum {
        FADT_FACS = 36, FADT_DSDT = 40, FADT_PROFILE = 45, FADT_SCI_INT = 46, FADT_SMI_CMD = 48, FADT_ACPI_ENABLE = 52,
        FADT_ACPI_DISABLE = 53, FADT_PM1A_EVT = 56, FADT_PM1A_CNT = 64, FADT_PM_TMR = 76, FADT_GPE0 = 80,
        FADT_PM1_EVT_LEN = 88, FADT_PM1_CNT_LEN = 89, FADT_PM_TMR_LEN = 91, FADT_GPE0_LEN = 92, FADT_P_LVL2_LAT = 96,
        FADT_P_LVL3_LAT = 98, FADT_CENTURY = 108, FADT_BOOT_ARCH = 109, FADT_FLAGS = 112, FADT_RESET_REG = 116,
        FADT_RESET_VALUE = 128, FADT_BYTES = 244,
};
enum { FADT_WBINVD = 1 << 0, FADT_PROC_C1 = 1 << 2, FADT_SLP_BUTTON = 1 << 5, FADT_FIX_RTC = 1 << 6, FADT_RESET_SUP = 1 << 10 };
enum { BOOT_ARCH_LEGACY = 1 << 0, BOOT_ARCH_8042 = 1 << 1 };

enum { LOCAL_APIC_BASE = 0xfee00000, IO_APIC_BASE = 0xfec00000 };
enum { MADT_LOCAL_APIC = 0, MADT_IO_APIC = 1, MADT_OVERRIDE = 2, MADT_LOCAL_NMI = 4 };

/* -- Bytes -------------------------------------------------------------------------------------- */

static void put8(GByteArray *bytes, uint8_t value)
{
        g_byte_array_append(bytes, &value, 1);
}

static void put16(GByteArray *bytes, uint16_t value)
{
        put8(bytes, (uint8_t)value);
        put8(bytes, (uint8_t)(value >> 8));
}

static void put32(GByteArray *bytes, uint32_t value)
{
        put16(bytes, (uint16_t)value);
        put16(bytes, (uint16_t)(value >> 16));
}

static void put_text(GByteArray *bytes, const char *text, unsigned size)
{
        for (unsigned i = 0; i < size; i++)
                put8(bytes, (uint8_t)(i < strlen(text) ? text[i] : 0));
}

static void set32(GByteArray *bytes, guint at, uint32_t value)
{
        for (unsigned i = 0; i < 4; i++)
                bytes->data[at + i] = (uint8_t)(value >> 8 * i);
}

static void set16(GByteArray *bytes, guint at, uint16_t value)
{
        bytes->data[at] = (uint8_t)value;
        bytes->data[at + 1] = (uint8_t)(value >> 8);
}

/* -- The loader's script ------------------------------------------------------------------------- */

static void script_end_command(GByteArray *script)
{
        while (script->len % COMMAND_BYTES)
                put8(script, 0);
}

static void script_allocate(GByteArray *script, const char *file, uint32_t alignment, uint8_t zone)
{
        put32(script, COMMAND_ALLOCATE);
        put_text(script, file, NAME_BYTES);
        put32(script, alignment);
        put8(script, zone);
        script_end_command(script);
}

/* The 32-bit pointer at `offset` of `file` points into the tables. */
static void script_pointer(GByteArray *script, const char *file, uint32_t offset)
{
        put32(script, COMMAND_POINTER);
        put_text(script, file, NAME_BYTES);
        put_text(script, TABLES_FILE, NAME_BYTES);
        put32(script, offset);
        put8(script, 4);
        script_end_command(script);
}

static void script_checksum(GByteArray *script, const char *file, uint32_t offset, uint32_t start, uint32_t length)
{
        put32(script, COMMAND_CHECKSUM);
        put_text(script, file, NAME_BYTES);
        put32(script, offset);
        put32(script, start);
        put32(script, length);
        script_end_command(script);
}

/* -- Tables -------------------------------------------------------------------------------------- */

static guint table_begin(GByteArray *tables, const char *signature, uint8_t revision)
{
        guint start = tables->len;

        put_text(tables, signature, 4);
        put32(tables, 0);                       /* length, table_end() */
        put8(tables, revision);
        put8(tables, 0);                        /* checksum, the firmware */
        put_text(tables, "LODGER", 6);
        put_text(tables, "LODGERPC", 8);
        put32(tables, 1);
        put_text(tables, "LDGR", 4);
        put32(tables, 1);
        return start;
}

static void table_end(GByteArray *tables, guint start)
{
        set32(tables, start + HEADER_LENGTH, tables->len - start);
}

static guint add_facs(GByteArray *tables)
{
        guint start = tables->len;

        put_text(tables, "FACS", 4);
        put32(tables, 64);
        put_text(tables, "", 64 - 8);
        return start;
}

static guint add_dsdt(GByteArray *tables)
{
        guint start = tables->len;

        g_byte_array_append(tables, dsdt_aml, sizeof(dsdt_aml));
        tables->data[start + HEADER_CHECKSUM] = 0;      /* iasl's; the firmware adds it again */
        return start;
}

static guint add_fadt(GByteArray *tables, GByteArray *script, guint facs, guint dsdt)
{
        guint start = table_begin(tables, "FACP", 3);
        uint8_t *fadt;

        put_text(tables, "", FADT_BYTES - HEADER_BYTES);
        table_end(tables, start);
        set32(tables, start + FADT_FACS, facs);
        set32(tables, start + FADT_DSDT, dsdt);
        script_pointer(script, TABLES_FILE, start + FADT_FACS);
        script_pointer(script, TABLES_FILE, start + FADT_DSDT);

        set16(tables, start + FADT_SCI_INT, PIIX4_SCI_IRQ);
        set32(tables, start + FADT_SMI_CMD, PIIX4_SMI_COMMAND_PORT);
        set32(tables, start + FADT_PM1A_EVT, PIIX4_PM_BASE);
        set32(tables, start + FADT_PM1A_CNT, PIIX4_PM_BASE + PIIX4_PM_CONTROL);
        set32(tables, start + FADT_PM_TMR, PIIX4_PM_BASE + PIIX4_PM_TIMER);
        set32(tables, start + FADT_GPE0, PIIX4_PM_BASE + PIIX4_PM_GPE0);
        set16(tables, start + FADT_P_LVL2_LAT, 0xfff);  /* no C2 or C3 */
        set16(tables, start + FADT_P_LVL3_LAT, 0xfff);
        set16(tables, start + FADT_BOOT_ARCH, BOOT_ARCH_LEGACY | BOOT_ARCH_8042);
        set32(tables, start + FADT_FLAGS,
              FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_RESET_SUP);
        fadt = tables->data + start;
        fadt[FADT_PROFILE] = 1;                         /* desktop */
        fadt[FADT_ACPI_ENABLE] = PIIX4_ACPI_ENABLE;
        fadt[FADT_ACPI_DISABLE] = PIIX4_ACPI_DISABLE;
        fadt[FADT_PM1_EVT_LEN] = 4;
        fadt[FADT_PM1_CNT_LEN] = 2;
        fadt[FADT_PM_TMR_LEN] = 4;
        fadt[FADT_GPE0_LEN] = 4;
        fadt[FADT_CENTURY] = 0x32;
        /* Reset register: a byte at I/O port CF9h (generic address: space 1, 8 bits). */
        fadt[FADT_RESET_REG] = 1;
        fadt[FADT_RESET_REG + 1] = 8;
        fadt[FADT_RESET_REG + 3] = 1;
        set32(tables, start + FADT_RESET_REG + 4, 0xcf9);
        fadt[FADT_RESET_VALUE] = 0x0f;
        return start;
}

static void put64(GByteArray *bytes, uint64_t value)
{
        put32(bytes, (uint32_t)value);
        put32(bytes, (uint32_t)(value >> 32));
}

/* Name (\P64W, Buffer () { ... }): a QWord address space descriptor (ACPI 2.0, 6.4.3.5.1) and the end tag. */
static void put_window64(GByteArray *tables, uint64_t base, uint64_t end)
{
        unsigned size = end > base ? 46 + 2 : 2;

        put8(tables, 0x08);                     /* NameOp */
        put_text(tables, "P64W", 4);
        put8(tables, 0x11);                     /* BufferOp */
        put8(tables, (uint8_t)(size + 3));      /* PkgLength: itself, the size, the bytes */
        put8(tables, 0x0a);                     /* BytePrefix */
        put8(tables, (uint8_t)size);
        if (end > base) {
                put8(tables, 0x8a);
                put16(tables, 43);
                put8(tables, 0);                /* memory */
                put8(tables, 0x0c);             /* a window of the bridge, both ends fixed, positive decode */
                put8(tables, 0x03);             /* read and write, cacheable */
                put64(tables, 0);
                put64(tables, base);
                put64(tables, end - 1);
                put64(tables, 0);
                put64(tables, end - base);
        }
        put8(tables, 0x79);
        put8(tables, 0);
}

/* One Processor object a vCPU, in AML (ACPI 2.0, 17.2): Scope (\_SB) { Processor (C000, 0, 0, 0) {} ... } */
static guint add_ssdt(GByteArray *tables, const struct acpi_machine *machine)
{
        guint start = table_begin(tables, "SSDT", 1);
        unsigned cpus = machine->cpus;
        unsigned length = 3 + 5 + cpus * 13;    /* PkgLength itself, the name, the processors */

        put_window64(tables, machine->window64_base, machine->window64_end);
        put8(tables, 0x08);                     /* NameOp */
        put_text(tables, "P32B", 4);
        put8(tables, 0x0c);                     /* DWordPrefix */
        put32(tables, machine->window32_base);
        put8(tables, 0x10);                     /* ScopeOp */
        put8(tables, (uint8_t)(0x80 | (length & 15)));
        put8(tables, (uint8_t)(length >> 4));
        put8(tables, (uint8_t)(length >> 12));
        put_text(tables, "\\_SB_", 5);
        for (unsigned i = 0; i < cpus; i++) {
                char name[8];

                g_snprintf(name, sizeof(name), "C%03X", i);
                put8(tables, 0x5b);             /* ProcessorOp */
                put8(tables, 0x83);
                put8(tables, 11);               /* PkgLength */
                put_text(tables, name, 4);
                put8(tables, (uint8_t)i);
                put32(tables, 0);               /* no processor block */
                put8(tables, 0);
        }
        table_end(tables, start);
        return start;
}

static void add_override(GByteArray *tables, uint8_t irq, uint32_t pin, uint16_t flags)
{
        put8(tables, MADT_OVERRIDE);
        put8(tables, 10);
        put8(tables, 0);                        /* ISA */
        put8(tables, irq);
        put32(tables, pin);
        put16(tables, flags);
}

static guint add_madt(GByteArray *tables, unsigned cpus)
{
        enum { LEVEL_HIGH = 0x000d };
        static const uint8_t pci_irqs[] = { 5, 9, 10, 11 };
        guint start = table_begin(tables, "APIC", 1);

        put32(tables, LOCAL_APIC_BASE);
        put32(tables, 1);                       /* there is an 8259 pair too */
        for (unsigned i = 0; i < cpus; i++) {
                put8(tables, MADT_LOCAL_APIC);
                put8(tables, 8);
                put8(tables, (uint8_t)i);       /* processor */
                put8(tables, (uint8_t)i);       /* APIC ID */
                put32(tables, 1);
        }
        put8(tables, MADT_IO_APIC);
        put8(tables, 12);
        put8(tables, 0);
        put8(tables, 0);
        put32(tables, IO_APIC_BASE);
        put32(tables, 0);
        add_override(tables, 0, 2, 0);          /* the timer is on pin 2 */
        for (unsigned i = 0; i < sizeof(pci_irqs); i++)
                add_override(tables, pci_irqs[i], pci_irqs[i], LEVEL_HIGH);
        put8(tables, MADT_LOCAL_NMI);
        put8(tables, 6);
        put8(tables, 0xff);                     /* all processors */
        put16(tables, 0);
        put8(tables, 1);                        /* LINT1 */
        table_end(tables, start);
        return start;
}

/* Event timers (IA-PC HPET 1.0a, 3.2.4). */
static guint add_hpet(GByteArray *tables)
{
        guint start = table_begin(tables, "HPET", 1);

        put32(tables, HPET_BLOCK_ID);
        put32(tables, 0);                       /* base: in memory */
        put32(tables, HPET_BASE);
        put32(tables, 0);
        put8(tables, 0);                        /* the first of its kind */
        put16(tables, HPET_MINIMUM_TICK);
        put8(tables, 0);                        /* nothing else in its page is promised */
        table_end(tables, start);
        return start;
}

static guint add_rsdt(GByteArray *tables, GByteArray *script, const guint *entries, unsigned n)
{
        guint start = table_begin(tables, "RSDT", 1);

        for (unsigned i = 0; i < n; i++) {
                script_pointer(script, TABLES_FILE, tables->len);
                put32(tables, entries[i]);
        }
        table_end(tables, start);
        return start;
}

static GByteArray *make_rsdp(guint rsdt)
{
        GByteArray *rsdp = g_byte_array_new();

        put_text(rsdp, "RSD PTR ", 8);
        put8(rsdp, 0);                          /* checksum */
        put_text(rsdp, "LODGER", 6);
        put8(rsdp, 0);                          /* revision: RSDT only */
        put32(rsdp, rsdt);
        return rsdp;
}

static uint32_t table_length(const GByteArray *tables, guint start)
{
        const uint8_t *at = tables->data + start + HEADER_LENGTH;

        return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

void acpi_build(const struct acpi_machine *machine, struct acpi_tables *result)
{
        enum { FADT, SSDT, MADT, HPET, IN_RSDT };
        GByteArray *tables = g_byte_array_new(), *script = g_byte_array_new(), *rsdp;
        guint in_rsdt[IN_RSDT], dsdt, facs, rsdt, summed[IN_RSDT + 2];

        script_allocate(script, RSDP_FILE, 16, ZONE_F_SEGMENT);
        script_allocate(script, TABLES_FILE, 64, ZONE_HIGH);
        facs = add_facs(tables);                /* first: it must be 64-byte aligned */
        dsdt = add_dsdt(tables);
        in_rsdt[FADT] = add_fadt(tables, script, facs, dsdt);
        in_rsdt[SSDT] = add_ssdt(tables, machine);
        in_rsdt[MADT] = add_madt(tables, machine->cpus);
        in_rsdt[HPET] = add_hpet(tables);
        rsdt = add_rsdt(tables, script, in_rsdt, IN_RSDT);
        rsdp = make_rsdp(rsdt);
        script_pointer(script, RSDP_FILE, 16);

        /* Checksums last: they cover the pointers. */
        memcpy(summed, in_rsdt, sizeof(in_rsdt));
        summed[IN_RSDT] = dsdt;
        summed[IN_RSDT + 1] = rsdt;
        for (unsigned i = 0; i < G_N_ELEMENTS(summed); i++)
                script_checksum(script, TABLES_FILE, summed[i] + HEADER_CHECKSUM, summed[i],
                                table_length(tables, summed[i]));
        script_checksum(script, RSDP_FILE, 8, 0, 20);

        result->tables = g_byte_array_free_to_bytes(tables);
        result->rsdp = g_byte_array_free_to_bytes(rsdp);
        result->loader = g_byte_array_free_to_bytes(script);
}
