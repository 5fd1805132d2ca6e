/* SPDX-License-Identifier: MIT */
/* What the control groups of a process leave it (cgroups(7)). */
#ifndef UPATCH_GROUP_H
#define UPATCH_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum group_resource {
	/* in bytes; the cache of files counts as free, swap does not */
	GROUP_MEMORY,
	/* threads and processes */
	GROUP_TASKS,
};

/*
 * Whether the process's group, or one that this is in, has less than `need`
 * left; `ret_name` gets the group's name.  What is not known, as where the
 * groups are mounted elsewhere, counts as enough.
 */
bool group_lacks(pid_t pid, enum group_resource resource, uint64_t need,
		 char *ret_name, size_t size);

#endif
