/* SPDX-License-Identifier: MIT */
/* Whose turn it is. */
#include "priority.h"

#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SCHED_FLAG_RESET_ON_FORK; its header cannot stand beside that of libc. */
#define RESET_ON_FORK 0x01u
#define HIGHEST	      (-20)
/*
 * From Linux 6.12 on, who asks for a shorter slice than the one that runs comes
 * before it when it wakes up.  Else it can wait for the next tick each time,
 * 4 ms with 250 ticks a second (PREEMPT_SHORT, kernel/sched/features.h).
 */
#define SHORT_SLICE_NS 100000u
/* What it gets at least, with 250 ticks a second. */
#define TURN_NS 4000000u

static bool get(pid_t tid, struct priority_attributes *ret_attributes)
{
	return !syscall(SYS_sched_getattr, tid, ret_attributes,
			sizeof(*ret_attributes), 0);
}

static bool set(pid_t tid, const struct priority_attributes *attributes)
{
	return !syscall(SYS_sched_setattr, tid, attributes, 0);
}

/* The fourth field: those that run or wait for a processor (proc(5)). */
static long count_runnable(void)
{
	FILE *file = fopen("/proc/loadavg", "re");
	long runnable = 0;

	if (!file || fscanf(file, "%*f %*f %*f %ld/", &runnable) != 1)
		runnable = 0;
	if (file)
		fclose(file);
	return runnable;
}

bool priority_is_crowded(void)
{
	return count_runnable() > sysconf(_SC_NPROCESSORS_ONLN) + 1;
}

uint64_t priority_turn_ns(void)
{
	return (uint64_t)count_runnable() * TURN_NS /
	       (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
}

void priority_raise(struct priority *priority)
{
	const struct priority_attributes lowest_realtime = {
		.size = sizeof(lowest_realtime),
		.policy = SCHED_FIFO,
		.flags = RESET_ON_FORK,
		.priority = (uint32_t)sched_get_priority_min(SCHED_FIFO),
	};

	/* Who has chosen another policy for it knows why. */
	priority->is_raised = get(0, &priority->before) &&
			      priority->before.policy == SCHED_OTHER &&
			      set(0, &lowest_realtime);
	/* To take it back needs a privilege that raising may not have needed. */
	priority->before.flags |= RESET_ON_FORK;
}

void priority_restore(struct priority *priority)
{
	if (priority->is_raised)
		(void)set(0, &priority->before);
	priority->is_raised = false;
}

/* Who has another priority than the usual one shall keep it. */
static bool is_ordinary(const struct priority_attributes *attributes)
{
	return attributes->policy == SCHED_OTHER &&
	       (attributes->nice == 0 || attributes->nice == HIGHEST);
}

void priority_raise_tracer(void)
{
	struct priority_attributes wanted;

	if (!get(0, &wanted) || !is_ordinary(&wanted))
		return;
	wanted.slice_ns = SHORT_SLICE_NS;
	if (!set(0, &wanted) || !priority_is_crowded())
		return;
	wanted.nice = HIGHEST;
	(void)set(0, &wanted);
}

void priority_raise_agent(pid_t tid)
{
	struct priority_attributes wanted;

	/* The flag would take from what it creates the target's own priority. */
	if (!get(tid, &wanted) || !is_ordinary(&wanted) || wanted.nice ||
	    !priority_is_crowded())
		return;
	wanted.slice_ns = SHORT_SLICE_NS;
	wanted.nice = HIGHEST;
	wanted.flags |= RESET_ON_FORK;
	(void)set(tid, &wanted);
}
