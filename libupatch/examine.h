/* SPDX-License-Identifier: MIT */
/* Looking at one thread: registers, stack. */
#ifndef UPATCH_EXAMINE_H
#define UPATCH_EXAMINE_H

#include "process.h"
#include "stack_check.h"
#include "tracer.h"

/* Reused from thread to thread; zeroed at first. */
struct examine_buffer {
	unsigned char *bytes;
	size_t capacity;
};
void examine_buffer_free(struct examine_buffer *buffer);
UPATCH_MUST_CHECK int examine_buffer_reserve(struct examine_buffer *buffer,
					     size_t len);

/*
 * Reads the maps of the process again, while no thread is stopped: it can take
 * milliseconds.  They have the own stack of each thread that is traced by now.
 */
UPATCH_MUST_CHECK int examine_refresh_maps(struct process *process,
					   struct tracer *tracer,
					   struct upatch_error *err);

/*
 * Copies the stack of a stopped thread, as far as the check needs it, in one
 * read.  `ret_thread` points to `regs` and into `buffer`.
 */
UPATCH_MUST_CHECK int examine_copy(struct process *process, pid_t tid,
				   const struct arch_regs *regs,
				   struct examine_buffer *buffer,
				   struct stack_thread *ret_thread,
				   struct upatch_error *err);

/* False: its stack may be younger than the maps; to be looked at once more. */
static inline bool examine_is_known(const struct thread *thread,
				    const struct stack_thread *stack)
{
	return stack->bounds.is_own || thread->in_maps;
}

/*
 * Copies all of the thread's own stack that is in use, of one that has slept in
 * a system call all the while.  False: it has not, or where its stack is has
 * not been found in this operation.
 */
bool examine_copy_asleep(struct process *process, pid_t tid,
			 struct examine_buffer *buffer,
			 struct addr_range *ret_own, upatch_addr_t *ret_pc,
			 struct stack_copy *ret_copy);

/*
 * Copies the stack of a thread that waits in a system call and is not stopped,
 * as much as a walk may need.  Of its registers only pc and sp are known.
 * False: it waits in none, or that cannot be told.
 */
bool examine_copy_waiting(struct process *process, pid_t tid,
			  struct examine_buffer *buffer,
			  struct arch_regs *ret_regs,
			  struct stack_copy *ret_copy);

#endif
