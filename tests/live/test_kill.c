/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL for upatchctl at its n-th system call: the target goes on, is let
 * go, loses the agent, and the next command finishes or undoes.
 */
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* What kill_at exits with when it has killed. */
#define KILLED 99
/* The agent's own limit, and what a busy machine adds. */
#define AGENT_END_MS 1000
#define SLACK_MS     1500

/*
 * Places per operation that are tried; UPATCH_CYCLES=400 is the long run.
 * An operation has between a thousand and two thousand system call stops.
 */
#define PRESET_PLACES 5

TestSuite(kill, .timeout = 3600);

static struct victim victim;
static struct snapshot original;

/* --- What is left behind ------------------------------------------------- */

struct traces {
	bool is_traced, is_stopped, has_agent;
};

static void look_at_thread(pid_t pid, int tid, void *arg)
{
	struct traces *traces = arg;
	char text[64];

	procfs_status_field(pid, tid, "TracerPid", text, sizeof(text));
	traces->is_traced |= text[0] != '\0' && strcmp(text, "0") != 0;
	traces->is_stopped |= procfs_is_in_state(pid, tid, "Tt");
	procfs_status_field(pid, tid, "Name", text, sizeof(text));
	traces->has_agent |= strcmp(text, "upatch-agent") == 0;
}

static bool is_left_alone(void *arg)
{
	struct traces traces = { 0 };

	procfs_for_each(victim.pid, "task", look_at_thread, &traces);
	*(struct traces *)arg = traces;
	return !traces.is_traced && !traces.is_stopped && !traces.has_agent;
}

static void expect_left_alone(const char *when)
{
	struct traces traces;

	if (!wait_until(is_left_alone, &traces, AGENT_END_MS + SLACK_MS))
		cr_fatal("%s: traced %d, stopped %d, agent %d", when,
			 traces.is_traced, traces.is_stopped, traces.has_agent);
}

/* --- The next command ---------------------------------------------------- */

/* Of the newest patch; false: there is none. */
static bool newest_patch(char *name, size_t size)
{
	json_t *status = upatchctl_status(victim.target);
	json_t *patches = json_object_get(status, "patches");
	size_t count = json_array_size(patches);
	json_t *patch = json_array_get(patches, count ? count - 1 : 0);

	if (count)
		snprintf(name, size, "%s",
			 json_string_value(json_object_get(patch, "name")));
	json_decref(status);
	return count;
}

static void finish_or_undo(bool is_blocked, bool turn_around)
{
	json_t *status = upatchctl_status(victim.target);
	bool is_running = upatchctl_has(status, "transition", JSON_OBJECT);
	char name[64];

	json_decref(status);
	if (is_blocked)
		victim_ask(&victim, "leave");
	if (is_running)
		EXPECT_EXIT(EXIT_DONE, turn_around ? "reverse" : "wait",
			    victim.target);
	while (newest_patch(name, sizeof(name)))
		upatchctl_revert(victim.target, name);
}

/* Nothing is left over that a further operation does not clear away. */
static void expect_original(const char *patch, const char *when)
{
	upatchctl_apply(victim.target, patch);
	upatchctl_revert(victim.target, patch);
	snapshot_expect_equal(victim.pid, &original,
			      SNAPSHOT_FDS | SNAPSHOT_THREADS |
				      SNAPSHOT_PROCESS,
			      when);
	snapshot_expect_kept(victim.pid, &original, SNAPSHOT_CODE, when);
}

/* --- Killing ------------------------------------------------------------- */

/* True: it was killed, there was an n-th stop. */
static bool run_killed(unsigned int n, const char *const args[])
{
	char number[16];
	const char *const prefix[] = { path_of_kill_at(), number, NULL };
	static const char *const none[] = { NULL };
	struct run run;
	bool killed;

	snprintf(number, sizeof(number), "%u", n);
	upatchctl_run_under(prefix);
	run = upatchctl_run(args);
	upatchctl_run_under(none);
	killed = run.exit_status == KILLED;
	if (!killed && run.exit_status != EXIT_DONE)
		cr_fatal("not killed at %u: exit status %d, %s", n,
			 run.exit_status, run.err);
	run_free(&run);
	return killed;
}

static void expect_consistent_round(const char *when)
{
	const char *answer = victim_ask(&victim, "round");

	/* All threads, each on one side or the other. */
	if (victim_number(answer, "other") != 0)
		cr_fatal("%s: %s", when, answer);
}

