/* SPDX-License-Identifier: MIT */
/* The commands that change processes, on all that a selector means. */
#include "fleet_operation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "fleet.h"
#include "fleet_report.h"
#include "libupatch/error.h"

static bool is_in_transition(struct upatch_target *target, const char *patch,
			     enum upatch_direction direction)
{
	const struct upatch_status_transition *transition;
	struct upatch_status *status;
	bool is_same;

	if (upatch_status(target, &status, NULL) != 0)
		return false;
	transition = status->transition;
	is_same = transition && transition->direction == direction &&
		  strcmp(transition->patch, patch) == 0;
	upatch_status_free(status);
	return is_same;
}

int fleet_operation_carry_on(struct upatch_target *target, const char *patch,
			     enum upatch_direction direction,
			     const struct upatch_options *options,
			     struct upatch_result *ret_result,
			     struct upatch_error *err)
{
	if (options->dry_run || !is_in_transition(target, patch, direction))
		return err->code;
	return upatch_wait(target, options, ret_result, err);
}

static int check(struct upatch_target *target,
		 const struct upatch_options *options, void *user,
		 struct upatch_error *err)
{
	const struct fleet_operation *operation = user;

	return operation->operate(target, operation->subject, options, NULL,
				  err);
}

/* What was as it should be is no operation. */
static void write_audit(const struct fleet_operation *operation,
			const struct upatch_target *target,
			const struct upatch_result *result, int code,
			const struct upatch_error *err)
{
	const struct audit audit = {
		.command = operation->command,
		.target = target,
		.patch = operation->patch ? operation->patch : result->patch,
		.info = operation->info,
		.result = result,
		.code = code,
		.err = err,
	};

	if (code != (int)operation->unchanged_code)
		audit_write(&audit);
}

static int operate(struct upatch_target *target,
		   const struct upatch_options *options, void *user,
		   void **ret_product, struct upatch_error *err)
{
	const struct fleet_operation *operation = user;
	struct upatch_result *result = calloc(1, sizeof(*result));
	int code;

	if (!result)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	code = operation->operate(target, operation->subject, options, result,
				  err);
	write_audit(operation, target, result, code, err);
	if (code == 0)
		*ret_product = result;
	else
		free(result);
	return code;
}

int fleet_operation_run(const struct fleet_operation *operation,
			const struct arguments *arguments,
			const struct report *report, struct upatch_error *err)
{
	struct fleet_operation work_on = *operation;
	char what[128];
	const struct fleet_work work = {
		.check = check,
		.run = operate,
		.unchanged_code = operation->unchanged_code,
		.is_unchanged = operation->is_unchanged,
		.free_product = free,
		.user = &work_on,
		.missing = operation->missing,
		.is_once = operation->is_once,
	};
	const struct fleet_words words = {
		.what = what,
		.done = arguments->dry_run ? "can apply" : operation->done,
		.patch = operation->patch,
		.json_of_product = fleet_json_of_result,
		.dry_run = arguments->dry_run,
	};

	snprintf(what, sizeof(what), "%s%s%s", operation->verb,
		 operation->patch ? " " : "",
		 operation->patch ? operation->patch : "");
	return fleet_run_and_report(arguments->operands[0], &work, &words,
				    arguments, report, err);
}
