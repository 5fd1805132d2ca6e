/* SPDX-License-Identifier: MIT */
/* Whether threads under seccomp may do what a patch adds to dlopen. */
#ifndef UPATCH_LOADER_FILTERS_H
#define UPATCH_LOADER_FILTERS_H

#include "process.h"

/*
 * Stops the threads that have filters, one after the other.  A thread in strict
 * mode cannot load at all.
 */
UPATCH_MUST_CHECK int loader_filters_check(struct process *process,
					   uint64_t deadline_ns,
					   struct upatch_error *err);

#endif
