/* SPDX-License-Identifier: MIT */
/* Where the loader tells of libraries that come and go. */
#ifndef UPATCH_PLAN_HOOKS_H
#define UPATCH_PLAN_HOOKS_H

#include "plan.h"

/* A loader that cannot be watched is no failure: see are_possible. */
void plan_hooks_find(struct process *process, const struct view *view,
		     struct plan_hooks *ret_hooks);

#endif
