/* SPDX-License-Identifier: MIT */
/*
 * A thread that computes all the time is stopped a few times in an operation,
 * not again and again.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define PRESET_TURNS 20
/*
 * While one tracer works: barrier, moving, a second barrier, the end of
 * tracing; each may take another try.  It was 2,700 without care.
 */
#define STOPS_MAX 30

TestSuite(pressed, .timeout = 600);

Test(pressed, thread_that_computes_is_stopped_few_times)
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
