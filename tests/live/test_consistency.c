/* SPDX-License-Identifier: MIT */
/*
 * Three functions that belong together are never seen mixed, however often
 * they are replaced; and the test would see a mix if there were one.
 */
#include "deadline.h"
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define THREADS		 "4"
#define CALLS_PER_THREAD 10000

TestSuite(consistency, .timeout = 600);

struct tally {
	long least, old_count, new_count, mixes;
};

static void add_report(struct victim *victim, struct tally *tally)
{
	const char *answer = victim_ask(victim, "report");

	tally->least += victim_number(answer, "least");
	tally->old_count += victim_number(answer, "old");
	tally->new_count += victim_number(answer, "new");
	tally->mixes += victim_number(answer, "mixes");
}

static void run_cycles(struct victim *victim, unsigned int count,
		       struct tally *tally)
{
	for (unsigned int i = 0; i < count || tally->least < CALLS_PER_THREAD;
	     i++) {
		upatchctl_apply(victim->target, "pair");
		add_report(victim, tally);
		upatchctl_revert(victim->target, "pair");
		add_report(victim, tally);
		if (tally->mixes != 0)
			break;
	}
}

Test(consistency, no_call_sees_a_mix)
{
	struct tally tally = { 0 };
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "pair", THREADS);
	run_cycles(&victim, cycle_count(100), &tally);
	cr_log_info("least %ld old %ld new %ld mixes %ld", tally.least,
		    tally.old_count, tally.new_count, tally.mixes);
	if (tally.mixes != 0)
		cr_fatal("%ld calls saw a mix", tally.mixes);
	cr_assert(tally.old_count > 0);
	cr_assert(tally.new_count > 0);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* Longer than entering the process takes, shorter than the sitting thread. */
#define SHORT_TIMEOUT "0.15"
#define PAUSE_MS      "400"

/* True: done; false: turned around. */
static bool try_shortly(const char *command, const char *target,
			const char *operand)
{
	struct run run =
		UPATCHCTL(command, "--timeout", SHORT_TIMEOUT, target, operand);
	bool is_done = run.exit_status == EXIT_DONE;

	if (!is_done && run.exit_status != EXIT_TIMED_OUT)
		cr_fatal("%s: exit status %d: %s", command, run.exit_status,
			 run.err);
	run_free(&run);
	return is_done;
}

/* The busy threads have moved, mostly by themselves, and have to go back. */
Test(consistency, no_call_sees_a_mix_when_turned_around)
{
	struct tally tally = { 0 };
	unsigned int done = 0, reversed = 0;
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "pair", THREADS, PAUSE_MS);
	for (unsigned int i = 0; i < cycle_count(40); i++) {
		bool is_done =
			done % 2 ? try_shortly("revert", victim.target, "pair")
				 : try_shortly("apply", victim.target,
					       path_of_patch("pair"));

		done += is_done;
		reversed += !is_done;
		add_report(&victim, &tally);
		if (tally.mixes != 0)
			cr_fatal("%ld calls saw a mix", tally.mixes);
	}
	cr_log_info("%u done, %u turned around", done, reversed);
	cr_assert(done > 0);
	cr_assert(reversed > 0);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* What `immediate` gives up is what the test above looks for. */
Test(consistency, mixes_are_seen_without_the_stack_check)
{
	struct tally tally = { 0 };
	struct victim victim;
	int i;

	require_ptrace();
	VICTIM_START(&victim, "pair", THREADS);
	for (i = 0; i < 50 && tally.mixes == 0; i++) {
		upatchctl_apply(victim.target, "pair_immediate");
		add_report(&victim, &tally);
		upatchctl_revert(victim.target, "pair_immediate");
		add_report(&victim, &tally);
	}
	if (tally.mixes == 0)
		cr_fatal("no mix in %d immediate cycles", i);
	victim_stop(&victim);
}

/* As the first test, with an upatchctl that looks for nothing on the stacks. */
Test(consistency, mixes_are_seen_in_a_build_without_the_stack_check)
{
	struct tally tally = { 0 };
	struct victim victim;

	require_ptrace();
	if (access(path_of_unchecked_upatchctl(), X_OK) != 0)
		cr_skip("there is no upatchctl without the stack check");
	setenv("UPATCHCTL", path_of_unchecked_upatchctl(), 1);
	setenv("UPATCH_RUNTIME", path_of_runtime(), 1);
	VICTIM_START(&victim, "pair", THREADS);
	run_cycles(&victim, cycle_count(100), &tally);
	cr_assert(tally.mixes > 0);
	victim_stop(&victim);
}
