/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_kvm.c - the KVM engine: the same programs under both engines, guests that move at random moments, and a
 * stand-in for KVM whose calls fail one by one.
 *
 * With no usable /dev/kvm the first two say so and check nothing; the stand-in needs none.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/cpuid.h"
#include "cpu/fpu.h"
#include "dbt/dbt.h"
#include "engine/engine.h"
#include "engine/kvm/kvm.h"
#include "unit.h"

enum { RAM_BYTES = 4 << 20, CODE = 0x8000, STACK = 0x10000, DATA = 0x20000, DATA_BYTES = 0x1000, TABLES = 0x1000, DONE_PORT = 0x11,
       DONE_DEVICE = 0x300000 };

/* -- Programs ------------------------------------------------------------------------------------ */

/* User code speaks to a device in memory: KVMs without VT-x lose IOPL, and have IF set.  Each does arithmetic, writes to DATA, says "done" and stays where it is. */
__asm__(".pushsection .rodata\n"
        ".code16\n"
        "real_begin: mov $0x1234, %ax; mov $300, %cx; mov $0x2000, %di; mov %di, %ds; xor %di, %di\n"
        "1: add %cx, %ax; rol $3, %ax; xor $0x55aa, %ax; mov %ax, (%di); add $2, %di; loop 1b\n"
        "pushf; pop %bx; pushw $0x77; popw %dx; lea 5(%bx,%di), %si; out %al, $0x11\n"
        "1: jmp 1b\n"
        "real_end:\n"
        ".code32\n"
        "flat_begin: mov $0x20000, %edi; mov $200, %ecx; mov $1, %eax\n"
        "1: imul $1103515245, %eax; add $12345, %eax; mov %eax, (%edi); lea 4(%edi), %edi; call 2f; loop 1b; jmp 3f\n"
        "2: push %eax; bswap %eax; adc %eax, %edx; pop %eax; ret\n"
        "3: mov $0x20000, %esi; mov $0x20800, %edi; mov $100, %ecx; rep movsb; fninit; fld1; fldpi; fmulp; fstpl 0x20f00\n"
        "pushf; pop %ebx; out %al, $0x11\n"
        "1: jmp 1b\n"
        "flat_end:\n"
        ".code64\n"
        "long_begin: mov $0x20000, %r11d; xor %r8d, %r8d; movq %rdi, %xmm1; mov $1, %eax; mov $3, %r9d\n"
        "1: mov $6364136223846793005, %rdx; imul %rdx, %rax; add $1442695041, %rax; movq %rax, %xmm0; paddq %xmm0, %xmm1\n"
        "movq %xmm1, %r10; mov %r10d, %edx; and $0xff8, %edx; xor %rax, (%r11,%rdx); adc %r10, %r8\n"
        "call 2f; dec %rdi; jnz 1b; jmp 3f\n"
        "2: ror $7, %r9; xor %r8, %r9; ret\n"
        "3: pushfq; pop %rbx; mov $0x300000, %edx; mov %al, (%rdx)\n"
        "1: jmp 1b\n"
        "long_end:\n"
        ".popsection\n");
extern const uint8_t real_begin[], real_end[], flat_begin[], flat_end[], long_begin[], long_end[];

enum mode { REAL, FLAT, USER64 };

static const struct program {
        const char *name;
        enum mode mode;
        const uint8_t *begin, *end;
        uint64_t count;
} programs[] = {
        { "real mode", REAL, real_begin, real_end, 0 },
        { "unpaged 32-bit code", FLAT, flat_begin, flat_end, 0 },
        { "64-bit user code", USER64, long_begin, long_end, 20000 },
};

/* -- A machine of memory and one vCPU ------------------------------------------------------------ */

static struct lock machine_lock;
static struct memory *memory;
static struct engine *engine;
static struct cpu *cpu;
static bool done, was_reset;

static uint32_t io_read(void *opaque, uint16_t port, unsigned size)
{
        (void)opaque;
        (void)port;
        (void)size;
        return 0;
}

static void io_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        (void)opaque;
        (void)value;
        (void)size;
        if (port == DONE_PORT)
                __atomic_store_n(&done, true, __ATOMIC_SEQ_CST);
}

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
        (void)opaque;
        (void)offset;
        (void)size;
        return 0;
}

static void device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
        (void)offset;
        io_write(opaque, DONE_PORT, (uint32_t)value, size);
}

static void on_shutdown(void *opaque, struct cpu *which)
{
        (void)opaque;
        (void)which;
        __atomic_store_n(&was_reset, true, __ATOMIC_SEQ_CST);
}

static void set_segment(enum cpu_segment which, uint16_t selector, uint64_t base, uint32_t limit, uint16_t attr)
{
        cpu->seg[which] = (struct segment){ .selector = selector, .base = base, .limit = limit, .attr = attr };
}

static void put64(uint32_t at, uint64_t value) { memcpy(memory_ram(memory) + at, &value, 8); }

