/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.c - whether this host's KVM is there, is allowed, and can be trusted (traps.md T24).
 *
 * A KVM may be there and useless: one without VT-x underneath emulates supervisor code, incompletely and a
 * thousand times slower.  So a few microseconds of guest code are run in each mode a guest starts in, with what
 * such emulators lack (int3 and SSE in ring 0, 32-bit paging), and a loop is timed.
 *
 * Each program runs in a virtual machine of its own with two MiB of memory:
 *
 *      1000h  page tables (PML4, PDPT, PD of long mode; the one directory of 32-bit paging)
 *      5000h  IDT, one gate: 3     6000h  GDT     7000h  TSS     8000h  the program     9000h  #BP's handler
 *
 * and says what it computed by OUT to port 10h.
 */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cpu/msr.h"
#include "engine/kvm/internal.h"

enum { API_VERSION = 12, MEMORY_BYTES = 2 << 20, PORT = 0x10, RUNS_MAX = 50 };
enum { TABLES = 0x1000, IDT = 0x5000, GDT = 0x6000, PROGRAM = 0x8000, HANDLER = 0x9000, STACK = 0x10000 };
enum mode { REAL, PAGED32, LONG };

struct program {
        const char *name;
        enum mode mode;
        uint32_t expected;
        const uint8_t *code;
        size_t size;
};

/* mov ax,1234h; inc ax; out 10h,ax; hlt */
static const uint8_t real_code[] = { 0xb8, 0x34, 0x12, 0x40, 0xe7, PORT, 0xf4 };

/* mov eax,7; mov [20000h],eax; add eax,[20000h]; out 10h,eax; hlt */
static const uint8_t paged_code[] = {
        0xb8, 7, 0, 0, 0, 0xa3, 0, 0, 2, 0, 0x03, 0x05, 0, 0, 2, 0, 0xe7, PORT, 0xf4,
};

/* fninit; fld1; fld1; faddp; fistp dword [20000h]; mov eax,[20000h] (2); movd xmm0,eax; paddd xmm0,xmm0; movd eax,xmm0 (4);
 * int3 (handler: add eax,38; iretq); out 10h,eax; hlt */
static const uint8_t long_code[] = {
        0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xe8, 0xde, 0xc1, 0xdb, 0x1c, 0x25, 0, 0, 2, 0, 0x8b, 0x04, 0x25, 0, 0, 2, 0,
        0x66, 0x0f, 0x6e, 0xc0, 0x66, 0x0f, 0xfe, 0xc0, 0x66, 0x0f, 0x7e, 0xc0, 0xcc, 0xe7, PORT, 0xf4,
};
static const uint8_t handler_code[] = { 0x83, 0xc0, 38, 0x48, 0xcf };

/* mov ecx,40000; 1: dec ecx; jnz 1b; mov eax,ecx; out 10h,eax; hlt */
enum { LOOP_COUNT = 40000, LOOP_INSNS = 2 * LOOP_COUNT };
static const uint8_t loop_code[] = {
        0xb9, LOOP_COUNT & 0xff, LOOP_COUNT >> 8, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0x89, 0xc8, 0xe7, PORT, 0xf4,
};

static const struct program loop_program = { N_("a loop in ring 0"), LONG, 0, loop_code, sizeof(loop_code) };
static const struct program programs[] = {
        { N_("real mode"), REAL, 0x1235, real_code, sizeof(real_code) },
        { N_("32-bit paging"), PAGED32, 14, paged_code, sizeof(paged_code) },
        { N_("x87, SSE and int3 in long mode"), LONG, 42, long_code, sizeof(long_code) },
};

/* -- The device ---------------------------------------------------------------------------------- */

