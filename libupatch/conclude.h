/* SPDX-License-Identifier: MIT */
/* The end of an operation that failed. */
#ifndef UPATCH_CONCLUDE_H
#define UPATCH_CONCLUDE_H

#include "operation.h"

/* What an operation is for: the patch operation->result.patch. */
enum aim {
	AIM_OTHER,
	AIM_APPLIED,
	AIM_REVERTED,
	/* the end of a transition that was running before */
	AIM_ENDED,
};

/*
 * The last thing that can fail, given what the operation has come to.  If the
 * process ended or called execve, that is said.  If something is left in the
 * middle, as the agent was lost or the controller ran out of what it needs,
 * another agent brings it to an end: 0 if that is what was aimed at, `ret` if
 * nothing is left of it; else UPATCH_ERROR_TARGET_DAMAGED, and *err says what
 * is left.
 */
int conclude(struct operation *operation, enum aim aim, int ret,
	     struct upatch_error *err);

#endif
