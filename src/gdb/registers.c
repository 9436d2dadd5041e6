/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registers.c - the registers of i386 and x86-64 in the order GDB numbers them, and their XML description.
 *
 * The order within each feature is fixed by GDB ("Debugging with GDB", appendix on target descriptions, i386
 * features).
 */
#include <string.h>
#include "gdb/internal.h"

/* Offsets in the FXSAVE image (SDM 1 table 10-2). */
enum { FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_MXCSR = 24, FX_ST = 32, FX_XMM = 160, FX_STRIDE = 16, ST_BYTES = 10 };

enum kind {
        KIND_GENERAL, KIND_IP, KIND_FLAGS, KIND_SEGMENT, KIND_ST,
        KIND_FCTRL, KIND_FSTAT, KIND_FTAG, KIND_FISEG, KIND_FIOFF, KIND_FOSEG, KIND_FOOFF, KIND_FOP,
        KIND_XMM, KIND_MXCSR, KIND_BASE,
};

struct reg {
        const char *name, *type;
        uint8_t bytes, kind, index;
};

#define X87 \
        { "st0", "i387_ext", 10, KIND_ST, 0 }, { "st1", "i387_ext", 10, KIND_ST, 1 }, { "st2", "i387_ext", 10, KIND_ST, 2 }, \
        { "st3", "i387_ext", 10, KIND_ST, 3 }, { "st4", "i387_ext", 10, KIND_ST, 4 }, { "st5", "i387_ext", 10, KIND_ST, 5 }, \
        { "st6", "i387_ext", 10, KIND_ST, 6 }, { "st7", "i387_ext", 10, KIND_ST, 7 }, \
        { "fctrl", "int", 4, KIND_FCTRL, 0 }, { "fstat", "int", 4, KIND_FSTAT, 0 }, { "ftag", "int", 4, KIND_FTAG, 0 }, \
        { "fiseg", "int", 4, KIND_FISEG, 0 }, { "fioff", "int", 4, KIND_FIOFF, 0 }, { "foseg", "int", 4, KIND_FOSEG, 0 }, \
        { "fooff", "int", 4, KIND_FOOFF, 0 }, { "fop", "int", 4, KIND_FOP, 0 }
#define SEGMENTS \
        { "cs", "int32", 4, KIND_SEGMENT, SEG_CS }, { "ss", "int32", 4, KIND_SEGMENT, SEG_SS }, \
        { "ds", "int32", 4, KIND_SEGMENT, SEG_DS }, { "es", "int32", 4, KIND_SEGMENT, SEG_ES }, \
        { "fs", "int32", 4, KIND_SEGMENT, SEG_FS }, { "gs", "int32", 4, KIND_SEGMENT, SEG_GS }
#define R32(text, r) { text, "int32", 4, KIND_GENERAL, r }
#define R64(text, r) { text, "int64", 8, KIND_GENERAL, r }
#define XMM(n) { "xmm" #n, "vec128", 16, KIND_XMM, n }
#define XMM_LOW XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7)

static const struct reg regs32[] = {
        R32("eax", RAX), R32("ecx", RCX), R32("edx", RDX), R32("ebx", RBX),
        { "esp", "data_ptr", 4, KIND_GENERAL, RSP }, { "ebp", "data_ptr", 4, KIND_GENERAL, RBP },
        R32("esi", RSI), R32("edi", RDI), { "eip", "code_ptr", 4, KIND_IP, 0 },
        { "eflags", "i386_eflags", 4, KIND_FLAGS, 0 }, SEGMENTS, X87,
        XMM_LOW, { "mxcsr", "i386_mxcsr", 4, KIND_MXCSR, 0 },
};

static const struct reg regs64[] = {
        R64("rax", RAX), R64("rbx", RBX), R64("rcx", RCX), R64("rdx", RDX), R64("rsi", RSI), R64("rdi", RDI),
        { "rbp", "data_ptr", 8, KIND_GENERAL, RBP }, { "rsp", "data_ptr", 8, KIND_GENERAL, RSP },
        R64("r8", R8), R64("r9", R9), R64("r10", R10), R64("r11", R11), R64("r12", R12), R64("r13", R13),
        R64("r14", R14), R64("r15", R15), { "rip", "code_ptr", 8, KIND_IP, 0 },
        { "eflags", "i386_eflags", 4, KIND_FLAGS, 0 }, SEGMENTS, X87,
        XMM_LOW, XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15),
        { "mxcsr", "i386_mxcsr", 4, KIND_MXCSR, 0 },
        { "fs_base", "int64", 8, KIND_BASE, SEG_FS }, { "gs_base", "int64", 8, KIND_BASE, SEG_GS },
};

