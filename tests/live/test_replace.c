/* SPDX-License-Identifier: MIT */
/*
 * Patches that replace all earlier ones: in one transition, without a callback
 * of what is replaced, and back again if it is turned around.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(replace, .timeout = 120);

static struct victim victim;

/* guarded() and plain() by state_first, guarded() once more by state_second. */
static void start(void)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	upatchctl_apply(victim.target, "state_first");
	victim_expect_line(&victim, "state_first pre_patch own=1 previous=-");
	victim_expect_line(&victim, "state_first post_patch own=1 previous=-");
	upatchctl_apply(victim.target, "state_second");
	victim_expect_line(
		&victim, "state_second pre_patch own=2 previous=>state_first");
	victim_expect_line(
		&victim, "state_second post_patch own=2 previous=>state_first");
	victim_expect(&victim, "call", "guarded=3 plain=2 wrapper=31");
}

static void expect_pre_patch(const char *name, const char *previous)
{
	char line[128];

	snprintf(line, sizeof(line), "%s pre_patch own=%d previous=%s", name,
		 strcmp(name, "replace_first") == 0 ? 2 : 3, previous);
	victim_expect_line(&victim, line);
}

static void expect_post_patch(const char *name, const char *previous)
{
	char line[128];

	snprintf(line, sizeof(line), "%s post_patch own=%d previous=%s", name,
		 strcmp(name, "replace_first") == 0 ? 2 : 3, previous);
	victim_expect_line(&victim, line);
}

static void expect_only_patch(const char *name)
{
	json_t *status = upatchctl_status(victim.target);
	json_t *patches = json_object_get(status, "patches");
	json_t *patch = json_array_get(patches, 0);

	cr_assert(json_array_size(patches) == 1);
	cr_assert(strcmp(json_string_value(json_object_get(patch, "name")),
			 name) == 0);
	cr_assert(json_integer_value(json_object_get(patch, "stack_order")) ==
		  1);
	json_decref(status);
}

Test(replace, dropped_functions_go_back_and_old_patches_leave)
{
	const char *const both = ">state_first>state_second";
	size_t count;

	start();
	count = upatchctl_log_count(victim.target);
	upatchctl_apply(victim.target, "replace_first");
	expect_pre_patch("replace_first", both);
	expect_post_patch("replace_first", both);
	victim_expect(&victim, "call", "guarded=7 plain=1 wrapper=71");
	expect_only_patch("replace_first");
	upatchctl_expect_log(victim.target, count,
			     "enable replace_first\n"
			     "init replace_first patching\n"
			     "callback replace_first pre_patch main live 0\n"
			     "start replace_first patching\n"
			     "complete replace_first patching\n"
			     "callback replace_first post_patch main live\n"
			     "done replace_first patching\n"
			     "unload state_first\n"
			     "unload state_second\n");
	upatchctl_revert(victim.target, "replace_first");
	victim_expect_line(&victim,
			   "replace_first pre_unpatch own=2 previous=-");
	victim_expect_line(&victim,
			   "replace_first post_unpatch own=2 previous=-");
	victim_expect(&victim, "call", "guarded=1 plain=1 wrapper=11");
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

Test(replace, replaced_by_a_patch_of_other_functions)
{
	start();
	upatchctl_apply(victim.target, "replace_second");
	expect_pre_patch("replace_second", ">state_first>state_second");
	expect_post_patch("replace_second", ">state_first>state_second");
	victim_expect(&victim, "call", "guarded=1 plain=8 wrapper=11");
	victim_stop(&victim);
}

Test(replace, replacing_one_is_replaced_itself)
{
	start();
	upatchctl_apply(victim.target, "replace_first");
	expect_pre_patch("replace_first", ">state_first>state_second");
	expect_post_patch("replace_first", ">state_first>state_second");
	upatchctl_apply(victim.target, "replace_second");
	expect_pre_patch("replace_second",
			 ">state_first>state_second>replace_first");
	expect_post_patch("replace_second",
			  ">state_first>state_second>replace_first");
	victim_expect(&victim, "call", "guarded=1 plain=8 wrapper=11");
	expect_only_patch("replace_second");
	victim_stop(&victim);
}

Test(replace, replaced_patch_can_be_applied_again)
{
	start();
	upatchctl_apply(victim.target, "replace_first");
	expect_pre_patch("replace_first", ">state_first>state_second");
	expect_post_patch("replace_first", ">state_first>state_second");
	upatchctl_apply(victim.target, "state_second");
	victim_expect_line(&victim,
			   "state_second pre_patch own=2 "
			   "previous=>state_first>state_second>replace_first");
	victim_expect_line(&victim,
			   "state_second post_patch own=2 "
			   "previous=>state_first>state_second>replace_first");
	victim_expect(&victim, "call", "guarded=3 plain=1 wrapper=31");
	victim_stop(&victim);
}

/* A thread sits in the original guarded(), below the replaced versions. */
static void stall(const char *name)
{
	start();
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "1", "--on-timeout",
		    "leave", victim.target, path_of_patch(name));
	expect_pre_patch(name, ">state_first>state_second");
}

