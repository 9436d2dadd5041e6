/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsdt.asl - the machine as an ACPI operating system sees it: PCI root with its interrupt links,
 * the ISA devices, and soft-off.  Processors are in an SSDT that src/machine/acpi.c writes, since
 * their number is known only then.  Addresses agree with src/machine/pc.c and piix4_pm.h.
 */
DefinitionBlock ("", "DSDT", 1, "LODGER", "LODGERPC", 1)
{
    /* The window for PCI memory above 4 GiB: a resource template, in the SSDT, which knows its place;
       without an address descriptor when there is no such window. */
    External (\P64W, BuffObj)
    /* Where the one below 4 GiB begins. */
    External (\P32B, IntObj)

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)

            Name (CRS0, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0xFF, 0, 0x100)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                             0, 0x000A0000, 0x000BFFFF, 0, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                             0, 0xC0000000, 0xFEBFFFFF, 0, 0x3EC00000, , , PW32)
            })
            CreateDWordField (CRS0, PW32._MIN, PMIN)
            CreateDWordField (CRS0, PW32._LEN, PLEN)

            /* Windows XP and older stumble over 64-bit descriptors and are not shown any. */
            Method (_CRS, 0, Serialized)
            {
                PMIN = \P32B
                PLEN = 0xFEC00000 - \P32B
                If (SizeOf (\P64W) > 2)
                {
                    If (_OSI ("Windows 2006"))
                    {
                        Return (ConcatenateResTemplate (CRS0, \P64W))
                    }
                }
                Return (CRS0)
            }

            /* Four pins of 32 slots; pins rotate over the links, slot 1 pin A on link A. */
            Method (_PRT, 0, Serialized)
            {
                Local0 = Package (128) {}
                Local1 = 0
                While (Local1 < 128)
                {
                    Local2 = Local1 >> 2
                    Local3 = ((Local1 & 3) + Local2 + 3) & 3
                    Switch (ToInteger (Local3))
                    {
                        Case (0) { Local4 = Package (4) { 0, 0, LNKA, 0 } }
                        Case (1) { Local4 = Package (4) { 0, 0, LNKB, 0 } }
                        Case (2) { Local4 = Package (4) { 0, 0, LNKC, 0 } }
                        Default  { Local4 = Package (4) { 0, 0, LNKD, 0 } }
                    }
                    Local4 [0] = (Local2 << 16) | 0xFFFF
                    Local4 [1] = Local1 & 3
                    Local0 [Local1] = Local4
                    Local1++
                }
                Return (Local0)
            }

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                OperationRegion (PIRQ, PCI_Config, 0x60, 4)
                Field (PIRQ, ByteAcc, NoLock, Preserve)
                {
                    PRQA, 8,
                    PRQB, 8,
                    PRQC, 8,
                    PRQD, 8
                }

                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0070, 0x0070, 1, 2)
                        IRQNoFlags () { 8 }
                    })
                }

                Device (PIC)
                {
                    Name (_HID, EisaId ("PNP0000"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0020, 0x0020, 1, 2)
                        IO (Decode16, 0x00A0, 0x00A0, 1, 2)
                        IO (Decode16, 0x04D0, 0x04D0, 1, 2)
                        IRQNoFlags () { 2 }
                    })
                }

                Device (TIMR)
                {
                    Name (_HID, EisaId ("PNP0100"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0040, 0x0040, 1, 4)
                        IRQNoFlags () { 0 }
                    })
                }

                Device (SPKR)
                {
                    Name (_HID, EisaId ("PNP0800"))
                    Name (_CRS, ResourceTemplate () { IO (Decode16, 0x0061, 0x0061, 1, 1) })
                }

                Device (FPU)
                {
                    Name (_HID, EisaId ("PNP0C04"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x00F0, 0x00F0, 1, 2)
                        IRQNoFlags () { 13 }
                    })
                }

                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0060, 0x0060, 1, 1)
                        IO (Decode16, 0x0064, 0x0064, 1, 1)
                        IRQNoFlags () { 1 }
                    })
                }

                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } })
                }

                Device (COM1)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 1)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                        IRQNoFlags () { 4 }
                    })
                }

                Device (COM2)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 2)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x02F8, 0x02F8, 1, 8)
                        IRQNoFlags () { 3 }
                    })
                }
            }
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadOnly, 0xFED00000, 0x00000400) })
        }

        /* Interrupt links: each routes one PCI line through the ISA bridge to an ISA interrupt,
         * active high and level-triggered inside the chip set. */
        Name (PRSP, ResourceTemplate ()
        {
            Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 }
        })
        Name (PRSC, ResourceTemplate ()
        {
            Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, , , INTR) { 0 }
        })
        CreateDWordField (PRSC, INTR._INT, IRQN)

        /* Status and present setting of a link whose route register reads Arg0. */
        Method (LSTA, 1, NotSerialized)
        {
            If (Arg0 & 0x80)
            {
                Return (0x09)
            }
            Return (0x0B)
        }
        Method (LCRS, 1, Serialized)
        {
            IRQN = Arg0 & 0x0F
            If (Arg0 & 0x80)
            {
                IRQN = 0
            }
            Return (PRSC)
        }

        Device (LNKA)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 0)
            Method (_STA) { Return (LSTA (^^PCI0.ISA.PRQA)) }
            Method (_DIS) { ^^PCI0.ISA.PRQA |= 0x80 }
            Method (_CRS) { Return (LCRS (^^PCI0.ISA.PRQA)) }
            Method (_PRS) { Return (PRSP) }
            Method (_SRS, 1, Serialized)
            {
                CreateDWordField (Arg0, 5, LIRQ)
                ^^PCI0.ISA.PRQA = LIRQ
            }
        }

        Device (LNKB)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 1)
            Method (_STA) { Return (LSTA (^^PCI0.ISA.PRQB)) }
            Method (_DIS) { ^^PCI0.ISA.PRQB |= 0x80 }
            Method (_CRS) { Return (LCRS (^^PCI0.ISA.PRQB)) }
            Method (_PRS) { Return (PRSP) }
            Method (_SRS, 1, Serialized)
            {
                CreateDWordField (Arg0, 5, LIRQ)
                ^^PCI0.ISA.PRQB = LIRQ
            }
        }

        Device (LNKC)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 2)
            Method (_STA) { Return (LSTA (^^PCI0.ISA.PRQC)) }
            Method (_DIS) { ^^PCI0.ISA.PRQC |= 0x80 }
            Method (_CRS) { Return (LCRS (^^PCI0.ISA.PRQC)) }
            Method (_PRS) { Return (PRSP) }
            Method (_SRS, 1, Serialized)
            {
                CreateDWordField (Arg0, 5, LIRQ)
                ^^PCI0.ISA.PRQC = LIRQ
            }
        }

        Device (LNKD)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 3)
            Method (_STA) { Return (LSTA (^^PCI0.ISA.PRQD)) }
            Method (_DIS) { ^^PCI0.ISA.PRQD |= 0x80 }
            Method (_CRS) { Return (LCRS (^^PCI0.ISA.PRQD)) }
            Method (_PRS) { Return (PRSP) }
            Method (_SRS, 1, Serialized)
            {
                CreateDWordField (Arg0, 5, LIRQ)
                ^^PCI0.ISA.PRQD = LIRQ
            }
        }
    }

    /* Soft-off: SLP_TYP 0 in PM1 control (82371AB datasheet, PMCNTRL). */
    Name (\_S5, Package (4) { 0, 0, 0, 0 })
}
