/* SPDX-License-Identifier: MIT */
/* The patched processes among all that the user may look at. */
#include "process_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "libupatch/error.h"

static int append(struct process_list *list, struct upatch_status *status,
		  struct upatch_error *err)
{
	struct upatch_status **statuses;

	statuses = reallocarray(list->statuses, list->count + 1,
				sizeof(*statuses));
	if (!statuses)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "cannot list processes: out of memory");
	list->statuses = statuses;
	statuses[list->count++] = status;
	return 0;
}

static int read_status(pid_t pid, struct upatch_status **ret_status,
		       struct upatch_error *err)
{
	struct upatch_target *target;
	int code;

	code = upatch_target_open(pid, &target, err);
	if (code != 0)
		return code;
	code = upatch_status(target, ret_status, err);
	upatch_target_close(target);
	return code;
}

/* A post_unpatch may outlast the patch that it belonged to. */
static bool is_patched(const struct upatch_status *status)
{
	return status->patch_count > 0 || status->transition ||
	       status->callback_count > 0;
}

static int add_process(struct process_list *list, pid_t pid,
		       struct upatch_error *err)
{
	struct upatch_status *status;
	int code;

	code = read_status(pid, &status, err);
	if (code == UPATCH_ERROR_PERMISSION || code == UPATCH_ERROR_NO_TARGET ||
	    code == UPATCH_ERROR_UNSUPPORTED)
		return 0;
	if (code != 0)
		return code;
	if (is_patched(status))
		code = append(list, status, err);
	if (!is_patched(status) || code != 0)
		upatch_status_free(status);
	return code;
}

int process_list_read(struct process_list *ret_list, struct upatch_error *err)
{
	struct upatch_error later;
	struct dirent *entry;
	int code = 0;
	int added;
	pid_t pid;
	DIR *proc;

	*ret_list = (struct process_list){ 0 };
	proc = opendir("/proc");
	if (!proc)
		return error_set(err, UPATCH_ERROR_SYSTEM, errno,
				 "cannot read '/proc'");
	while ((entry = readdir(proc))) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 0 || pid == getpid())
			continue;
		added = add_process(ret_list, pid, code == 0 ? err : &later);
		if (code == 0)
			code = added;
	}
	closedir(proc);
	return code;
}

void process_list_free(struct process_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		upatch_status_free(list->statuses[i]);
	free(list->statuses);
}
