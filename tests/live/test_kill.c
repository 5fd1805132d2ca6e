/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL for upatchctl at its system calls, and some instructions behind
 * them: the target goes on, is let go, loses the agent, and the next command,
 * whether it comes at once or later, finishes or undoes.
 */
#include "deadline.h"
#include "paths.h"
#include "places.h"
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

/* What kill_at exits with when it has killed. */
#define KILLED 99
/* The agent's own limit, and what a busy machine adds. */
#define AGENT_END_MS 1000
#define SLACK_MS     1500

/* An operation has about two thousand places. */
#define PRESET_EVERY 331
/* Instructions behind the system call: up to that many, in every third run. */
#define MAX_STEPS 3000
/* All that the next commands can do is tried after each of so many. */
#define WHOLE_EVERY 4

TestSuite(kill, .timeout = 36000);

static struct victim victim;
static struct snapshot original;
static bool is_blocked;

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

static bool has_transition(void)
{
	json_t *status = upatchctl_status(victim.target);
	bool is_running = upatchctl_has(status, "transition", JSON_OBJECT);

	json_decref(status);
	return is_running;
}

static void finish_or_undo(bool turn_around, const char *when)
{
	bool is_running = has_transition();

	if (is_blocked)
		victim_ask(&victim, "leave");
	is_blocked = false;
	if (is_running)
		EXPECT_DONE(when, turn_around ? "reverse" : "wait",
			    victim.target);
	upatchctl_revert_all(victim.target, when);
}

/* Nothing is left over that a further operation does not clear away. */
static void expect_original(const char *patch, const char *when)
{
	EXPECT_DONE(when, "apply", victim.target, path_of_patch(patch));
	EXPECT_DONE(when, "revert", victim.target, patch);
	snapshot_expect_reverted(victim.pid, &original, when);
}

/* --- Two kinds of victims ------------------------------------------------ */

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

static void expect_workers_go_on(const char *when)
{
	const char *answer = victim_ask(&victim, "round");

	/* All threads, each on one side or the other. */
	if (victim_number(answer, "other") != 0)
		cr_fatal("%s: %s", when, answer);
}

static void start_blocker(void)
{
	VICTIM_START(&victim, "blocker");
	/* Its thread, too, has begun to run, and has its own signal mask. */
	victim_expect(&victim, "enter", "entered");
	victim_ask(&victim, "leave");
	snapshot_take(victim.pid, &original);
}

static void stop_blocker(const char *when)
{
	(void)when;
	victim_stop(&victim);
	snapshot_free(&original);
}

static void expect_blocker_goes_on(const char *when)
{
	const char *answer = victim_ask(&victim, "call");

	if (strcmp(answer, "guarded=1 plain=1 wrapper=11") != 0 &&
	    strcmp(answer, "guarded=2 plain=2 wrapper=21") != 0)
		cr_fatal("%s: %s", when, answer);
}

/* --- Operations ---------------------------------------------------------- */

struct operation {
	const char *name;
	const char *words[2];
	const char *patch; /* for expect_original */
	void (*prepare)(void);
	void (*start)(void);
	void (*go_on)(const char *when);
	void (*stop)(const char *when);
	bool on_new_process;
};

static void prepare_nothing(void)
{
}

static void prepare_applied(void)
{
	upatchctl_apply(victim.target, "work");
}

static void prepare_left(void)
{
	if (!is_blocked)
		victim_expect(&victim, "enter", "entered");
	is_blocked = true;
	/* In so short a time it may not even enter. */
	do {
		EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "0.02",
			    "--on-timeout", "leave", victim.target,
			    path_of_patch("guarded"));
	} while (!has_transition());
}

/* A transition that was left, and whose last thread can move now. */
static void prepare_waiting(void)
{
	prepare_left();
	victim_ask(&victim, "leave");
	is_blocked = false;
}

#define ON_WORKERS                                                             \
	.patch = "work", .start = start_workers,                               \
	.go_on = expect_workers_go_on, .stop = stop_workers
#define ON_BLOCKER                                                             \
	.patch = "guarded", .start = start_blocker,                            \
	.go_on = expect_blocker_goes_on, .stop = stop_blocker

