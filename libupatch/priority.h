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
 * Where it is permitted.  Threads and processes that it creates do not inherit
 * it.  Between the two the thread must sleep while it waits, not poll.
 */
void priority_raise(struct priority *priority);
void priority_restore(struct priority *priority);

#endif
