/* SPDX-License-Identifier: MIT */
/* Programs that are built so that they cannot be patched. */
#ifndef UPATCH_BUILT_H
#define UPATCH_BUILT_H

#include "process.h"

/*
 * Refuses Go programs, and those with a sanitizer that would judge code of
 * ours and of a patch, which it knows nothing of.  Reads only.
 */
UPATCH_MUST_CHECK int built_check(const struct process *process,
				  struct upatch_error *err);

#endif
