/* SPDX-License-Identifier: MIT */
/* upatchctl revert: take a patch back. */
#include <stdio.h>

#include "command.h"
#include "fleet_operation.h"
#include "operand.h"
#include "operation.h"

static int revert_subject(struct upatch_target *target, const void *subject,
			  const struct upatch_options *options,
			  struct upatch_result *ret_result,
			  struct upatch_error *err)
{
	int code = upatch_revert(target, subject, options, ret_result, err);

	if (code == UPATCH_ERROR_BUSY)
		code = fleet_operation_carry_on(target, subject,
						UPATCH_UNPATCHING, options,
						ret_result, err);
	return code;
}

static int revert_many(const struct arguments *arguments,
		       const struct report *report, struct upatch_error *err)
{
	const struct fleet_operation operation = {
		.command = "revert",
		.verb = "revert",
		.done = "reverted",
		.patch = arguments->operands[1],
		.operate = revert_subject,
		.subject = arguments->operands[1],
		.unchanged_code = UPATCH_ERROR_NO_PATCH,
		.missing = "that patch",
	};

	return fleet_operation_run(&operation, arguments, report, err);
}

static int revert_run(const struct arguments *arguments,
		      const struct report *report, struct upatch_error *err)
{
	const char *patch = arguments->operands[1];
	struct report_outcome outcome;
	struct operation operation;
	int code;

	if (operand_is_selector(arguments->operands[0]))
		return revert_many(arguments, report, err);
	code = operation_init(&operation, arguments, err);
	if (code != 0)
		return code;
	code = upatch_revert(operation.target, patch, &operation.options,
			     &operation.result, err);
	snprintf(operation.result.patch, sizeof(operation.result.patch), "%s",
		 patch);
	operation_audit(&operation, "revert", NULL, code, err);
	if (code == 0) {
		outcome = (struct report_outcome){
			.done = "reverted",
			.pid = upatch_target_pid(operation.target),
			.patch = patch,
			.result = &operation.result,
		};
		code = report_outcome(report, &outcome, err);
	}
	operation_fini(&operation);
	return code;
}

const struct command revert_command = {
	.name = "revert",
	.operands = "TARGET NAME",
	.summary = "take a patch back",
	.description =
		"Move the threads of the process TARGET away from the functions of the patch\n"
		"NAME, and unload it as soon as nothing can return into it.",
	.example = "upatchctl revert 4711 fix",
	.options = OPTION_TIMEOUT | OPTION_ON_TIMEOUT | OPTION_VERBOSE,
	.min_operands = 2,
	.max_operands = 2,
	.changes_target = true,
	.run = revert_run,
};
