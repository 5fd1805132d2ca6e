/* SPDX-License-Identifier: MIT */
/* upatchctl info: what a patch contains. */
#include "command.h"

static int info_run(const struct arguments *arguments,
		    const struct report *report, struct upatch_error *err)
{
	struct upatch_patch_file *file;
	int code;

	code = upatch_patch_file_open(arguments->operands[0], &file, err);
	if (code != 0)
		return code;
	code = report_info(report, upatch_patch_file_info(file), err);
	upatch_patch_file_close(file);
	return code;
}

const struct command info_command = {
	.name = "info",
	.operands = "PATCH.so",
	.summary = "show what a patch contains",
	.description =
		"Show which functions of which objects PATCH.so replaces, the symbols it uses,\n"
		"its callbacks and its states.",
	.example = "upatchctl info fix.so",
	.min_operands = 1,
	.max_operands = 1,
	.run = info_run,
};
