/* SPDX-License-Identifier: MIT */
/*
 * Words in the target's memory that refer to code: return addresses on stacks
 * that no thread runs on, as those of coroutines, and pointers put aside.
 */
#ifndef UPATCH_REFERENCES_H
#define UPATCH_REFERENCES_H

#include <stdbool.h>
#include <stddef.h>

#include "process.h"

struct range_list {
	struct addr_range *ranges;
	size_t count, capacity;
};
UPATCH_MUST_CHECK int range_list_add(struct range_list *list,
				     upatch_addr_t start, upatch_addr_t end,
				     struct upatch_error *err);
void range_list_free(struct range_list *list);

/* `skipped` is sorted in place. */
struct reference_query {
	struct addr_range code;
	/* memory where a word does not count */
	struct range_list skipped;
	/* values that do not count: the starts and ends of ranges */
	struct range_list known;
};

enum reference_result {
	REFERENCES_NONE,
	REFERENCES_FOUND,
	/* there is too much memory to look at */
	REFERENCES_UNKNOWN,
};

/*
 * Looks at the private memory that can be written, as far as it is there,
 * while the threads run.  The maps have to be fresh.
 */
UPATCH_MUST_CHECK int references_find(const struct process *process,
				      struct reference_query *query,
				      enum reference_result *ret_result,
				      struct upatch_error *err);

#endif
