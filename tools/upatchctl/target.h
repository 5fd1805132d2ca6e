/* SPDX-License-Identifier: MIT */
/* The operand TARGET. */
#ifndef UPATCHCTL_TARGET_H
#define UPATCHCTL_TARGET_H

#include <upatch/upatch.h>

/* Release the target with upatch_target_close. */
UPATCH_MUST_CHECK int target_open(const char *operand,
				  struct upatch_target **ret_target,
				  struct upatch_error *err);

#endif
