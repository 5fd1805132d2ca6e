/* SPDX-License-Identifier: MIT */
/* Finding a thread of the target that may be borrowed. */
#ifndef UPATCH_HOST_H
#define UPATCH_HOST_H

#include "process.h"
#include "tracer.h"

/*
 * What is to be looked at when no other operation can enter any more, and
 * nobody is stopped yet.  A failure ends the search.
 */
struct host_check {
	int (*check)(void *user, struct upatch_error *err);
	void *user;
	/* what its seccomp filters have to permit, of own_calls.h */
	unsigned int own_calls;
};

/*
 * Seizes and stops a thread that holds no lock (host_rule.h); idle threads
 * first.  While there is none, the threads run on and are looked at again,
 * until the deadline.  On success *ret_thread is stopped.
 */
UPATCH_MUST_CHECK int host_find(struct process *process, struct tracer *tracer,
				const struct host_check *check,
				uint64_t deadline_ns,
				struct thread **ret_thread,
				struct upatch_error *err);

#endif
