/* SPDX-License-Identifier: MIT */
/* Has the loader taken the target's symbols where the patch means its own? */
#ifndef UPATCH_CLASH_H
#define UPATCH_CLASH_H

#include "patch_model.h"
#include "process.h"

/* `patch` is loaded, and `process` was looked at before that. */
UPATCH_MUST_CHECK int clash_check(const struct process *process,
				  const struct view *view,
				  const struct view_patch *patch,
				  const struct patch_model *model,
				  struct upatch_error *err);

#endif
