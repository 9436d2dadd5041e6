/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu.c - runs a vCPU under KVM: enter, serve the exit, again.
 *
 *      load state --> serve requests --> KVM_RUN --> serve exit --+
 *                          ^                                      |
 *                          +--------------------------------------+
 *      leave: finish the instruction of the last exit, unload state
 *
 * Rules:
 * K1  immediate_exit is cleared before requests are looked at, and whoever makes one sets it afterwards and
 *     sends a signal: a request is seen now, or makes the KVM_RUN that follows return (T8).
 * K2  The instruction that a port or memory access belongs to ends in the next KVM_RUN.  So before the state is
 *     unloaded there is one more, with immediate_exit set, which does that and nothing else.
 * K3  Interrupts come from Lodger's own controllers: KVM_INTERRUPT when KVM says it is ready, or a request for
 *     the moment at which it will be.
 *
 * A KVM without VT-x underneath runs supervisor code a thousand times slower than the translator.  Where the
 * probe has seen that, the thread's CPU time is sampled ten times a second; a vCPU found in supervisor code each
 * time for two seconds crawls, and is handed over.
 */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cpu/lapic.h"
#include "cpu/msr.h"
#include "cpu/paravirt.h"
#include "dbt/dbt.h"
#include "engine/kvm/internal.h"

enum { SAMPLE_NS = 100000000, CRAWL_SAMPLES = 20 };

/* -- Kicks --------------------------------------------------------------------------------------- */

static void on_signal(int number) { (void)number; }

/* dbt.h's kick hook: any thread. */
static void kick(void *opaque)
{
        struct kvm_vcpu *vcpu = opaque;

        __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&vcpu->running, __ATOMIC_SEQ_CST))
                pthread_kill(vcpu->thread, KVM_KICK_SIGNAL);
}

static void start_sampling(struct kvm_vcpu *vcpu)
{
        struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KVM_KICK_SIGNAL };
        struct itimerspec period = { .it_interval.tv_nsec = SAMPLE_NS, .it_value.tv_nsec = SAMPLE_NS };

        event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
        vcpu->sampling = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &vcpu->sampler) == 0 &&
                         timer_settime(vcpu->sampler, 0, &period, NULL) == 0;
}

/* What belongs to the thread, when it first comes here. */
static void enter_service(struct kvm_vcpu *vcpu)
{
        struct sigaction action = { .sa_handler = on_signal };

        sigemptyset(&action.sa_mask);
        sigaction(KVM_KICK_SIGNAL, &action, NULL);
        vcpu->thread = pthread_self();
        vcpu->in_service = true;
        dbt_set_kick(vcpu->cpu, kick, vcpu);
        /* Where a KVM is known to be slow and is to be used all the same (doc/kvm.md). */
        if (vcpu->kvm->crawls && !g_getenv("LODGER_KVM_PATIENT"))
                start_sampling(vcpu);
}

