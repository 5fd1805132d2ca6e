/* SPDX-License-Identifier: MIT */
/*
 * The target ends, becomes another program, or closes all descriptors, at the
 * system calls of upatchctl: said in a clear message with the right exit
 * status, at once; and what lives on is whole.
 */
#include "deadline.h"
#include "paths.h"
#include "places.h"
#include "procfs.h"
#include "snapshot.h"
#include "tried.h"
#include "upatchctl.h"
#include "victim.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define PRESET_EVERY 397
/* Longer than any of the pauses and limits; no time-out is waited for. */
#define SOON_MS 4000

TestSuite(death, .timeout = 36000);

struct death {
	const char *action; /* of the victim */
	int signal;
	/* what it may be called, each with exit status 3 */
	const char *messages[4];
};

static const struct death deaths[] = {
	{ "exit",
	  SIGKILL,
	  { " ended", "has ended and waits for its parent", NULL } },
	{ "exit",
	  SIGUSR1,
	  { " ended", "has ended and waits for its parent", NULL } },
	{ "crash",
	  SIGUSR1,
	  { " ended", "has ended and waits for its parent", NULL } },
	/* The second one, if it came before anything else. */
	{ "exec",
	  SIGUSR1,
	  { "has called execve", "has no patch named", NULL } },
};

enum operation {
	FIRST_APPLY,
	APPLY,
	REVERT,
	OPERATION_COUNT
};

static const char *const operation_names[OPERATION_COUNT] = {
	"first apply",
	"apply",
	"revert",
};

static void prepare(struct victim *victim, enum operation operation)
{
	if (operation == FIRST_APPLY)
		return;
	upatchctl_apply(victim->target, "work");
	if (operation == APPLY)
		upatchctl_revert(victim->target, "work");
}

/* *ret_over: there is no such place. */
static struct run run_at(const struct victim *victim, enum operation operation,
			 int signal, const struct places *places,
			 bool *ret_over)
{
	const char *const args[] = {
		operation == REVERT ? "revert" : "apply",
		victim->target,
		operation == REVERT ? "work" : path_of_patch("work"),
		NULL,
	};
	char number[16];
	const char *const options[] = { "-t", number, victim->target, NULL };
	unsigned int count;
	struct run run;

	snprintf(number, sizeof(number), "%d", signal);
	run = places_run(places, options, args, &count);
	*ret_over = count < places->at;
	return run;
}

static bool is_expected(const struct death *death, const struct run *run)
{
	/* It came before it was opened, or behind the last look at it. */
	if (run->exit_status == EXIT_DONE)
		return true;
	if (run->exit_status != EXIT_NOT_FOUND)
		return false;
	for (size_t i = 0; death->messages[i] != NULL; i++) {
		if (strstr(run->err, death->messages[i]) != NULL)
			return true;
	}
	return false;
}

static void kill_and_wait(struct victim *victim)
{
	kill(victim->pid, SIGKILL);
	child_stop(&victim->child, DEADLINE_MS);
}

/* False: there is no such place. */
static bool die_once(const struct death *death, enum operation operation,
		     const struct places *places)
{
	struct victim victim;
	struct run run;
	int64_t begin_ms;
	bool is_over;

	VICTIM_START(&victim, "mortal", death->action);
	prepare(&victim, operation);
	begin_ms = deadline_now_ms();
	run = run_at(&victim, operation, death->signal, places, &is_over);
	if (!is_expected(death, &run) || deadline_now_ms() - begin_ms > SOON_MS)
		cr_fatal("%s, %s at %u: exit status %d after %d ms, %s",
			 operation_names[operation], death->action, places->at,
			 run.exit_status, (int)(deadline_now_ms() - begin_ms),
			 run.err);
	/* A new program, whose name is the same, is not touched. */
	if (strcmp(death->action, "exec") == 0 && !is_over)
		victim_check_undisturbed(&victim);
	run_free(&run);
	kill_and_wait(&victim);
	return !is_over;
}

static void run_deaths(const struct death *death)
{
	unsigned int count = 0;

	require_ptrace();
	for (int i = 0; i < OPERATION_COUNT; i++) {
		struct places places;

		places_begin(&places, PRESET_EVERY);
		for (; die_once(death, (enum operation)i, &places); count++)
			places_next(&places);
	}
	tried(count, "ends of the target");
	cr_log_info("%s: %u times", death->action, count);
}

