/* SPDX-License-Identifier: MIT */
/* Descriptors of the target. */
#ifndef UPATCH_FETCH_H
#define UPATCH_FETCH_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A copy of descriptor `target_fd` of the process that `pidfd` is of, taken
 * from one of its threads that has not ended; -1 and errno.
 */
int fetch_descriptor(pid_t pid, int pidfd, int target_fd);
/* False: the main thread has ended, and the kernel knows of no other. */
bool fetch_is_possible(pid_t pid);

#endif
