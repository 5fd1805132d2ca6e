/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is, on the processors that we share with the target and with
 * those that it serves (sched(7)).
 */
#ifndef UPATCH_PRIORITY_H
#define UPATCH_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "turns.h"

struct priority {
	bool is_raised;
	struct turns before;
};

/*
 * Do more threads want to run than there are processors?  If not, nobody is
 * in our way, and a raised priority only puts us in the way of the target.
 */
bool priority_is_crowded(void);
/* How long a thread that computes waits, about, until its turn comes again. */
uint64_t priority_turn_ns(void);

/*
 * The calling thread before all others, for moments in which others wait;
 * where it is permitted.  Threads and processes that it creates do not inherit
 * it.  Between the two the thread must sleep while it waits, not poll.
 */
void priority_raise(struct priority *priority);
void priority_restore(struct priority *priority);

/*
 * The calling thread is woken by threads that then wait for it: it asks for
 * short turns, which come at once, and if the machine is crowded also for more
 * of them than others get.
 */
void priority_raise_tracer(void);
/*
 * In a crowd the same for an agent, whose work a process in transition waits
 * for.  What it creates does not inherit it.
 */
void priority_raise_agent(pid_t tid);

#endif
