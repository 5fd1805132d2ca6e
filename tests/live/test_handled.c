/* SPDX-License-Identifier: MIT */
/*
 * A process whose only thread lives in a signal handler: it can be entered if
 * neither the handler nor what that interrupted can hold a lock.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(handled, .timeout = 120);

#define PATCH "plain"

/* What it says is in `entered`: the process that serves, which may be a child. */
static void start(struct victim *victim, const char *name, char entered[16])
{
	const char *answer;

	require_ptrace();
	cr_log_info("%s", name);
	VICTIM_START(victim, "handled", name);
	answer = victim_ask(victim, "enter");
	snprintf(entered, 16, "%ld", victim_number(answer, "pid"));
}

static void expect_patched_and_reverted(struct victim *victim,
					const char *target)
{
	for (int i = 0; i < 2; i++) {
		upatchctl_apply(target, PATCH);
		victim_expect(victim, "call", "call 3");
		upatchctl_revert(target, PATCH);
		victim_expect(victim, "call", "call 1");
	}
}

struct case_name {
	char name[16];
};

static struct case_name entered_cases[] = {
	{ "epoll" }, { "select" },  { "read" }, { "program" },
	{ "fork" },  { "unblock" }, { "kill" },
};

ParameterizedTestParameters(handled, process_is_patched)
{
	return cr_make_param_array(struct case_name, entered_cases,
				   sizeof(entered_cases) /
					   sizeof(entered_cases[0]));
}

ParameterizedTest(struct case_name *row, handled, process_is_patched)
{
	struct victim victim;
	char target[16];

	start(&victim, row->name, target);
	expect_patched_and_reverted(&victim, target);
	upatchctl_apply(target, PATCH);
	victim_expect(&victim, "leave", "left");
	victim_expect(&victim, "call", "call 3");
	upatchctl_revert(target, PATCH);
	victim_expect(&victim, "call", "call 1");
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

struct refusal {
	char name[16];
	char reason[64];
};

static struct refusal refusals[] = {
	{ "malloc", "it runs a signal handler that interrupted what may hold" },
	{ "qsort", "it runs a signal handler that interrupted what may hold" },
	{ "sorting", "the C library has called it back" },
	{ "altstack", "it is on another stack than its own" },
};

ParameterizedTestParameters(handled, process_is_refused_meanwhile)
{
	return cr_make_param_array(struct refusal, refusals,
				   sizeof(refusals) / sizeof(refusals[0]));
}

ParameterizedTest(struct refusal *row, handled, process_is_refused_meanwhile)
{
	struct victim victim;
	char target[16];

	start(&victim, row->name, target);
	EXPECT_REFUSAL(EXIT_TIMED_OUT, row->reason, "apply", "--timeout", "1",
		       target, path_of_patch(PATCH));
	victim_expect(&victim, "call", "call 1");
	victim_check_undisturbed(&victim);
	victim_expect(&victim, "leave", "left");
	expect_patched_and_reverted(&victim, target);
	victim_stop(&victim);
}
