/* SPDX-License-Identifier: MIT */
/*
 * Makes an upatchctl that takes every thread for safe.  ld(1), --wrap: calls
 * of sought_for_transition come to the first function.
 */
#include "sought.h"

int __wrap_sought_for_transition(const struct process *process,
				 const struct view *view,
				 struct sought *ret_sought,
				 struct upatch_error *err);
int __real_sought_for_transition(const struct process *process,
				 const struct view *view,
				 struct sought *ret_sought,
				 struct upatch_error *err);

int __wrap_sought_for_transition(const struct process *process,
				 const struct view *view,
				 struct sought *ret_sought,
				 struct upatch_error *err)
{
	int ret = __real_sought_for_transition(process, view, ret_sought, err);

	if (!ret) {
		ret_sought->function_count = 0;
		ret_sought->check.query.function_count = 0;
	}
	return ret;
}
