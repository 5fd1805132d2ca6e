/* SPDX-License-Identifier: MIT */
/* The patched processes among all that the user may look at. */
#ifndef UPATCHCTL_PROCESS_LIST_H
#define UPATCHCTL_PROCESS_LIST_H

#include <upatch/upatch.h>

struct process_list {
	struct upatch_status **statuses; /* in order of the pid */
	size_t count;
};

/*
 * Always fills *ret_list: what was found before a failure is worth seeing.  A
 * process that cannot be looked at fails the whole only if the reason is
 * neither permission nor that it is gone or can never be patched.
 */
UPATCH_MUST_CHECK int process_list_read(struct process_list *ret_list,
					struct upatch_error *err);
void process_list_free(struct process_list *list);

#endif
