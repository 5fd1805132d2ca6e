/* SPDX-License-Identifier: MIT */
/* Programs whose every instruction is watched. */
#ifndef UPATCH_SANITIZER_H
#define UPATCH_SANITIZER_H

#include "process.h"

/*
 * Refuses a program built with a sanitizer that would judge code of ours and
 * of a patch, which it knows nothing of, and end the program for it.
 */
UPATCH_MUST_CHECK int sanitizer_check(const struct process *process,
				      struct upatch_error *err);

#endif