static const struct {
        int capability;
        const char *name;
} needed[] = {
        { KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" }, { KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM" },
        { KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" }, { KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
        { KVM_CAP_XSAVE, "KVM_CAP_XSAVE" }, { KVM_CAP_XCRS, "KVM_CAP_XCRS" }, { KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS" },
        { KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS" }, { KVM_CAP_USER_NMI, "KVM_CAP_USER_NMI" },
};

int kvm_open_device(char **why, char **remedy)
{
        int fd = kvm_ops->open("/dev/kvm"), version;

        if (fd < 0) {
                int problem = errno;

                *why = problem == ENOENT ? g_strdup(_("there is no /dev/kvm")) : g_strdup_printf("/dev/kvm: %s", g_strerror(problem));
                if (problem == EACCES || problem == EPERM)
                        *remedy = g_strdup(_("add yourself to the group kvm; in a container, pass --device /dev/kvm"));
                else if (problem == EBUSY)
                        *remedy = g_strdup(_("another hypervisor uses the CPU's virtualization; end it"));
                else
                        *remedy = g_strdup(_("load the module kvm_intel or kvm_amd, turn VT-x or AMD-V on in the firmware's set-up "
                                             "(or nested virtualization in the host of this host); in a container, pass --device /dev/kvm"));
                return -1;
        }
        version = kvm_call(fd, KVM_GET_API_VERSION, NULL);
        if (version != API_VERSION) {
                *why = version < 0 ? g_strdup_printf("KVM_GET_API_VERSION: %s", g_strerror(errno))
                                   : g_strdup_printf(_("/dev/kvm has version %d of the interface, not %d"), version, API_VERSION);
                *remedy = g_strdup(_("use a kernel of this century"));
                close(fd);
                return -1;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
                if (kvm_call(fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)needed[i].capability) <= 0) {
                        *why = g_strdup_printf(_("this KVM lacks %s"), needed[i].name);
                        *remedy = g_strdup(_("a newer kernel has it"));
                        close(fd);
                        return -1;
                }
        return fd;
}

/* -- Running one program ------------------------------------------------------------------------- */

struct trial {
        int vm, vcpu;
        uint8_t *memory;
        struct kvm_run *run;
        size_t run_bytes;
};

static void trial_end(struct trial *trial)
{
        if (trial->run)
                munmap(trial->run, trial->run_bytes);
        if (trial->vcpu >= 0)
                close(trial->vcpu);
        if (trial->vm >= 0)
                close(trial->vm);
        if (trial->memory != MAP_FAILED)
                munmap(trial->memory, MEMORY_BYTES);
}

/* False: *why names the call that failed. */
static bool trial_begin(int fd, struct trial *trial, char **why)
{
        struct kvm_userspace_memory_region region = { .memory_size = MEMORY_BYTES };
        const char *step = "mmap";
        int size;

        *trial = (struct trial){ .vm = -1, .vcpu = -1 };
        trial->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (trial->memory == MAP_FAILED)
                goto fail;
        step = "KVM_CREATE_VM";
        trial->vm = kvm_call(fd, KVM_CREATE_VM, NULL);
        if (trial->vm < 0)
                goto fail;
        step = "KVM_SET_TSS_ADDR";
        if (kvm_call(fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)KVM_CAP_SET_TSS_ADDR) > 0 &&
            kvm_call(trial->vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)0xfeffd000u) < 0)
                goto fail;
        step = "KVM_SET_USER_MEMORY_REGION";
        region.userspace_addr = (uintptr_t)trial->memory;
        if (kvm_call(trial->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
                goto fail;
        step = "KVM_CREATE_VCPU";
        trial->vcpu = kvm_call(trial->vm, KVM_CREATE_VCPU, NULL);
        if (trial->vcpu < 0)
                goto fail;
        step = "KVM_GET_VCPU_MMAP_SIZE";
        size = kvm_call(fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
        if (size < (int)sizeof(struct kvm_run))
                goto fail;
        trial->run_bytes = (size_t)size;
        trial->run = kvm_ops->map(trial->vcpu, trial->run_bytes);
        if (trial->run)
                return true;
fail:
        *why = g_strdup_printf("%s: %s", step, g_strerror(errno));
        trial_end(trial);
        return false;
}

static void put64(uint8_t *memory, unsigned at, uint64_t value) { memcpy(memory + at, &value, 8); }

static void fill_memory(const struct trial *trial, const struct program *program)
{
        uint8_t *memory = trial->memory;
        uint32_t big_page = 0x83;               /* present, writable, large: the first 4 MiB as they are */

        memcpy(memory + PROGRAM, program->code, program->size);
        memcpy(memory + HANDLER, handler_code, sizeof(handler_code));
        if (program->mode == PAGED32) {
                memcpy(memory + TABLES, &big_page, 4);
        } else {
                put64(memory, TABLES, (TABLES + 0x1000) | 3);
                put64(memory, TABLES + 0x1000, (TABLES + 0x2000) | 3);
                put64(memory, TABLES + 0x2000, big_page);
        }
        put64(memory, GDT + 8, UINT64_C(0x00af9b000000ffff));
        put64(memory, GDT + 16, UINT64_C(0x00cf93000000ffff));
        put64(memory, IDT + 3 * 16, UINT64_C(0x00008e0000080000) | HANDLER);    /* a 64-bit interrupt gate */
}

static bool set_registers(const struct trial *trial, const struct program *program)
{
        struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1 };
        struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .g = 1 };
        struct kvm_regs regs = { .rip = PROGRAM, .rsp = STACK, .rflags = 2 };
        struct kvm_sregs sregs;

        if (kvm_call(trial->vcpu, KVM_GET_SREGS, &sregs) < 0)
                return false;
        if (program->mode == REAL) {
                sregs.cs.base = sregs.cs.selector = 0;
        } else {
                code.l = program->mode == LONG;
                code.db = !code.l;
                sregs.cs = code;
                sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
                sregs.gdt.base = GDT;
                sregs.gdt.limit = 23;
                sregs.idt.base = IDT;
                sregs.idt.limit = 16 * 4 - 1;
                sregs.cr3 = TABLES;
                sregs.cr0 = (uint64_t)CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_MP;
                sregs.cr4 = program->mode == LONG ? CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT : CR4_PSE;
                if (program->mode == LONG)
                        sregs.efer = EFER_LME | EFER_LMA;
        }
        return kvm_call(trial->vcpu, KVM_SET_SREGS, &sregs) >= 0 && kvm_call(trial->vcpu, KVM_SET_REGS, &regs) >= 0;
}

static char *describe_exit(const struct kvm_run *run)
{
        switch (run->exit_reason) {
        case KVM_EXIT_SHUTDOWN: return g_strdup(_("shut down"));
        case KVM_EXIT_INTERNAL_ERROR: return g_strdup(_("an instruction it cannot emulate"));
        case KVM_EXIT_FAIL_ENTRY: return g_strdup(_("the CPU refuses to enter"));
        default: return g_strdup_printf(_("exit %u"), run->exit_reason);
        }
}

/* True: the program said what it should.  Otherwise *why. */
static bool run_program(int fd, const struct program *program, int64_t *took_us, char **why)
{
        struct trial trial;
        bool ok = false;
        int64_t start;

        if (!trial_begin(fd, &trial, why))
                return false;
        fill_memory(&trial, program);
        if (!set_registers(&trial, program)) {
                *why = g_strdup_printf("KVM_SET_SREGS: %s", g_strerror(errno));
                goto out;
        }
        start = g_get_monotonic_time();
        for (unsigned i = 0; i < RUNS_MAX; i++) {
                if (kvm_call(trial.vcpu, KVM_RUN, NULL) < 0) {
                        if (errno == EINTR)
                                continue;
                        *why = g_strdup_printf("KVM_RUN: %s", g_strerror(errno));
                        goto out;
                }
                break;
        }
        *took_us = g_get_monotonic_time() - start;
        if (trial.run->exit_reason == KVM_EXIT_IO && trial.run->io.port == PORT) {
                uint32_t value = 0;

                memcpy(&value, (uint8_t *)trial.run + trial.run->io.data_offset, MIN(trial.run->io.size, 4));
                ok = value == program->expected;
                if (!ok)
                        *why = g_strdup_printf(_("a wrong result, %#x instead of %#x"), value, program->expected);
        } else {
                *why = describe_exit(trial.run);
        }
out:
        if (!ok) {
                char *detail = *why;

                *why = g_strdup_printf(_("its self-test fails (%s: %s)"), _(program->name), detail ? detail : "?");
                g_free(detail);
        }
        trial_end(&trial);
        return ok;
}

bool kvm_self_test(int fd, double *mips, char **why)
{
        int64_t took_us = 0;
        char *ignored = NULL;

        *mips = 0;
        if (run_program(fd, &loop_program, &took_us, &ignored))
                *mips = (double)LOOP_INSNS / (double)MAX(took_us, 1);
        g_free(ignored);
        for (size_t i = 0; i < G_N_ELEMENTS(programs); i++)
                if (!run_program(fd, &programs[i], &took_us, why))
                        return false;
        return true;
}

/* -- The verdict --------------------------------------------------------------------------------- */

void kvm_probe(struct kvm_report *report)
{
        char *problem = NULL;
        int fd;

        *report = (struct kvm_report){ 0 };
        fd = kvm_open_device(&report->why, &report->remedy);
        if (fd < 0)
                return;
        report->usable = true;
        report->correct = kvm_self_test(fd, &report->mips, &problem);
        close(fd);
        report->works = report->correct && report->mips >= KVM_CRAWL_MIPS;
        if (report->works) {
                report->why = g_strdup_printf(_("hardware virtualization works, %.0f million instructions a second"), report->mips);
                return;
        }
        if (problem && report->mips > 0)
                report->why = g_strdup_printf(_("/dev/kvm is there, but %s, and it runs supervisor code at %.1f million instructions a second"),
                                              problem, report->mips);
        else if (problem)
                report->why = g_strdup_printf(_("/dev/kvm is there, but %s"), problem);
        else
                report->why = g_strdup_printf(_("/dev/kvm is there, but runs supervisor code at %.1f million instructions a second only"),
                                              report->mips);
        report->remedy = g_strdup(_("this looks like a KVM without VT-x or AMD-V: turn it on in the firmware's set-up, or nested "
                                    "virtualization in the host of this host; until then the translator is faster"));
        g_free(problem);
}

void kvm_report_clear(struct kvm_report *report)
{
        g_clear_pointer(&report->why, g_free);
        g_clear_pointer(&report->remedy, g_free);
}
