/* SPDX-License-Identifier: MIT */
/*
 * A call with a relative time-out that is made again after a stop gets the
 * time that is left.
 */
#ifndef UPATCH_CALL_DEADLINE_H
#define UPATCH_CALL_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/call_timeout.h"
#include "sched_clock.h"
#include "tasks.h"

/*
 * What is known of the call that a thread is in:
 *
 *	NONE    nothing
 *	SEEN    it slept in this call before it was interrupted.  It can have
 *	        left it, and sleep in the next one with the same arguments, before
 *	        it stops: only how often it has slept tells.
 *	KNOWN   it is made again, and when it has to end
 */
enum call_state {
	CALL_NONE,
	CALL_SEEN,
	CALL_KNOWN,
};

struct call_deadline {
	enum call_state state;
	struct arch_timeout timeout;
	/* with what we have put in place of the time-out */
	struct task_call made;
	uint64_t timeout_ns;
	/* CLOCK_MONOTONIC; or the latest that it can be */
	uint64_t end_ns;
	bool has_end;
	/* when it was seen */
	struct sched_sleep sleep;
	uint64_t looked_ns;
};

/* Where the code of a call has been judged: one for each place. */
struct call_place {
	upatch_addr_t pc;
	unsigned int argument;
	bool may_change;
};

struct call_deadlines {
	struct sched_clock clock;
	struct call_place *places;
	size_t place_count;
	/* where the C library's code is */
	struct addr_range *libc;
	size_t libc_count;
	bool has_libc;
	/* it was asked for while a thread was stopped */
	bool wants_libc;
	/* how long processors may be waited for, before the first stop */
	uint64_t patience_ns;
	/* of a thread's rt_thread, from its thread pointer; 0: not there */
	int64_t thread_offset;
};

void call_deadlines_fini(struct call_deadlines *deadlines);

/*
 * Whether that is code of the C library, libpthread included.  The first time
 * it reads the maps of the thread's process.
 */
bool call_deadlines_is_libc(struct call_deadlines *deadlines, pid_t tid,
			    upatch_addr_t pc);

/*
 * Before a thread is interrupted, while it runs.  What was seen a moment ago is
 * not looked at again.
 */
void call_deadline_look(struct call_deadlines *deadlines, pid_t tid,
			struct call_deadline *deadline);
/*
 * While it is stopped: `regs` are about to be written, and make the call
 * again.  Changes the time-out in them to what is left; if the call was not
 * seen before, the time-out begins again, once.
 */
void call_deadline_apply(struct call_deadlines *deadlines, pid_t tid,
			 struct call_deadline *deadline,
			 struct arch_regs *regs);

#endif