static void set_mode(enum mode mode)
{
        if (mode == REAL) {
                set_segment(SEG_CS, 0, 0, 0xffff, 0x9b);
                return;
        }
        set_segment(SEG_TR, 24, 0x7000, 0x67, 0x8b);
        set_segment(SEG_LDTR, 0, 0, 0xffff, 0);
        if (mode == FLAT) {
                cpu->cr0 = CR0_PE | CR0_ET | CR0_NE;
                set_segment(SEG_CS, 8, 0, 0xffffffff, 0xc09b);
                for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                        if (i != SEG_CS)
                                set_segment(i, 16, 0, 0xffffffff, 0xc093);
                return;
        }
        put64(TABLES, (TABLES + 0x1000) | 7);
        put64(TABLES + 0x1000, (TABLES + 0x2000) | 7);
        for (unsigned i = 0; i < 2; i++)
                put64(TABLES + 0x2000 + 8 * i, (uint64_t)i << 21 | 0xe7);
        cpu->cr3 = TABLES;
        cpu->cr0 = (uint64_t)CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_MP;
        cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
        cpu->efer = EFER_LME | EFER_LMA | EFER_SCE;
        cpu->cpl = 3;
        cpu_set_rflags(cpu, FLAG_ONE | FLAG_IF);
        set_segment(SEG_CS, 11, 0, 0xffffffff, 0xa0fb);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
                if (i != SEG_CS)
                        set_segment(i, 19, 0, 0xffffffff, 0xc0f3);
}

/* False with error set: the engine cannot be had. */
static bool open_machine(const char *name, const struct program *program, uint64_t count, GError **error)
{
        static const struct mmio_ops device = { device_read, device_write, 1, 4 };
        struct engine_options options = { .machine_lock = &machine_lock };
        struct cpu_env env = { .io_read = io_read, .io_write = io_write, .shutdown = on_shutdown };

        done = was_reset = false;
        lock_init(&machine_lock, LOCK_RANK_MACHINE, "machine");
        memory = memory_new(RAM_BYTES, &machine_lock, NULL);
        lock_acquire(&machine_lock);
        memory_map_ram(memory, 0, 0, RAM_BYTES, false, 0, "ram");
        memory_map_mmio(memory, DONE_DEVICE, PAGE_SIZE, &device, NULL, 1, "done");
        lock_release(&machine_lock);
        engine = engine_new(name, memory, &options, error);
        if (!engine)
                return false;
        cpu = engine_add_cpu(engine, 0, cpu_model_find("host"), &env, NULL);
        ck_assert_ptr_nonnull(cpu);
        memcpy(memory_ram(memory) + CODE, program->begin, (size_t)(program->end - program->begin));
        set_mode(program->mode);
        cpu->rip = CODE;
        cpu->regs[RSP] = program->mode == REAL ? 0x7000 : STACK;
        cpu->regs[RDI] = count;
        dbt_state_changed(cpu);
        return engine_start(engine, error);
}

static void close_machine(void)
{
        engine_free(engine);
        memory_free(memory);
        lock_destroy(&machine_lock);
        engine = NULL;
}

static void wait_done(void)
{
        int64_t end = g_get_monotonic_time() + 100 * G_USEC_PER_SEC;

        while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST) && !__atomic_load_n(&was_reset, __ATOMIC_SEQ_CST)) {
                ck_assert_msg(g_get_monotonic_time() < end, "the program does not end");
                g_usleep(200);
        }
        engine_pause(engine);
}

/* What a program leaves behind. */
struct outcome {
        uint64_t regs[CPU_REGS], rip, rflags, cr0, cr3, cr4, efer, xcr0;
        struct segment seg[CPU_SEGMENTS];
        uint8_t xmm[256], st[128], data[DATA_BYTES];
};

static struct outcome take_outcome(void)
{
        struct outcome outcome;

        memset(&outcome, 0, sizeof(outcome));
        memcpy(outcome.regs, cpu->regs, sizeof(outcome.regs));
        outcome.rip = cpu->rip;
        outcome.rflags = cpu_rflags(cpu);
        outcome.cr0 = cpu->cr0;
        outcome.cr3 = cpu->cr3;
        outcome.cr4 = cpu->cr4;
        outcome.efer = cpu->efer;
        outcome.xcr0 = cpu->xcr0;
        for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
                outcome.seg[i].selector = cpu->seg[i].selector;
                outcome.seg[i].attr = cpu->seg[i].attr;
                outcome.seg[i].limit = cpu->seg[i].limit;
                outcome.seg[i].base = cpu->seg[i].base;
        }
        memcpy(outcome.xmm, cpu->fpu.image + FPU_XMM, sizeof(outcome.xmm));
        memcpy(outcome.st, cpu->fpu.image + FPU_ST, sizeof(outcome.st));
        memcpy(outcome.data, memory_ram(memory) + DATA, DATA_BYTES);
        return outcome;
}

