/* SPDX-License-Identifier: MIT */
/* upatchctl check: would a patch apply? */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "fleet_report.h"
#include "libupatch/error.h"
#include "operand.h"
#include "target.h"

/* `against`: the process or file that was named, or NULL. */
static int judge(const struct upatch_check *check, const char *path,
		 const char *against, struct upatch_error *err)
{
	const char *plural = check->problem_count == 1 ? "" : "s";

	if (check->problem_count == 0)
		return 0;
	if (!against)
		return error_set(err, check->problem_codes[0], 0,
				 "'%s' has %zu problem%s", path,
				 check->problem_count, plural);
	return error_set(err, check->problem_codes[0], 0,
			 "'%s' does not fit '%s': %zu problem%s", path, against,
			 check->problem_count, plural);
}

/* What apply would refuse about the file itself is a problem like others. */
struct verdict {
	struct upatch_check check; /* of `found`, with one problem more */
	struct upatch_check *found;
	struct upatch_error trust;
	const char **problems;
	enum upatch_error_code *codes;
};

static void verdict_free(struct verdict *verdict)
{
	upatch_check_free(verdict->found);
	free(verdict->problems);
	free(verdict->codes);
}

static int add_problem(struct verdict *verdict, struct upatch_error *err)
{
	struct upatch_check *check = &verdict->check;
	size_t count = check->problem_count;

	verdict->problems = calloc(count + 1, sizeof(*verdict->problems));
	verdict->codes = calloc(count + 1, sizeof(*verdict->codes));
	if (!verdict->problems || !verdict->codes)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	verdict->problems[0] = verdict->trust.message;
	verdict->codes[0] = verdict->trust.code;
	for (size_t i = 0; i < count; i++) {
		verdict->problems[i + 1] = check->problems[i];
		verdict->codes[i + 1] = check->problem_codes[i];
	}
	check->problems = verdict->problems;
	check->problem_codes = verdict->codes;
	check->problem_count = count + 1;
	return 0;
}

/*
 * Without a process nobody knows who its owner will be: then only the
 * signature counts, if one is asked for.
 */
static int check_trust(struct verdict *verdict,
		       const struct upatch_patch_file *file,
		       struct upatch_target *target,
		       const struct arguments *arguments,
		       struct upatch_error *err)
{
	struct upatch_options options = UPATCH_OPTIONS_INIT;
	int code;

	arguments_set_trust(arguments, &options);
	options.allow_writable |= !target;
	code = upatch_patch_file_trust(file, target, &options, &verdict->trust);
	if (code == 0)
		return 0;
	if (code == UPATCH_ERROR_UNTRUSTED)
		return add_problem(verdict, err);
	*err = verdict->trust;
	return code;
}

/* At most one of `target` and `elf_path` is not NULL. */
static int inspect(const struct upatch_patch_file *file,
		   struct upatch_target *target, const char *elf_path,
		   const struct arguments *arguments, struct verdict *verdict,
		   struct upatch_error *err)
{
	int code = upatch_check(file, target, elf_path, &verdict->found, err);

	if (code != 0)
		return code;
	verdict->check = *verdict->found;
	return check_trust(verdict, file, target, arguments, err);
}

static int check_file(const struct arguments *arguments,
		      struct upatch_target *target, const char *elf_path,
		      struct verdict *verdict, struct upatch_error *err)
{
	struct upatch_patch_file *file;
	int code;

	code = upatch_patch_file_open(arguments->operands[0], &file, err);
	if (code != 0)
		return code;
	code = inspect(file, target, elf_path, arguments, verdict, err);
	upatch_patch_file_close(file);
	return code;
}

/* --- Many processes --------------------------------------------------- */

/* The message has room for the first ones. */
static int name_problems(const struct upatch_check *check,
			 struct upatch_error *err)
{
	char text[UPATCH_ERROR_MESSAGE_SIZE] = "";
	size_t len = 0;
	size_t i;

	if (check->problem_count == 0)
		return 0;
	for (i = 0; i < check->problem_count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					i > 0 ? "; " : "", check->problems[i]);
	return error_set(err, check->problem_codes[0], 0, "%s", text);
}

struct many {
	const struct upatch_patch_file *file;
	const struct arguments *arguments;
};

static void free_verdict(void *product)
{
	verdict_free(product);
	free(product);
}

static int look(struct upatch_target *target,
		const struct upatch_options *options, void *user,
		void **ret_product, struct upatch_error *err)
{
	const struct many *many = user;
	struct verdict *verdict = calloc(1, sizeof(*verdict));
	int code;

	(void)options;
	if (!verdict)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	code = inspect(many->file, target, NULL, many->arguments, verdict, err);
	if (code != 0) {
		free_verdict(verdict);
		return code;
	}
	*ret_product = verdict;
	return name_problems(&verdict->check, err);
}

static json_t *json_of_product(const struct fleet_member *member,
			       const struct fleet_words *words)
{
	const struct verdict *verdict = member->product;

	(void)words;
	return fleet_json_with_pid(json_of_check(&verdict->check), member);
}

static int check_fleet(const struct upatch_patch_file *file,
		       const struct arguments *arguments,
		       const struct report *report, struct upatch_error *err)
{
	const struct fleet_words words = {
		.what = "apply the patch",
		.done = "would apply",
		.patch = upatch_patch_file_info(file)->name,
		.json_of_product = json_of_product,
	};
	struct many many = { .file = file, .arguments = arguments };
	const struct fleet_work work = {
		.run = look,
		.free_product = free_verdict,
		.user = &many,
		.is_once = true,
	};

	return fleet_run_and_report(arguments->operands[1], &work, &words,
				    arguments, report, err);
}

static int check_many(const struct arguments *arguments,
		      const struct report *report, struct upatch_error *err)
{
	struct upatch_patch_file *file;
	int code = upatch_patch_file_open(arguments->operands[0], &file, err);

	if (code == 0) {
		code = check_fleet(file, arguments, report, err);
		upatch_patch_file_close(file);
	}
	return code;
}

/* --- The command ------------------------------------------------------ */

static int check_run(const struct arguments *arguments,
		     const struct report *report, struct upatch_error *err)
{
	const char *path = arguments->operands[0];
	const char *against = arguments->operands[1];
	bool is_target = against && operand_is_target(against);
	struct upatch_target *target = NULL;
	struct verdict verdict = { 0 };
	int code = 0;

	if (is_target && operand_is_selector(against))
		return check_many(arguments, report, err);
	if (is_target)
		code = target_open(against, &target, err);
	if (code == 0)
		code = check_file(arguments, target, is_target ? NULL : against,
				  &verdict, err);
	if (code == 0)
		code = report_check(report, &verdict.check, err);
	if (code == 0)
		code = judge(&verdict.check, path, against, err);
	verdict_free(&verdict);
	upatch_target_close(target);
	return code;
}

const struct command check_command = {
	.name = "check",
	.operands = "PATCH.so [TARGET|FILE]",
	.summary = "would a patch apply?  Show every problem",
	.description =
		"Read the patch and, if one is named, the process TARGET or the executable or\n"
		"library FILE, and show every reason why the patch would be refused; also, which\n"
		"functions have other names and which need a shield.  Nothing is changed.\n"
		"A name of digits only is a process: write ./4711 for such a file.",
	.example = "upatchctl check fix.so /usr/sbin/nginx",
	.options = OPTION_TRUST | OPTION_SIGNATURE,
	.min_operands = 1,
	.max_operands = 2,
	.run = check_run,
};
