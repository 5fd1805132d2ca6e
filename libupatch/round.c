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
};

static void interrupt_some(const struct round *round, struct window *window)
{
	struct tracer *tracer = round->tracer;

	while (tracer->wanted_count < window->size &&
	       window->next < tracer->count) {
		struct thread *thread = tracer->threads[window->next++];

		if (thread->run != THREAD_RUNS || thread->wanted ||
		    !round->wants(thread, round->user))
			continue;
		tracer_look_at_call(tracer, thread);
		tracer_interrupt(tracer, thread);
	}
}

static bool is_kept(const struct round *round, const struct thread *thread)
{
	return round->keeps && thread->run == THREAD_STOPPED &&
	       round->keeps(thread, round->user);
}

static void release(struct round *round, bool keeps_some)
{
	struct tracer *tracer = round->tracer;
	bool holds = false;

	for (size_t i = 0; round->holds && i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];

		if (!thread->is_held)
			continue;
		thread->is_held = keeps_some && is_kept(round, thread);
		holds |= thread->is_held;
		if (!thread->is_held)
			tracer_resume(thread);
	}
	round->holds = holds;
}

static bool is_late(const struct round *round)
{
	uint64_t max_ns =
		round->keep_ns > HOLD_MAX_NS ? round->keep_ns : HOLD_MAX_NS;

	return round->holds && tracer_now_ns() - round->held_since_ns > max_ns;
}

static void hold(struct round *round, struct thread *thread)
{
	if (!round->holds)
		round->held_since_ns = tracer_now_ns();
	round->holds = true;
	thread->is_held = true;
}

static bool computes(const struct thread *thread)
{
	return thread->run == THREAD_STOPPED && thread->was_looked_at &&
	       thread->was_computing;
}

static void serve(struct round *round, struct window *window,
		  struct thread *thread)
{
	round->serve(thread, round->user);
	if (computes(thread)) {
		hold(round, thread);
		/* It is a sign that others do, too. */
		window->size = round->tracer->count;
		return;
	}
	tracer_resume(thread);
	if (!round->holds && window->size > WINDOW_MIN)
		window->size--;
}

void round_run(struct round *round)
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
			serve(round, &window, thread);
			last_ns = now;
		} else if (now - last_ns < STOP_TIMEOUT_NS) {
			if (window.size < tracer->count)
				window.size *= 2;
		} else {
			tracer_drop_ended(tracer);
			break;
		}
		if (is_late(round))
			release(round, false);
	}
	release(round, true);
}

void round_ask(struct round *round)
{
	struct window window = { .size = SIZE_MAX };

	interrupt_some(round, &window);
}

void round_serve(struct round *round, uint64_t until_ns)
{
	do {
		struct thread *thread = tracer_next(round->tracer, until_ns);

		if (!thread)
			return;
		round->serve(thread, round->user);
		if (computes(thread) && is_kept(round, thread))
			hold(round, thread);
		else
			tracer_resume(thread);
	} while (tracer_now_ns() < until_ns);
}

void round_let_go_late(struct round *round)
{
	if (is_late(round))
		release(round, false);
}

void round_let_go(struct round *round)
{
	release(round, false);
}
