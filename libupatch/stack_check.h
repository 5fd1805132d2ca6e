/* SPDX-License-Identifier: MIT */
/*
 * Is a function on the stack of a stopped thread?  Mostly answered by a scan
 * of the stack's words; a walk decides where a word is found or the thread is
 * on another stack than its own.
 *
 * What cannot be seen: the frames of a context that is not running, of a
 * coroutine that was switched away from.  They lie in memory that nothing
 * tells from other memory, and they belong to no thread.  Nor is a coroutine
 * recognised whose stack is part of a thread's own.  A coroutine that *is*
 * running hides the frames from which it was entered; so for a thread on
 * a foreign stack its own stack is looked at as well, all of it.
 */
#ifndef UPATCH_STACK_CHECK_H
#define UPATCH_STACK_CHECK_H

#include "stack_scan.h"
#include "unwind.h"

/* --- Where a thread's stack is ----------------------------------------- */

/* What has to be known of the target's memory map. */
struct stack_maps {
	/* the mapping that has `addr`; false: none */
	bool (*mapping)(void *user, upatch_addr_t addr,
			struct addr_range *ret_mapping);
	void *user;
	/* the mapping named [stack] */
	struct addr_range main_stack;
};

struct stack_bounds {
	/*
	 * The thread runs on its own stack.  False: on an alternate signal
	 * stack or a coroutine's, or the map is older than the stack.
	 */
	bool is_own;
	/* what has to be copied for the check, from the stack pointer on */
	struct addr_range live;
	/* the thread's own stack as far as it is mapped; empty: not known */
	struct addr_range own;
	/* pages of it that are not there have never been written to */
	bool own_is_private;
};

/*
 * A thread's own stack ends where its control block begins, as two stacks can
 * lie in one mapping; that of the main thread is [stack].
 */
void stack_bounds_find(const struct arch_regs *regs, bool is_main_thread,
		       const struct stack_maps *maps,
		       struct stack_bounds *ret_bounds);

/* --- The check --------------------------------------------------------- */

enum stack_reason {
	STACK_SAFE,
	STACK_ON_STACK,	 /* a function that is looked for is there */
	STACK_IN_GATE,	 /* a pc is where none may be */
	STACK_NO_UNWIND, /* a word was found, and the walk did not get through */
	STACK_FOREIGN,	 /* a coroutine; a word was found on the own stack */
	STACK_UNREADABLE, /* the stack, or the part that counts, was not read */
};
/* A constant text: "on-stack", "in-gate", "no-unwind" …; "safe". */
const char *stack_reason_text(enum stack_reason reason);

/* What is looked for; the arrays are the caller's, in any order. */
struct stack_query {
	/*
	 * A thread is blocked by a pc or a return address in one of these.  A
	 * thread that has not executed the function's first instruction is not
	 * in it if that is a jump to a gate.  For such functions start + 1 can
	 * be given instead of start, and pointers to the function are not
	 * mistaken for frames.
	 */
	const struct addr_range *functions;
	size_t function_count;
	/* Here a pc counts, also an interrupted one, but no return address. */
	const struct addr_range *gates;
	size_t gate_count;
	/* the C library's __restore_rt; 0: not known */
	upatch_addr_t signal_return;
};

struct stack_check {
	struct stack_query query;
	struct scan_values values;
	struct addr_range *ranges; /* what `values` points to */
};

/* Release with stack_check_fini; the query's arrays must live until then. */
UPATCH_MUST_CHECK int stack_check_init(struct stack_check *check,
				       const struct stack_query *query,
				       struct upatch_error *err);
/* A zeroed check is allowed. */
void stack_check_fini(struct stack_check *check);

struct stack_thread {
	const struct arch_regs *regs;
	struct stack_bounds bounds;
	/*
	 * bounds.live as it was read.  Of a thread on its own stack all of it,
	 * else STACK_UNREADABLE; of another as much as there is.
	 */
	struct stack_copy copy;
	/* It is still stopped, so that its other stacks can be read. */
	bool is_stopped;
};

struct stack_verdict {
	enum stack_reason reason;
	/*
	 * STACK_ON_STACK: index into functions; STACK_IN_GATE: into gates; and
	 * where the thread is in it.
	 */
	size_t range_index;
	upatch_addr_t addr;
	/* it is the thread's pc */
	bool is_pc;
	/* the walk, if one was made; valid until the unwinder's next walk */
	bool has_walk;
	struct unwind_walk walk;
};

/*
 * For a thread on its own stack registers and copy are enough; it may have
 * been let go.  One on another stack must still be stopped, or it is
 * STACK_UNREADABLE.  `unwinder` has the modules of the target.
 */
void stack_check_thread(const struct stack_check *check,
			struct unwinder *unwinder, const struct memory *memory,
			const struct stack_thread *thread,
			struct stack_verdict *ret_verdict);

#endif
