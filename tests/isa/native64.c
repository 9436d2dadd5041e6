/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * native64.c - runs one instruction at a time on the host's own CPU in 64-bit mode.
 *
 * As native.c does for 32-bit code: a signal handler rewrites its frame to be the case's state, returning
 * from it starts the instruction, and the INT3 behind it, or the instruction's own fault, comes back.  The
 * handler runs on its own stack, so the case's RSP and what lies below it are never touched.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include "isa64.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum { ARCH_SET_GS_CODE = 0x1001, TIMER_US = 200000, FX_SW_RESERVED = 464 };

static struct {
        struct isa64_shared *shared;
        uint8_t *code, *data;           /* the always-writable alias */
        uint8_t base[ISA_DATA_BYTES];
        bool started;
        uint32_t alarmed;
} native;

void isa64_native_signal(int signal, siginfo_t *info, void *context) __attribute__((visibility("hidden")));
void isa64_native_entry(int signal, siginfo_t *info, void *context) __attribute__((visibility("hidden")));

/* Out of AC, and perhaps TF, before any C. */
__asm__(".text\n"
        ".globl isa64_native_entry\n"
        ".hidden isa64_native_entry\n"
        ".type isa64_native_entry, @function\n"
        "isa64_native_entry:\n"
        "       pushq $2\n"
        "       popfq\n"
        "       jmp isa64_native_signal\n"
        ".size isa64_native_entry, .-isa64_native_entry\n");

static const int register_order[16] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void load_case(const struct isa64_case *c, ucontext_t *context)
{
        greg_t *g = context->uc_mcontext.gregs;
        uint8_t *frame = (uint8_t *)context->uc_mcontext.fpregs;

        memcpy(native.code + c->code_offset, c->code, c->code_bytes);
        isa64_apply(c, native.data);
        for (unsigned i = 0; i < 16; i++)
                g[register_order[i]] = (greg_t)c->before.gpr[i];
        g[REG_RIP] = (greg_t)c->before.rip;
        g[REG_EFL] = (greg_t)c->before.rflags;
        memcpy(frame, c->before.xsave, offsetof(struct isa_fx, mxcsr_mask));
        memcpy(frame + 32, c->before.xsave + 32, FX_SW_RESERVED - 32);
        memcpy(frame + ISA64_HEADER, c->before.xsave + ISA64_HEADER, 16);
        memcpy(frame + ISA64_YMM_HIGH, c->before.xsave + ISA64_YMM_HIGH, 256);
}

static void store_case(const struct isa64_case *c, int signal, const ucontext_t *context, struct isa64_result *result)
{
        const greg_t *g = context->uc_mcontext.gregs;

        for (unsigned i = 0; i < 16; i++)
                result->after.gpr[i] = (uint64_t)g[register_order[i]];
        result->after.rip = (uint64_t)g[REG_RIP];
        result->after.rflags = (uint64_t)g[REG_EFL];
        memcpy(result->after.xsave, context->uc_mcontext.fpregs, ISA64_XSAVE_BYTES);
        result->error = 0;
        result->cr2 = 0;
        if (signal == SIGALRM) {
                result->vector = ISA_VECTOR_TIMEOUT;
        } else {
                result->vector = (uint32_t)g[REG_TRAPNO];
                if (result->vector == 8 || (result->vector >= 10 && result->vector <= 14) || result->vector == 17)
                        result->error = (uint32_t)g[REG_ERR];
                if (result->vector == 14)
                        result->cr2 = (uint64_t)g[REG_CR2];
        }
        isa64_collect(c, native.base, native.data, result);
        memset(native.code + c->code_offset, 0xcc, c->code_bytes);
}

void isa64_native_signal(int signal, siginfo_t *info, void *opaque)
{
        struct isa64_shared *shared = native.shared;
        ucontext_t *context = opaque;

        (void)info;
        if (!native.started) {
                native.started = true;
                sigemptyset(&context->uc_sigmask);
        } else if (signal == SIGALRM && native.alarmed != shared->next + 1) {
                struct isa64_result scratch;

                native.alarmed = shared->next + 1;
                store_case(&shared->cases[shared->next], signal, context, &scratch);
        } else {
                store_case(&shared->cases[shared->next], signal, context, &shared->results[shared->next]);
                shared->next++;
        }
        if (shared->next >= shared->count)
                _exit(0);
        load_case(&shared->cases[shared->next], context);
}

static void fail(const char *what)
{
        fprintf(stderr, "isa: native runner: %s: %s\n", what, strerror(errno));
        _exit(3);
}

static void map_pages(int fd, uint64_t add)
{
        int fixed = MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE;

        if (mmap((void *)(uintptr_t)(ISA_CODE + add), ISA_CODE_BYTES, PROT_READ | PROT_EXEC, fixed, fd, 0) == MAP_FAILED)
                fail("mmap of code");
        for (unsigned i = 0; i < ISA_DATA_BYTES / ISA_PAGE; i++) {
                static const int protection[] = {
                        [ISA_PAGE_HOLE] = PROT_NONE, [ISA_PAGE_RW] = PROT_READ | PROT_WRITE, [ISA_PAGE_RO] = PROT_READ,
                };

                if (mmap((void *)(uintptr_t)(ISA_DATA + add + i * ISA_PAGE), ISA_PAGE, protection[isa_data_pages[i]], fixed, fd,
                         (off_t)(ISA_CODE_BYTES + i * ISA_PAGE)) == MAP_FAILED)
                        fail("mmap of data");
        }
}

void isa64_native_child(struct isa64_shared *shared)
{
        static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGALRM };
        size_t stack_bytes = getauxval(AT_MINSIGSTKSZ) + 65536, size = ISA_CODE_BYTES + ISA_DATA_BYTES;
        struct sigaction action = { .sa_sigaction = isa64_native_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        struct itimerval timer = { { 0, TIMER_US }, { 0, TIMER_US } };
        stack_t stack = { .ss_sp = malloc(stack_bytes), .ss_size = stack_bytes };
        int fd = memfd_create("isa", MFD_CLOEXEC);

        native.shared = shared;
        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
                fail("memfd");
        native.code = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (native.code == MAP_FAILED)
                fail("mmap");
        native.data = native.code + ISA_CODE_BYTES;
        memset(native.code, 0xcc, ISA_CODE_BYTES);
        isa_data_base(native.base);
        memcpy(native.data, native.base, sizeof(native.base));
        map_pages(fd, 0);
        map_pages(fd, ISA64_HIGH);
        if (syscall(SYS_arch_prctl, ARCH_SET_GS_CODE, ISA64_GS_BASE) != 0 || sigaltstack(&stack, NULL) != 0)
                fail("set-up");
        sigfillset(&action.sa_mask);
        for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                if (sigaction(signals[i], &action, NULL) != 0)
                        fail("sigaction");
        if (setitimer(ITIMER_REAL, &timer, NULL) != 0)
                fail("setitimer");
        raise(SIGTRAP);
        fail("came back from the last case");
}
