/* SPDX-License-Identifier: MIT */
/* Getting the shared objects of patches that are gone out of the target. */
#ifndef UPATCH_LEAVE_H
#define UPATCH_LEAVE_H

#include "operation.h"

/*
 * Unloads every patch that nobody is sent into any more; one that a thread is
 * still in is parked, and tried again by the next operation.
 */
UPATCH_MUST_CHECK int leave_unload_leftovers(struct operation *operation,
					     struct upatch_error *err);

#endif
