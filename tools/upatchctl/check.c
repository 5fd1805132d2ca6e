/* SPDX-License-Identifier: MIT */
/* upatchctl check: would a patch apply? */
#include <stdlib.h>

#include "command.h"
#include "failure.h"
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
		return failure_set(err, check->problem_codes[0], 0,
				   "'%s' has %zu problem%s", path,
				   check->problem_count, plural);
	return failure_set(err, check->problem_codes[0], 0,
			   "'%s' does not fit '%s': %zu problem%s", path,
			   against, check->problem_count, plural);
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
		return failure_set(err, UPATCH_ERROR_NO_MEMORY, 0,
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
static int check_file(const struct arguments *arguments,
		      struct upatch_target *target, const char *elf_path,
		      struct verdict *verdict, struct upatch_error *err)
{
	struct upatch_patch_file *file;
	int code;

	code = upatch_patch_file_open(arguments->operands[0], &file, err);
	if (code != 0)
		return code;
	code = upatch_check(file, target, elf_path, &verdict->found, err);
	if (code == 0) {
		verdict->check = *verdict->found;
		code = check_trust(verdict, file, target, arguments, err);
	}
	upatch_patch_file_close(file);
	return code;
}

static int check_run(const struct arguments *arguments,
		     const struct report *report, struct upatch_error *err)
{
	const char *path = arguments->operands[0];
	const char *against = arguments->operands[1];
	bool is_target = against && operand_is_target(against);
	struct upatch_target *target = NULL;
	struct verdict verdict = { 0 };
	int code = 0;

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
