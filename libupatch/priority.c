/* SPDX-License-Identifier: MIT */
/* Whose turn it is. */
#include "priority.h"

#include <sched.h>

/* SCHED_FLAG_RESET_ON_FORK; its header cannot stand beside that of libc. */
#define RESET_ON_FORK 0x01u
/* What it gets at least, with 250 ticks a second. */
#define TURN_NS 4000000u

bool priority_is_crowded(void)
{
	return turns_wanted() > turns_processors() + 1;
}

uint64_t priority_turn_ns(void)
{
	return (uint64_t)turns_wanted() * TURN_NS /
	       (uint64_t)turns_processors();
}

void priority_raise(struct priority *priority)
{
	const struct turns lowest_realtime = {
		.size = sizeof(lowest_realtime),
		.policy = SCHED_FIFO,
		.flags = RESET_ON_FORK,
		.priority = (uint32_t)sched_get_priority_min(SCHED_FIFO),
	};

	/* Who has chosen another policy for it knows why. */
	priority->is_raised = turns_get(0, &priority->before) &&
			      priority->before.policy == SCHED_OTHER &&
			      turns_set(0, &lowest_realtime);
	/* To take it back needs a privilege that raising may not have needed. */
	priority->before.flags |= RESET_ON_FORK;
}

void priority_restore(struct priority *priority)
{
	if (priority->is_raised)
		(void)turns_set(0, &priority->before);
	priority->is_raised = false;
}

/* Who has another priority than the usual one shall keep it. */
static bool is_ordinary(const struct turns *turns)
{
	return turns->policy == SCHED_OTHER && turns->nice == 0;
}

/* Or one of those that the command chooses for itself. */
static bool is_ours(const struct turns *turns)
{
	return is_ordinary(turns) ||
	       (turns->policy == SCHED_OTHER &&
		(turns->nice == TURNS_PATIENT || turns->nice == TURNS_HIGHEST));
}

void priority_raise_tracer(void)
{
	struct turns wanted;

	if (!turns_get(0, &wanted) || !is_ours(&wanted))
		return;
	wanted.slice_ns = TURNS_SHORT_NS;
	if (wanted.nice == TURNS_PATIENT)
		wanted.nice = 0;
	if (!turns_set(0, &wanted) || !turns_are_very_rare())
		return;
	wanted.nice = TURNS_HIGHEST;
	(void)turns_set(0, &wanted);
}

void priority_raise_agent(pid_t tid)
{
	struct turns wanted;

	/* The flag would take from what it creates the target's own priority. */
	if (!turns_get(tid, &wanted) || !is_ordinary(&wanted) ||
	    !turns_are_rare())
		return;
	wanted.slice_ns = TURNS_SHORT_NS;
	wanted.nice = TURNS_HIGHEST;
	wanted.flags |= RESET_ON_FORK;
	(void)turns_set(tid, &wanted);
}
