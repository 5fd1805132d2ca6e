/* SPDX-License-Identifier: MIT */
/* Stops threads, a few at a time, while the others run. */
#include "round.h"

/*
 * A thread that sleeps stops at once and then waits for us, behind those that
 * have stopped before it: so few are under way that this is short.  A thread
 * that waits for a processor stops only when it gets one, and to wait for one
 * after the other would cost a turn of the scheduler each: when nobody stops,
 * more are interrupted.
 */
#define WINDOW_MIN	2
#define WINDOW_GROW_NS	150000UL
#define STOP_TIMEOUT_NS 200000000UL

struct window {
	size_t size;
	size_t next; /* the thread to be looked at next */
};

static void interrupt_some(const struct round *round, struct window *window)
{
	struct tracer *tracer = round->tracer;

	while (tracer->wanted_count < window->size &&
	       window->next < tracer->count) {
		struct thread *thread = tracer->threads[window->next++];

		if (thread->run != THREAD_RUNS ||
		    !round->wants(thread, round->user))
			continue;
		tracer_look_at_call(tracer, thread);
		tracer_interrupt(tracer, thread);
	}
}

static void serve(const struct round *round, struct thread *thread)
{
	round->serve(thread, round->user);
	tracer_resume(thread);
}

void round_run(const struct round *round)
{
	struct tracer *tracer = round->tracer;
	struct window window = { .size = WINDOW_MIN };
	uint64_t last_ns = tracer_now_ns();

	for (;;) {
		struct thread *thread;
		uint64_t now;

		interrupt_some(round, &window);
		if (!tracer->wanted_count)
			return;
		thread = tracer_next(tracer, tracer_now_ns() + WINDOW_GROW_NS);
		now = tracer_now_ns();
		if (thread) {
			serve(round, thread);
			last_ns = now;
			if (window.size > WINDOW_MIN)
				window.size--;
		} else if (now - last_ns < STOP_TIMEOUT_NS) {
			if (window.size < tracer->count)
				window.size *= 2;
		} else {
			break;
		}
	}
	tracer_drop_ended(tracer);
}

void round_serve(const struct round *round, uint64_t until_ns)
{
	do {
		struct thread *thread = tracer_next(round->tracer, until_ns);

		if (!thread)
			return;
		serve(round, thread);
	} while (tracer_now_ns() < until_ns);
}
