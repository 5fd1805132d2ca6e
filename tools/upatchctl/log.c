/* SPDX-License-Identifier: MIT */
/* upatchctl log: what happened to a process, oldest first. */
#include "command.h"
#include "target.h"

static int log_run(const struct arguments *arguments,
		   const struct report *report, struct upatch_error *err)
{
	struct upatch_target *target;
	struct upatch_log *log;
	int code;

	code = target_open(arguments->operands[0], &target, err);
	if (code != 0)
		return code;
	code = upatch_log(target, &log, err);
	if (code == 0) {
		code = report_log(report, log, err);
		upatch_log_free(log);
	}
	upatch_target_close(target);
	return code;
}

const struct command log_command = {
	.name = "log",
	.operands = "TARGET",
	.summary = "show what was done to a process, oldest first",
	.description =
		"Show the events of all patches of the process TARGET: transitions, callbacks\n"
		"and what they returned, libraries that came and went.  With --json, one object\n"
		"per line.",
	.example = "upatchctl log 4711",
	.min_operands = 1,
	.max_operands = 1,
	.run = log_run,
};
