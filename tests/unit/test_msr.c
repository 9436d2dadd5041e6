/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_msr.c - which MSRs exist, what they refuse, and what writing them changes.
 */
#include "cpu/exec.h"
#include "cpu/msr.h"
#include "cpu_fixture.h"

static uint64_t tsc_now;

static uint64_t fake_tsc(void *opaque)
{
        (void)opaque;
        return tsc_now;
}

static void use(const char *name)
{
        cpu_init(cpu, 0, cpu_model_find(name), memory);
        cpu->env.tsc = fake_tsc;
        fixture_protected();
}

static uint64_t read_ok(uint32_t index)
{
        uint64_t value = 0;

        ck_assert_msg(msr_read(cpu, index, &value), "rdmsr %x", index);
        return value;
}

static void write_ok(uint32_t index, uint64_t value)
{
        ck_assert_msg(msr_write(cpu, index, value), "wrmsr %x", index);
}

static void write_refused(uint32_t index, uint64_t value)
{
        ck_assert_msg(!msr_write(cpu, index, value), "wrmsr %x", index);
        ck_exception(EXC_GP, 0);
}

static void read_refused(uint32_t index)
{
        uint64_t value;

        ck_assert_msg(!msr_read(cpu, index, &value), "rdmsr %x", index);
        ck_exception(EXC_GP, 0);
}

START_TEST(unknown_ones_fault)
{
        use("host");
        read_refused(0x12345678);
        write_refused(0x12345678, 0);
        read_refused(0xc0011022);
        use("pentium3");
        read_refused(MSR_KERNEL_GS_BASE);
        use("486");
        read_refused(MSR_TSC);
        use("pentium");
        read_refused(MSR_APIC_BASE);
        read_refused(MSR_EFER);
        read_refused(MSR_ARCH_CAPABILITIES);
        use("pentium3");
        read_refused(MSR_EFER);
}
END_TEST

START_TEST(tsc_is_set_by_offset)
{
        use("pentium");
        tsc_now = 1000;
        ck_assert_uint_eq(read_ok(MSR_TSC), 1000);
        write_ok(MSR_TSC, 50);
        ck_assert_uint_eq(read_ok(MSR_TSC), 50);
        tsc_now = 1010;
        ck_assert_uint_eq(read_ok(MSR_TSC), 60);
        read_refused(MSR_TSC_ADJUST);
        use("host");
        cpu->tsc_offset = cpu->tsc_adjust = 0;
        write_ok(MSR_TSC_ADJUST, 5);
        ck_assert_uint_eq(read_ok(MSR_TSC), 1015);
        write_ok(MSR_TSC, 1020);
        ck_assert_uint_eq(read_ok(MSR_TSC_ADJUST), 10);
}
END_TEST

/* What CPUID offers may be set, the rest is reserved (SDM 4, table 2-2); LMA is read-only. */
START_TEST(efer_takes_what_cpuid_offers)
{
        use("host");
        write_ok(MSR_EFER, EFER_NXE);
        ck_assert_uint_eq(cpu->efer, EFER_NXE);
        write_refused(MSR_EFER, 1 << 1);
        if (cpu_has(cpu, FEATURE_LM)) {
                write_ok(MSR_EFER, EFER_NXE | EFER_LME | EFER_LMA | EFER_SCE);
                ck_assert_uint_eq(read_ok(MSR_EFER), EFER_NXE | EFER_LME | EFER_SCE);
                cpu->cr0 |= CR0_PG;
                write_refused(MSR_EFER, EFER_NXE | EFER_SCE);
                cpu->cr0 &= ~(uint64_t)CR0_PG;
        }
        use("pentium3");
        write_refused(MSR_EFER, EFER_LME);
        write_refused(MSR_EFER, EFER_SCE);
}
END_TEST

