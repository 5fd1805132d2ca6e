/* SPDX-License-Identifier: MIT */
/*
 * A transition that a thread holds up: time-outs, reverse, force, and other
 * operations meanwhile.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(transition, .timeout = 120);

static struct victim victim;

/* A thread sits in the old guarded(), and apply has given up waiting. */
static void stall(void)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "1", "--on-timeout",
		    "leave", victim.target, path_of_patch("guarded"));
}

Test(transition, moved_threads_run_new_code_while_one_is_waited_for)
{
	stall();
	victim_expect(&victim, "call", "guarded=2 plain=2 wrapper=21");
	victim_expect(&victim, "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	victim_stop(&victim);
}

Test(transition, wait_times_out_as_long_as_the_thread_stays)
{
	stall();
	EXPECT_EXIT(EXIT_TIMED_OUT, "wait", "--timeout", "1", victim.target);
	victim_expect(&victim, "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	victim_stop(&victim);
}

/* Threads that a callback creates have the agent's name. */
Test(transition, thread_with_the_name_of_the_agent_is_waited_for)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker", "upatch-agent");
	victim_expect(&victim, "enter", "entered");
	EXPECT_REFUSAL(EXIT_TIMED_OUT, "(upatch-agent): on-stack of guarded",
		       "apply", victim.target, path_of_patch("guarded"),
		       "--timeout", "0.2", "--on-timeout", "leave");
	EXPECT_EXIT(EXIT_TIMED_OUT, "wait", "--timeout", "0.2", victim.target);
	victim_expect(&victim, "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	victim_stop(&victim);
}

Test(transition, reverse_goes_back_without_the_blocking_thread)
{
	stall();
	EXPECT_EXIT(EXIT_DONE, "reverse", victim.target);
	victim_expect(&victim, "call", "guarded=1 plain=1 wrapper=11");
	cr_assert(upatchctl_patch_count(victim.target) == 0);
	victim_expect(&victim, "leave", "left 1");
	victim_stop(&victim);
}

Test(transition, force_ends_it_and_keeps_the_old_code_callable)
{
	json_t *status, *patch;

	stall();
	EXPECT_EXIT(EXIT_DONE, "force", victim.target);
	status = upatchctl_status(victim.target);
	cr_assert(upatchctl_has(status, "transition", JSON_NULL));
	patch = json_array_get(json_object_get(status, "patches"), 0);
	/* As in the kernel: only what leaves by force stays for good. */
	cr_assert(upatchctl_has(patch, "forced", JSON_FALSE));
	json_decref(status);
	victim_expect(&victim, "leave", "left 1");
	victim_expect(&victim, "call", "guarded=2 plain=2 wrapper=21");
	victim_stop(&victim);
}

/* --- --on-timeout: what it says, how it ends, what is left --------------- */

/* "state" of the patch, or "none"; " moving" behind it during a transition. */
static void expect_state(const char *expected)
{
	json_t *status = upatchctl_status(victim.target);
	json_t *patches = json_object_get(status, "patches");
	const char *state = json_string_value(
		json_object_get(json_array_get(patches, 0), "state"));
	char text[64];

	snprintf(text, sizeof(text), "%s%s", state != NULL ? state : "none",
		 upatchctl_has(status, "transition", JSON_NULL) ? ""
								: " moving");
	if (strcmp(text, expected) != 0)
		cr_fatal("status is '%s', expected '%s'", text, expected);
	json_decref(status);
}

static void time_out_apply(const char *on_timeout, int exit_status)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(exit_status, "apply", "--timeout", "1", "--on-timeout",
		    on_timeout, victim.target, path_of_patch("guarded"));
}

static void time_out_revert(const char *on_timeout, int exit_status)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	upatchctl_apply(victim.target, "guarded");
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(exit_status, "revert", "--timeout", "1", "--on-timeout",
		    on_timeout, victim.target, "guarded");
}

