/* SPDX-License-Identifier: MIT */
/*
 * How often a thread is stopped: a few times in an operation, whatever it does
 * and however long that takes.
 */
#include "paths.h"
#include "procfs.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define PRESET_TURNS 20
/*
 * While one tracer works: barrier, moving, a second barrier, the end of
 * tracing; each may take another try.  It was 2,700 without care.
 */
#define STOPS_MAX 30

TestSuite(stops, .timeout = 600);

Test(stops, thread_that_computes_is_stopped_few_times)
{
	const unsigned int wanted = cycle_count(PRESET_TURNS);
	struct victim victim;
	const char *answer;

	require_ptrace();
	VICTIM_START(&victim, "pressed");
	do {
		upatchctl_apply(victim.target, "work");
		upatchctl_revert(victim.target, "work");
		answer = victim_ask(&victim, "report");
		if (victim_number(answer, "stops") > STOPS_MAX)
			cr_fatal("%s", answer);
	} while (victim_number(answer, "turns") < wanted);
	cr_log_info("%s", answer);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* Each stop is one; so is each wait. */
static void count_switches(pid_t pid, int tid, void *arg)
{
	char text[32];

	procfs_status_field(pid, tid, "voluntary_ctxt_switches", text,
			    sizeof(text));
	*(unsigned long *)arg += strtoul(text, NULL, 10);
}

static unsigned long switches_of(const struct victim *victim)
{
	unsigned long count = 0;

	procfs_for_each(victim->pid, "task", count_switches, &count);
	return count;
}

/* Of a victim that an apply has waited for in vain, for a second. */
static unsigned long switches_until_refused(const char *command,
					    const char *answer,
					    const char *reason,
					    struct victim *victim)
{
	unsigned long before;

	require_ptrace();
	VICTIM_START(victim, "lasting");
	victim_expect(victim, command, answer);
	before = switches_of(victim);
	EXPECT_REFUSAL(EXIT_TIMED_OUT, reason, "apply", "--timeout", "1",
		       victim->target, path_of_patch("lasting"));
	return switches_of(victim) - before;
}

/* It waits below qsort; in a second it is looked at about 50 times. */
Test(stops, thread_that_cannot_be_borrowed_is_left_alone)
{
	struct victim victim;
	unsigned long switches =
		switches_until_refused("sort", "sorting", "could be borrowed",
				       &victim);

	cr_expect(le(ulong, switches, 4));
	victim_expect(&victim, "out", "out");
	victim_stop(&victim);
}

/*
 * It waits inside the function that is replaced.  Whether it still does is
 * asked from outside; ten times a second it is looked at.
 */
Test(stops, thread_that_blocks_is_left_alone)
{
	struct victim victim;
	unsigned long switches =
		switches_until_refused("hold", "held", "have not moved",
				       &victim);

	cr_expect(le(ulong, switches, 100));
	victim_stop(&victim);
}

static void count_switches_of_others(pid_t pid, int tid, void *arg)
{
	if (tid != pid)
		count_switches(pid, tid, arg);
}

static unsigned long switches_of_others(const struct victim *victim)
{
	unsigned long count = 0;

	procfs_for_each(victim->pid, "task", count_switches_of_others, &count);
	return count;
}

/* It stops, and then it waits again. */
#define SWITCHES_PER_STOP 2

/*
 * The main thread is borrowed.  The other one is moved, and stopped in the
 * barrier; that nothing of the patch is on its stack is seen from outside.
 */
Test(stops, thread_that_sleeps_is_stopped_twice_in_a_revert)
{
	struct victim victim;
	unsigned long before;

	require_ptrace();
	VICTIM_START(&victim, "blocker");
	upatchctl_apply(victim.target, "plain");
	before = switches_of_others(&victim);
	upatchctl_revert(victim.target, "plain");
	cr_expect(eq(ulong, switches_of_others(&victim) - before,
		     2 * SWITCHES_PER_STOP));
	victim_stop(&victim);
}
