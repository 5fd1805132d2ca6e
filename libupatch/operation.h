/* SPDX-License-Identifier: MIT */
/*
 * What every operation on a target goes through: look, enter, work, leave.
 * The public entry points are apply.c, revert.c and resume.c.
 */
#ifndef UPATCH_OPERATION_H
#define UPATCH_OPERATION_H

#include "channel.h"
#include "inject.h"
#include "priority.h"
#include "process.h"
#include "view.h"

/* The public handle. */
struct upatch_target {
	struct process process;
};

/* The public handle. */
struct upatch_cache {
	struct file_cache files;
};

struct operation {
	struct process *process;
	struct upatch_options options;
	uint64_t begin_ns, deadline_ns;
	struct upatch_result result;
	struct channel channel;
	/* as we see it, which may be from another pid namespace; 0: none */
	pid_t agent_tid;
	/* of the calling thread, from entering to leaving */
	struct priority priority;
	/* as last read by operation_look; empty without a runtime */
	struct view view;
	/* forked while the transition ran: they carry it on */
	pid_t *children;
	size_t child_count;
	/* from here on there is something to undo: conclude.c */
	bool is_begun;
	rt_addr_t patch; /* that is loaded or reverted; 0: not known */
	/* the transition was not brought to its end */
	bool is_cut_off;
	/*
	 * It has succeeded, or what has failed is no reason to undo: the
	 * transition was left running, as the options ask for, or it is a child
	 * that failed.
	 */
	bool is_final;
};

/*
 * Checks the options and looks at the target: it must be ready to be changed.
 * Nothing is touched.  Release with operation_close, also after a failure.
 */
UPATCH_MUST_CHECK int operation_open(struct operation *operation,
				     struct upatch_target *target,
				     const struct upatch_options *options,
				     struct upatch_error *err);
void operation_close(struct operation *operation);

/* Reads the runtime's state again. */
UPATCH_MUST_CHECK int operation_look(struct operation *operation,
				     struct upatch_error *err);
/*
 * Enters the target, and finishes what an operation that was killed has left
 * there.  Leaves with operation_close.
 */
UPATCH_MUST_CHECK int operation_enter(struct operation *operation,
				      struct upatch_error *err);
/* The agent ends, at once unless a callback holds it up. */
void operation_leave(struct operation *operation);
/* A request without operands. */
UPATCH_MUST_CHECK int operation_tell(struct operation *operation,
				     enum rt_request_type type, rt_addr_t patch,
				     const char *what,
				     struct upatch_error *err);
/*
 * A request that runs code of the patch, which may take as long as it likes:
 * when the caller asks to stop, the agent is left to it.
 */
UPATCH_MUST_CHECK int
operation_call(struct operation *operation, const struct rt_request *request,
	       int passed_fd, uint64_t deadline_ns, struct rt_reply *ret_reply,
	       const char *what, struct upatch_error *err);
/* UPATCH_ERROR_INTERRUPTED: the caller asks to stop, and may. */
UPATCH_MUST_CHECK int operation_check_asked(const struct operation *operation,
					    struct upatch_error *err);
/* From here on what is under way is brought to its end. */
void operation_ignore_asked(struct operation *operation);
/* The time is over, or the caller asks to stop. */
bool operation_is_over(const struct operation *operation);
void operation_progress(const struct operation *operation,
			enum upatch_step step);
__attribute__((format(printf, 2, 3))) void
operation_trace(const struct operation *operation, const char *format, ...);

#endif
