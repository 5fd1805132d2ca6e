/* SPDX-License-Identifier: MIT */
/* Operations that fail because libraries come and go meanwhile. */
#ifndef UPATCH_FLUX_H
#define UPATCH_FLUX_H

#include "conclude.h"
#include "operation.h"

/* What is made again, from the beginning. */
struct flux_work {
	enum aim aim;
	const char *patch_name; /* NULL: not known beforehand */
	int (*run)(struct operation *operation, void *user,
		   struct upatch_error *err);
	/* optional: after each try, when the operation is closed */
	void (*clear)(void *user);
	void *user;
};

/*
 * Opens an operation, runs the work, concludes and closes.  Where libraries
 * that came or went can be why it failed, all that was read is out of date,
 * and nothing is left of the operation: it is made again while there is time.
 */
UPATCH_MUST_CHECK int flux_run(const struct flux_work *work,
			       struct upatch_target *target,
			       const struct upatch_options *options,
			       struct upatch_result *ret_result,
			       struct upatch_error *err);

#endif
