/* SPDX-License-Identifier: MIT */
/* upatchctl log: what happened to a process, oldest first. */
#include "command.h"
#include "fleet_report.h"
#include "operand.h"
#include "report_text.h"
#include "target.h"

/* --- Many processes --------------------------------------------------- */

static int look(struct upatch_target *target,
		const struct upatch_options *options, void *user,
		void **ret_product, struct upatch_error *err)
{
	struct upatch_log *log;
	int code = upatch_log(target, &log, err);

	(void)options;
	(void)user;
	if (code == 0)
		*ret_product = log;
	return code;
}

static void free_log(void *product)
{
	upatch_log_free(product);
}

static json_t *json_of_product(const struct fleet_member *member,
			       const struct fleet_words *words)
{
	const struct upatch_log *log = member->product;
	json_t *array = json_array();

	(void)words;
	for (size_t i = 0; array && i < log->entry_count; i++) {
		json_t *entry =
			fleet_json_with_pid(json_of_log_entry(&log->entries[i]),
					    member);

		if (json_array_append_new(array, entry) == 0)
			continue;
		json_decref(array);
		array = NULL;
	}
	return array;
}

static void text_of_product(FILE *out, const struct fleet_member *member,
			    const struct fleet_words *words)
{
	(void)words;
	fprintf(out, "process %d\n", (int)member->process.pid);
	text_put_log(out, member->product);
}

static int show_many(const struct arguments *arguments,
		     const struct report *report, struct upatch_error *err)
{
	const struct fleet_words words = {
		.what = "show the log",
		.json_of_product = json_of_product,
		.text_of_product = text_of_product,
		.is_list = true,
		.is_lines = true,
		.is_silent_unless_done = true,
	};
	const struct fleet_work work = {
		.run = look,
		.free_product = free_log,
		.is_once = true,
	};

	return fleet_run_and_report(arguments->operands[0], &work, &words,
				    arguments, report, err);
}

/* --- The command ------------------------------------------------------ */

static int log_run(const struct arguments *arguments,
		   const struct report *report, struct upatch_error *err)
{
	struct upatch_target *target;
	struct upatch_log *log;
	int code;

	if (operand_is_selector(arguments->operands[0]))
		return show_many(arguments, report, err);
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
