/* SPDX-License-Identifier: MIT */
/* The end of tracing. */
#include "let_go.h"

#include "clock.h"
#include "make_room.h"
#include "tasks.h"

/* A thread that does not get a processor in this time keeps the risk. */
#define LIMIT_NS 100000000UL
/* Only one that sleeps uninterruptibly takes longer. */
#define INTERRUPTED_LIMIT_NS 1000000000UL

/* At the entry of the call the kernel knows by itself what a signal means. */
static bool step_into_call(struct tracer *tracer, struct thread *thread,
			   uint64_t deadline_ns)
{
	tracer_resume_to_syscall(thread);
	while (thread->run == THREAD_RUNS) {
		uint64_t until = make_room_deadline(tracer, deadline_ns);
		struct thread *other = tracer_next(tracer, until);

		make_room_end_late(tracer);
		if (!other && until == deadline_ns)
			return false;
		if (other && other != thread)
			tracer_resume(other);
	}
	return thread->event == THREAD_EVENT_SYSCALL;
}

/* True: it had to be stopped. */
static bool see_call_made(struct tracer *tracer, struct thread *thread,
			  uint64_t deadline_ns)
{
	struct arch_regs regs;

	/* Where it waits in a call, that is the call, or a later one. */
	if (tasks_syscall(tracer->pid, thread->tid) >= 0 ||
	    make_room_and_stop(tracer, thread, deadline_ns, NULL))
		return false;
	if (!tracer_registers(thread, &regs) &&
	    (!arch_call_is_pending(&regs, &thread->interrupted) ||
	     step_into_call(tracer, thread, deadline_ns)))
		thread->call_again = false;
	make_room_end(tracer);
	tracer_resume(thread);
	return true;
}

static bool see_all_made(struct tracer *tracer, uint64_t deadline_ns)
{
	bool had_to_stop = false;

	for (size_t i = 0; i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];

		if (thread->call_again && thread->run == THREAD_RUNS)
			had_to_stop |=
				see_call_made(tracer, thread, deadline_ns);
	}
	return had_to_stop;
}

/*
 * Who has been interrupted and has not stopped yet would find nobody to undo
 * its EINTR.
 */
static void await_interrupted(struct tracer *tracer)
{
	uint64_t deadline_ns = clock_now_ns() + INTERRUPTED_LIMIT_NS;

	while (tracer->wanted_count) {
		struct thread *thread = tracer_next(tracer, deadline_ns);

		if (!thread)
			return;
		tracer_resume(thread);
	}
}

void let_go(struct tracer *tracer)
{
	uint64_t deadline_ns = clock_now_ns() + LIMIT_NS;

	for (size_t i = 0; i < tracer->count; i++)
		tracer_resume(tracer->threads[i]);
	/* Signals come all the time: up to a round in which none did. */
	do {
		tracer_serve(tracer, 0);
	} while (see_all_made(tracer, deadline_ns) &&
		 clock_now_ns() < deadline_ns);
	tracer_serve(tracer, 0);
	await_interrupted(tracer);
}
