/* SPDX-License-Identifier: MIT */
/*
 * Moves the threads, one by one while the others run, as each one's stack
 * allows it.
 */
#ifndef UPATCH_MOVER_H
#define UPATCH_MOVER_H

#include "process.h"
#include "references.h"
#include "sought.h"
#include "tracer.h"

/* A thread that could not be moved, as it was when last looked at. */
struct blocking_thread {
	pid_t tid;
	char comm[32];
	const char *reason; /* constant text */
	char *function;	    /* or NULL */
	char **backtrace;   /* NULL-terminated, or NULL */
};

struct blocking {
	struct blocking_thread *threads;
	size_t count;
};
void blocking_free(struct blocking *blocking);

struct mover {
	struct process *process;
	struct tracer *tracer;
	const struct sought *sought;
	/* offset of a thread's rt_thread from its thread pointer */
	int64_t thread_offset;
	uint32_t transition_id;
	bool reversed;
	/*
	 * Called once, when the first look at the threads has not sufficed:
	 * hands what is sought to the runtime.  True: from now on threads are
	 * allowed to move themselves.
	 */
	bool (*publish)(struct mover *mover, void *user);
	/*
	 * Called before each try: a library may have come or gone, so that
	 * something else is sought.
	 */
	int (*refresh)(struct mover *mover, void *user,
		       struct upatch_error *err);
	/* What is sought is no longer what `sought` says. */
	bool (*is_stale)(const struct mover *mover, void *user);
	/*
	 * Called between tries; true: give up, as if the time were over.
	 */
	bool (*stop)(struct mover *mover, void *user);
	void *user;

	/* priority_stays_crowded, before all threads were stopped and woken */
	bool was_crowded;
	bool is_published; /* `publish` said true */
	/* what mover_run found out */
	size_t thread_count, moved_count;
	struct blocking_thread last_blocking; /* text only, no backtrace */
	/* mover_look adds the threads' stacks; or NULL */
	struct range_list *own_stacks;
	struct look *look; /* what mover_run is at, or NULL */
};

/*
 * Every thread must be seized.  Returns 0 when all have moved;
 * UPATCH_ERROR_TIMED_OUT names a thread that has not.
 */
UPATCH_MUST_CHECK int mover_run(struct mover *mover, uint64_t deadline_ns,
				struct upatch_error *err);

/*
 * For the functions above while they wait for the process, which may wait for
 * a thread that mover_run keeps stopped.
 */
void mover_serve(struct mover *mover);

/*
 * Stops and looks at each thread once and moves none.  With `word_counts` those
 * block whose moved word does not say that they have moved, else those on whose
 * stack something was found.
 */
UPATCH_MUST_CHECK int mover_look(struct mover *mover, bool word_counts,
				 bool want_backtraces,
				 struct blocking *ret_blocking,
				 struct upatch_error *err);

#endif