static void expect_end(const char *left, const char *call)
{
	victim_expect(&victim, "leave", left);
	victim_expect(&victim, "call", call);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

Test(transition, apply_is_forced_on_timeout)
{
	time_out_apply("force", EXIT_DONE);
	expect_state("enabled");
	victim_expect(&victim, "call", "guarded=2 plain=2 wrapper=21");
	expect_end("left 1", "guarded=2 plain=2 wrapper=21");
}

Test(transition, apply_is_left_on_timeout)
{
	time_out_apply("leave", EXIT_TIMED_OUT);
	expect_state("patching moving");
	expect_end("left 1", "guarded=2 plain=2 wrapper=21");
}

Test(transition, apply_is_reversed_on_timeout)
{
	time_out_apply("reverse", EXIT_TIMED_OUT);
	expect_state("none");
	expect_end("left 1", "guarded=1 plain=1 wrapper=11");
}

Test(transition, revert_is_forced_on_timeout)
{
	size_t seen;

	time_out_revert("force", EXIT_DONE);
	expect_state("none");
	seen = upatchctl_log_count(victim.target);
	upatchctl_expect_log(victim.target, seen - 4,
			     "force guarded\n"
			     "complete guarded unpatching\n"
			     "done guarded unpatching\n"
			     "parked guarded\n");
	victim_expect(&victim, "call", "guarded=1 plain=1 wrapper=11");
	expect_end("left 2", "guarded=1 plain=1 wrapper=11");
}

Test(transition, revert_is_left_on_timeout)
{
	time_out_revert("leave", EXIT_TIMED_OUT);
	expect_state("unpatching moving");
	expect_end("left 2", "guarded=1 plain=1 wrapper=11");
}

Test(transition, revert_is_reversed_on_timeout)
{
	time_out_revert("reverse", EXIT_TIMED_OUT);
	expect_state("enabled");
	expect_end("left 2", "guarded=2 plain=2 wrapper=21");
}

Test(transition, commands_for_a_transition_need_one)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	upatchctl_apply(victim.target, "guarded");
	EXPECT_REFUSAL(EXIT_REFUSED, "no transition", "force", victim.target);
	EXPECT_REFUSAL(EXIT_REFUSED, "no transition", "reverse", victim.target);
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	expect_state("enabled");
	victim_stop(&victim);
}

/* --- Other operations meanwhile ------------------------------------------ */

Test(transition, another_operation_is_refused_as_busy)
{
	stall();
	EXPECT_EXIT(EXIT_BUSY, "apply", victim.target, path_of_patch("plain"));
	EXPECT_EXIT(EXIT_BUSY, "revert", victim.target, "guarded");
	victim_expect(&victim, "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	upatchctl_apply(victim.target, "plain");
	victim_stop(&victim);
}

Test(transition, revert_waits_for_a_thread_in_new_code)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	upatchctl_apply(victim.target, "guarded");
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "revert", "--timeout", "1", victim.target,
		    "guarded");
	cr_assert(upatchctl_patch_count(victim.target) == 1);
	victim_expect(&victim, "call", "guarded=2 plain=2 wrapper=21");
	victim_expect(&victim, "leave", "left 2");
	upatchctl_revert(victim.target, "guarded");
	victim_expect(&victim, "call", "guarded=1 plain=1 wrapper=11");
	victim_stop(&victim);
}

Test(transition, forced_revert_keeps_new_code_for_the_thread_in_it)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	upatchctl_apply(victim.target, "guarded");
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "revert", "--timeout", "1", "--on-timeout",
		    "leave", victim.target, "guarded");
	EXPECT_EXIT(EXIT_DONE, "force", victim.target);
	cr_assert(upatchctl_patch_count(victim.target) == 0);
	victim_expect(&victim, "call", "guarded=1 plain=1 wrapper=11");
	victim_expect(&victim, "leave", "left 2");
	victim_stop(&victim);
}

Test(transition, functions_that_are_not_replaced_do_not_block)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	victim_expect(&victim, "enter", "entered");
	upatchctl_apply(victim.target, "plain");
	victim_expect(&victim, "call", "guarded=1 plain=3 wrapper=11");
	victim_expect(&victim, "leave", "left 1");
	upatchctl_revert(victim.target, "plain");
	victim_stop(&victim);
}
