/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * native.c - runs one instruction at a time on the host's own CPU, from any 32-bit state.
 *
 * The child owns the low addresses of the world (isa.h).  It enters a case by returning from a signal
 * handler whose frame it has rewritten: sigreturn's IRET is the far transfer to CS 23h (or to a 16-bit
 * segment of the LDT) that loads every general register, the flags and the FPU at once.  The
 * instruction is followed by INT3, so every case ends in a signal, either SIGTRAP behind the
 * instruction or its own fault; the frame of that signal holds the whole state after it, with the
 * hardware's vector, error code and CR2.  One signal per case, about three microseconds.
 *
 * Invariants:
 * N1  The handler runs with the guest's FS, and perhaps AC, until the entry stub has put its own back:
 *     thread-local storage and the stack protector work only behind it.
 * N2  DS, ES, FS and GS are not part of a 64-bit signal frame: the stub stores and loads them.  A
 *     selector that cannot be loaded would fault in the stub, so cases use loadable ones only.
 * N3  No case executes an instruction that enters the host's kernel (INT 80h, SYSENTER, SYSCALL).
 */
#include <asm/ldt.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "isa.h"

enum { ARCH_SET_FS_CODE = 0x1002, ARCH_GET_FS_CODE = 0x1003, TIMER_US = 100000 };

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* Linux's description of the signal frame's FPU area: behind the 464 bytes the CPU uses of FXSAVE's
 * area, and the XSAVE header behind the area. */
enum { FX_SW_RESERVED = 464, XSAVE_HEADER = 512 };

static struct {
        struct isa_shared *shared;
        int fd;
        uint8_t *code, *data;           /* the always-writable alias */
        uint8_t base[ISA_DATA_BYTES];
        bool started;
        uint32_t alarmed;               /* case number + 1 that the last alarm found running */
} native;

/* Used by the stub. */
uint64_t isa_native_host_fs __attribute__((visibility("hidden")));
uint16_t isa_native_segments[4] __attribute__((visibility("hidden")));         /* DS ES FS GS */

void isa_native_signal(int signal, siginfo_t *info, void *context) __attribute__((visibility("hidden")));
void isa_native_entry(int signal, siginfo_t *info, void *context) __attribute__((visibility("hidden")));

/* N1, N2.  158: arch_prctl. */
__asm__(".text\n"
        ".globl isa_native_entry\n"
        ".hidden isa_native_entry\n"
        ".type isa_native_entry, @function\n"
        "isa_native_entry:\n"
        "       pushq $2\n"
        "       popfq\n"
        "       movw %ds, isa_native_segments(%rip)\n"
        "       movw %es, isa_native_segments+2(%rip)\n"
        "       movw %fs, isa_native_segments+4(%rip)\n"
        "       movw %gs, isa_native_segments+6(%rip)\n"
        "       pushq %rdi\n"
        "       pushq %rsi\n"
        "       pushq %rdx\n"
        "       xorl %eax, %eax\n"
        "       movw %ax, %fs\n"
        "       movl $158, %eax\n"
        "       movl $0x1002, %edi\n"
        "       movq isa_native_host_fs(%rip), %rsi\n"
        "       syscall\n"
        "       popq %rdx\n"
        "       popq %rsi\n"
        "       popq %rdi\n"
        "       subq $8, %rsp\n"
        "       call isa_native_signal\n"
        "       addq $8, %rsp\n"
        "       movw isa_native_segments(%rip), %ds\n"
        "       movw isa_native_segments+2(%rip), %es\n"
        "       movw isa_native_segments+6(%rip), %gs\n"
        "       movw isa_native_segments+4(%rip), %fs\n"
        "       ret\n"
        ".size isa_native_entry, .-isa_native_entry\n"
        ".section .note.GNU-stack,\"\",@progbits\n"
        ".text\n");

static const int register_order[8] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI };

/* -- One case ---------------------------------------------------------------------------------- */

