/* SPDX-License-Identifier: MIT */
/* Operations that fail because libraries come and go meanwhile. */
#ifndef UPATCH_FLUX_H
#define UPATCH_FLUX_H

#include "operation.h"

/*
 * Whether that can be why: then everything that was read is out of date, and
 * the operation, of which nothing is left, can be made again.
 */
bool flux_explains(struct operation *operation, int ret,
		   const struct upatch_error *err);
/* There was no time left in which they stood still. */
int flux_report(const struct operation *operation, struct upatch_error *err);

#endif
