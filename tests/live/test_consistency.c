/* SPDX-License-Identifier: MIT */
/*
 * Three functions that belong together are never seen mixed, however often
 * they are replaced; and the test would see a mix if there were one.
 */
#include "deadline.h"
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdlib.h>

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

/* A build with the check compiled out; where it is comes from outside. */
Test(consistency, mixes_are_seen_in_a_build_without_the_stack_check)
{
	const char *upatchctl = getenv("UPATCHCTL_NO_STACK_CHECK");
	struct tally tally = { 0 };
	struct victim victim;

	require_ptrace();
	if (upatchctl == NULL)
		cr_skip("UPATCHCTL_NO_STACK_CHECK names no such build");
	setenv("UPATCHCTL", upatchctl, 1);
	VICTIM_START(&victim, "pair", THREADS);
	run_cycles(&victim, cycle_count(100), &tally);
	cr_assert(tally.mixes > 0);
	victim_stop(&victim);
}
