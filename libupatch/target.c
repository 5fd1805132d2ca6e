/* SPDX-License-Identifier: MIT */
/* The public handle of a process. */
#include <stdlib.h>

#include "operation.h"

int upatch_target_open(pid_t pid, struct upatch_target **ret_target,
		       struct upatch_error *err)
{
	struct upatch_target *target = calloc(1, sizeof(*target));
	int ret;

	if (!target)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	ret = process_open(&target->process, pid, err);
	if (ret) {
		free(target);
		return ret;
	}
	*ret_target = target;
	return 0;
}

void upatch_target_close(struct upatch_target *target)
{
	if (!target)
		return;
	process_close(&target->process);
	free(target);
}

pid_t upatch_target_pid(const struct upatch_target *target)
{
	return target->process.pid;
}

const char *upatch_target_exe(const struct upatch_target *target)
{
	return target->process.exe;
}
