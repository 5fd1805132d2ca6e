/* SPDX-License-Identifier: MIT */
/* Whether the target's limits and its root leave us what entering takes. */
#ifndef UPATCH_ROOM_H
#define UPATCH_ROOM_H

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/*
 * Reads only.  `runtime_len`: of the runtime's file, if it has to be loaded,
 * else 0.  What other processes use up meanwhile is seen later.
 */
UPATCH_MUST_CHECK int room_check(pid_t pid, size_t runtime_len,
				 struct upatch_error *err);

#endif
