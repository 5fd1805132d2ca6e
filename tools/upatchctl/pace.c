/* SPDX-License-Identifier: MIT */
/*
 * Most of what a command does, nobody waits for: files are read and stacks
 * unwound, and a server beside it has requests to answer.
 */
#include "pace.h"

#include <sched.h>
#include <stdbool.h>

#include "libupatch/turns.h"

/* So many threads for each processor that want it are a crowd. */
#define CROWD_FACTOR 2
/* Others ask for 3 ms at most by default (TURNS_SHORT_NS says what it does). */
#define LONG_SLICE_NS 10000000UL

static bool is_crowded(void)
{
	return turns_wanted() > CROWD_FACTOR * turns_processors() + 1;
}

void pace_choose(void)
{
	struct turns wanted;

	/* Who has chosen another policy or priority for it knows why. */
	if (!turns_get(0, &wanted) || wanted.policy != SCHED_OTHER ||
	    wanted.nice != 0)
		return;
	wanted.slice_ns = LONG_SLICE_NS;
	if (is_crowded()) {
		wanted.slice_ns = TURNS_SHORT_NS;
		wanted.nice = TURNS_HIGHEST;
	}
	(void)turns_set(0, &wanted);
}
