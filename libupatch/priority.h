/* SPDX-License-Identifier: MIT */
/* The calling thread before all others, for moments in which others wait. */
#ifndef UPATCH_PRIORITY_H
#define UPATCH_PRIORITY_H

#include <sched.h>
#include <stdbool.h>

struct priority {
	bool is_raised;
	int policy;
	struct sched_param param;
};

/*
 * Do more threads want to run than there are processors?  If not, nobody is
 * in our way, and a raised priority only puts us in the way of the target.
 */
bool priority_is_crowded(void);

/*
 * Where it is permitted.  Threads and processes that it creates do not inherit
 * it.  Between the two the thread must sleep while it waits, not poll.
 */
void priority_raise(struct priority *priority);
void priority_restore(struct priority *priority);

#endif
