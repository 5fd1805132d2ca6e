/* SPDX-License-Identifier: MIT */
/* What the commands that change a process have in common. */
#include "operation.h"

#include <string.h>

#include "interrupt.h"
#include "target.h"

static void set_options(struct operation *operation,
			const struct arguments *arguments)
{
	struct upatch_options options = UPATCH_OPTIONS_INIT;

	options.timeout_ms = arguments->timeout_ms;
	options.on_timeout = arguments->on_timeout;
	options.dry_run = arguments->dry_run;
	arguments_set_trust(arguments, &options);
	options.interrupted = interrupt_is_requested;
	options.user = &operation->console;
	if (operation->console.shows_progress)
		options.progress = console_progress;
	if (operation->console.shows_trace)
		options.trace = console_trace;
	operation->options = options;
}

int operation_init(struct operation *operation,
		   const struct arguments *arguments, struct upatch_error *err)
{
	int code;

	memset(operation, 0, sizeof(*operation));
	code = target_open(arguments->operands[0], &operation->target, err);
	if (code != 0)
		return code;
	console_init(&operation->console, arguments->verbose);
	set_options(operation, arguments);
	interrupt_init();
	return 0;
}

void operation_fini(struct operation *operation)
{
	interrupt_fini();
	console_fini(&operation->console);
	upatch_target_close(operation->target);
}

int operation_run(operation_on_transition drive, const char *done,
		  const struct arguments *arguments,
		  const struct report *report, struct upatch_error *err)
{
	struct operation operation;
	struct report_outcome outcome;
	int code;

	code = operation_init(&operation, arguments, err);
	if (code != 0)
		return code;
	code = drive(operation.target, &operation.options, &operation.result,
		     err);
	if (code == 0) {
		outcome = (struct report_outcome){
			.done = done,
			.pid = upatch_target_pid(operation.target),
			.patch = operation.result.patch,
			.result = &operation.result,
		};
		code = report_outcome(report, &outcome, err);
	}
	operation_fini(&operation);
	return code;
}