Test(death, killed)
{
	run_deaths(&deaths[0]);
}

Test(death, exits)
{
	run_deaths(&deaths[1]);
}

Test(death, crashes)
{
	run_deaths(&deaths[2]);
}

Test(death, executes)
{
	run_deaths(&deaths[3]);
}

/* --- It lives on, without our descriptors -------------------------------- */

static bool has_no_agent(void *arg)
{
	const struct victim *victim = arg;
	struct snapshot threads;
	bool found = false;

	snapshot_take(victim->pid, &threads);
	for (size_t i = 0; i < threads.count; i++)
		found |= strstr(threads.lines[i], "upatch-agent") != NULL;
	snapshot_free(&threads);
	return !found;
}

static void expect_whole(struct victim *victim, const struct run *run,
			 enum operation operation, const char *when)
{
	const bool is_patched =
		(operation == REVERT) != (run->exit_status == EXIT_DONE);
	const char *answer = victim_ask(victim, "call");

	if (run->exit_status != EXIT_DONE &&
	    (run->exit_status != EXIT_FAILED ||
	     (strstr(run->err, "has closed the descriptor") == NULL &&
	      strstr(run->err, "the agent in process") == NULL)))
		cr_fatal("%s: exit status %d, %s", when, run->exit_status,
			 run->err);
	if (victim_number(answer, "result") != (is_patched ? 3 : 2))
		cr_fatal("%s: exit status %d, but %s", when, run->exit_status,
			 answer);
	if (!wait_until(has_no_agent, victim, DEADLINE_MS))
		cr_fatal("%s: an agent is left", when);
	if (is_patched)
		upatchctl_revert(victim->target, "work");
	upatchctl_apply(victim->target, "work");
	upatchctl_revert(victim->target, "work");
}

static bool close_once(const char *action, enum operation operation,
		       const struct places *places)
{
	struct victim victim;
	char when[64];
	struct run run;
	bool is_over;

	snprintf(when, sizeof(when), "%s, %s at %u (every %u)",
		 operation_names[operation], action, places->at, places->every);
	VICTIM_START(&victim, "mortal", action);
	prepare(&victim, operation);
	run = run_at(&victim, operation, SIGUSR1, places, &is_over);
	expect_whole(&victim, &run, operation, when);
	run_free(&run);
	kill_and_wait(&victim);
	return !is_over;
}

static void run_closing(const char *action)
{
	unsigned int count = 0;

	require_ptrace();
	for (int i = 0; i < OPERATION_COUNT; i++) {
		struct places places;

		places_begin(&places, PRESET_EVERY);
		for (; close_once(action, (enum operation)i, &places); count++)
			places_next(&places);
	}
	tried(count, "times closing all descriptors");
	cr_log_info("%s: %u times", action, count);
}

Test(death, all_descriptors_closed)
{
	run_closing("close");
}

Test(death, all_descriptors_closed_and_their_numbers_used)
{
	run_closing("steal");
}

/* --- It could not start the runtime -------------------------------------- */

/* Nobody else may, without CAP_SYS_RESOURCE. */
static void limit_threads(const struct victim *victim, const char *limit)
{
	const char *const argv[] = {
		"setpriv",	  "--reuid=65534", "--regid=65534",
		"--clear-groups", "prlimit",	   "--pid",
		victim->target,	  limit,	   NULL,
	};
	struct child child;

	child_start(&child, argv, 0);
	cr_assert(child_stop(&child, DEADLINE_MS) == 0);
}

/* The runtime is loaded, and stays unstarted. */
Test(death, no_thread_left_for_the_agent)
{
	struct victim victim;

	require_ptrace();
	if (geteuid() != 0)
		cr_skip("the limit is for users other than root");
	VICTIM_START(&victim, "/usr/bin/setpriv", "--reuid=65534",
		     "--regid=65534", "--clear-groups",
		     path_of_victim("mortal"), "close");
	limit_threads(&victim, "--nproc=1:");
	EXPECT_REFUSAL(EXIT_FAILED, "cannot start the agent", "apply",
		       victim.target, path_of_patch("work"));
	cr_assert(upatchctl_patch_count(victim.target) == 0);
	limit_threads(&victim, "--nproc=4096:");
	upatchctl_apply(victim.target, "work");
	upatchctl_revert(victim.target, "work");
	kill_and_wait(&victim);
}
