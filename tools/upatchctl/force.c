/* SPDX-License-Identifier: MIT */
/* upatchctl force: end the running transition at once. */
#include "command.h"
#include "operation.h"

static int force_run(const struct arguments *arguments,
		     const struct report *report, struct upatch_error *err)
{
	static const struct operation_kind kind = {
		.drive = upatch_force,
		.command = "force",
		.verb = "force a transition",
		.done = "forced",
		.needs_one = true,
	};

	return operation_run(&kind, arguments, report, err);
}

const struct command force_command = {
	.name = "force",
	.operands = "TARGET",
	.summary = "end the running transition at once",
	.description =
		"Count every thread as moved, although some are still inside functions that are\n"
		"being replaced: those run old and new code mixed until they have returned.\n"
		"The code that they may be in is never unloaded.  Refused without a running\n"
		"transition.",
	.example = "upatchctl force 4711",
	.options = OPTION_VERBOSE,
	.min_operands = 1,
	.max_operands = 1,
	.changes_target = true,
	.run = force_run,
};
