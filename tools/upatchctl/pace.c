/* SPDX-License-Identifier: MIT */
/*
 * Most of what a command does, nobody waits for: files are read and stacks
 * unwound, and a server beside it has requests to answer.
 */
#include "pace.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "libupatch/turns.h"

/* Others ask for 3 ms at most by default (TURNS_SHORT_NS says what it does). */
#define LONG_SLICE_NS 10000000UL

void pace_choose(void)
{
	struct turns wanted;

	/* Who has chosen another policy or priority for it knows why. */
	if (!turns_get(0, &wanted) || wanted.policy != SCHED_OTHER ||
	    wanted.nice != 0)
		return;
	wanted.slice_ns = LONG_SLICE_NS;
	if (turns_are_rare()) {
		wanted.slice_ns = TURNS_SHORT_NS;
		wanted.nice = TURNS_HIGHEST;
	}
	(void)turns_set(0, &wanted);
}

/* To lower a priority is permitted to all, to raise it again to few. */
static void *try_there_and_back(void *ret_may)
{
	struct turns turns;
	bool *may = ret_may;

	*may = false;
	if (!turns_get(0, &turns) || turns.policy != SCHED_OTHER)
		return NULL;
	turns.nice = TURNS_PATIENT;
	if (!turns_set(0, &turns))
		return NULL;
	turns.nice = 0;
	*may = turns_set(0, &turns);
	return NULL;
}

/* Threads that trace take their priority back: the target waits for them. */
void pace_be_patient(void)
{
	struct turns turns;
	pthread_t thread;
	bool may = false;

	if (turns_are_very_rare() || !turns_get(0, &turns) ||
	    (turns.nice != 0 && turns.nice != TURNS_HIGHEST) ||
	    pthread_create(&thread, NULL, try_there_and_back, &may))
		return;
	pthread_join(thread, NULL);
	turns.nice = TURNS_PATIENT;
	turns.slice_ns = LONG_SLICE_NS;
	if (may)
		(void)turns_set(0, &turns);
}

size_t pace_worker_count(void)
{
	long processors = turns_processors();
	/* One of them is the thread that asks. */
	long idle = processors - turns_wanted() + 1;

	if (turns_are_very_rare())
		return (size_t)processors;
	return idle > 1 ? (size_t)idle : 1;
}
