/* SPDX-License-Identifier: MIT */
/*
 * The one stop of all threads, while entry bytes are written.  Everything is
 * computed before it; inside it there is only: interrupt, wait, registers,
 * the writes, continue.
 */
#ifndef UPATCH_BARRIER_H
#define UPATCH_BARRIER_H

#include "process.h"
#include "tracer.h"

enum barrier_action {
	BARRIER_INSTALL, /* jumps, at the prepared sites that are needed */
	BARRIER_REMOVE,	 /* original bytes, at the sites nobody needs */
};

/*
 * The target's sites are those of `view`.  Tries again, until the deadline,
 * while a thread does not stop or a signal handler has interrupted a thread
 * inside the bytes that are to be overwritten.  After a failure no byte is
 * changed; UPATCH_ERROR_BUSY: `view` is no longer what is there (cross.h).
 * *ret_ns is how long the last, successful stop took; 0: there was nothing to
 * write.
 */
UPATCH_MUST_CHECK int
barrier_run(struct process *process, struct tracer *tracer,
	    const struct view *view, enum barrier_action action,
	    uint64_t deadline_ns, uint64_t *ret_ns, struct upatch_error *err);

#endif
