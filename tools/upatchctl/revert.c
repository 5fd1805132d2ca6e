/* SPDX-License-Identifier: MIT */
/* upatchctl revert: take a patch back. */
#include "command.h"
#include "operation.h"

static int revert_run(const struct arguments *arguments,
		      const struct report *report, struct upatch_error *err)
{
	const char *patch = arguments->operands[1];
	struct report_outcome outcome;
	struct operation operation;
	int code;

	code = operation_init(&operation, arguments, err);
	if (code != 0)
		return code;
	code = upatch_revert(operation.target, patch, &operation.options,
			     &operation.result, err);
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
