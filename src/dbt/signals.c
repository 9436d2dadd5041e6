/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signals.c - host faults of guest instructions become guest exceptions.
 *
 * Every access is checked before it is made, so the only faults left are those that belong to the
 * instruction itself: #DE, #MF, #XM, and #GP for a misaligned SSE operand (which arrives as a SIGSEGV
 * without an address, traps.md T6).  A fault at any other address, or outside translated code, is a bug
 * of ours or of a library: the previous handler gets it.
 *
 * The handler copies the guest's registers from the signal frame to struct cpu, records the exception,
 * and returns into the stub that leaves to the dispatcher.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "dbt/slow.h"

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
static struct sigaction previous[G_N_ELEMENTS(signals)];

/* The vCPU that runs on this thread. */
static __thread struct cpu *thread_cpu;
static __thread void *signal_stack;
static __thread size_t signal_stack_bytes;

static void pass_on(int number, siginfo_t *info, void *context)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
                if (signals[i] != number)
                        continue;
                if (previous[i].sa_flags & SA_SIGINFO && previous[i].sa_sigaction) {
                        previous[i].sa_sigaction(number, info, context);
                        return;
                }
                /* Back to where it happened, without us: the default action shows the real place. */
                sigaction(number, &previous[i], NULL);
        }
}

static void save_registers(struct cpu *cpu, bool wide, const greg_t *g)
{
        cpu->regs[RAX] = (uint64_t)g[REG_RAX];
        cpu->regs[RDX] = (uint64_t)g[REG_RDX];
        cpu->regs[RBX] = (uint64_t)g[REG_RBX];
        cpu->regs[RBP] = (uint64_t)g[REG_RBP];
        cpu->regs[RSI] = (uint64_t)g[REG_RSI];
        cpu->regs[RDI] = (uint64_t)g[REG_RDI];
        cpu->regs[RSP] = (uint64_t)g[REG_R14];
        cpu->regs[RCX] = (uint64_t)g[REG_R15];
        if (wide) {
                cpu->regs[R8] = (uint64_t)g[REG_R8];
                cpu->regs[R12] = (uint64_t)g[REG_R9];
        }
        cpu->rflags = (cpu->rflags & ~(uint64_t)FLAGS_ARITH) | ((uint64_t)g[REG_EFL] & FLAGS_ARITH);
}

/* The guest exception, or -1 when no guest instruction raises this. */
static int exception_of(const struct cpu *cpu, int number, const siginfo_t *info, greg_t trap)
{
        switch (number) {
        case SIGFPE:
                if (info->si_code == FPE_INTDIV || info->si_code == FPE_INTOVF)
                        return EXC_DE;
                if (trap == EXC_MF)             /* also of an SSE instruction with an MMX operand */
                        return EXC_MF;
                return cpu->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD;
        /* Without an address: misaligned, or not canonical (cpu.h, TLB_EMPTY); through the stack segment it is SIGBUS (T6). */
        case SIGSEGV:
                return info->si_code == SI_KERNEL ? EXC_GP : -1;
        case SIGBUS:
                return info->si_code == SI_KERNEL ? EXC_SS : -1;
        case SIGILL:                    /* the model offers what the host refuses: hidden by a hypervisor below */
                return EXC_UD;
        default:
                return -1;
        }
}

static void handler(int number, siginfo_t *info, void *context)
{
        int saved_errno = errno;
        ucontext_t *uc = context;
        greg_t *g = uc->uc_mcontext.gregs;
        struct cpu *cpu = thread_cpu;
        const struct insn_origin *map;

        const struct block *block = cpu ? dbt_restore_rip(cpu, (const uint8_t *)g[REG_RIP], &map) : NULL;
        if (!block) {
                pass_on(number, info, context);
                return;
        }
        int vector = exception_of(cpu, number, info, g[REG_TRAPNO]);
        if (vector < 0) {
                pass_on(number, info, context);
                return;
        }
        save_registers(cpu, context_wide(block->context), g);
        dbt_count(dbt_cpu(cpu), DBT_COUNT_EXIT_SIGNAL, 1);
        if (vector == EXC_GP || vector == EXC_SS)
                cpu_raise_error(cpu, (enum exception)vector, 0);
        else
                cpu_raise(cpu, (enum exception)vector);
        const struct dbt *dbt = dbt_cpu(cpu)->dbt;
        g[REG_RIP] = (greg_t)(uintptr_t)cache_rx(&dbt->cache, dbt->stubs[0].leave_signal);
        g[REG_RSP] = (greg_t)(uintptr_t)cpu;
        g[REG_RAX] = LEAVE_EXCEPTION;
        errno = saved_errno;
}

bool dbt_signals_install(GError **error)
{
        static bool installed;
        struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };

        (void)error;
        if (installed)
                return true;
        sigemptyset(&action.sa_mask);
        for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++)
                sigaction(signals[i], &action, &previous[i]);
        installed = true;
        return true;
}

void dbt_signals_thread_enter(struct cpu *cpu)
{
        /* AVX-512 frames outgrow SIGSTKSZ: the kernel says how much it needs (T7). */
        size_t minimum = getauxval(AT_MINSIGSTKSZ);

        signal_stack_bytes = MAX(minimum, 16 * 1024) + 64 * 1024;
        signal_stack = mmap(NULL, signal_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (signal_stack == MAP_FAILED)
                g_error("no memory for a signal stack");
        stack_t stack = { .ss_sp = signal_stack, .ss_size = signal_stack_bytes };
        sigaltstack(&stack, NULL);
        thread_cpu = cpu;
}

void dbt_signals_thread_leave(void)
{
        stack_t off = { .ss_flags = SS_DISABLE };

        sigaltstack(&off, NULL);
        munmap(signal_stack, signal_stack_bytes);
        signal_stack = NULL;
        thread_cpu = NULL;
}
