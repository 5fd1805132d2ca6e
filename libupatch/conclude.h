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
};

/*
 * The last thing that can fail, given what the operation has come to.  If the
 * process ended or called execve, that is said.  If the agent was lost, as the
 * process closes what it does not know, another one brings it to an end: 0 if
 * that is what was aimed at, else nothing is left of it.
 */
int conclude(struct operation *operation, enum aim aim, int ret,
	     struct upatch_error *err);

#endif
