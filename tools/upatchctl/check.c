/* SPDX-License-Identifier: MIT */
/* upatchctl check: would a patch apply? */
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

/* At most one of `target` and `elf_path` is not NULL. */
static int check_file(const char *path, struct upatch_target *target,
		      const char *elf_path, struct upatch_check **ret_check,
		      struct upatch_error *err)
{
	struct upatch_patch_file *file;
	int code;

	code = upatch_patch_file_open(path, &file, err);
	if (code != 0)
		return code;
	code = upatch_check(file, target, elf_path, ret_check, err);
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
	struct upatch_check *check = NULL;
	int code = 0;

	if (is_target)
		code = target_open(against, &target, err);
	if (code == 0)
		code = check_file(path, target, is_target ? NULL : against,
				  &check, err);
	if (code == 0)
		code = report_check(report, check, err);
	if (code == 0)
		code = judge(check, path, against, err);
	upatch_check_free(check);
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
	.min_operands = 1,
	.max_operands = 2,
	.run = check_run,
};
