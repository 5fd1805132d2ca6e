/* SPDX-License-Identifier: MIT */
/* What /proc/PID/task says about a thread, also on machines unlike this. */
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tasks.h"

TestSuite(tasks, .timeout = 20);

#define STATUS(tracer, blocked, seccomp, rest)                                 \
	"Name:\tx86_Thread_features:\tshstk\nState:\tS (sleeping)\n"           \
	"TracerPid:\t" tracer "\nSigBlk:\t" blocked "\nSeccomp:\t" seccomp     \
	"\nnonvoluntary_ctxt_switches:\t3\n" rest

Test(tasks, status_is_understood)
{
	struct task_status status;

	tasks_parse_status(STATUS("0", "0000000000000000", "0", ""), &status);
	cr_expect(eq(chr, status.state, 'S'));
	cr_expect(eq(int, status.tracer, 0));
	cr_expect(eq(int, status.seccomp, 0));
	cr_expect(eq(u64, status.blocked, 0));
	tasks_parse_status(STATUS("12", "0000000000000401", "2", ""), &status);
	cr_expect(eq(int, status.tracer, 12));
	cr_expect(eq(int, status.seccomp, 2));
	cr_expect(eq(u64, status.blocked, 0x401));
}

/* Linux, fs/proc/array.c and arch/x86/kernel/cpu/proc.c */
Test(tasks, shadow_stack_is_seen)
{
	static const struct {
		const char *text;
		bool has_shadow_stack;
	} cases[] = {
		{ STATUS("0", "0", "0", ""), false },
		{ STATUS("0", "0", "0", "x86_Thread_features:\t\n"), false },
		{ STATUS("0", "0", "0",
			 "x86_Thread_features:\t\n"
			 "x86_Thread_features_locked:\tshstk wrss \n"),
		  false },
		{ STATUS("0", "0", "0",
			 "x86_Thread_features:\tshstk \n"
			 "x86_Thread_features_locked:\tshstk wrss \n"),
		  true },
		{ STATUS("0", "0", "0", "x86_Thread_features:\tshstk wrss \n"),
		  true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct task_status status;

		tasks_parse_status(cases[i].text, &status);
		cr_expect(eq(int, status.has_shadow_stack,
			     cases[i].has_shadow_stack),
			  "%s", cases[i].text);
	}
}

#define AWAITED 7
#define MASK	0xffL

static uint32_t word = AWAITED;

static void wait_for_word(int op)
{
	for (;;)
		syscall(SYS_futex, &word, op, AWAITED, NULL, NULL, MASK);
}

static pid_t start_waiting(int op)
{
	pid_t pid = fork();

	cr_assert(ge(int, pid, 0));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		wait_for_word(op);
	}
	return pid;
}

static void await_call(pid_t pid, struct task_call *ret_call)
{
	while (!tasks_call(pid, pid, ret_call) || ret_call->number != SYS_futex)
		usleep(1000);
}

static void stop_waiting(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert(eq(int, waitpid(pid, NULL, 0), pid));
}

Test(tasks, wait_for_a_futex_is_seen)
{
	pid_t pid = start_waiting(FUTEX_WAIT_PRIVATE);
	struct task_call call;
	struct task_place place;
	struct task_futex wait;

	await_call(pid, &call);
	cr_expect(eq(u64, call.arguments[0], (uintptr_t)&word));
	cr_expect(eq(u64, call.arguments[5], MASK));
	cr_assert(tasks_waits_at(pid, pid, &place));
	cr_expect(eq(u64, place.pc, call.pc));
	cr_expect(eq(u64, place.sp, call.sp));
	cr_assert(tasks_waits_for_futex(pid, pid, &wait));
	cr_expect(eq(u64, wait.addr, (uintptr_t)&word));
	cr_expect(eq(u32, wait.value, AWAITED));
	cr_expect(eq(u64, wait.pc, call.pc));
	stop_waiting(pid);
}

Test(tasks, other_waits_are_none_for_a_lock)
{
	pid_t pid = start_waiting(FUTEX_WAIT_BITSET_PRIVATE);
	struct task_futex wait = { .addr = 1 };
	struct task_call call;

	await_call(pid, &call);
	cr_expect(not(tasks_waits_for_futex(pid, pid, &wait)));
	cr_expect(eq(u64, wait.addr, 1));
	stop_waiting(pid);
	cr_expect(not(tasks_call(pid, pid, &call)));
}
