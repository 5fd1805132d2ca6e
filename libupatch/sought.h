/* SPDX-License-Identifier: MIT */
/*
 * What may not be on a thread's stack when it moves: the versions that it
 * would leave behind, of every gate of the running transition.
 */
#ifndef UPATCH_SOUGHT_H
#define UPATCH_SOUGHT_H

#include "process.h"
#include "stack_check.h"
#include "view.h"

struct sought {
	struct addr_range *functions;
	const char **names; /* beside functions; point into the view */
	size_t function_count, capacity;
	struct addr_range *gates;
	size_t gate_count;
	struct stack_check check;
};

/*
 * For threads that move to the transition's aim.  `view` was read after the
 * transition was started or reversed, and must outlive `ret_sought`.  Release
 * with sought_free.
 */
UPATCH_MUST_CHECK int sought_for_transition(const struct process *process,
					    const struct view *view,
					    struct sought *ret_sought,
					    struct upatch_error *err);
/* For unloading a patch: nothing of its text. */
UPATCH_MUST_CHECK int sought_for_unload(const struct view *view,
					const struct view_patch *patch,
					struct sought *ret_sought,
					struct upatch_error *err);
void sought_free(struct sought *sought);

#endif
