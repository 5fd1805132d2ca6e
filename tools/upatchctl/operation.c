/* SPDX-License-Identifier: MIT */
/* What the commands that change a process have in common. */
#include "operation.h"

#include <string.h>

#include "audit.h"
#include "fleet_operation.h"
#include "interrupt.h"
#include "libupatch/error.h"
#include "operand.h"
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
	interrupt_init();
	code = target_open(arguments->operands[0], &operation->target, err);
	if (code != 0) {
		interrupt_fini();
		return code;
	}
	console_init(&operation->console, arguments->verbose);
	set_options(operation, arguments);
	return 0;
}

void operation_fini(struct operation *operation)
{
	interrupt_fini();
	console_fini(&operation->console);
	upatch_target_close(operation->target);
}

void operation_audit(const struct operation *operation, const char *command,
		     const struct upatch_info *info, int code,
		     const struct upatch_error *err)
{
	const struct audit audit = {
		.command = command,
		.target = operation->target,
		.patch = info ? info->name : operation->result.patch,
		.info = info,
		.result = &operation->result,
		.code = code,
		.err = err,
	};

	if (!operation->options.dry_run)
		audit_write(&audit);
}

/* A process without a transition has nothing to be driven. */
static int drive_one_of_many(struct upatch_target *target, const void *subject,
			     const struct upatch_options *options,
			     struct upatch_result *ret_result,
			     struct upatch_error *err)
{
	const struct operation_kind *kind = subject;
	struct upatch_result result = { 0 };
	int code = kind->drive(target, options, &result, err);

	if (code == 0 && result.patch[0] == '\0')
		return error_set(err, UPATCH_ERROR_NO_TRANSITION, 0,
				 "no transition is running in process %d",
				 (int)upatch_target_pid(target));
	if (code == 0 && ret_result)
		*ret_result = result;
	return code;
}

static int run_many(const struct operation_kind *kind,
		    const struct arguments *arguments,
		    const struct report *report, struct upatch_error *err)
{
	const struct fleet_operation operation = {
		.command = kind->command,
		.verb = kind->verb,
		.done = kind->done,
		.operate = drive_one_of_many,
		.subject = kind,
		.unchanged_code = UPATCH_ERROR_NO_TRANSITION,
		.missing = kind->needs_one ? "a running transition" : NULL,
		.is_once = kind->is_once,
	};

	return fleet_operation_run(&operation, arguments, report, err);
}

static int run_one(const struct operation_kind *kind,
		   const struct arguments *arguments,
		   const struct report *report, struct upatch_error *err)
{
	struct operation operation;
	struct report_outcome outcome;
	int code;

	code = operation_init(&operation, arguments, err);
	if (code != 0)
		return code;
	code = kind->drive(operation.target, &operation.options,
			   &operation.result, err);
	operation_audit(&operation, kind->command, NULL, code, err);
	if (code == 0) {
		outcome = (struct report_outcome){
			.done = kind->done,
			.pid = upatch_target_pid(operation.target),
			.patch = operation.result.patch,
			.result = &operation.result,
		};
		code = report_outcome(report, &outcome, err);
	}
	operation_fini(&operation);
	return code;
}

int operation_run(const struct operation_kind *kind,
		  const struct arguments *arguments,
		  const struct report *report, struct upatch_error *err)
{
	if (operand_is_selector(arguments->operands[0]))
		return run_many(kind, arguments, report, err);
	return run_one(kind, arguments, report, err);
}
