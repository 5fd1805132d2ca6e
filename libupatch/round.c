/* SPDX-License-Identifier: MIT */
/*
 * Stops threads, a few at a time, while the others run; but those that compute
 * are held until all have stopped.
 */
#include "round.h"

#include "clock.h"

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
/* Between looks at who is held: there may be thousands. */
#define LATE_GAP_NS 1000000UL

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

static void release(struct round *round, uint64_t hold_ns, bool keeps_some)
{
	const uint64_t now = clock_now_ns();
	struct tracer *tracer = round->tracer;
	bool holds = false;

	for (size_t i = 0; round->holds && i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];
		uint64_t max_ns = hold_ns;

		if (!thread->held_since_ns)
			continue;
		if (keeps_some && round->keep_ns > hold_ns &&
		    is_kept(round, thread))
			max_ns = round->keep_ns;
		if (now - thread->held_since_ns < max_ns) {
			holds = true;
			continue;
		}
		thread->held_since_ns = 0;
		tracer_resume(thread);
	}
	round->holds = holds;
	round->released_ns = now;
}

static void release_late(struct round *round)
{
	if (round->holds && clock_now_ns() - round->released_ns >= LATE_GAP_NS)
		release(round, TRACER_HOLD_MAX_NS, true);
}

static void hold(struct round *round, struct thread *thread)
{
	round->holds = true;
	thread->held_since_ns = clock_now_ns();
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
	uint64_t last_ns = clock_now_ns();

	for (;;) {
		struct thread *thread;
		uint64_t now;

		interrupt_some(round, &window);
		if (!tracer->wanted_count)
			break;
		thread = tracer_next(tracer, clock_now_ns() + WINDOW_GROW_NS);
		now = clock_now_ns();
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
		release_late(round);
	}
	release(round, 0, true);
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
	} while (clock_now_ns() < until_ns);
}

void round_let_go_late(struct round *round)
{
	release(round, 0, true);
}

void round_let_go(struct round *round)
{
	release(round, 0, false);
}
