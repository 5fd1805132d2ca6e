/* SPDX-License-Identifier: MIT */
/*
 * System states: which patches fit each other, and what one hands on to the
 * next.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(states, .timeout = 120);

static struct victim victim;

static void start(void)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
}

/* The callbacks of tests/patches/state.c say what they found. */
static void apply(const char *patch_name, const char *first, const char *second)
{
	upatchctl_apply(victim.target, patch_name);
	victim_expect_line(&victim, first);
	victim_expect_line(&victim, second);
}

static void apply_first(void)
{
	start();
	apply("state_first", "state_first pre_patch own=1 previous=-",
	      "state_first post_patch own=1 previous=-");
}

static void expect_refused(const char *patch_name, const char *part)
{
	EXPECT_REFUSAL(EXIT_REFUSED, part, "apply", victim.target,
		       path_of_patch(patch_name));
}

Test(states, newer_version_fits_an_older_one_does_not)
{
	apply_first();
	apply("state_second",
	      "state_second pre_patch own=2 previous=>state_first",
	      "state_second post_patch own=2 previous=>state_first");
	expect_refused("state_older",
		       "'state_older' has version 1 of state 7, which is older "
		       "than version 2 of 'state_second'");
	cr_assert(upatchctl_patch_count(victim.target) == 2);
	victim_expect(&victim, "call", "guarded=3 plain=2 wrapper=31");
	victim_stop(&victim);
}

Test(states, same_version_fits)
{
	apply_first();
	apply("state_older",
	      "state_older pre_patch own=1 previous=>state_first",
	      "state_older post_patch own=1 previous=>state_first");
	victim_stop(&victim);
}

Test(states, unknown_states_are_kept_without_replace)
{
	apply_first();
	apply("state_other", "state_other pre_patch own=1 previous=-",
	      "state_other post_patch own=1 previous=-");
	apply("state_none", "state_none pre_patch own=-1 previous=>state_first",
	      "state_none post_patch own=-1 previous=>state_first");
	victim_stop(&victim);
}

Test(states, replacing_patch_has_to_take_over_every_state)
{
	apply_first();
	expect_refused("replace_none",
		       "'replace_none' replaces 'state_first', but does not "
		       "list its state 7, version 1");
	apply("state_other", "state_other pre_patch own=1 previous=-",
	      "state_other post_patch own=1 previous=-");
	expect_refused("replace_first",
		       "'replace_first' replaces 'state_other', but does not "
		       "list its state 8, version 1");
	cr_assert(upatchctl_patch_count(victim.target) == 2);
	victim_stop(&victim);
}

Test(states, every_conflict_is_named)
{
	apply_first();
	apply("state_second",
	      "state_second pre_patch own=2 previous=>state_first",
	      "state_second post_patch own=2 previous=>state_first");
	expect_refused("replace_none", "'state_first'");
	expect_refused("replace_none", "'state_second'");
	victim_stop(&victim);
}

Test(states, states_of_a_reverted_patch_do_not_count)
{
	apply_first();
	upatchctl_revert(victim.target, "state_first");
	victim_expect_line(&victim, "state_first pre_unpatch own=1 previous=-");
	victim_expect_line(&victim,
			   "state_first post_unpatch own=1 previous=-");
	apply("replace_none", "replace_none pre_patch own=-1 previous=-",
	      "replace_none post_patch own=-1 previous=-");
	victim_stop(&victim);
}

Test(states, unpatch_callbacks_see_the_patch_below)
{
	apply_first();
	apply("state_second",
	      "state_second pre_patch own=2 previous=>state_first",
	      "state_second post_patch own=2 previous=>state_first");
	upatchctl_revert(victim.target, "state_second");
	victim_expect_line(
		&victim,
		"state_second pre_unpatch own=2 previous=>state_first");
	victim_expect_line(
		&victim,
		"state_second post_unpatch own=2 previous=>state_first");
	victim_stop(&victim);
}

Test(states, newest_patch_below_is_the_previous_one)
{
	apply_first();
	apply("state_second",
	      "state_second pre_patch own=2 previous=>state_first",
	      "state_second post_patch own=2 previous=>state_first");
	apply("state_none",
	      "state_none pre_patch own=-1 previous=>state_first>state_second",
	      "state_none post_patch own=-1 previous=>state_first>state_second");
	upatchctl_revert(victim.target, "state_first");
	victim_expect_line(&victim, "state_first pre_unpatch own=1 previous=-");
	victim_expect_line(&victim,
			   "state_first post_unpatch own=1 previous=-");
	victim_stop(&victim);
}