static const struct reg *find(enum gdb_arch arch, unsigned number)
{
        if (number >= gdb_register_count(arch))
                return NULL;
        return arch == GDB_ARCH_X86_64 ? &regs64[number] : &regs32[number];
}

unsigned gdb_register_count(enum gdb_arch arch)
{
        return arch == GDB_ARCH_X86_64 ? G_N_ELEMENTS(regs64) : G_N_ELEMENTS(regs32);
}

unsigned gdb_register_bytes(enum gdb_arch arch, unsigned number)
{
        const struct reg *reg = find(arch, number);
        return reg ? reg->bytes : 0;
}

/* -- Description ------------------------------------------------------------------------------------ */

static void append_field(GString *xml, const char *name, unsigned bit)
{
        g_string_append_printf(xml, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", name, bit, bit);
}

static void append_flag_types(GString *xml)
{
        static const struct { const char *name; uint8_t bit; } eflags[] = {
                { "CF", 0 }, { "", 1 }, { "PF", 2 }, { "AF", 4 }, { "ZF", 6 }, { "SF", 7 }, { "TF", 8 }, { "IF", 9 }, { "DF", 10 },
                { "OF", 11 }, { "NT", 14 }, { "RF", 16 }, { "VM", 17 }, { "AC", 18 }, { "VIF", 19 }, { "VIP", 20 }, { "ID", 21 },
        };

        g_string_append(xml, "<flags id=\"i386_eflags\" size=\"4\">");
        for (unsigned i = 0; i < G_N_ELEMENTS(eflags); i++)
                append_field(xml, eflags[i].name, eflags[i].bit);
        g_string_append(xml, "</flags>");
}

static void append_vector_types(GString *xml)
{
        static const char *const mxcsr[] = {
                "IE", "DE", "ZE", "OE", "UE", "PE", "DAZ", "IM", "DM", "ZM", "OM", "UM", "PM", NULL, NULL, "FZ",
        };
        static const char *const vectors[][3] = {
                { "v4f", "ieee_single", "4" }, { "v2d", "ieee_double", "2" }, { "v16i8", "int8", "16" }, { "v8i16", "int16", "8" },
                { "v4i32", "int32", "4" }, { "v2i64", "int64", "2" },
        };
        static const char *const fields[][2] = {
                { "v4_float", "v4f" }, { "v2_double", "v2d" }, { "v16_int8", "v16i8" }, { "v8_int16", "v8i16" },
                { "v4_int32", "v4i32" }, { "v2_int64", "v2i64" }, { "uint128", "uint128" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(vectors); i++)
                g_string_append_printf(xml, "<vector id=\"%s\" type=\"%s\" count=\"%s\"/>", vectors[i][0], vectors[i][1], vectors[i][2]);
        g_string_append(xml, "<union id=\"vec128\">");
        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
                g_string_append_printf(xml, "<field name=\"%s\" type=\"%s\"/>", fields[i][0], fields[i][1]);
        g_string_append(xml, "</union><flags id=\"i386_mxcsr\" size=\"4\">");
        for (unsigned i = 0; i < G_N_ELEMENTS(mxcsr); i++)
                if (mxcsr[i])
                        append_field(xml, mxcsr[i], i);
        g_string_append(xml, "</flags>");
}

GString *gdb_target_xml(enum gdb_arch arch)
{
        GString *xml = g_string_new("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>");
        const char *feature = NULL;

        g_string_append_printf(xml, "<architecture>%s</architecture>", arch == GDB_ARCH_X86_64 ? "i386:x86-64" : "i386");
        for (unsigned i = 0; i < gdb_register_count(arch); i++) {
                const struct reg *reg = find(arch, i);
                const char *belongs = reg->kind == KIND_BASE ? "org.gnu.gdb.i386.segments"
                        : reg->kind >= KIND_XMM ? "org.gnu.gdb.i386.sse" : "org.gnu.gdb.i386.core";
                if (belongs != feature) {
                        g_string_append_printf(xml, "%s<feature name=\"%s\">", feature ? "</feature>" : "", belongs);
                        if (reg->kind == KIND_XMM)
                                append_vector_types(xml);
                        else if (reg->kind != KIND_BASE)
                                append_flag_types(xml);
                        feature = belongs;
                }
                g_string_append_printf(xml, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"%s/>", reg->name, reg->bytes * 8u, reg->type,
                                       reg->kind >= KIND_FCTRL && reg->kind <= KIND_FOP ? " group=\"float\"" : "");
        }
        g_string_append(xml, "</feature></target>");
        return xml;
}

/* -- Values ------------------------------------------------------------------------------------------ */

static uint64_t image_get(const struct cpu *cpu, unsigned offset, unsigned bytes)
{
        uint64_t value = 0;

        memcpy(&value, cpu->fpu.image + offset, bytes);
        return value;
}

/* The full tag word from the image's one bit a register: empty, or (the value is not looked at) valid. */
static uint64_t full_tags(const struct cpu *cpu)
{
        uint8_t used = cpu->fpu.image[FX_FTW];
        uint64_t tags = 0;

        for (unsigned i = 0; i < 8; i++)
                if (!(used >> i & 1))
                        tags |= UINT64_C(3) << (2 * i);
        return tags;
}

static uint64_t value_get(const struct cpu *cpu, const struct reg *reg)
{
        switch ((enum kind)reg->kind) {
        case KIND_GENERAL: return cpu->regs[reg->index];
        case KIND_IP: return cpu->rip;
        case KIND_FLAGS: return cpu_rflags(cpu);
        case KIND_SEGMENT: return cpu->seg[reg->index].selector;
        case KIND_FCTRL: return image_get(cpu, FX_FCW, 2);
        case KIND_FSTAT: return image_get(cpu, FX_FSW, 2);
        case KIND_FTAG: return full_tags(cpu);
        case KIND_FISEG: return cpu->fpu.cs;
        case KIND_FIOFF: return cpu->fpu.ip;
        case KIND_FOSEG: return cpu->fpu.ds;
        case KIND_FOOFF: return cpu->fpu.dp;
        case KIND_FOP: return cpu->fpu.op;
        case KIND_MXCSR: return image_get(cpu, FX_MXCSR, 4);
        case KIND_BASE: return cpu->seg[reg->index].base;
        case KIND_ST:
        case KIND_XMM: break;
        }
        return 0;
}

void gdb_register_get(const struct cpu *cpu, enum gdb_arch arch, unsigned number, uint8_t *bytes)
{
        const struct reg *reg = find(arch, number);

        if (reg->kind == KIND_ST || reg->kind == KIND_XMM) {
                memcpy(bytes, cpu->fpu.image + (reg->kind == KIND_ST ? FX_ST : FX_XMM) + FX_STRIDE * reg->index, reg->bytes);
        } else {
                uint64_t value = value_get(cpu, reg);
                memcpy(bytes, &value, reg->bytes);
        }
}

bool gdb_register_set(struct cpu *cpu, enum gdb_arch arch, unsigned number, const uint8_t *bytes)
{
        const struct reg *reg = find(arch, number);
        uint64_t value = 0;

        if (!reg)
                return false;
        if (reg->bytes <= sizeof(value))
                memcpy(&value, bytes, reg->bytes);
        switch ((enum kind)reg->kind) {
        case KIND_GENERAL:
                cpu->regs[reg->index] = value;
                return true;
        case KIND_IP:
                if (cpu->rip != value)
                        cpu->halted = 0;
                cpu->rip = value;
                return true;
        case KIND_FLAGS:
                if ((value ^ cpu_rflags(cpu)) & FLAG_VM)        /* a mode of its own, with its own segments */
                        return false;
                cpu_set_rflags(cpu, value);
                return true;
        case KIND_FCTRL:
                memcpy(cpu->fpu.image + FX_FCW, &value, 2);
                return true;
        case KIND_FSTAT:
                memcpy(cpu->fpu.image + FX_FSW, &value, 2);
                return true;
        case KIND_MXCSR:
                if (value & ~UINT64_C(0xffbf))  /* reserved bits: loading them would fault */
                        return false;
                memcpy(cpu->fpu.image + FX_MXCSR, &value, 4);
                return true;
        case KIND_ST:
        case KIND_XMM:
                memcpy(cpu->fpu.image + (reg->kind == KIND_ST ? FX_ST : FX_XMM) + FX_STRIDE * reg->index, bytes, reg->bytes);
                return true;
        default:
                break;
        }
        /* Selectors bring descriptors, tags and pointers belong to values: they stay what they are. */
        return value == (reg->bytes == 8 ? value_get(cpu, reg) : (uint32_t)value_get(cpu, reg));
}
