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
	return turns_are_short_now();
}

bool priority_stays_crowded(void)
{
	return priority_is_hurried() || turns_are_short();
}

uint64_t priority_turn_ns(void)
{
	return (uint64_t)turns_wanted() * TURN_NS /
	       (uint64_t)turns_processors();
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

static bool is_raised_agent(const struct turns *turns)
{
	return turns->policy == SCHED_OTHER && turns->nice == TURNS_HIGHEST &&
	       (turns->flags & RESET_ON_FORK);
}

static int lowest_realtime_priority(void)
{
	return sched_get_priority_min(SCHED_FIFO);
}

static void raise_thread(struct priority *priority, pid_t tid)
{
	const struct turns lowest_realtime = {
		.size = sizeof(lowest_realtime),
		.policy = SCHED_FIFO,
		.flags = RESET_ON_FORK,
		.priority = (uint32_t)lowest_realtime_priority(),
	};

	priority->tid = tid;
	/* Who has chosen another policy for it knows why. */
	priority->is_raised = turns_get(tid, &priority->before) &&
			      priority->before.policy == SCHED_OTHER &&
			      turns_set(tid, &lowest_realtime);
}

void priority_raise(struct priority *priority)
{
	raise_thread(priority, 0);
}

void priority_restore(struct priority *priority)
{
	if (!priority->is_raised)
		return;
	priority->is_raised = false;
	if (turns_set(priority->tid, &priority->before))
		return;
	/* To take these back needs privileges that raising may not have needed. */
	priority->before.flags |= RESET_ON_FORK;
	if (turns_set(priority->tid, &priority->before))
		return;
	priority->before.nice = 0;
	(void)turns_set(priority->tid, &priority->before);
}

static void hurry(struct priority *priority)
{
	struct turns turns;

	if (turns_get(0, &turns) && is_ours(&turns))
		raise_thread(priority, 0);
}

void priority_hurry(struct priority *priority)
{
	if (!priority->is_raised && turns_are_very_rare())
		hurry(priority);
}

/*
 * Not where the target has chosen a policy or nice value: the callbacks of a
 * patch may see that.
 */
void priority_hurry_thread(struct priority *priority, pid_t tid)
{
	struct turns turns;

	priority->is_raised = false;
	if (turns_get(tid, &turns) &&
	    (is_ordinary(&turns) || is_raised_agent(&turns)))
		raise_thread(priority, tid);
}

/* Flag and priority tell it from what somebody else has chosen. */
bool priority_is_hurried(void)
{
	struct turns turns;

	return turns_get(0, &turns) && turns.policy == SCHED_FIFO &&
	       turns.priority == (uint32_t)lowest_realtime_priority() &&
	       (turns.flags & RESET_ON_FORK);
}

static void keep_from_children(void)
{
	struct turns turns;

	if (!turns_get(0, &turns))
		return;
	turns.flags |= RESET_ON_FORK;
	(void)turns_set(0, &turns);
}

static void set_realtime(pthread_attr_t *attr, int priority)
{
	const struct sched_param param = { .sched_priority = priority };

	pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(attr, SCHED_FIFO);
	pthread_attr_setschedparam(attr, &param);
}

void priority_hurry_from_birth(pthread_attr_t *attr)
{
	set_realtime(attr, lowest_realtime_priority());
}

void priority_first_from_birth(pthread_attr_t *attr)
{
	set_realtime(attr, sched_get_priority_max(SCHED_FIFO));
}

void priority_raise_tracer(bool is_hurried, struct priority *ret_priority)
{
	struct turns wanted;

	*ret_priority = (struct priority){
		.is_raised = is_hurried,
		.before = {
			.size = sizeof(ret_priority->before),
			.policy = SCHED_OTHER,
			.nice = TURNS_HIGHEST,
			.slice_ns = TURNS_SHORT_NS,
		},
	};
	if (is_hurried)
		keep_from_children();
	if (is_hurried || !turns_get(0, &wanted) || !is_ours(&wanted))
		return;
	wanted.slice_ns = TURNS_SHORT_NS;
	if (wanted.nice == TURNS_PATIENT)
		wanted.nice = 0;
	if (!turns_set(0, &wanted) || !turns_are_very_rare())
		return;
	wanted.nice = TURNS_HIGHEST;
	(void)turns_set(0, &wanted);
	hurry(ret_priority);
}

void priority_raise_agent(pid_t tid)
{
	struct turns wanted;

	/* The flag would take from what it creates the target's own priority. */
	if (!turns_get(tid, &wanted) || !is_ordinary(&wanted) ||
	    !turns_are_rare_now())
		return;
	wanted.slice_ns = TURNS_SHORT_NS;
	wanted.nice = TURNS_HIGHEST;
	wanted.flags |= RESET_ON_FORK;
	(void)turns_set(tid, &wanted);
}
