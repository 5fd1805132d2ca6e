/* SPDX-License-Identifier: MIT */
/*
 * A piece of work that traces the target runs in a thread of its own: when
 * that thread ends, the kernel lets all its tracees go at once, without
 * stopping them once more (ptrace(2), exit of the tracer).
 */
#ifndef UPATCH_TRACED_H
#define UPATCH_TRACED_H

#include "tracer.h"

/*
 * Runs work(tracer, user, err) and returns what it returned.  `under_seccomp`:
 * some threads are.
 */
UPATCH_MUST_CHECK int traced_run(pid_t pid, bool under_seccomp,
				 int (*work)(struct tracer *tracer, void *user,
					     struct upatch_error *err),
				 void *user, struct upatch_error *err);

#endif