static uint64_t thread_cpu_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* False: it crawls. */
static bool look_for_crawling(struct kvm_vcpu *vcpu)
{
        struct kvm_sregs sregs;

        uint64_t now_ns;

        if (!vcpu->sampling)
                return true;
        /* Kicks come here too: only CPU time counts. */
        now_ns = thread_cpu_ns();
        if (now_ns - vcpu->sampled_ns < SAMPLE_NS / 2 || kvm_call(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
                return true;
        vcpu->sampled_ns = now_ns;
        if (sregs.ss.dpl == 3) {
                vcpu->crawl_samples = 0;
                return true;
        }
        if (++vcpu->crawl_samples < CRAWL_SAMPLES)
                return true;
        return kvm_vcpu_fail(vcpu, "it crawls in supervisor code: a KVM without VT-x");
}

/* -- Requests ------------------------------------------------------------------------------------ */

static uint32_t requests(const struct cpu *cpu) { return __atomic_load_n(&cpu->request, __ATOMIC_SEQ_CST); }

static void request_clear(struct cpu *cpu, uint32_t bits) { __atomic_and_fetch(&cpu->request, ~bits, __ATOMIC_SEQ_CST); }

static bool unload(struct kvm_vcpu *vcpu);

/* RESET#, INIT and start-up messages change the state from outside. */
static bool serve_resets(struct kvm_vcpu *vcpu, uint32_t request)
{
        if (!unload(vcpu))
                return false;
        dbt_take_reset(vcpu->cpu, request);
        return true;
}

/* An interrupt for the guest: into KVM if it is ready, or as soon as it is (K3). */
static bool serve_interrupts(struct kvm_vcpu *vcpu, uint32_t request)
{
        struct cpu *cpu = vcpu->cpu;

        if (request & CPU_REQUEST_NMI) {
                request_clear(cpu, CPU_REQUEST_NMI);
                if (kvm_call(vcpu->fd, KVM_NMI, NULL) < 0)
                        return kvm_vcpu_fail(vcpu, "KVM_NMI: %s", g_strerror(errno));
                cpu->halted = 0;
        }
        vcpu->run->request_interrupt_window = 0;
        if (!(request & CPU_REQUEST_INTR) || cpu->debug_step)
                return true;
        if (vcpu->run->ready_for_interrupt_injection && vcpu->run->if_flag && !vcpu->completing) {
                int vector = cpu_interrupt_vector(cpu);
                struct kvm_interrupt interrupt = { .irq = (unsigned)vector };

                if (vector >= 0) {
                        if (kvm_call(vcpu->fd, KVM_INTERRUPT, &interrupt) < 0)
                                return kvm_vcpu_fail(vcpu, "KVM_INTERRUPT: %s", g_strerror(errno));
                        vcpu->run->ready_for_interrupt_injection = 0;
                        cpu->halted = 0;
                }
        }
        vcpu->run->request_interrupt_window = !!(requests(cpu) & CPU_REQUEST_INTR);
        return true;
}

/* -- Exits --------------------------------------------------------------------------------------- */

static void serve_io(struct kvm_vcpu *vcpu)
{
        struct kvm_run *run = vcpu->run;
        uint8_t *data = (uint8_t *)run + run->io.data_offset;
        struct cpu *cpu = vcpu->cpu;

        for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
                uint32_t value = 0;

                if (run->io.direction == KVM_EXIT_IO_OUT) {
                        memcpy(&value, data, run->io.size);
                        cpu->env.io_write(cpu->env.opaque, run->io.port, value, run->io.size);
                } else {
                        value = cpu->env.io_read(cpu->env.opaque, run->io.port, run->io.size);
                        memcpy(data, &value, run->io.size);
                }
        }
        vcpu->completing = true;
}

/* In naturally aligned pieces, as memory/access.c cuts accesses too. */
static void serve_mmio(struct kvm_vcpu *vcpu)
{
        struct kvm_run *run = vcpu->run;
        struct memory *memory = vcpu->cpu->memory;
        gpa_t gpa = run->mmio.phys_addr;
        unsigned size = MIN(run->mmio.len, 8u), step;

        for (unsigned at = 0; at < size; at += step) {
                struct page_info page = memory_page(memory, gpa + at);
                uint64_t value = 0;

                for (step = 8; step > size - at || ((gpa + at) & (step - 1)); step /= 2)
                        ;

                if (run->mmio.is_write) {
                        memcpy(&value, run->mmio.data + at, step);
                        if (page.kind == PAGE_RAM) {
                                memory_before_write(memory, &page);
                                memcpy(page.host + ((gpa + at) & (PAGE_SIZE - 1)), &value, step);
                        } else if (page.kind != PAGE_ROM)
                                memory_mmio_write(memory, gpa + at, value, step);
                } else {
                        if (page.host)
                                memcpy(&value, page.host + ((gpa + at) & (PAGE_SIZE - 1)), step);
                        else
                                value = memory_mmio_read(memory, gpa + at, step);
                        memcpy(run->mmio.data + at, &value, step);
                }
        }
        vcpu->completing = true;
}

enum outcome { GO_ON, STOP_SHUTDOWN, STOP_FAILED, STOP_DEBUG };

static enum outcome fail_outcome(struct kvm_vcpu *vcpu, const char *reason, unsigned detail)
{
        kvm_vcpu_fail(vcpu, reason, detail);
        return STOP_FAILED;
}

static enum outcome serve_exit(struct kvm_vcpu *vcpu)
{
        struct kvm_run *run = vcpu->run;

        switch (run->exit_reason) {
        case KVM_EXIT_IO:
                serve_io(vcpu);
                return GO_ON;
        case KVM_EXIT_MMIO:
                serve_mmio(vcpu);
                return GO_ON;
        case KVM_EXIT_X86_RDMSR:
        case KVM_EXIT_X86_WRMSR:
                kvm_msr_serve(vcpu);
                return GO_ON;
        case KVM_EXIT_HLT:
                vcpu->cpu->halted = 1;
                return GO_ON;
        case KVM_EXIT_DEBUG:
                kvm_debug_serve(vcpu);
                return vcpu->cpu->debug_stop ? STOP_DEBUG : GO_ON;
        case KVM_EXIT_INTR:
        case KVM_EXIT_IRQ_WINDOW_OPEN:
        case KVM_EXIT_SET_TPR:
                return GO_ON;
        case KVM_EXIT_SHUTDOWN:
                /* The translator does it once more, and knows whether it is a triple fault. */
                return vcpu->kvm->believed ? STOP_SHUTDOWN : fail_outcome(vcpu, "shut down (KVM_EXIT_SHUTDOWN)", 0);
        case KVM_EXIT_INTERNAL_ERROR:
                return fail_outcome(vcpu, run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
                                          ? "an instruction it cannot emulate (KVM_EXIT_INTERNAL_ERROR %u)"
                                          : "internal error (KVM_EXIT_INTERNAL_ERROR %u)", run->internal.suberror);
        case KVM_EXIT_FAIL_ENTRY:
                return fail_outcome(vcpu, "the CPU refuses the guest's state (KVM_EXIT_FAIL_ENTRY %#x)",
                                    (unsigned)run->fail_entry.hardware_entry_failure_reason);
        default:
                return fail_outcome(vcpu, "an exit that Lodger does not know (%u)", run->exit_reason);
        }
}

/* What KVM shows of registers that devices' side has to know at once. */
static void follow(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;

        cpu->iflag = vcpu->run->if_flag;
        cpu->cr8 = vcpu->run->cr8;
        if (cpu->apic_base != vcpu->run->apic_base) {
                cpu->apic_base = vcpu->run->apic_base;
                if (cpu->lapic)
                        lapic_base_changed(cpu->lapic);
        }
}

static enum outcome enter(struct kvm_vcpu *vcpu)
{
        int result, problem;

        vcpu->completing = false;
        result = kvm_call(vcpu->fd, KVM_RUN, NULL);
        problem = errno;
        __atomic_store_n(&vcpu->running, false, __ATOMIC_SEQ_CST);
        vcpu->exits++;
        __atomic_add_fetch(&vcpu->kvm->exits, 1, __ATOMIC_RELAXED);
        follow(vcpu);
        paravirt_steal_update(vcpu->cpu);
        if (result < 0 && problem != EINTR && problem != EAGAIN) {
                kvm_vcpu_fail(vcpu, "KVM_RUN: %s", g_strerror(problem));
                return STOP_FAILED;
        }
        if (result < 0)
                return look_for_crawling(vcpu) ? GO_ON : STOP_FAILED;
        return serve_exit(vcpu);
}

/* -- Leaving ------------------------------------------------------------------------------------- */

/* K2.  A wide access may come in several exits. */
static bool finish_instruction(struct kvm_vcpu *vcpu)
{
        while (vcpu->completing) {
                vcpu->completing = false;
                __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
                if (kvm_call(vcpu->fd, KVM_RUN, NULL) < 0)
                        return errno == EINTR || errno == EAGAIN || kvm_vcpu_fail(vcpu, "KVM_RUN: %s", g_strerror(errno));
                follow(vcpu);
                if (serve_exit(vcpu) != GO_ON)
                        return true;            /* the next one to run it will find out */
        }
        return true;
}

static bool unload(struct kvm_vcpu *vcpu)
{
        if (!vcpu->loaded)
                return true;
        return finish_instruction(vcpu) && kvm_state_unload(vcpu);
}

/* -- The loop ------------------------------------------------------------------------------------ */

static enum kvm_stop failed(struct kvm_vcpu *vcpu)
{
        char *reason = g_strdup(vcpu->reason);

        if (vcpu->loaded && !unload(vcpu)) {
                /* The state is out of reach: what can be done is what a triple fault does. */
                log_error("engine: kvm does not give vCPU %u's state back (%s): it is reset", vcpu->cpu->index, vcpu->reason);
                vcpu->loaded = false;
                cpu_reset(vcpu->cpu, false);
                dbt_state_changed(vcpu->cpu);
                vcpu->cpu->env.shutdown(vcpu->cpu->env.opaque, vcpu->cpu);
        }
        g_free(vcpu->reason);
        vcpu->reason = reason;
        return KVM_STOP_FAILED;
}

/* Things that are done better, or only, by the translator. */
static bool must_leave(struct kvm_vcpu *vcpu)
{
        const char *broken = __atomic_load_n(&vcpu->kvm->broken, __ATOMIC_SEQ_CST);

        if (broken)
                return !kvm_vcpu_fail(vcpu, "%s", broken);
        if (!vcpu->cpu->a20)
                return !kvm_vcpu_fail(vcpu, "the A20 line is masked, which KVM cannot do");
        if ((vcpu->cpu->apic_base & APIC_BASE_X2APIC) && !vcpu->kvm->has_msr_exits)
                return !kvm_vcpu_fail(vcpu, "its APIC is in x2APIC mode, and this KVM cannot hand MSRs over");
        return false;
}

enum kvm_stop kvm_vcpu_run(struct kvm_vcpu *vcpu)
{
        struct cpu *cpu = vcpu->cpu;
        const uint32_t resets = CPU_REQUEST_RESET | CPU_REQUEST_INIT | CPU_REQUEST_SIPI;

        if (!vcpu->in_service)
                enter_service(vcpu);
        for (;;) {
                uint32_t request;

                __atomic_store_n(&vcpu->running, true, __ATOMIC_SEQ_CST);
                __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);      /* K1 */
                request = requests(cpu);
                if (request & CPU_REQUEST_EXIT) {
                        request_clear(cpu, CPU_REQUEST_EXIT);
                        __atomic_store_n(&vcpu->running, false, __ATOMIC_SEQ_CST);
                        return unload(vcpu) ? KVM_STOP_REQUEST : failed(vcpu);
                }
                /* A step may have ended in the last instruction before a pause. */
                if (cpu->debug_stop)
                        return unload(vcpu) ? KVM_STOP_DEBUG : failed(vcpu);
                request_clear(cpu, CPU_REQUEST_FLUSH);
                if (must_leave(vcpu))
                        return failed(vcpu);
                if (request & resets) {
                        if (!serve_resets(vcpu, request & resets))
                                return failed(vcpu);
                        continue;
                }
                if (cpu->waiting_for_sipi) {
                        dbt_wait(cpu);
                        continue;
                }
                if (!vcpu->loaded) {
                        vcpu->run->if_flag = cpu->iflag;
                        vcpu->run->ready_for_interrupt_injection = 0;
                        if (!kvm_state_load(vcpu) || !kvm_debug_load(vcpu))
                                return failed(vcpu);
                }
                if (cpu->halted && !((request & CPU_REQUEST_INTR) && cpu->iflag) && !(request & CPU_REQUEST_NMI)) {
                        dbt_wait(cpu);
                        continue;
                }
                if (!serve_interrupts(vcpu, request))
                        return failed(vcpu);
                cpu->halted = 0;
                vcpu->run->cr8 = cpu->cr8;
                switch (enter(vcpu)) {
                case GO_ON:
                        break;
                case STOP_SHUTDOWN:
                        if (!unload(vcpu))
                                return failed(vcpu);
                        cpu->env.shutdown(cpu->env.opaque, cpu);
                        return KVM_STOP_SHUTDOWN;
                case STOP_DEBUG:
                        return unload(vcpu) ? KVM_STOP_DEBUG : failed(vcpu);
                case STOP_FAILED:
                        return failed(vcpu);
                }
        }
}

