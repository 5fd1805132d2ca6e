/* SPDX-License-Identifier: MIT */
/*
 * Stops threads, a few at a time, while the others run; but those that compute
 * are held until all have stopped.
 */
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
/*
 * Threads that compute take their turns while others of them wait to be
 * stopped.  Held until all have stopped, each only costs a moment of a
 * processor, and less in all than the turns.
 */
#define HOLD_MAX_NS 20000000UL

struct window {
	size_t size;
	size_t next; /* the thread to be looked at next */
	bool holds;  /* threads that were computing */
	uint64_t held_since_ns;
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

static void release_all(const struct round *round, struct window *window)
{
	struct tracer *tracer = round->tracer;

	for (size_t i = 0; window->holds && i < tracer->count; i++) {
		if (tracer->threads[i]->is_held)
			tracer_resume(tracer->threads[i]);
		tracer->threads[i]->is_held = false;
	}
	window->holds = false;
}

/* One that computes is a sign that others do, too. */
static void hold(const struct round *round, struct window *window,
		 struct thread *thread, uint64_t now)
{
	if (!window->holds)
		window->held_since_ns = now;
	window->holds = true;
	window->size = round->tracer->count;
	thread->is_held = true;
}

static void serve(const struct round *round, struct window *window,
		  struct thread *thread, uint64_t now)
{
	round->serve(thread, round->user);
	if (thread->run == THREAD_STOPPED && thread->was_looked_at &&
	    thread->was_computing) {
		hold(round, window, thread, now);
		return;
	}
	tracer_resume(thread);
	if (!window->holds && window->size > WINDOW_MIN)
		window->size--;
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
			break;
		thread = tracer_next(tracer, tracer_now_ns() + WINDOW_GROW_NS);
		now = tracer_now_ns();
		if (thread) {
			serve(round, &window, thread, now);
			last_ns = now;
		} else if (now - last_ns < STOP_TIMEOUT_NS) {
			if (window.size < tracer->count)
				window.size *= 2;
		} else {
			tracer_drop_ended(tracer);
			break;
		}
		if (window.holds && now - window.held_since_ns > HOLD_MAX_NS)
			release_all(round, &window);
	}
	release_all(round, &window);
}

void round_serve(const struct round *round, uint64_t until_ns)
{
	do {
		struct thread *thread = tracer_next(round->tracer, until_ns);

		if (!thread)
			return;
		round->serve(thread, round->user);
		tracer_resume(thread);
	} while (tracer_now_ns() < until_ns);
}
