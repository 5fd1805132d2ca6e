/* SPDX-License-Identifier: MIT */
/* Where the own stacks of threads are, as they were found at a stop. */
#ifndef UPATCH_OWN_STACKS_H
#define UPATCH_OWN_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "addr.h"

/* Of one operation: a number can be another thread's in a later one. */
struct own_stacks {
	struct own_stack {
		pid_t tid;
		struct addr_range range;
	} * stacks;
	size_t count, capacity;
	size_t next; /* they are asked for in the order of noting */
};

/* Without memory it is forgotten. */
void own_stacks_note(struct own_stacks *own, pid_t tid,
		     const struct addr_range *range);
bool own_stacks_find(struct own_stacks *own, pid_t tid,
		     struct addr_range *ret_range);
/* Ready for another operation. */
void own_stacks_free(struct own_stacks *own);

#endif
