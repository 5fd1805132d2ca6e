/* SPDX-License-Identifier: MIT */
/*
 * Who holds up a transition and who does not: threads in handlers, on other
 * stacks, with dead words on their stack, with frames nobody can walk.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(stack_check, .timeout = 120);

struct row {
	char name[24];
	/* as status has it; "" where it does not block */
	char reason[16];
	/* what is on a stack of it; "" where no replaced function is */
	char function[16];
};

static struct row rows[] = {
	{ "plain", "on-stack", "subject" },
	{ "signal", "on-stack", "spinner" },
	{ "altstack_below", "on-stack", "spinner" },
	{ "altstack_inside", "on-stack", "subject" },
	{ "altstack_clear", "", "" },
	{ "coro_running", "on-stack", "subject" },
	{ "coro_clear", "", "" },
	{ "stale", "", "" },
	/* A word that nobody can explain: not known counts as on the stack. */
	{ "nounwind", "no-unwind", "subject" },
	{ "nounwind_stale", "no-unwind", "" },
	{ "nounwind_clear", "", "" },
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static bool blocks(const struct row *row)
{
	return row->reason[0] != '\0';
}

static void expect_left(struct victim *victim, const struct row *row,
			int version)
{
	char answer[16];

	snprintf(answer, sizeof(answer), "left %d",
		 row->function[0] != '\0' ? version : 0);
	victim_expect(victim, "leave", answer);
}

static void expect_calls(struct victim *victim, int version)
{
	char answer[32];

	snprintf(answer, sizeof(answer), "call %d %d 1 1", version, version);
	victim_expect(victim, "call", answer);
}

ParameterizedTestParameters(stack_check, apply_waits_for)
{
	return cr_make_param_array(struct row, rows, ROW_COUNT);
}

ParameterizedTest(struct row *row, stack_check, apply_waits_for)
{
	struct victim victim;

	require_ptrace();
	cr_log_info("%s", row->name);
	VICTIM_START(&victim, "stacks", row->name);
	victim_expect(&victim, "enter", "entered");
	if (blocks(row)) {
		EXPECT_REFUSAL(EXIT_TIMED_OUT, "", "apply", "--timeout", "1",
			       victim.target, path_of_patch("stacks"));
		cr_assert(upatchctl_patch_count(victim.target) == 0);
		expect_calls(&victim, 1);
	} else {
		upatchctl_apply(victim.target, "stacks");
		expect_calls(&victim, 2);
		expect_left(&victim, row, 2);
		upatchctl_revert(victim.target, "stacks");
		victim_expect(&victim, "enter", "entered");
	}
	victim_check_undisturbed(&victim);
	expect_left(&victim, row, 1);
	upatchctl_apply(victim.target, "stacks");
	expect_calls(&victim, 2);
	victim_stop(&victim);
}

ParameterizedTestParameters(stack_check, revert_waits_for)
{
	return cr_make_param_array(struct row, rows, ROW_COUNT);
}

ParameterizedTest(struct row *row, stack_check, revert_waits_for)
{
	struct victim victim;

	require_ptrace();
	cr_log_info("%s", row->name);
	VICTIM_START(&victim, "stacks", row->name);
	upatchctl_apply(victim.target, "stacks");
	victim_expect(&victim, "enter", "entered");
	if (blocks(row)) {
		EXPECT_REFUSAL(EXIT_TIMED_OUT, "", "revert", "--timeout", "1",
			       victim.target, "stacks");
		cr_assert(upatchctl_patch_count(victim.target) == 1);
		expect_calls(&victim, 2);
		expect_left(&victim, row, 2);
		upatchctl_revert(victim.target, "stacks");
	} else {
		upatchctl_revert(victim.target, "stacks");
		expect_left(&victim, row, 2);
	}
	expect_calls(&victim, 1);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

ParameterizedTestParameters(stack_check, status_names)
{
	return cr_make_param_array(struct row, rows, ROW_COUNT);
}

static void expect_member(const json_t *object, const char *key,
			  const char *expected)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL ? expected != NULL
			 : expected == NULL || strcmp(text, expected) != 0)
		cr_fatal("%s is %s, expected %s", key,
			 text != NULL ? text : "null",
			 expected != NULL ? expected : "null");
}

