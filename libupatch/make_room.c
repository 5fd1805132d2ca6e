/* SPDX-License-Identifier: MIT */
/* A turn for one thread of the target, where others of it take all turns. */
#include "make_room.h"

#include <stdlib.h>

#include "clock.h"
#include "tasks.h"

/* Longer than it takes on a processor that is free, or nearly. */
#define QUICK_NS 2000000UL

static void interrupt_if_it_runs(struct tracer *tracer, pid_t tid)
{
	struct thread *thread = tracer_find(tracer, tid);

	if (tasks_state(tracer->pid, tid) != 'R' ||
	    (!thread && tracer_seize(tracer, tid, &thread, NULL)) ||
	    thread->is_new || thread->run != THREAD_RUNS || thread->wanted)
		return;
	tracer_look_at_call(tracer, thread);
	tracer_interrupt(tracer, thread);
}

static void hold_others(struct tracer *tracer, struct thread *thread)
{
	struct thread *stopped;
	size_t count;
	pid_t *tids;

	if (tasks_list(tracer->pid, &tids, &count, NULL))
		return;
	tracer->room_until_ns = clock_now_ns() + TRACER_HOLD_MAX_NS;
	for (size_t i = 0; i < count; i++) {
		if (tids[i] != thread->tid)
			interrupt_if_it_runs(tracer, tids[i]);
	}
	free(tids);
	/* All of them: who stops later is waited for at the end (let_go.c). */
	while (tracer->wanted_count) {
		stopped = tracer_next(tracer, tracer->room_until_ns);
		if (!stopped)
			break;
		if (stopped != thread)
			stopped->held_since_ns = clock_now_ns();
	}
}

int make_room_and_stop(struct tracer *tracer, struct thread *thread,
		       uint64_t deadline_ns, struct upatch_error *err)
{
	uint64_t quick_ns = clock_now_ns() + QUICK_NS;
	int ret;

	/* It may be held for another one. */
	thread->held_since_ns = 0;
	if (quick_ns > deadline_ns)
		quick_ns = deadline_ns;
	ret = tracer_stop(tracer, thread, quick_ns, NULL);
	if (!ret)
		return 0;
	if (ret == UPATCH_ERROR_TIMED_OUT &&
	    tasks_state(tracer->pid, thread->tid) == 'R')
		hold_others(tracer, thread);
	/* They are not what it waits for, or it has ended. */
	if (thread->run != THREAD_STOPPED)
		make_room_end(tracer);
	return tracer_stop(tracer, thread, deadline_ns, err);
}

uint64_t make_room_deadline(const struct tracer *tracer, uint64_t deadline_ns)
{
	return tracer->room_until_ns && tracer->room_until_ns < deadline_ns
		       ? tracer->room_until_ns
		       : deadline_ns;
}

void make_room_end_late(struct tracer *tracer)
{
	if (tracer->room_until_ns && clock_now_ns() >= tracer->room_until_ns)
		make_room_end(tracer);
}

void make_room_end(struct tracer *tracer)
{
	if (!tracer->room_until_ns)
		return;
	tracer->room_until_ns = 0;
	for (size_t i = 0; i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];

		if (!thread->held_since_ns)
			continue;
		thread->held_since_ns = 0;
		tracer_resume(thread);
	}
}