START_TEST(memory_types_are_checked)
{
        use("host");
        write_refused(MSR_PAT, 2);
        write_ok(MSR_PAT, UINT64_C(0x0007040600070105));
        ck_assert_uint_eq(read_ok(MSR_PAT), UINT64_C(0x0007040600070105));
        write_refused(MSR_MTRR_FIX64K, 7);
        write_ok(MSR_MTRR_FIX4K_LAST, UINT64_C(0x0606060606060606));
        ck_assert_uint_eq(cpu->mtrr_fixed[10], UINT64_C(0x0606060606060606));
        write_ok(MSR_MTRR_VAR, 0x80000006);
        write_refused(MSR_MTRR_VAR, 0x80000002);
        write_refused(MSR_MTRR_VAR, UINT64_C(1) << 60);
        write_ok(MSR_MTRR_VAR + 1, UINT64_C(0xff80000800));
        write_refused(MSR_MTRR_VAR + 1, 1);
        write_ok(MSR_MTRR_DEF_TYPE, 0xc06);
        write_refused(MSR_MTRR_DEF_TYPE, 0x1006);
        write_refused(MSR_MTRR_CAP, 0);
        ck_assert_uint_eq(read_ok(MSR_MTRR_CAP), 0x508);
}
END_TEST

START_TEST(sysenter_holds_32_bits)
{
        use("pentium3");
        write_ok(MSR_SYSENTER_CS, 8);
        write_ok(MSR_SYSENTER_EIP, UINT64_C(0x1c0001234));
        ck_assert_uint_eq(read_ok(MSR_SYSENTER_EIP), 0xc0001234);
        ck_assert_uint_eq(cpu->sysenter_cs, 8);
}
END_TEST

START_TEST(mitigations_are_not_needed)
{
        use("host");
        ck_assert(read_ok(MSR_ARCH_CAPABILITIES) & 1);          /* RDCL_NO */
        write_refused(MSR_ARCH_CAPABILITIES, 0);
        write_ok(MSR_SPEC_CTRL, 1);
        ck_assert_uint_eq(read_ok(MSR_SPEC_CTRL), 1);
        write_refused(MSR_SPEC_CTRL, 8);
        write_ok(MSR_PRED_CMD, 1);
        read_refused(MSR_PRED_CMD);
}
END_TEST

START_TEST(apic_base_bits)
{
        use("host");
        ck_assert_uint_eq(read_ok(MSR_APIC_BASE), 0xfee00900);
        write_refused(MSR_APIC_BASE, 0xfee00500);               /* x2APIC mode of a disabled APIC */
        write_refused(MSR_APIC_BASE, 0xfee00901);
        write_ok(MSR_APIC_BASE, 0xfee00100);
        ck_assert_uint_eq(cpu->apic_base, 0xfee00100);
}
END_TEST

START_TEST(instructions_use_edx_eax_and_cpl)
{
        struct insn insn = { .length = 2 };

        use("pentium3");
        cpu->regs[RCX] = MSR_PAT;
        cpu->regs[RAX] = UINT32_MAX;
        ck_assert(exec_rdmsr(cpu, &insn));
        ck_assert_uint_eq(cpu->regs[RAX], 0x00070406);
        ck_assert_uint_eq(cpu->regs[RDX], 0x00070406);
        cpu->regs[RAX] = 0x06060606;
        cpu->regs[RDX] = 0x01010101;
        ck_assert(exec_wrmsr(cpu, &insn));
        ck_assert_uint_eq(cpu->pat, UINT64_C(0x0101010106060606));
        cpu->cpl = 3;
        ck_assert(!exec_rdmsr(cpu, &insn));
        ck_exception(EXC_GP, 0);
        ck_assert(!exec_wrmsr(cpu, &insn));
        ck_exception(EXC_GP, 0);
}
END_TEST

static void fill(TCase *cases)
{
        tcase_add_test(cases, unknown_ones_fault);
        tcase_add_test(cases, tsc_is_set_by_offset);
        tcase_add_test(cases, efer_takes_what_cpuid_offers);
        tcase_add_test(cases, memory_types_are_checked);
        tcase_add_test(cases, sysenter_holds_32_bits);
        tcase_add_test(cases, mitigations_are_not_needed);
        tcase_add_test(cases, apic_base_bits);
        tcase_add_test(cases, instructions_use_edx_eax_and_cpl);
}

int main(void)
{
        return fixture_main("msr", fill);
}
