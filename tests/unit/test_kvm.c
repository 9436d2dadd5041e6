/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_kvm.c - the KVM engine and a stand-in for KVM, whose calls fail one by one; needs no /dev/kvm.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm_fixture.h"
#include "unit.h"

/* -- The stand-in ------------------------------------------------------------------------------- */

/* Keeps what is set; its KVM_RUN fails to emulate at once, so everything is done by the translator in the end. */
static struct {
        unsigned calls, fail_at;        /* the call that fails; 0: none */
        int open_errno, fail_errno;
        unsigned long failed;
        struct kvm_regs regs;
        struct kvm_sregs sregs;
        struct kvm_xsave xsave;
        struct kvm_xcrs xcrs;
        struct kvm_debugregs debug;
        struct kvm_vcpu_events events;
        struct kvm_msr_entry msr[64];
        unsigned msrs;
        struct kvm_run *run;
        unsigned exit_reason;
} fake;

static int fake_open(const char *path)
{
        (void)path;
        errno = fake.open_errno;
        return fake.open_errno ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int fake_msrs(struct kvm_msrs *list, bool set)
{
        for (unsigned i = 0; i < list->nmsrs; i++) {
                unsigned at = 0;

                while (at < fake.msrs && fake.msr[at].index != list->entries[i].index)
                        at++;
                if (at == fake.msrs && at < G_N_ELEMENTS(fake.msr))
                        fake.msr[fake.msrs++].index = list->entries[i].index;
                if (set)
                        fake.msr[at] = list->entries[i];
                else
                        list->entries[i] = fake.msr[at];
        }
        return (int)list->nmsrs;
}

static int fake_ioctl(int fd, unsigned long request, void *argument)
{
        (void)fd;
        if (++fake.calls == fake.fail_at) {
                fake.failed = request;
                errno = fake.fail_errno;
                return -1;
        }
        switch (request) {
        case KVM_GET_API_VERSION: return 12;
        case KVM_CHECK_EXTENSION: return 1;
        case KVM_CREATE_VM:
        case KVM_CREATE_VCPU: return open("/dev/null", O_RDWR | O_CLOEXEC);
        case KVM_GET_VCPU_MMAP_SIZE: return (int)MAX(sizeof(struct kvm_run), 8192);
        case KVM_SET_REGS: fake.regs = *(struct kvm_regs *)argument; return 0;
        case KVM_GET_REGS: *(struct kvm_regs *)argument = fake.regs; return 0;
        case KVM_SET_SREGS: fake.sregs = *(struct kvm_sregs *)argument; return 0;
        case KVM_GET_SREGS: *(struct kvm_sregs *)argument = fake.sregs; return 0;
        case KVM_SET_XSAVE: fake.xsave = *(struct kvm_xsave *)argument; return 0;
        case KVM_GET_XSAVE: *(struct kvm_xsave *)argument = fake.xsave; return 0;
        case KVM_SET_XCRS: fake.xcrs = *(struct kvm_xcrs *)argument; return 0;
        case KVM_GET_XCRS: *(struct kvm_xcrs *)argument = fake.xcrs; return 0;
        case KVM_SET_DEBUGREGS: fake.debug = *(struct kvm_debugregs *)argument; return 0;
        case KVM_GET_DEBUGREGS: *(struct kvm_debugregs *)argument = fake.debug; return 0;
        case KVM_SET_VCPU_EVENTS: fake.events = *(struct kvm_vcpu_events *)argument; return 0;
        case KVM_GET_VCPU_EVENTS: *(struct kvm_vcpu_events *)argument = fake.events; return 0;
        case KVM_SET_MSRS: return fake_msrs(argument, true);
        case KVM_GET_MSRS: return fake_msrs(argument, false);
        case KVM_RUN:
                fake.run->exit_reason = fake.exit_reason;
                fake.run->apic_base = fake.sregs.apic_base;
                fake.run->cr8 = fake.sregs.cr8;
                return 0;
        default: return 0;
        }
}

static void *fake_map(int fd, size_t bytes)
{
        void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)fd;
        fake.run = area;
        return area == MAP_FAILED ? NULL : area;
}

static const struct kvm_ops fake_ops = { fake_open, fake_ioctl, fake_map };

static void fake_begin(unsigned fail_at, int fail_errno)
{
        memset(&fake, 0, sizeof(fake));
        fake.fail_at = fail_at;
        fake.fail_errno = fail_errno;
        fake.exit_reason = KVM_EXIT_INTERNAL_ERROR;
        kvm_ops = &fake_ops;
}

/* Whatever call fails: a clear error before the machine is made, or the translator does the work.  What it computes
 * is right unless KVM kept the state to itself: then the vCPU is reset, and the machine hears of it. */
static void one_failure(const char *name, unsigned fail_at, const struct outcome *expected)
{
        GError *error = NULL;

        fake_begin(fail_at, EIO);
        if (!open_machine(name, &programs[1], 0, &error)) {
                ck_assert_msg(strcmp(name, "auto") != 0, "auto does not carry on: %s", error->message);
                ck_assert(error && *error->message && !strchr(error->message, '\n'));
                g_error_free(error);
                close_machine();
                return;
        }
        wait_done();
        if (was_reset) {
                ck_assert_msg(fake.failed, "reset without a failure");
        } else {
                struct outcome found = take_outcome();

                compare("after a failure", expected, &found);
                ck_assert_str_eq(engine_name(engine), "dbt");
        }
        close_machine();
}

