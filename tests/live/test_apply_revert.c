/* SPDX-License-Identifier: MIT */
/*
 * Apply and revert, again and again, on threads that call, sleep or block:
 * all run new code, then old code, and nothing is left behind.
 */
#include "paths.h"
#include "procfs.h"
#include "snapshot.h"
#include "tried.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(apply_revert, .timeout = 600);

struct row {
	char mode[16];
	char threads[4];
	/* UPATCH_CYCLES=200 is the long run: four minutes in all */
	unsigned int cycles;
};

static struct row rows[] = {
	{ "spin", "1", 10 },	   { "spin", "8", 200 },
	{ "spin", "64", 10 },	   { "sleep", "1", 10 },
	{ "sleep", "8", 20 },	   { "sleep", "64", 10 },
	{ "epoll", "1", 10 },	   { "epoll", "8", 200 },
	{ "epoll", "64", 10 },	   { "poll", "1", 10 },
	{ "poll", "8", 20 },	   { "poll", "64", 10 },
	{ "read", "1", 10 },	   { "read", "8", 20 },
	{ "read", "64", 10 },	   { "futex", "1", 10 },
	{ "futex", "8", 200 },	   { "futex", "64", 10 },
	{ "nanosleep", "1", 10 },  { "nanosleep", "8", 20 },
	{ "nanosleep", "64", 10 }, { "epoll_timeout", "8", 20 },
};

/* Every thread calls: not one result may be of the other side. */
static void expect_side(struct victim *victim, bool is_new, const char *when)
{
	const char *answer = victim_ask(victim, "round");
	long wrong = victim_number(answer, is_new ? "old" : "new") +
		     victim_number(answer, "other");

	if (wrong != 0)
		cr_fatal("%s: %s", when, answer);
}

static void run_cycles(struct victim *victim, unsigned int count)
{
	struct snapshot original, first;
	char when[32];

	snapshot_take(victim->pid, &original);
	for (unsigned int i = 1; i <= count; i++) {
		snprintf(when, sizeof(when), "cycle %u", i);
		upatchctl_apply(victim->target, "work");
		expect_side(victim, true, when);
		upatchctl_revert(victim->target, "work");
		expect_side(victim, false, when);
		snapshot_expect_reverted(victim->pid, &original, when);
		/* The runtime and its pages stay, once they are there. */
		if (i == 1)
			snapshot_take(victim->pid, &first);
		snapshot_expect_equal(victim->pid, &first,
				      SNAPSHOT_MAPS | SNAPSHOT_CODE, when);
		tried(1, "cycles");
	}
	snapshot_free(&original);
	snapshot_free(&first);
}

ParameterizedTestParameters(apply_revert, every_mode_and_thread_count)
{
	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, apply_revert, every_mode_and_thread_count)
{
	struct victim victim;
	const char *answer;

	require_ptrace();
	VICTIM_START(&victim, "workers", row->mode, row->threads);
	expect_side(&victim, false, "before");
	victim_ask(&victim, "report");
	run_cycles(&victim, cycle_count(row->cycles));
	answer = victim_ask(&victim, "report");
	if (victim_number(answer, "disturbed") != 0)
		cr_fatal("%s, %s threads: system calls were disturbed: %s",
			 row->mode, row->threads, answer);
	cr_log_info("%s, %s threads: %s", row->mode, row->threads, answer);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

Test(apply_revert, applied_patch_outlives_the_controller)
{
	struct victim victim;
	json_t *status;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	upatchctl_apply(victim.target, "work");
	victim_expect(&victim, "call", "work=3 twin=2,11 tiny=0");
	status = upatchctl_status(victim.target);
	cr_assert(upatchctl_has(status, "transition", JSON_NULL));
	cr_assert(json_array_size(json_object_get(status, "patches")) == 1);
	json_decref(status);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

Test(apply_revert, dry_run_changes_nothing)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	snapshot_take(victim.pid, &before);
	EXPECT_EXIT(EXIT_DONE, "apply", "--dry-run", victim.target,
		    path_of_patch("work"));
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "dry run");
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	snapshot_free(&before);
	victim_stop(&victim);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

Test(apply_revert, status_describes_the_function)
{
	struct victim victim;
	json_t *status, *patch, *object, *func;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	upatchctl_apply(victim.target, "work");
	status = upatchctl_status(victim.target);
	patch = json_array_get(json_object_get(status, "patches"), 0);
	object = json_array_get(json_object_get(patch, "objects"), 0);
	func = json_array_get(json_object_get(object, "funcs"), 0);
	cr_assert(json_integer_value(json_object_get(status, "pid")) ==
		  victim.pid);
	cr_assert(strcmp(text_of(patch, "name"), "work") == 0);
	cr_assert(strcmp(text_of(patch, "file"), path_of_patch("work")) == 0);
	cr_assert(strcmp(text_of(patch, "state"), "enabled") == 0);
	cr_assert(upatchctl_has(object, "name", JSON_NULL));
	cr_assert(upatchctl_has(object, "patched", JSON_TRUE));
	cr_assert(strcmp(text_of(func, "name"), "work") == 0);
	cr_assert(upatchctl_has(func, "patched", JSON_TRUE));
	cr_assert(upatchctl_has(func, "transition", JSON_FALSE));
	cr_assert(json_integer_value(json_object_get(func, "old_size")) > 0);
	cr_assert(strncmp(text_of(func, "new_addr"), "0x", 2) == 0);
	json_decref(status);
	victim_stop(&victim);
}

/* How often the only thread has given its processor away: stops, too. */
static long switches_of(const struct victim *victim)
{
	char text[32];

	procfs_status_field(victim->pid, victim->pid, "voluntary_ctxt_switches",
			    text, sizeof(text));
	return strtol(text, NULL, 10);
}

/*
 * Each stop waits for a turn of the scheduler where many threads run: about 12
 * the first time, 9 later, and not one for each system call of the loader.
 */
Test(apply_revert, borrowed_thread_is_stopped_rarely)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	for (int i = 0; i < 2; i++) {
		long before = switches_of(&victim), stops;

		upatchctl_apply(victim.target, "work");
		stops = switches_of(&victim) - before;
		cr_assert(le(long, stops, i == 0 ? 40 : 20));
		upatchctl_revert(victim.target, "work");
	}
	victim_stop(&victim);
}
