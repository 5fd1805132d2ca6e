/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is, on the processors that we share with the target and with
 * those that it serves (sched(7)).
 */
#ifndef UPATCH_PRIORITY_H
#define UPATCH_PRIORITY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "turns.h"

struct priority {
	bool is_raised;
	pid_t tid; /* 0: the calling thread */
	struct turns before;
};

/*
 * Do more threads want to run than there are processors?  If not, nobody is
 * in our way, and a raised priority only puts us in the way of the target.
 */
bool priority_is_crowded(void);
/*
 * Not just until threads that have woken up are through: by three looks, 2 ms
 * apart (turns.h).  Who hurries already has had these.
 */
bool priority_stays_crowded(void);
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
 * The same where turns are very rare, else nothing, for as long as the target
 * is in the middle of an operation.  Even a thread at nice -20 waits for ticks
 * there, one for each answer that it gets.
 */
void priority_hurry(struct priority *priority);
/* For a thread of the target that is ours, if the calling thread hurries. */
void priority_hurry_thread(struct priority *priority, pid_t tid);
/* Whether the calling thread is in such a hurry. */
bool priority_is_hurried(void);
/* For a thread that it creates: to be in a hurry from the beginning. */
void priority_hurry_from_birth(pthread_attr_t *attr);
/* The same, and before all other real-time threads. */
void priority_first_from_birth(pthread_attr_t *attr);

/*
 * The calling thread is woken by threads that then wait for it: it asks for
 * short turns, which come at once, and where turns are very rare also for nice
 * -20 and SCHED_FIFO; or it hurries from birth.  *ret_priority: to be
 * restored when it uses too much of a processor.
 */
void priority_raise_tracer(bool is_hurried, struct priority *ret_priority);
/*
 * Where turns are rare, short ones and nice -20 for an agent, whose work a
 * process in transition waits for.  What it creates does not inherit it.
 */
void priority_raise_agent(pid_t tid);

#endif
