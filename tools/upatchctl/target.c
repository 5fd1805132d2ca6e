/* SPDX-License-Identifier: MIT */
/* The operand TARGET. */
#include "target.h"

#include "operand.h"

int target_open(const char *operand, struct upatch_target **ret_target,
		struct upatch_error *err)
{
	pid_t pid = 0;
	int code;

	code = operand_parse_pid(operand, &pid, err);
	if (code != 0)
		return code;
	return upatch_target_open(pid, ret_target, err);
}
