/* SPDX-License-Identifier: MIT */
/* What /proc/PID/status says about a thread, also on machines unlike this. */
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
