/* SPDX-License-Identifier: MIT */
/* The commands that change processes, on all that a selector means. */
#ifndef UPATCHCTL_FLEET_OPERATION_H
#define UPATCHCTL_FLEET_OPERATION_H

#include "command.h"

struct fleet_operation {
	const char *command; /* "apply" */
	const char *verb;
	const char *done; /* "applied" */
	const char *patch;
	const struct upatch_info *info; /* of its file, or NULL */
	/* `subject` is the patch's file or name, or NULL */
	int (*operate)(struct upatch_target *target, const void *subject,
		       const struct upatch_options *options,
		       struct upatch_result *ret_result,
		       struct upatch_error *err);
	const void *subject;
	/* as in struct fleet_work; `user` is this */
	enum upatch_error_code unchanged_code;
	bool (*is_unchanged)(struct upatch_target *target, void *user);
	const char *missing;
	bool is_once;
};

/*
 * After UPATCH_ERROR_BUSY: a child that was forked in the middle of the same
 * transition, at a moment when nobody saw it, has a copy of it, which is driven
 * on.  Otherwise *err and the code stay.
 */
UPATCH_MUST_CHECK int fleet_operation_carry_on(
	struct upatch_target *target, const char *patch,
	enum upatch_direction direction, const struct upatch_options *options,
	struct upatch_result *ret_result, struct upatch_error *err);

/* The selector is the first operand. */
UPATCH_MUST_CHECK int
fleet_operation_run(const struct fleet_operation *operation,
		    const struct arguments *arguments,
		    const struct report *report, struct upatch_error *err);

#endif
