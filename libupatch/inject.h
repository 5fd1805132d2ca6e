/* SPDX-License-Identifier: MIT */
/* Into the target: loading the runtime, starting its agent. */
#ifndef UPATCH_INJECT_H
#define UPATCH_INJECT_H

#include "channel.h"
#include "process.h"

struct injection {
	/* how long the borrowed thread was away from its own work */
	uint64_t host_ns;
	pid_t host_tid;
};

/* Reads only: whether what can be known beforehand would refuse to enter. */
UPATCH_MUST_CHECK int inject_check(const struct process *process,
				   struct upatch_error *err);

/*
 * Borrows a thread, loads the runtime if it is not there, and starts the
 * agent; on success process->state_addr is set and `channel` open.  After a
 * failure the target goes on as before, with at most an idle runtime in it.
 */
UPATCH_MUST_CHECK int inject_agent(struct process *process,
				   uint64_t deadline_ns,
				   struct channel *channel,
				   struct injection *ret_injection,
				   struct upatch_error *err);

#endif