static void start_workers(void)
{
	VICTIM_START(&victim, "workers", "nanosleep", "3");
	snapshot_take(victim.pid, &original);
}

static void stop_workers(const char *when)
{
	const char *answer = victim_ask(&victim, "report");

	if (victim_number(answer, "disturbed") != 0)
		cr_fatal("%s: %s", when, answer);
	victim_stop(&victim);
	snapshot_free(&original);
}

struct operation {
	const char *name;
	/* before it */
	const char *applied;
	const char *words[2];
	bool on_new_process;
};

/* False: the operation has no n-th stop. */
static bool kill_at(const struct operation *operation, unsigned int n)
{
	const char *const args[] = {
		operation->words[0],
		victim.target,
		strcmp(operation->words[0], "apply") == 0
			? path_of_patch(operation->words[1])
			: operation->words[1],
		NULL,
	};
	char when[64];
	bool killed;

	snprintf(when, sizeof(when), "%s, killed at %u", operation->name, n);
	if (operation->applied)
		upatchctl_apply(victim.target, operation->applied);
	killed = run_killed(n, args);
	expect_consistent_round(when);
	expect_left_alone(when);
	finish_or_undo(false, n & 1);
	expect_original("work", when);
	return killed;
}

/* How many stops it has; roughly, as threads take turns. */
static unsigned int count_stops(const struct operation *operation)
{
	unsigned int low = 1, high = 16384;

	while (high - low > 64) {
		unsigned int middle = (low + high) / 2;
		bool killed;

		if (operation->on_new_process)
			start_workers();
		killed = kill_at(operation, middle);
		if (operation->on_new_process)
			stop_workers(operation->name);
		if (killed)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static void run_operation(const struct operation *operation)
{
	unsigned int places = cycle_count(PRESET_PLACES);
	unsigned int count, killed = 0;

	require_ptrace();
	if (!operation->on_new_process) {
		start_workers();
		expect_original("work", "before");
	}
	count = count_stops(operation);
	for (unsigned int i = 0; i < places; i++) {
		/* Odd and even ones: entries and returns. */
		unsigned int n = 1 + (unsigned int)((unsigned long)count *
						    (2 * i + 1) / (2 * places));

		if (operation->on_new_process)
			start_workers();
		killed += kill_at(operation, n);
		if (operation->on_new_process)
			stop_workers(operation->name);
	}
	if (!operation->on_new_process)
		stop_workers(operation->name);
	cr_log_info("%s: %u of %u killed, about %u stops", operation->name,
		    killed, places, count);
}

Test(kill, first_apply)
{
	const struct operation operation = {
		.name = "first apply",
		.words = { "apply", "work" },
		.on_new_process = true,
	};

	run_operation(&operation);
}

Test(kill, later_apply)
{
	const struct operation operation = {
		.name = "later apply",
		.words = { "apply", "work" },
	};

	run_operation(&operation);
}

Test(kill, revert)
{
	const struct operation operation = {
		.name = "revert",
		.applied = "work",
		.words = { "revert", "work" },
	};

	run_operation(&operation);
}

Test(kill, replace)
{
	const struct operation operation = {
		.name = "replace",
		.applied = "work",
		.words = { "apply", "work_replace" },
	};

	run_operation(&operation);
}

Test(kill, reverse)
{
	unsigned int places = cycle_count(PRESET_PLACES);

	require_ptrace();
	VICTIM_START(&victim, "blocker");
	snapshot_take(victim.pid, &original);
	for (unsigned int i = 0; i < places; i++) {
		const char *const args[] = { "reverse", victim.target, NULL };
		unsigned int n = 1 + 1200 * (2 * i + 1) / (2 * places);
		char when[32];

		snprintf(when, sizeof(when), "reverse, killed at %u", n);
		victim_expect(&victim, "enter", "entered");
		EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "1",
			    "--on-timeout", "leave", victim.target,
			    path_of_patch("guarded"));
		run_killed(n, args);
		expect_left_alone(when);
		finish_or_undo(true, n & 1);
		victim_expect(&victim, "call", "guarded=1 plain=1 wrapper=11");
		expect_original("guarded", when);
	}
	victim_stop(&victim);
	snapshot_free(&original);
}
