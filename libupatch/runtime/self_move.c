/* SPDX-License-Identifier: MIT */
/*
 * A thread that comes through a gate during a transition looks at its own
 * stack and moves itself if nothing that is sought is on it.  So a thread that
 * is in the replaced function nearly always is moved without being stopped.
 *
 * Runs in the program's threads at the entry of their functions: no call into
 * the C library, no vector register (compiled with -mgeneral-regs-only), and
 * nothing that a signal handler in the middle of it could disturb.
 */
#include "runtime.h"

#include <stdatomic.h>

uint64_t self_move_choose(struct rt_gate_words *words, uint64_t sp);

static const volatile struct rt_state *const state = &upatch_runtime_state;

/* As the stack scan of a controller, without a walk for stale words. */
static bool is_sought(uint64_t word)
{
	const struct rt_range *sought = rt_ptr(state->sought);
	uint32_t count = state->sought_count;

	for (uint32_t i = 0; i < count; i++) {
		/* An address, or the return address behind a last call. */
		if (word >= sought[i].start && word <= sought[i].end)
			return true;
	}
	return false;
}

/*
 * The outermost word that blocks is remembered: as long as it is there, one
 * look suffices, however often the thread comes by.
 */
static bool is_clean(struct rt_thread *thread, uint64_t sp)
{
	uint64_t seen = 0;

	if (sp < thread->stack_start || sp >= thread->stack_end)
		return false;
	if (thread->seen >= sp && is_sought(*(uint64_t *)rt_ptr(thread->seen)))
		return false;
	for (uint64_t at = sp; at + sizeof(uint64_t) <= thread->stack_end;
	     at += sizeof(uint64_t)) {
		if (is_sought(*(uint64_t *)rt_ptr(at)))
			seen = at;
	}
	thread->seen = seen;
	return !seen;
}

/*
 * A controller that finds a thread in here leaves it alone, whatever its moved
 * word says (sought.c).  If the transition is turned around after the last
 * look, the thread moves to where the aim was, rightly, as it is clean for
 * that, and is moved back like the others.
 */
static void try_to_move(struct rt_thread *thread, uint64_t sp)
{
	uint32_t generation = state->sought_generation;
	bool reversed = state->transition.reversed;
	uint32_t id = state->transition.id;
	bool is_there = (thread->moved == id) != reversed;

	atomic_thread_fence(memory_order_acquire);
	if (is_there || (generation & 1) || !is_clean(thread, sp))
		return;
	atomic_thread_fence(memory_order_acquire);
	if (state->sought_generation == generation &&
	    state->transition.reversed == reversed)
		thread->moved = reversed ? 0 : id;
}

/*
 * `sp` points to the return address of the call.  Returns where the call is
 * to go on.
 */
uint64_t self_move_choose(struct rt_gate_words *words, uint64_t sp)
{
	struct rt_thread *thread = &state_thread;

	if (thread->may_move == state->transition.id)
		try_to_move(thread, sp);
	else
		thread->may_move = 0;
	return thread->moved == state->transition.id ? words->destination
						     : words->source;
}
