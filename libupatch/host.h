/* SPDX-License-Identifier: MIT */
/* Finding a thread of the target that may be borrowed. */
#ifndef UPATCH_HOST_H
#define UPATCH_HOST_H

#include "process.h"
#include "tracer.h"

/*
 * Seizes and stops a thread that holds no lock (host_rule.h); idle threads
 * first.  While there is none, the threads run on and are looked at again,
 * until the deadline.  On success *ret_thread is stopped.
 */
UPATCH_MUST_CHECK int host_find(struct process *process, struct tracer *tracer,
				uint64_t deadline_ns,
				struct thread **ret_thread,
				struct upatch_error *err);

#endif