/*
 * The blocking thread by name, the reason, the function where it is known for
 * certain, and how to go on.
 */
ParameterizedTest(struct row *row, stack_check, status_names)
{
	struct victim victim;
	json_t *status, *transition, *blocking;

	require_ptrace();
	if (!blocks(row))
		return;
	VICTIM_START(&victim, "stacks", row->name);
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "1", "--on-timeout",
		    "leave", victim.target, path_of_patch("stacks"));
	status = upatchctl_status(victim.target);
	transition = json_object_get(status, "transition");
	blocking = json_array_get(json_object_get(transition, "blocking"), 0);
	cr_assert(json_array_size(json_object_get(transition, "blocking")) ==
		  1);
	expect_member(blocking, "comm", "subject");
	expect_member(blocking, "reason", row->reason);
	expect_member(blocking, "function",
		      strcmp(row->reason, "on-stack") == 0 ? row->function
							   : NULL);
	json_decref(status);
	expect_left(&victim, row, 1);
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	expect_calls(&victim, 2);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

static void expect_alive_after(const char *case_name, const char *patch_name)
{
	struct victim victim;
	struct run run;
	const char *answer;

	VICTIM_START(&victim, "stacks", case_name);
	victim_expect(&victim, "enter", "entered");
	run = UPATCHCTL("apply", "--timeout", "1", victim.target,
			path_of_patch(patch_name));
	cr_log_info("%s: exit status %d %s", case_name, run.exit_status,
		    run.err);
	answer = victim_ask(&victim, "leave");
	/* The call that was there first runs to its end as it began. */
	if (strcmp(answer, "left 1") != 0)
		cr_fatal("%s: %s", case_name, answer);
	victim_ask(&victim, "call");
	victim_check_undisturbed(&victim);
	run_free(&run);
	victim_stop(&victim);
}

/* Whether it waits or refuses is its own business; it must not be a crash. */
Test(stack_check, handler_that_interrupted_the_entry_returns_unharmed)
{
	require_ptrace();
	expect_alive_after("entry_fault", "entry_fault");
}

Test(stack_check, call_out_of_the_entry_returns_unharmed)
{
	require_ptrace();
	expect_alive_after("entry_call", "entry_call");
}

/* It is moved to the copy of the instruction that it is about to execute. */
Test(stack_check, thread_inside_the_entry_goes_on_in_the_copy)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "stacks", "entry_loop");
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "0.1", "--on-timeout",
		    "leave", victim.target, path_of_patch("entry_loop"));
	victim_expect(&victim, "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	victim_expect(&victim, "enter", "entered");
	victim_expect(&victim, "leave", "left 2");
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/*
 * A suspended coroutine is on no thread's stack.  Its old code is never
 * freed; its new code must not be either, as long as it may come back.
 */
Test(stack_check, suspended_coroutine_resumes_in_new_code_after_revert)
{
	struct victim victim;
	size_t events;

	require_ptrace();
	VICTIM_START(&victim, "stacks", "coro_suspended");
	upatchctl_apply(victim.target, "stacks");
	victim_expect(&victim, "enter", "entered");
	upatchctl_revert(victim.target, "stacks");
	events = upatchctl_log_count(victim.target);
	upatchctl_expect_log(victim.target, events - 1, "parked stacks\n");
	victim_expect(&victim, "leave", "left 2");
	expect_calls(&victim, 1);
	victim_stop(&victim);
}

Test(stack_check, suspended_coroutine_resumes_in_old_code)
{
	struct victim victim;
	struct run run;

	require_ptrace();
	VICTIM_START(&victim, "stacks", "coro_suspended");
	victim_expect(&victim, "enter", "entered");
	run = UPATCHCTL("apply", "--timeout", "1", victim.target,
			path_of_patch("stacks"));
	victim_expect(&victim, "leave", "left 1");
	run_free(&run);
	victim_stop(&victim);
}
