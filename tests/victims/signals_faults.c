/* SPDX-License-Identifier: MIT */
/* Signals that instructions raise, and signals that nobody takes. */
#include "signals.h"

#include "victim.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PENDING_COUNT 10
#define TRAP_FLAG     0x100
/* five nops, pushfq, andq, popfq */
#define STEPS 8

static _Thread_local volatile long handled;
static _Thread_local volatile uintptr_t go_on_at, fault_addr;
static _Thread_local volatile int fault_signal, fault_code;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	handled++;
	signals_flow->seen++;
	signals_flow->deliveries++;
	signals_expect("signal", signal, fault_signal);
	signals_expect("code", info->si_code, fault_code);
	if (fault_addr)
		signals_expect("address",
			       (uintptr_t)info->si_addr == fault_addr, true);
	if (go_on_at)
		interrupted->uc_mcontext.gregs[REG_RIP] = (greg_t)go_on_at;
}

static void expect_next(int signal, int code, uintptr_t addr)
{
	handled = 0;
	fault_signal = signal;
	fault_code = code;
	fault_addr = addr;
	go_on_at = 0;
	signals_flow->sent++;
}

/* The handler goes on behind the instruction. */
#define FAULT(instruction, ...)                                                \
	__asm__ volatile("lea 1f(%%rip), %%rax\n\t"                            \
			 "mov %%rax, %0\n\t" instruction "\n"                  \
			 "1:"                                                  \
			 : "=m"(go_on_at)                                      \
			 : __VA_ARGS__                                         \
			 : "rax", "rdx", "memory", "cc")

/* --- Traps --------------------------------------------------------------- */

static void trap_by_breakpoint(void)
{
	expect_next(SIGTRAP, SI_KERNEL, 0);
	__asm__ volatile("int3" ::: "memory");
	signals_expect("int3", handled, 1);
}

static void trap_by_call(void)
{
	expect_next(SIGTRAP, SI_TKILL, 0);
	raise(SIGTRAP);
	signals_expect("raise", handled, 1);
}

/* The instruction behind popfq is the first that traps. */
static void trap_by_step(void)
{
	expect_next(SIGTRAP, TRAP_TRACE, 0);
	__asm__ volatile("sub $128, %%rsp\n\t"
			 "pushfq\n\t"
			 "orq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "nop; nop; nop; nop; nop\n\t"
			 "pushfq\n\t"
			 "andq %1, (%%rsp)\n\t"
			 "popfq\n\t"
			 "add $128, %%rsp"
			 :
			 : "i"(TRAP_FLAG), "i"(~TRAP_FLAG)
			 : "memory", "cc");
	signals_expect("steps", handled, STEPS);
	signals_flow->sent += STEPS - 1;
}

static void handle_traps(void)
{
	signals_handle(SIGTRAP, 0, on_fault);
	signals_flow->makers = SIGNALS_WORKERS;
}

static void trap(int index)
{
	for (;;) {
		trap_by_breakpoint();
		trap_by_call();
		trap_by_step();
		signals_work(index);
		signals_heed_pause();
	}
}

/* --- Faults -------------------------------------------------------------- */

static char *no_access, *behind_file;

static void handle_faults(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);

	no_access =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	behind_file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (no_access == MAP_FAILED || behind_file == MAP_FAILED)
		victim_die("mmap");
	signals_handle(SIGSEGV, 0, on_fault);
	signals_handle(SIGBUS, SA_ONSTACK, on_fault);
	signals_handle(SIGFPE, 0, on_fault);
	signals_handle(SIGILL, 0, on_fault);
	signals_flow->makers = SIGNALS_WORKERS;
}

static void fault(int index)
{
	for (;;) {
		expect_next(SIGSEGV, SEGV_ACCERR, (uintptr_t)no_access);
		FAULT("mov (%1), %%al", "r"(no_access));
		signals_expect("segv", handled, 1);
		expect_next(SIGBUS, BUS_ADRERR, (uintptr_t)behind_file);
		FAULT("mov (%1), %%al", "r"(behind_file));
		signals_expect("bus", handled, 1);
		expect_next(SIGILL, ILL_ILLOPN, 0);
		FAULT("ud2", "i"(0));
		signals_expect("ill", handled, 1);
		expect_next(SIGFPE, FPE_INTDIV, 0);
		FAULT("xor %%edx, %%edx\n\tdivl %1", "r"(0));
		signals_expect("fpe", handled, 1);
		signals_work(index);
		signals_heed_pause();
	}
}

/* --- Signals that stay pending ------------------------------------------- */

enum {
	FOR_THREAD,
	FOR_PROCESS
};

static int pending_signal(int what)
{
	return SIGRTMIN + 4 + what;
}

static void block_pending(void)
{
	signals_block(pending_signal(FOR_THREAD));
	signals_block(pending_signal(FOR_PROCESS));
	signals_block(SIGUSR1);
	signals_flow->makers = SIGNALS_WORKERS;
}

static void fill(int what)
{
	for (int i = 0; i < PENDING_COUNT; i++) {
		const union sigval value = { .sival_int = i };

		signals_expect("queued",
			       what == FOR_PROCESS
				       ? sigqueue(getpid(),
						  pending_signal(what), value)
				       : pthread_sigqueue(pthread_self(),
							  pending_signal(what),
							  value),
			       0);
	}
}

static int take_pending(int signal, siginfo_t *ret_info)
{
	const struct timespec none = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return sigtimedwait(&set, ret_info, &none);
}

static void drain(int what)
{
	siginfo_t info;

	signals_flow->sent += PENDING_COUNT;
	for (int i = 0; i < PENDING_COUNT; i++) {
		signals_expect("pending",
			       take_pending(pending_signal(what), &info),
			       pending_signal(what));
		signals_expect("number", info.si_value.sival_int, i);
		signals_flow->seen++;
		signals_flow->deliveries++;
	}
	signals_expect("one more", take_pending(pending_signal(what), &info),
		       -1);
}

/* At each look the numbers are taken and queued again. */
static void hold(int index)
{
	for (;;) {
		fill(FOR_THREAD);
		while (!signals_flow->is_paused) {
			signals_work(index);
			usleep(100);
		}
		drain(FOR_THREAD);
		signals_heed_pause();
	}
}

static void fill_main(void)
{
	fill(FOR_THREAD);
	fill(FOR_PROCESS);
	signals_expect("kill", kill(getpid(), SIGUSR1), 0);
}

static void settle_pending(void)
{
	siginfo_t info;

	drain(FOR_THREAD);
	drain(FOR_PROCESS);
	signals_expect("usr1", take_pending(SIGUSR1, &info), SIGUSR1);
	signals_expect("usr1 again", take_pending(SIGUSR1, &info), -1);
	fill_main();
}

const struct signals_kind signals_faults[] = {
	{ "trap", handle_traps, trap, NULL, NULL, NULL },
	{ "fault", handle_faults, fault, NULL, NULL, NULL },
	{ "pending", block_pending, hold, fill_main, settle_pending, NULL },
	{ 0 },
};
