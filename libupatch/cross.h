/* SPDX-License-Identifier: MIT */
/* The barrier, with a view of the runtime's state that is current. */
#ifndef UPATCH_CROSS_H
#define UPATCH_CROSS_H

#include "barrier.h"
#include "operation.h"

/*
 * As barrier_run, but looks at the state again whenever a library has come or
 * gone in between; operation->view is the one that the bytes were written by.
 */
UPATCH_MUST_CHECK int cross_barrier(struct operation *operation,
				    struct tracer *tracer,
				    enum barrier_action action,
				    uint64_t deadline_ns, uint64_t *ret_ns,
				    struct upatch_error *err);

#endif
