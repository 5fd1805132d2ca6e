/* SPDX-License-Identifier: MIT */
/*
 * Drives the transition that the agent has opened to its end: jumps in,
 * threads over, jumps out, callbacks.
 */
#ifndef UPATCH_DRIVE_H
#define UPATCH_DRIVE_H

#include "operation.h"

struct drive {
	/* the transition is running already; else it is started first */
	bool is_running;
	/* turn it around first */
	bool reverse;
	/* end it without waiting */
	bool force;
};

/*
 * What remains after the deadline is decided by the options.  Returns 0 when
 * the transition ended as it was meant to; UPATCH_ERROR_TIMED_OUT when it was
 * reversed or left; any other error before its start leaves it to the caller
 * to cancel it (operation->view tells).
 */
UPATCH_MUST_CHECK int drive_transition(struct operation *operation,
				       const struct drive *drive,
				       struct upatch_error *err);

#endif
