/* SPDX-License-Identifier: MIT */
/* upatchctl apply: load a patch into a process and switch it over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "fleet_operation.h"
#include "operand.h"
#include "operation.h"
#include "report_text.h"

/* With --verbose: which other functions are redirected along. */
static void show_aliases(struct operation *operation,
			 const struct upatch_check_func *func)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out;

	if (!func->aliases || !func->aliases[0])
		return;
	out = open_memstream(&line, &len);
	if (!out)
		return;
	fprintf(out, "%s is also known as ", func->name);
	text_put_aliases(out, func);
	if (fclose(out) == 0)
		console_trace(line, &operation->console);
	free(line);
}

/* What is wrong, if anything, upatch_apply will say. */
static void show_all_aliases(struct operation *operation,
			     const struct upatch_patch_file *file)
{
	struct upatch_check *check;
	size_t i;

	if (upatch_check(file, operation->target, NULL, &check, NULL) != 0)
		return;
	for (i = 0; i < check->func_count; i++)
		show_aliases(operation, &check->funcs[i]);
	upatch_check_free(check);
}

static int apply_file(struct operation *operation,
		      const struct upatch_patch_file *file,
		      const struct arguments *arguments,
		      const struct report *report, struct upatch_error *err)
{
	struct report_outcome outcome;
	int code;

	if (arguments->verbose)
		show_all_aliases(operation, file);
	code = upatch_apply(operation->target, file, &operation->options,
			    &operation->result, err);
	operation_audit(operation, "apply", upatch_patch_file_info(file), code,
			err);
	if (code != 0)
		return code;
	outcome = (struct report_outcome){
		.done = arguments->dry_run ? "can apply" : "applied",
		.pid = upatch_target_pid(operation->target),
		.patch = upatch_patch_file_info(file)->name,
		.dry_run = arguments->dry_run,
		.result = &operation->result,
	};
	return report_outcome(report, &outcome, err);
}

/* --- Many processes --------------------------------------------------- */

static int apply_subject(struct upatch_target *target, const void *subject,
			 const struct upatch_options *options,
			 struct upatch_result *ret_result,
			 struct upatch_error *err)
{
	int code = upatch_apply(target, subject, options, ret_result, err);

	if (code == UPATCH_ERROR_BUSY)
		code = fleet_operation_carry_on(
			target, upatch_patch_file_info(subject)->name,
			UPATCH_PATCHING, options, ret_result, err);
	return code;
}

/* Forked by one that was patched, or left from an earlier command. */
static bool has_patch(struct upatch_target *target, void *user)
{
	const struct fleet_operation *operation = user;
	const struct upatch_info *info =
		upatch_patch_file_info(operation->subject);
	struct upatch_status *status;
	bool found = false;
	size_t i;

	if (upatch_status(target, &status, NULL) != 0)
		return false;
	for (i = 0; i < status->patch_count && !found; i++) {
		const struct upatch_status_patch *patch = &status->patches[i];

		found = patch->state == UPATCH_PATCH_ENABLED &&
			strcmp(patch->name, info->name) == 0 &&
			strcmp(patch->file, info->path) == 0;
	}
	upatch_status_free(status);
	return found;
}

static int apply_many(const struct arguments *arguments,
		      const struct report *report, struct upatch_error *err)
{
	struct fleet_operation operation = {
		.command = "apply",
		.verb = "apply",
		.done = "applied",
		.operate = apply_subject,
		.unchanged_code = UPATCH_ERROR_CONFLICT,
		.is_unchanged = has_patch,
	};
	struct upatch_patch_file *file;
	int code = upatch_patch_file_open(arguments->operands[1], &file, err);

	if (code != 0)
		return code;
	operation.patch = upatch_patch_file_info(file)->name;
	operation.info = upatch_patch_file_info(file);
	operation.subject = file;
	code = fleet_operation_run(&operation, arguments, report, err);
	upatch_patch_file_close(file);
	return code;
}

/* --- The command ------------------------------------------------------ */

static int apply_run(const struct arguments *arguments,
		     const struct report *report, struct upatch_error *err)
{
	struct upatch_patch_file *file;
	struct operation operation;
	int code;

	if (operand_is_selector(arguments->operands[0]))
		return apply_many(arguments, report, err);
	code = operation_init(&operation, arguments, err);
	if (code != 0)
		return code;
	code = upatch_patch_file_open(arguments->operands[1], &file, err);
	if (code == 0) {
		code = apply_file(&operation, file, arguments, report, err);
		upatch_patch_file_close(file);
	}
	operation_fini(&operation);
	return code;
}

const struct command apply_command = {
	.name = "apply",
	.operands = "TARGET PATCH.so",
	.summary = "load a patch into a process and switch it over",
	.description =
		"Load PATCH.so into the process TARGET and move its threads, one by one, to\n"
		"the new functions.  A thread that is inside a function which is being\n"
		"replaced is waited for.  Nothing is touched unless the patch fits.",
	.example = "upatchctl apply 4711 fix.so --timeout 5",
	.options = OPTION_TIMEOUT | OPTION_ON_TIMEOUT | OPTION_DRY_RUN |
		   OPTION_VERBOSE | OPTION_TRUST | OPTION_SIGNATURE,
	.min_operands = 2,
	.max_operands = 2,
	.changes_target = true,
	.run = apply_run,
};