static void load_case(const struct isa_case *c, ucontext_t *context)
{
        greg_t *g = context->uc_mcontext.gregs;
        uint8_t *frame = (uint8_t *)context->uc_mcontext.fpregs;
        uint64_t components = 3;        /* x87 and SSE; everything else in its initial state */

        memcpy(native.code + (c->code_linear - ISA_CODE), c->code, c->code_bytes);
        isa_apply_patches(c, native.data);
        for (unsigned i = 0; i < 8; i++)
                g[register_order[i]] = c->before.gpr[i];
        g[REG_R8] = g[REG_R9] = g[REG_R10] = g[REG_R11] = g[REG_R12] = g[REG_R13] = g[REG_R14] = g[REG_R15] = 0;
        g[REG_RIP] = c->before.eip;
        g[REG_EFL] = c->before.eflags;
        g[REG_CSGSFS] = (greg_t)((uint64_t)c->before.seg[ISA_CS] | (uint64_t)c->before.seg[ISA_SS] << 48);
        isa_native_segments[0] = c->before.seg[ISA_DS];
        isa_native_segments[1] = c->before.seg[ISA_ES];
        isa_native_segments[2] = c->before.seg[ISA_FS];
        isa_native_segments[3] = c->before.seg[ISA_GS];
        memcpy(frame, &c->before.fx, offsetof(struct isa_fx, mxcsr_mask));
        memcpy(frame + offsetof(struct isa_fx, st), c->before.fx.st, FX_SW_RESERVED - offsetof(struct isa_fx, st));
        memcpy(frame + XSAVE_HEADER, &components, sizeof(components));
}

static void store_case(const struct isa_case *c, int signal, const ucontext_t *context, struct isa_result *result)
{
        const greg_t *g = context->uc_mcontext.gregs;
        uint64_t selectors = (uint64_t)g[REG_CSGSFS];

        for (unsigned i = 0; i < 8; i++)
                result->after.gpr[i] = (uint32_t)g[register_order[i]];
        result->after.eip = (uint32_t)g[REG_RIP];
        result->after.eflags = (uint32_t)g[REG_EFL];
        result->after.seg[ISA_CS] = (uint16_t)selectors;
        result->after.seg[ISA_SS] = (uint16_t)(selectors >> 48);
        result->after.seg[ISA_DS] = isa_native_segments[0];
        result->after.seg[ISA_ES] = isa_native_segments[1];
        result->after.seg[ISA_FS] = isa_native_segments[2];
        result->after.seg[ISA_GS] = isa_native_segments[3];
        memcpy(&result->after.fx, context->uc_mcontext.fpregs, sizeof(result->after.fx));
        result->note[0] = 0;
        if (signal == SIGALRM) {
                result->vector = ISA_VECTOR_TIMEOUT;
                result->error = result->cr2 = 0;
        } else {
                result->vector = (uint32_t)g[REG_TRAPNO];
                /* The kernel leaves the error code and CR2 of an earlier fault in place for the others. */
                bool has_error = result->vector == 8 || (result->vector >= 10 && result->vector <= 14) || result->vector == 17;

                result->error = has_error ? (uint32_t)g[REG_ERR] : 0;
                result->cr2 = result->vector == 14 ? (uint32_t)g[REG_CR2] : 0;
        }
        isa_diff_data(c, native.base, native.data, result);
        /* Undo: code, patches and what the instruction wrote. */
        memset(native.code + (c->code_linear - ISA_CODE), 0xcc, c->code_bytes);
        for (unsigned i = 0; i < c->patches; i++)
                memcpy(native.data + (c->patch[i].address - ISA_DATA), native.base + (c->patch[i].address - ISA_DATA),
                       c->patch[i].size);
        for (unsigned part = 0; part < 2; part++) {
                const struct isa_diff *diff = part ? &result->stack : &result->data;

                if (diff->size)
                        memcpy(native.data + (diff->start - ISA_DATA), native.base + (diff->start - ISA_DATA), diff->size);
        }
}

/* Waits for the next batch; the child ends here. */
static void next_batch(void)
{
        char byte = 'd';

        if (native.started && write(native.fd, &byte, 1) != 1)
                _exit(0);
        if (read(native.fd, &byte, 1) != 1)
                _exit(0);
        native.started = true;
}

void isa_native_signal(int signal, siginfo_t *info, void *opaque)
{
        struct isa_shared *shared = native.shared;
        ucontext_t *context = opaque;

        (void)info;
        if (!native.started) {
                sigemptyset(&context->uc_sigmask);
                next_batch();
        } else if (signal == SIGALRM && native.alarmed != shared->next + 1) {
                /* The alarm may have come before the first instruction: once more, from the start. */
                struct isa_result scratch;

                native.alarmed = shared->next + 1;
                store_case(&shared->cases[shared->next], signal, context, &scratch);
        } else {
                store_case(&shared->cases[shared->next], signal, context, &shared->results[shared->next]);
                shared->next++;
                native.alarmed = 0;
        }
        while (shared->next >= shared->count)
                next_batch();
        load_case(&shared->cases[shared->next], context);
}