Test(replace, moved_threads_run_the_new_patch_or_the_original)
{
	stall("replace_second");
	victim_expect(&victim, "call", "guarded=1 plain=8 wrapper=11");
	victim_expect(&victim, "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	expect_post_patch("replace_second", ">state_first>state_second");
	expect_only_patch("replace_second");
	victim_stop(&victim);
}

Test(replace, turned_around_leaves_the_older_ones_untouched)
{
	stall("replace_second");
	victim_expect(&victim, "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "reverse", victim.target);
	victim_expect_line(&victim, "replace_second post_unpatch own=3 "
				    "previous=>state_first>state_second");
	victim_expect(&victim, "call", "guarded=3 plain=2 wrapper=31");
	cr_assert(upatchctl_patch_count(victim.target) == 2);
	upatchctl_revert(victim.target, "state_second");
	victim_expect_line(&victim, "state_second pre_unpatch own=2 "
				    "previous=>state_first");
	victim_expect_line(&victim, "state_second post_unpatch own=2 "
				    "previous=>state_first");
	victim_expect(&victim, "call", "guarded=2 plain=2 wrapper=21");
	victim_stop(&victim);
}

Test(replace, forced_keeps_the_replaced_code_for_the_thread_in_it)
{
	char *text;

	stall("replace_second");
	EXPECT_EXIT(EXIT_DONE, "force", victim.target);
	expect_post_patch("replace_second", ">state_first>state_second");
	expect_only_patch("replace_second");
	text = upatchctl_transcript(victim.target, 0);
	cr_assert(strstr(text, "parked state_first") != NULL);
	cr_assert(strstr(text, "parked state_second") != NULL);
	cr_assert(strstr(text, "unload") == NULL);
	free(text);
	victim_expect(&victim, "leave", "left 1");
	victim_expect(&victim, "call", "guarded=1 plain=8 wrapper=11");
	victim_stop(&victim);
}

/* It has replaced once; staying after all must not do it again. */
Test(replace, disabling_that_is_turned_around_keeps_later_patches)
{
	require_ptrace();
	VICTIM_START(&victim, "blocker");
	upatchctl_apply(victim.target, "replace_first");
	expect_pre_patch("replace_first", "-");
	expect_post_patch("replace_first", "-");
	upatchctl_apply(victim.target, "state_none");
	victim_expect_line(&victim, "state_none pre_patch own=-1 "
				    "previous=>replace_first");
	victim_expect_line(&victim, "state_none post_patch own=-1 "
				    "previous=>replace_first");
	victim_expect(&victim, "enter", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "revert", "--timeout", "1", victim.target,
		    "replace_first");
	victim_expect_line(&victim,
			   "replace_first pre_unpatch own=2 previous=-");
	expect_post_patch("replace_first", "-");
	cr_assert(upatchctl_patch_count(victim.target) == 2);
	victim_expect(&victim, "call", "guarded=7 plain=6 wrapper=71");
	victim_expect(&victim, "leave", "left 1");
	victim_stop(&victim);
}

Test(replace, patch_that_refuses_replaces_nothing)
{
	start();
	EXPECT_REFUSAL(EXIT_FAILED, "No such device", "apply", victim.target,
		       path_of_patch("replace_refuse"));
	expect_pre_patch("replace_refuse", ">state_first>state_second");
	victim_expect(&victim, "call", "guarded=3 plain=2 wrapper=31");
	cr_assert(upatchctl_patch_count(victim.target) == 2);
	victim_stop(&victim);
}
