/* SPDX-License-Identifier: MIT */
/* upatchctl reverse: turn the running transition around. */
#include "command.h"
#include "operation.h"

static int reverse_run(const struct arguments *arguments,
		       const struct report *report, struct upatch_error *err)
{
	static const struct operation_kind kind = {
		.drive = upatch_reverse,
		.command = "reverse",
		.verb = "reverse a transition",
		.done = "reversed",
		.needs_one = true,
		/* A child that is forked has been turned around with its parent. */
		.is_once = true,
	};
	struct arguments leaving = *arguments;

	/* Reversing a reversal would bring back what is not wanted. */
	leaving.on_timeout = UPATCH_ON_TIMEOUT_LEAVE;
	return operation_run(&kind, &leaving, report, err);
}

const struct command reverse_command = {
	.name = "reverse",
	.operands = "TARGET",
	.summary = "turn the running transition around",
	.description =
		"Turn the running transition around, so that what was being applied is taken\n"
		"back, or what was being reverted stays, and drive it to its end.  When the time\n"
		"is over it is left running.",
	.example = "upatchctl reverse 4711",
	.options = OPTION_TIMEOUT | OPTION_VERBOSE,
	.min_operands = 1,
	.max_operands = 1,
	.changes_target = true,
	.run = reverse_run,
};