START_TEST(every_call_fails_once)
{
        char *why;
        struct outcome expected = run_under("dbt", &programs[1], 0, &why);
        unsigned total;

        ck_assert_ptr_null(why);
        fake_begin(0, 0);
        one_failure("kvm", 0, &expected);
        total = fake.calls;
        ck_assert_uint_gt(total, 40);
        for (unsigned i = 1; i <= total; i++)
                one_failure("kvm", i, &expected);
        for (unsigned i = 1; i <= total; i += 3)
                one_failure("auto", i, &expected);
}
END_TEST

START_TEST(exits_it_does_not_know)
{
        static const unsigned reasons[] = { KVM_EXIT_SHUTDOWN, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_UNKNOWN, KVM_EXIT_INTERNAL_ERROR, 99 };
        char *why;
        struct outcome expected = run_under("dbt", &programs[0], 0, &why);

        for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++) {
                struct outcome found;

                fake_begin(0, 0);
                fake.exit_reason = reasons[i];
                ck_assert(open_machine("kvm", &programs[0], 0, NULL));
                wait_done();
                found = take_outcome();
                ck_assert_str_eq(engine_name(engine), "dbt");
                close_machine();
                compare("after an exit", &expected, &found);
        }
}
END_TEST

START_TEST(no_device)
{
        static const int problems[] = { ENOENT, EACCES, EBUSY, ENODEV };

        for (size_t i = 0; i < G_N_ELEMENTS(problems); i++) {
                GError *error = NULL;
                char *why;

                fake_begin(0, 0);
                fake.open_errno = problems[i];
                ck_assert(!open_machine("kvm", &programs[0], 0, &error));
                ck_assert_ptr_nonnull(strstr(error->message, "/dev/kvm"));
                ck_assert_ptr_nonnull(strchr(error->message, ';'));     /* a remedy */
                g_clear_error(&error);
                close_machine();
                ck_assert(!engine_probe("kvm", &why));
                ck_assert_ptr_nonnull(strstr(why, "/dev/kvm"));
                g_free(why);
                ck_assert(open_machine("auto", &programs[0], 0, NULL));
                wait_done();
                ck_assert_str_eq(engine_name(engine), "dbt");
                ck_assert(!engine_switch(engine, "kvm", &error));
                g_error_free(error);
                close_machine();
        }
}
END_TEST

/* Every field comes back as it went, whatever its value. */
START_TEST(state_goes_there_and_back)
{
        struct outcome before, after;

        fake_begin(0, 0);
        ck_assert(open_machine("dbt", &programs[2], 1000000000, NULL));
        for (unsigned round = 0; round < 20; round++) {
                uint64_t saved[12];
                uint8_t mtrr = (uint8_t)g_random_int();

                engine_pause(engine);
                for (unsigned i = 0; i < 4; i++)
                        cpu->dr[i] = g_random_int();
                cpu->lstar = saved[0] = g_random_int();
                cpu->star = saved[1] = (uint64_t)g_random_int() << 32 | g_random_int();
                cpu->kernel_gs_base = saved[2] = g_random_int();
                cpu->tsc_aux = saved[3] = g_random_int();
                cpu->pat = saved[4] = UINT64_C(0x0007040600070406);
                cpu->cr2 = saved[5] = g_random_int();
                cpu->cr8 = saved[6] = g_random_int() & 15;
                cpu->mtrr_fixed[10] = mtrr;
                saved[7] = round & 1;
                cpu->shadow = round & 1;
                saved[8] = round >> 1 & 1;
                cpu->nmi_blocked = round >> 1 & 1;
                cpu->fpu.ip = saved[9] = g_random_int();
                cpu->fpu.op = 0x123;
                saved[10] = cpu->dr[2];
                before = take_outcome();
                fake.exit_reason = KVM_EXIT_INTR;
                ck_assert(engine_switch(engine, "kvm", NULL));
                engine_resume(engine);
                g_usleep(1000);
                engine_pause(engine);
                ck_assert_str_eq(engine_name(engine), "kvm");
                after = take_outcome();
                compare("there and back", &before, &after);
                ck_assert_uint_eq(cpu->lstar, saved[0]);
                ck_assert_uint_eq(cpu->star, saved[1]);
                ck_assert_uint_eq(cpu->kernel_gs_base, saved[2]);
                ck_assert_uint_eq(cpu->tsc_aux, saved[3]);
                ck_assert_uint_eq(cpu->pat, saved[4]);
                ck_assert_uint_eq(cpu->cr2, saved[5]);
                ck_assert_uint_eq(cpu->cr8, saved[6]);
                ck_assert_uint_eq(cpu->shadow, saved[7]);
                ck_assert_uint_eq(cpu->nmi_blocked, saved[8]);
                ck_assert_uint_eq(cpu->fpu.ip, saved[9]);
                ck_assert_uint_eq(cpu->fpu.op, 0x123);
                ck_assert_uint_eq(cpu->dr[2], saved[10]);
                ck_assert_uint_eq(cpu->mtrr_fixed[10], mtrr);
                cpu->dr[7] = 0x400;
                for (unsigned i = 0; i < 4; i++)
                        cpu->dr[i] = 0;
                ck_assert(engine_switch(engine, "dbt", NULL));
                engine_resume(engine);
                g_usleep(500);
        }
        close_machine();
}
END_TEST

UNIT_MAIN("kvm", every_call_fails_once, exits_it_does_not_know, no_device, state_goes_there_and_back)
