/* SPDX-License-Identifier: MIT */
/*
 * immediate: redirected although a thread is inside; the patch then stays
 * mapped for good.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(immediate, .timeout = 120);

static void expect_last_event(const char *target, const char *event)
{
	size_t count = upatchctl_log_count(target);
	char *text = upatchctl_transcript(target, count - 1);

	if (strncmp(text, event, strlen(event)) != 0)
		cr_fatal("the last event is '%s', expected %s", text, event);
	free(text);
}

Test(immediate, function_is_replaced_while_a_thread_is_inside)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "blocker");
	victim_expect(&victim, "enter", "entered");
	upatchctl_apply(victim.target, "guarded_immediate");
	victim_expect(&victim, "call", "guarded=2 plain=2 wrapper=21");
	victim_expect(&victim, "leave", "left 1");
	victim_stop(&victim);
}

Test(immediate, patch_is_parked_when_reverted)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "blocker");
	upatchctl_apply(victim.target, "guarded_immediate");
	victim_expect(&victim, "enter", "entered");
	upatchctl_revert(victim.target, "guarded_immediate");
	victim_expect(&victim, "call", "guarded=1 plain=1 wrapper=11");
	expect_last_event(victim.target, "parked");
	victim_expect(&victim, "leave", "left 2");
	upatchctl_apply(victim.target, "guarded_immediate");
	victim_expect(&victim, "call", "guarded=2 plain=2 wrapper=21");
	victim_stop(&victim);
}

Test(immediate, whole_patch)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "workers", "spin", "4");
	upatchctl_apply(victim.target, "work_immediate");
	cr_assert(victim_number(victim_ask(&victim, "round"), "old") == 0);
	upatchctl_revert(victim.target, "work_immediate");
	cr_assert(victim_number(victim_ask(&victim, "round"), "new") == 0);
	expect_last_event(victim.target, "parked");
	victim_stop(&victim);
}

Test(immediate, ordinary_patch_is_unloaded)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	upatchctl_apply(victim.target, "work");
	upatchctl_revert(victim.target, "work");
	expect_last_event(victim.target, "unload");
	victim_stop(&victim);
}
