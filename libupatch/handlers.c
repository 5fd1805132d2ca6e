/* SPDX-License-Identifier: MIT */
/* Which threads may be in a signal handler that interrupted certain code? */
#include "handlers.h"

#include "clock.h"
#include "priority.h"
#include "round.h"
#include "tasks.h"

/* Longer stacks are not guessed at: a stopped thread tells their end. */
#define GUESS_MAX (256UL * 1024)
/* So few are stopped without a second look. */
#define FEW	 8
#define PAUSE_NS 2000000UL

struct search {
	struct process *process;
	struct tracer *tracer;
	struct examine_buffer *buffer;
};

void handlers_watch(struct tracer *tracer, const struct scan_values *values)
{
	for (size_t i = 0; i < tracer->count; i++)
		tracer->threads[i]->is_clear = false;
	tracer->watched = values;
}

void handlers_unwatch(struct tracer *tracer)
{
	tracer->watched = NULL;
}

static bool is_suspect(const struct thread *thread, void *user)
{
	(void)user;
	return !thread->is_clear;
}

/*
 * It waits in a system call, now, while it is traced: a frame that was there
 * before lies above its stack pointer and does not change.  One that is just
 * being made, by a signal that was taken before the thread was seized, holds
 * the very pc that is looked at here.  False: it waits in none.
 */
static bool look_from_outside(struct search *search, struct thread *thread)
{
	const struct scan_values *values = search->tracer->watched;
	struct stack_copy copy;
	struct task_place place;
	const struct map *map;
	size_t offset;

	if (!tasks_waits_at(search->tracer->pid, thread->tid, &place))
		return false;
	if (stack_scan_has(values, place.pc))
		return true;
	map = maps_find(&search->process->maps, place.sp);
	if (!map || map->end - place.sp > GUESS_MAX)
		return true;
	copy.base = place.sp;
	copy.len = map->end - place.sp;
	if (examine_buffer_reserve(search->buffer, copy.len))
		return true;
	copy.bytes = search->buffer->bytes;
	thread->was_seen = true;
	thread->is_clear =
		memory_read_some(&search->process->memory, copy.base,
				 search->buffer->bytes, copy.len) == copy.len &&
		!stack_scan_find(values, &copy, 0, &offset);
	return true;
}

/* The kernel's own, for io_uring, have registers that are all zero. */
static bool runs_no_user_code(const struct arch_regs *regs)
{
	return arch_regs_pc(regs) == 0 && arch_regs_sp(regs) == 0;
}

/*
 * A thread that has no registers any more runs no handler.  Of a stack that is
 * not in the maps nothing is known, and nothing of what is around it.
 */
static void look_at_stopped(struct thread *thread, void *user)
{
	struct search *search = user;
	struct stack_thread stack;
	struct arch_regs regs;
	size_t offset;

	if (thread->is_clear || thread->run == THREAD_RUNS ||
	    thread->run == THREAD_GONE)
		return;
	thread->is_clear =
		tracer_registers(thread, &regs) || runs_no_user_code(&regs) ||
		(!examine_copy(search->process, thread->tid, &regs,
			       search->buffer, &stack, NULL) &&
		 examine_is_known(thread, &stack) && stack.copy.len > 0 &&
		 !stack_scan_find(search->tracer->watched, &stack.copy, 0,
				  &offset));
}

/* Returns how many do not wait. */
static size_t look_at_waiting(struct search *search)
{
	const struct tracer *tracer = search->tracer;
	size_t running = 0;

	for (size_t i = 0; i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];

		if (thread->run != THREAD_RUNS || thread->is_clear)
			continue;
		running += !look_from_outside(search, thread);
	}
	return running;
}

/*
 * Threads that wake up and wait again are soon through, unless we take their
 * processor to stop each; those that compute are not.
 */
static void look_while_it_helps(struct search *search)
{
	size_t running = look_at_waiting(search), before;

	do {
		if (running <= FEW)
			return;
		tracer_serve(search->tracer, clock_now_ns() + PAUSE_NS);
		before = running;
		running = look_at_waiting(search);
	} while (running <= before / 2);
}

static const struct thread *find_suspect(const struct tracer *tracer)
{
	for (size_t i = 0; i < tracer->count; i++) {
		const struct thread *thread = tracer->threads[i];

		if (thread->run != THREAD_GONE && !thread->is_clear)
			return thread;
	}
	return NULL;
}

const struct thread *handlers_look(struct process *process,
				   struct tracer *tracer,
				   struct examine_buffer *buffer)
{
	struct search search = {
		.process = process,
		.tracer = tracer,
		.buffer = buffer,
	};
	struct round round = {
		.tracer = tracer,
		.wants = is_suspect,
		.serve = look_at_stopped,
		.user = &search,
	};
	struct priority priority;

	for (size_t i = 0; i < tracer->count; i++)
		tracer->threads[i]->was_seen = false;
	look_while_it_helps(&search);
	if (!find_suspect(tracer))
		return NULL;
	priority_raise(&priority);
	round_run(&round);
	priority_restore(&priority);
	return find_suspect(tracer);
}
