/* SPDX-License-Identifier: MIT */
/* Whether the target's limits, root and vfork children let us enter. */
#ifndef UPATCH_ROOM_H
#define UPATCH_ROOM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process.h"

/*
 * Waits until no thread waits for a vfork child: it could not be stopped, and
 * so no change be finished.  UPATCH_ERROR_TIMED_OUT: one still does.
 */
UPATCH_MUST_CHECK int room_wait_for_vfork(const struct process *process,
					  uint64_t deadline_ns,
					  struct upatch_error *err);

/*
 * Reads only.  `runtime_len`: of the runtime's file, if it has to be loaded,
 * else 0.  What other processes use up meanwhile is seen later.
 */
UPATCH_MUST_CHECK int room_check(pid_t pid, size_t runtime_len,
				 struct upatch_error *err);

#endif
