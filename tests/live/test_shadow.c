/* SPDX-License-Identifier: MIT */
/*
 * Shadow variables in a process: patches share them, and they outlive the
 * patches that made them.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(shadow, .timeout = 120);

static struct victim victim;

static void expect_work(int result)
{
	char answer[64];

	snprintf(answer, sizeof(answer), "work=%d twin=2,11 tiny=0", result);
	victim_expect(&victim, "call", answer);
}

static void start(void)
{
	require_ptrace();
	VICTIM_START(&victim, "idle");
}

Test(shadow, value_survives_its_patch_and_is_seen_by_the_next)
{
	start();
	upatchctl_apply(victim.target, "shadow_count");
	expect_work(101);
	expect_work(102);
	upatchctl_revert(victim.target, "shadow_count");
	expect_work(2);
	upatchctl_apply(victim.target, "shadow_count_by_ten");
	expect_work(112);
	upatchctl_apply(victim.target, "shadow_count");
	expect_work(113);
	upatchctl_revert(victim.target, "shadow_count_by_ten");
	expect_work(114);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

Test(shadow, free_all_in_a_callback_frees_once)
{
	start();
	upatchctl_apply(victim.target, "shadow_count");
	expect_work(101);
	upatchctl_revert(victim.target, "shadow_count");
	upatchctl_apply(victim.target, "shadow_clean");
	victim_expect_line(&victim, "freed 101");
	upatchctl_apply(victim.target, "shadow_count");
	expect_work(101);
	victim_stop(&victim);
}

/* The address in it differs from run to run. */
static void expect_warning(const json_t *entry)
{
	json_t *reason = json_object_get(entry, "reason");
	const char *text = json_string_value(reason);

	cr_assert(upatchctl_has(entry, "patch", JSON_NULL));
	cr_assert(text != NULL);
	cr_assert(strstr(text, ", 1) exists already") != NULL, "'%s'", text);
}

Test(shadow, attaching_twice_is_a_warning_in_the_log)
{
	struct run run;
	const char *line;
	json_t *entry;

	start();
	upatchctl_apply(victim.target, "shadow_twice");
	expect_work(101);
	run = UPATCHCTL("log", "--json", victim.target);
	cr_assert(run.exit_status == EXIT_DONE);
	line = strstr(run.out, "\"warning\"");
	cr_assert(line != NULL);
	while (line > run.out && line[-1] != '\n')
		line--;
	entry = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
	expect_warning(entry);
	json_decref(entry);
	run_free(&run);
	EXPECT_EXIT(EXIT_DONE, "log", victim.target);
	victim_stop(&victim);
}