static void compare(const char *name, const struct outcome *a, const struct outcome *b)
{
        for (unsigned i = 0; i < CPU_REGS; i++)
                ck_assert_msg(a->regs[i] == b->regs[i], "%s: register %u is %#llx and %#llx", name, i, (unsigned long long)a->regs[i],
                              (unsigned long long)b->regs[i]);
        ck_assert_msg(a->rip == b->rip, "%s: RIP is %#llx and %#llx", name, (unsigned long long)a->rip, (unsigned long long)b->rip);
        ck_assert_msg(a->rflags == b->rflags, "%s: RFLAGS is %#llx and %#llx", name, (unsigned long long)a->rflags,
                      (unsigned long long)b->rflags);
        for (unsigned i = 0; i < CPU_SEGMENTS; i++)
                ck_assert_msg(!memcmp(&a->seg[i], &b->seg[i], sizeof(a->seg[i])), "%s: segment %u: %x %x %x %llx and %x %x %x %llx", name, i,
                              a->seg[i].selector, a->seg[i].attr, a->seg[i].limit, (unsigned long long)a->seg[i].base, b->seg[i].selector,
                              b->seg[i].attr, b->seg[i].limit, (unsigned long long)b->seg[i].base);
        ck_assert_msg(!memcmp(a->data, b->data, DATA_BYTES), "%s: memory differs", name);
        ck_assert_msg(!memcmp(a->xmm, b->xmm, sizeof(a->xmm)), "%s: XMM registers differ", name);
        ck_assert_msg(!memcmp(a->st, b->st, sizeof(a->st)), "%s: x87 registers differ", name);
        ck_assert_msg(a->cr0 == b->cr0 && a->cr3 == b->cr3 && a->cr4 == b->cr4 && a->efer == b->efer && a->xcr0 == b->xcr0,
                      "%s: control registers differ: CR0 %llx %llx CR3 %llx %llx CR4 %llx %llx EFER %llx %llx", name,
                      (unsigned long long)a->cr0, (unsigned long long)b->cr0, (unsigned long long)a->cr3, (unsigned long long)b->cr3,
                      (unsigned long long)a->cr4, (unsigned long long)b->cr4, (unsigned long long)a->efer, (unsigned long long)b->efer);
}

static struct outcome run_under(const char *name, const struct program *program, uint64_t count, const char **ended_under)
{
        struct outcome outcome;

        ck_assert(open_machine(name, program, count, NULL));
        wait_done();
        ck_assert(!was_reset);
        outcome = take_outcome();
        *ended_under = engine_name(engine);
        close_machine();
        return outcome;
}

static bool kvm_missing(void)
{
        struct kvm_report report;
        bool missing;

        kvm_probe(&report);
        missing = !report.usable;
        if (missing)
                printf("not checked: %s\n", report.why);
        kvm_report_clear(&report);
        return missing;
}

START_TEST(same_under_both)
{
        if (kvm_missing())
                return;
        for (size_t i = 0; i < G_N_ELEMENTS(programs); i++) {
                const char *under;
                struct outcome expected = run_under("dbt", &programs[i], programs[i].count, &under);
                struct outcome found = run_under("kvm", &programs[i], programs[i].count, &under);

                printf("%s: %s\n", programs[i].name,
                       strcmp(under, "kvm") ? "this KVM cannot run it to its end; the translator did" : "ran under KVM");
                compare(programs[i].name, &expected, &found);
        }
}
END_TEST

START_TEST(moves_at_random_moments)
{
        /* LODGER_MOVES=1000 for the long version. */
        const char *wanted = g_getenv("LODGER_MOVES");
        unsigned moves = wanted ? (unsigned)atoi(wanted) : 100, made = 0, rounds = 0;
        const struct program *program = &programs[2];
        const char *under;
        struct outcome expected;

        if (kvm_missing())
                return;
        expected = run_under("dbt", program, 3000000, &under);
        while (made < moves) {
                struct outcome found;

                ck_assert(open_machine("dbt", program, 3000000, NULL));
                while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
                        ck_assert(engine_switch(engine, made & 1 ? "dbt" : "kvm", NULL));
                        made++;
                        g_usleep((gulong)(g_random_int() % 300));
                }
                wait_done();
                found = take_outcome();
                close_machine();
                compare("a guest that moved", &expected, &found);
                ck_assert_uint_lt(rounds++, 10000);
        }
        printf("%u moves in %u runs\n", made, rounds);
}
END_TEST

/* -- A stand-in for KVM --------------------------------------------------------------------------- */

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
        const char *under;
        struct outcome expected = run_under("dbt", &programs[1], 0, &under);
        unsigned total;

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
        const char *under;
        struct outcome expected = run_under("dbt", &programs[0], 0, &under);

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

UNIT_MAIN("kvm", same_under_both, moves_at_random_moments, every_call_fails_once, exits_it_does_not_know, no_device,
          state_goes_there_and_back)