static const struct operation first_apply = {
	.name = "first apply",
	.words = { "apply", "work" },
	.prepare = prepare_nothing,
	.on_new_process = true,
	ON_WORKERS,
};
static const struct operation later_apply = {
	.name = "later apply",
	.words = { "apply", "work" },
	.prepare = prepare_nothing,
	ON_WORKERS,
};
static const struct operation revert = {
	.name = "revert",
	.words = { "revert", "work" },
	.prepare = prepare_applied,
	ON_WORKERS,
};
static const struct operation replace = {
	.name = "replace",
	.words = { "apply", "work_replace" },
	.prepare = prepare_applied,
	ON_WORKERS,
};
static const struct operation reverse = {
	.name = "reverse",
	.words = { "reverse" },
	.prepare = prepare_left,
	ON_BLOCKER,
};
static const struct operation wait_on = {
	.name = "wait",
	.words = { "wait" },
	.prepare = prepare_waiting,
	ON_BLOCKER,
};
static const struct operation force = {
	.name = "force",
	.words = { "force" },
	.prepare = prepare_left,
	ON_BLOCKER,
};

/* --- Killing ------------------------------------------------------------- */

/* True: it was killed, there was such a place. */
static bool run_killed(const struct operation *operation,
		       const struct places *places, unsigned int steps)
{
	const bool is_apply = strcmp(operation->words[0], "apply") == 0;
	const char *const args[] = {
		operation->words[0],
		victim.target,
		is_apply ? path_of_patch(operation->words[1])
			 : operation->words[1],
		NULL,
	};
	char number[16];
	const char *const options[] = { "-s", number, NULL };
	unsigned int count;
	struct run run;
	bool killed;

	snprintf(number, sizeof(number), "%u", steps);
	run = places_run(places, options, args, &count);
	killed = run.exit_status == KILLED;
	if (!killed && run.exit_status != EXIT_DONE)
		cr_fatal("not killed at %u: exit status %d, %s", places->at,
			 run.exit_status, run.err);
	run_free(&run);
	return killed;
}

/* False: the operation has no such place. */
static bool kill_once(const struct operation *operation,
		      const struct places *places, unsigned int turn)
{
	unsigned int steps =
		turn % 3 == 0 ? (unsigned int)rand() % MAX_STEPS : 0;
	char when[96];
	bool killed;

	snprintf(when, sizeof(when), "%s, killed at %u (every %u) and %u steps",
		 operation->name, places->at, places->every, steps);
	operation->prepare();
	killed = run_killed(operation, places, steps);
	operation->go_on(when);
	/* The next command comes at once, or when all is quiet. */
	if (turn % 2)
		expect_left_alone(when);
	finish_or_undo(turn / 2 % 2, when);
	if (turn % WHOLE_EVERY == 0)
		expect_original(operation->patch, when);
	expect_left_alone(when);
	return killed;
}

static void run_operation(const struct operation *operation)
{
	struct places places;
	unsigned int turn = 0;
	bool killed = true;

	require_ptrace();
	if (!operation->on_new_process)
		operation->start();
	places_begin(&places, PRESET_EVERY);
	srand(places.at);
	for (; killed; turn++, places_next(&places)) {
		if (operation->on_new_process)
			operation->start();
		killed = kill_once(operation, &places, turn);
		if (operation->on_new_process)
			operation->stop(operation->name);
	}
	if (!operation->on_new_process) {
		expect_original(operation->patch, operation->name);
		operation->stop(operation->name);
	}
	tried(turn - 1, "kills of upatchctl");
	cr_log_info("%s: killed %u times, every %u of %u places",
		    operation->name, turn - 1, places.every, places.at);
}

Test(kill, first_apply)
{
	run_operation(&first_apply);
}

Test(kill, later_apply)
{
	run_operation(&later_apply);
}

Test(kill, revert)
{
	run_operation(&revert);
}

Test(kill, replace)
{
	run_operation(&replace);
}

Test(kill, reverse)
{
	run_operation(&reverse);
}

Test(kill, wait)
{
	run_operation(&wait_on);
}

Test(kill, force)
{
	run_operation(&force);
}
