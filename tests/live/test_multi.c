/* SPDX-License-Identifier: MIT */
/*
 * Several functions, objects and patches: all or nothing, stacked, taken out
 * in any order, each calling what ran before it.
 */
#include "paths.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(multi, .timeout = 120);

static void start_objects(struct victim *victim)
{
	require_ptrace();
	VICTIM_START(victim, "objects", path_of_victim("libtarget_a.so"),
		     path_of_victim("libtarget_b.so"));
	victim_expect(victim, "open a", "opened");
	victim_expect(victim, "open b", "opened");
}

Test(multi, functions_of_three_objects_change_together)
{
	struct victim victim;

	start_objects(&victim);
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=1");
	upatchctl_apply(victim.target, "objects_all");
	victim_expect(&victim, "call", "main=2 other=2 a=2 b=2");
	upatchctl_revert(victim.target, "objects_all");
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=1");
	victim_stop(&victim);
}

Test(multi, a_missing_symbol_of_one_object_changes_nothing)
{
	struct victim victim;
	struct snapshot before;

	start_objects(&victim);
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, "target_missing", "apply", victim.target,
		       path_of_patch("objects_missing_a"));
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=1");
	snapshot_free(&before);
	victim_stop(&victim);
}

Test(multi, a_thread_in_one_object_holds_up_all)
{
	struct victim victim;

	start_objects(&victim);
	victim_expect(&victim, "enter b", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "1", victim.target,
		    path_of_patch("objects_all"));
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=1");
	victim_expect(&victim, "leave b", "left 1");
	upatchctl_apply(victim.target, "objects_all");
	victim_expect(&victim, "call", "main=2 other=2 a=2 b=2");
	victim_stop(&victim);
}

Test(multi, object_that_is_not_loaded_is_left_out)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "objects", path_of_victim("libtarget_a.so"),
		     path_of_victim("libtarget_b.so"));
	victim_expect(&victim, "open a", "opened");
	upatchctl_apply(victim.target, "objects_all");
	victim_expect(&victim, "call", "main=2 other=2 a=2 b=-");
	upatchctl_revert(victim.target, "objects_all");
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=-");
	victim_stop(&victim);
}

static void expect_work(struct victim *victim, int result)
{
	char answer[64];

	snprintf(answer, sizeof(answer), "work=%d twin=2,11 tiny=0", result);
	victim_expect(victim, "call", answer);
}

static void expect_stack(const char *target, const char *expected)
{
	json_t *status = upatchctl_status(target);
	json_t *patches = json_object_get(status, "patches");
	char text[128] = "";
	size_t len = 0;

	for (size_t i = 0; i < json_array_size(patches); i++) {
		json_t *patch = json_array_get(patches, i);

		len += (size_t)
			snprintf(text + len, sizeof(text) - len, "%s%lld %s",
				 i == 0 ? "" : ", ",
				 (long long)json_integer_value(
					 json_object_get(patch, "stack_order")),
				 json_string_value(
					 json_object_get(patch, "name")));
	}
	if (strcmp(text, expected) != 0)
		cr_fatal("patches are '%s', expected '%s'", text, expected);
	json_decref(status);
}

Test(multi, stacked_patches_call_the_one_below)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	expect_work(&victim, 2);
	upatchctl_apply(victim.target, "chain_1");
	expect_work(&victim, 102);
	upatchctl_apply(victim.target, "chain_2");
	expect_work(&victim, 302);
	upatchctl_apply(victim.target, "chain_3");
	expect_work(&victim, 702);
	expect_stack(victim.target, "1 chain_1, 2 chain_2, 3 chain_3");
	upatchctl_revert(victim.target, "chain_3");
	expect_work(&victim, 302);
	upatchctl_revert(victim.target, "chain_2");
	expect_work(&victim, 102);
	upatchctl_revert(victim.target, "chain_1");
	expect_work(&victim, 2);
	victim_stop(&victim);
}

Test(multi, stacked_patches_go_in_any_order)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	snapshot_take(victim.pid, &before);
	upatchctl_apply(victim.target, "chain_1");
	upatchctl_apply(victim.target, "chain_2");
	upatchctl_apply(victim.target, "chain_3");
	upatchctl_revert(victim.target, "chain_2");
	expect_work(&victim, 502);
	expect_stack(victim.target, "1 chain_1, 2 chain_3");
	upatchctl_revert(victim.target, "chain_1");
	expect_work(&victim, 402);
	upatchctl_apply(victim.target, "chain_2");
	expect_work(&victim, 602);
	expect_stack(victim.target, "1 chain_3, 2 chain_2");
	upatchctl_revert(victim.target, "chain_3");
	expect_work(&victim, 202);
	upatchctl_revert(victim.target, "chain_2");
	expect_work(&victim, 2);
	snapshot_expect_kept(victim.pid, &before, SNAPSHOT_CODE,
			     "all reverted");
	snapshot_free(&before);
	victim_stop(&victim);
}

Test(multi, patch_without_call_below_hides_it)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	upatchctl_apply(victim.target, "chain_1");
	upatchctl_apply(victim.target, "work");
	expect_work(&victim, 3);
	upatchctl_apply(victim.target, "chain_2");
	expect_work(&victim, 203);
	upatchctl_revert(victim.target, "work");
	expect_work(&victim, 302);
	victim_stop(&victim);
}

Test(multi, sympos_chooses_between_functions_of_one_name)
{
	struct victim victim;
	const char *first, *second;
	char answers[2][64];

	require_ptrace();
	VICTIM_START(&victim, "idle");
	upatchctl_apply(victim.target, "twin_1");
	first = victim_ask(&victim, "call");
	snprintf(answers[0], sizeof(answers[0]), "%s", first);
	upatchctl_revert(victim.target, "twin_1");
	upatchctl_apply(victim.target, "twin_2");
	second = victim_ask(&victim, "call");
	snprintf(answers[1], sizeof(answers[1]), "%s", second);
	/* The order is the symbol table's; each changes one of the two. */
	if (strcmp(answers[0], "work=2 twin=101,11 tiny=0") != 0)
		cr_assert(strcmp(answers[0], "work=2 twin=2,101 tiny=0") == 0);
	else
		cr_assert(strcmp(answers[1], "work=2 twin=2,101 tiny=0") == 0);
	cr_assert(strcmp(answers[0], answers[1]) != 0);
	victim_stop(&victim);
}