const char *kvm_vcpu_reason(const struct kvm_vcpu *vcpu) { return vcpu->reason ? vcpu->reason : "unknown"; }
uint64_t kvm_vcpu_exits(const struct kvm_vcpu *vcpu) { return vcpu->exits; }

/* -- Making and freeing -------------------------------------------------------------------------- */

struct kvm_vcpu *kvm_vcpu_new(struct kvm *kvm, struct cpu *cpu, GError **error)
{
        struct kvm_vcpu *vcpu = g_new0(struct kvm_vcpu, 1);

        vcpu->kvm = kvm;
        vcpu->cpu = cpu;
        vcpu->fd = kvm_call(kvm->vm, KVM_CREATE_VCPU, (void *)(uintptr_t)cpu->index);
        if (vcpu->fd >= 0)
                vcpu->run = kvm_ops->map(vcpu->fd, kvm->run_bytes);
        if (!vcpu->run) {
                g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "KVM_CREATE_VCPU: %s; use --engine dbt", g_strerror(errno));
                kvm_vcpu_free(vcpu);
                return NULL;
        }
        if (!kvm_state_set_cpuid(vcpu, error)) {
                kvm_vcpu_free(vcpu);
                return NULL;
        }
        return vcpu;
}

void kvm_vcpu_free(struct kvm_vcpu *vcpu)
{
        if (!vcpu)
                return;
        if (vcpu->in_service)
                dbt_set_kick(vcpu->cpu, NULL, NULL);
        if (vcpu->sampling)
                timer_delete(vcpu->sampler);
        if (vcpu->run)
                munmap(vcpu->run, vcpu->kvm->run_bytes);
        if (vcpu->fd >= 0)
                close(vcpu->fd);
        g_free(vcpu->reason);
        g_free(vcpu);
}
