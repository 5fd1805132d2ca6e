/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filters of threads: reading them and judging by them what we
 * would do there.
 */
#ifndef UPATCH_SECCOMP_H
#define UPATCH_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/* "Seccomp:" in /proc/PID/status. */
enum seccomp_mode {
	SECCOMP_NONE = 0,
	SECCOMP_STRICT = 1,
	SECCOMP_FILTERED = 2,
};

/*
 * Whether this process may read filters: CAP_SYS_ADMIN, no seccomp of its own,
 * CONFIG_CHECKPOINT_RESTORE (kernel/seccomp.c, get_nth_filter).
 */
bool seccomp_can_read(void);

/*
 * Of a thread that we trace and that is stopped: why our code cannot run in it,
 * or in a thread that it creates; "": it can.  `when` is of own_calls.h.
 */
void seccomp_judge(pid_t tid, unsigned int when, char *ret_reason, size_t size);

/*
 * Whether such a thread may go on with restart_syscall(2).  What cannot be
 * found out counts as no.
 */
bool seccomp_permits_restart(pid_t tid);

#endif
