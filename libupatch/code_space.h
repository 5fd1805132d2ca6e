/* SPDX-License-Identifier: MIT */
/*
 * Room in the target for gates and their words, near the code that they
 * serve.  What is used follows from the view; nothing is written about it.
 */
#ifndef UPATCH_CODE_SPACE_H
#define UPATCH_CODE_SPACE_H

#include "channel.h"
#include "process.h"
#include "view.h"

struct code_space {
	struct process *process;
	struct channel *channel;
	uint64_t deadline_ns;
	struct space_area *areas;
	size_t area_count;
	/* how much the operation will take in all, to size a new area */
	size_t expected_code_len, expected_data_len;
};

struct code_grant {
	upatch_addr_t code;
	upatch_addr_t data;
	/* the area's copy of the transition's id */
	upatch_addr_t transition;
};

UPATCH_MUST_CHECK int
code_space_open(struct code_space *space, struct process *process,
		struct channel *channel, const struct view *view,
		uint64_t deadline_ns, struct upatch_error *err);
void code_space_close(struct code_space *space);

/*
 * Takes code and data (data_len can be 0) in one area, all of it in reach of a jump at `near`.
 * Has the agent map a new area if there is none.
 */
UPATCH_MUST_CHECK int code_space_take(struct code_space *space,
				      upatch_addr_t near, size_t code_len,
				      size_t data_len,
				      struct code_grant *ret_grant,
				      struct upatch_error *err);
/*
 * Of code that was taken without knowing how long it is going to be, the end is
 * free again.
 */
void code_space_give_back(struct code_space *space,
			  const struct code_grant *grant, size_t code_len,
			  size_t used_len);

#endif
