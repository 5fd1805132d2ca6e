/* SPDX-License-Identifier: MIT */
/* upatchctl wait: drive the running transition on until it ends. */
#include "command.h"
#include "operation.h"

static int wait_run(const struct arguments *arguments,
		    const struct report *report, struct upatch_error *err)
{
	static const struct operation_kind kind = {
		.drive = upatch_wait,
		.command = "wait",
		.verb = "finish a transition",
		.done = "finished",
	};
	struct arguments leaving = *arguments;

	/* Whoever waits for a transition did not ask to turn it around. */
	leaving.on_timeout = UPATCH_ON_TIMEOUT_LEAVE;
	return operation_run(&kind, &leaving, report, err);
}

const struct command wait_command = {
	.name = "wait",
	.operands = "TARGET",
	.summary = "drive the running transition on until it ends",
	.description =
		"Go on with the transition that an earlier command left, or whose upatchctl was\n"
		"killed, until all threads have moved.  When the time is over it stays as it is.\n"
		"Without a running transition there is nothing to do, and that is success.",
	.example = "upatchctl wait 4711 --timeout 60",
	.options = OPTION_TIMEOUT | OPTION_VERBOSE,
	.min_operands = 1,
	.max_operands = 1,
	.changes_target = true,
	.run = wait_run,
};