/* -- The child --------------------------------------------------------------------------------- */

static void fail(const char *what)
{
        fprintf(stderr, "isa: native runner: %s: %s\n", what, strerror(errno));
        _exit(3);
}

static bool load_ldt(void)
{
        for (unsigned i = 0; i < ISA_LDT_ENTRIES; i++) {
                const struct isa_descriptor *d = &isa_ldt[i];
                struct user_desc entry = {
                        .entry_number = i, .base_addr = d->base, .limit = d->limit, .seg_32bit = d->big,
                        .contents = d->code ? MODIFY_LDT_CONTENTS_CODE :
                                d->expand_down ? MODIFY_LDT_CONTENTS_STACK : MODIFY_LDT_CONTENTS_DATA,
                        .read_exec_only = d->read_only, .seg_not_present = d->absent, .useable = 0,
                };

                if (syscall(SYS_modify_ldt, 0x11, &entry, sizeof(entry)) != 0)
                        return false;
        }
        return true;
}

bool isa_native_has_ldt(void)
{
        int status = 1;
        pid_t pid = fork();

        if (pid == 0)
                _exit(load_ldt() ? 0 : 1);
        return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void map_world(void)
{
        int fd = memfd_create("isa", MFD_CLOEXEC);
        size_t size = ISA_CODE_BYTES + ISA_DATA_BYTES;
        int fixed = MAP_SHARED | MAP_FIXED_NOREPLACE;

        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
                fail("memfd");
        native.code = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (native.code == MAP_FAILED)
                fail("mmap");
        native.data = native.code + ISA_CODE_BYTES;
        memset(native.code, 0xcc, ISA_CODE_BYTES);
        isa_data_base(native.base);
        memcpy(native.data, native.base, sizeof(native.base));
        if (mmap((void *)(uintptr_t)ISA_CODE, ISA_CODE_BYTES, PROT_READ | PROT_EXEC, fixed | MAP_POPULATE, fd, 0) == MAP_FAILED)
                fail("mmap of code below 4 GiB");
        for (unsigned i = 0; i < ISA_DATA_BYTES / ISA_PAGE; i++) {
                static const int protection[] = {
                        [ISA_PAGE_HOLE] = PROT_NONE, [ISA_PAGE_RW] = PROT_READ | PROT_WRITE, [ISA_PAGE_RO] = PROT_READ,
                };
                void *page = (void *)(uintptr_t)(ISA_DATA + i * ISA_PAGE);

                /* Populated, so that a write to a read-only page finds it present as the guest's is. */
                if (mmap(page, ISA_PAGE, protection[isa_data_pages[i]], fixed | MAP_POPULATE, fd,
                         (off_t)(ISA_CODE_BYTES + i * ISA_PAGE)) == MAP_FAILED)
                        fail("mmap of data below 4 GiB");
        }
        close(fd);
}

void isa_native_child(struct isa_shared *shared, int fd)
{
        static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGALRM };
        size_t stack_bytes = getauxval(AT_MINSIGSTKSZ) + 65536;
        struct sigaction action = { .sa_sigaction = isa_native_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        struct itimerval timer = { { 0, TIMER_US }, { 0, TIMER_US } };
        stack_t stack = { .ss_sp = malloc(stack_bytes), .ss_size = stack_bytes };

        native.shared = shared;
        native.fd = fd;
        map_world();
        load_ldt();
        if (syscall(SYS_arch_prctl, ARCH_GET_FS_CODE, &isa_native_host_fs) != 0 || sigaltstack(&stack, NULL) != 0)
                fail("set-up");
        sigfillset(&action.sa_mask);
        for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                if (sigaction(signals[i], &action, NULL) != 0)
                        fail("sigaction");
        /* Real time: a child that waits for its parent between batches is not in a case, because the
         * handler masks the alarm; the first alarm of a case only starts it again. */
        if (setitimer(ITIMER_REAL, &timer, NULL) != 0)
                fail("setitimer");
        raise(SIGTRAP);
        fail("came back from the last case");
}
