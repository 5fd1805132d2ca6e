/* SPDX-License-Identifier: MIT */
/* upatchctl status: what is patched, and who blocks a transition. */
#include <string.h>

#include "command.h"
#include "fleet_report.h"
#include "libupatch/error.h"
#include "operand.h"
#include "printable.h"
#include "process_list.h"
#include "report_text.h"
#include "target.h"

/* Sees of `status` only the patch `name`; *ret_view lives with `status`. */
static int select_patch(const struct upatch_status *status, const char *name,
			struct upatch_status *ret_view,
			struct upatch_error *err)
{
	const struct upatch_status_transition *transition = status->transition;
	size_t i;

	for (i = 0; i < status->patch_count; i++) {
		if (strcmp(status->patches[i].name, name) == 0)
			break;
	}
	if (i == status->patch_count)
		return error_set(err, UPATCH_ERROR_NO_PATCH, 0,
				 "process %d has no patch '%s'",
				 (int)status->pid, name);
	*ret_view = *status;
	ret_view->patches = &status->patches[i];
	ret_view->patch_count = 1;
	if (transition && strcmp(transition->patch, name) != 0)
		ret_view->transition = NULL;
	return 0;
}

static int show_one(const char *operand, const char *name,
		    const struct report *report, struct upatch_error *err)
{
	struct upatch_status *status = NULL;
	struct upatch_target *target;
	struct upatch_status view;
	int code;

	code = target_open(operand, &target, err);
	if (code != 0)
		return code;
	code = upatch_status(target, &status, err);
	if (code == 0 && name)
		code = select_patch(status, name, &view, err);
	if (code == 0)
		code = report_status(report, name ? &view : status, err);
	upatch_status_free(status);
	upatch_target_close(target);
	return code;
}

static int show_all(const struct report *report, struct upatch_error *err)
{
	struct process_list list;
	int code, reported;

	code = process_list_read(&list, err);
	reported = report_status_list(report, list.statuses, list.count,
				      code == 0 ? err : NULL);
	process_list_free(&list);
	return code != 0 ? code : reported;
}

/* --- Many processes --------------------------------------------------- */

struct many {
	const char *name; /* of the patch that is asked for, or NULL */
};

static int look(struct upatch_target *target,
		const struct upatch_options *options, void *user,
		void **ret_product, struct upatch_error *err)
{
	const struct many *many = user;
	struct upatch_status *status;
	struct upatch_status view;
	int code = upatch_status(target, &status, err);

	(void)options;
	if (code == 0 && many->name) {
		code = select_patch(status, many->name, &view, err);
		if (code != 0)
			upatch_status_free(status);
	}
	if (code == 0)
		*ret_product = status;
	return code;
}

static void free_status(void *product)
{
	upatch_status_free(product);
}

static json_t *json_of_product(const struct fleet_member *member,
			       const struct fleet_words *words)
{
	struct upatch_status view;

	if (!words->patch ||
	    select_patch(member->product, words->patch, &view, NULL) != 0)
		return json_of_status(member->product);
	return json_of_status(&view);
}

static void text_of_product(FILE *out, const struct fleet_member *member,
			    const struct fleet_words *words)
{
	const struct upatch_status *status = member->product;
	struct upatch_status view;

	if (words->patch &&
	    select_patch(status, words->patch, &view, NULL) == 0)
		status = &view;
	if (status->patch_count > 0 || status->transition ||
	    status->callback_count > 0) {
		text_put_status(out, status);
		return;
	}
	fprintf(out, "process %d, ", (int)status->pid);
	printable_put(out, status->exe ? status->exe : "unknown executable");
	fputs(": no patches\n", out);
}

static int show_many(const struct arguments *arguments,
		     const struct report *report, struct upatch_error *err)
{
	struct many many = { .name = arguments->operands[1] };
	const struct fleet_words words = {
		.what = "show the status",
		.patch = many.name,
		.json_of_product = json_of_product,
		.text_of_product = text_of_product,
		.is_list = true,
		.is_silent_unless_done = true,
	};
	const struct fleet_work work = {
		.run = look,
		.unchanged_code = UPATCH_ERROR_NO_PATCH,
		.free_product = free_status,
		.user = &many,
		.missing = many.name ? "that patch" : NULL,
		.is_once = true,
	};

	return fleet_run_and_report(arguments->operands[0], &work, &words,
				    arguments, report, err);
}

static int status_run(const struct arguments *arguments,
		      const struct report *report, struct upatch_error *err)
{
	if (arguments->operand_count == 0)
		return show_all(report, err);
	if (operand_is_selector(arguments->operands[0]))
		return show_many(arguments, report, err);
	return show_one(arguments->operands[0], arguments->operands[1], report,
			err);
}

const struct command status_command = {
	.name = "status",
	.operands = "[TARGET [NAME]]",
	.summary = "show what is patched, and who blocks a transition",
	.description =
		"Show the patches of the process TARGET, or only the patch NAME; without TARGET,\n"
		"of all processes that you may look at.  For a running transition, show the\n"
		"threads that have not moved and why; also callbacks that are running.",
	.example = "upatchctl status 4711 --json",
	.min_operands = 0,
	.max_operands = 2,
	.run = status_run,
};
