/* SPDX-License-Identifier: MIT */
/* The callbacks that are running in the target, or have never returned. */
#ifndef UPATCH_CALLS_H
#define UPATCH_CALLS_H

#include "process.h"

struct running_call {
	const struct view_patch *patch;
	const struct view_object *object;
	uint32_t callback; /* enum rt_callback */
	pid_t tid;
};

/* How many there are; what is returned lives with the view. */
size_t calls_find(const struct process *process, const struct view *view,
		  struct running_call ret_calls[RT_CALLS]);
/* "pre_patch of the main executable, patch 'fix', in thread 12" */
void calls_describe(const struct running_call *call, char *buf, size_t size);

#endif
