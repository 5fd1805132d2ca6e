/* SPDX-License-Identifier: MIT */
/*
 * The four callbacks: their order in the process and in the log, and what a
 * refusal undoes.
 */
#include "paths.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(callbacks, .timeout = 120);

static struct victim victim;

/* The libraries and the callbacks say what they do on the victim's stdout. */
static void start(void)
{
	require_ptrace();
	setenv("TARGET_VERBOSE", "1", 1);
	VICTIM_START(&victim, "objects", path_of_victim("libtarget_a.so"),
		     path_of_victim("libtarget_b.so"));
	victim_expect(&victim, "open a", "libtarget_a.so init");
	victim_expect_line(&victim, "opened");
	victim_expect(&victim, "open b", "libtarget_b.so init");
	victim_expect_line(&victim, "opened");
}

static void stop(void)
{
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

Test(callbacks, run_in_the_order_of_the_objects)
{
	start();
	upatchctl_apply(victim.target, "objects_main_a");
	victim_expect_line(&victim, "pre_patch main live");
	victim_expect_line(&victim, "pre_patch libtarget_a.so live");
	victim_expect_line(&victim, "post_patch main live");
	victim_expect_line(&victim, "post_patch libtarget_a.so live");
	upatchctl_revert(victim.target, "objects_main_a");
	victim_expect_line(&victim, "pre_unpatch main live");
	victim_expect_line(&victim, "pre_unpatch libtarget_a.so live");
	victim_expect_line(&victim, "post_unpatch main live");
	victim_expect_line(&victim, "post_unpatch libtarget_a.so live");
	stop();
}

Test(callbacks, log_of_apply_and_revert)
{
	size_t count;

	start();
	upatchctl_apply(victim.target, "objects_main_a");
	upatchctl_expect_log(
		victim.target, 0,
		"enable objects_main_a\n"
		"init objects_main_a patching\n"
		"callback objects_main_a pre_patch main live 0\n"
		"callback objects_main_a pre_patch libtarget_a.so live 0\n"
		"start objects_main_a patching\n"
		"complete objects_main_a patching\n"
		"callback objects_main_a post_patch main live\n"
		"callback objects_main_a post_patch libtarget_a.so live\n"
		"done objects_main_a patching\n");
	count = upatchctl_log_count(victim.target);
	upatchctl_revert(victim.target, "objects_main_a");
	upatchctl_expect_log(
		victim.target, count,
		"init objects_main_a unpatching\n"
		"callback objects_main_a pre_unpatch main live\n"
		"callback objects_main_a pre_unpatch libtarget_a.so live\n"
		"start objects_main_a unpatching\n"
		"complete objects_main_a unpatching\n"
		"callback objects_main_a post_unpatch main live\n"
		"callback objects_main_a post_unpatch libtarget_a.so live\n"
		"done objects_main_a unpatching\n"
		"unload objects_main_a\n");
	victim_stop(&victim);
}

Test(callbacks, refusal_of_the_first_object_calls_nothing_else)
{
	struct snapshot before;

	start();
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_FAILED, "No such device", "apply", victim.target,
		       path_of_patch("objects_fail_main"));
	victim_expect_line(&victim, "pre_patch main live");
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=1");
	snapshot_expect_kept(victim.pid, &before,
			     SNAPSHOT_CODE | SNAPSHOT_FDS | SNAPSHOT_THREADS |
				     SNAPSHOT_PROCESS,
			     "refused");
	cr_assert(upatchctl_patch_count(victim.target) == 0);
	snapshot_free(&before);
	stop();
}

Test(callbacks, refusal_of_the_second_object_undoes_the_first)
{
	start();
	EXPECT_REFUSAL(EXIT_FAILED, "libtarget_a.so", "apply", victim.target,
		       path_of_patch("objects_fail_a"));
	victim_expect_line(&victim, "pre_patch main live");
	victim_expect_line(&victim, "pre_patch libtarget_a.so live");
	victim_expect_line(&victim, "post_unpatch main live");
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=1");
	upatchctl_apply(victim.target, "objects_main");
	victim_expect_line(&victim, "pre_patch main live");
	victim_expect_line(&victim, "post_patch main live");
	victim_expect(&victim, "call", "main=2 other=2 a=1 b=1");
	victim_stop(&victim);
}

Test(callbacks, refused_patch_leaves_the_process)
{
	struct victim idle;

	require_ptrace();
	VICTIM_START(&idle, "idle");
	for (int i = 0; i < 3; i++)
		EXPECT_REFUSAL(EXIT_FAILED, "No such device", "apply",
			       idle.target, path_of_patch("refuse"));
	victim_expect(&idle, "call", "work=2 twin=2,11 tiny=0");
	upatchctl_apply(idle.target, "work");
	victim_expect(&idle, "call", "work=3 twin=2,11 tiny=0");
	victim_stop(&idle);
}

Test(callbacks, timed_out_apply_runs_post_unpatch_only)
{
	start();
	victim_expect(&victim, "enter b", "entered");
	EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "1", victim.target,
		    path_of_patch("objects_main_b"));
	victim_expect_line(&victim, "pre_patch main live");
	victim_expect_line(&victim, "pre_patch libtarget_b.so live");
	victim_expect_line(&victim, "post_unpatch main live");
	victim_expect_line(&victim, "post_unpatch libtarget_b.so live");
	victim_expect(&victim, "leave b", "left 1");
	victim_stop(&victim);
}
