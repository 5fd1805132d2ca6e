/* SPDX-License-Identifier: MIT */
/*
 * Which threads may be in a signal handler that interrupted certain code?
 * Found out before a stop of all threads, so that no stack has to be read in
 * it: such a frame was there when the thread was seized, and is seen as a word
 * in its stack, or is made by a signal that the tracer sees.
 */
#ifndef UPATCH_HANDLERS_H
#define UPATCH_HANDLERS_H

#include "examine.h"
#include "process.h"
#include "tracer.h"

/*
 * From now on signals that interrupt code in `values` are noted, until
 * handlers_unwatch; nothing is known of any thread.
 */
void handlers_watch(struct tracer *tracer, const struct scan_values *values);
void handlers_unwatch(struct tracer *tracer);

/*
 * Looks at the threads of which nothing is known: at those that wait in a
 * system call without disturbing them, at others as they are stopped, a few at
 * a time.  NULL: no thread can be in such a handler.  Else one of those that
 * may be; was_seen is false if it does not stop.
 */
const struct thread *handlers_look(struct process *process,
				   struct tracer *tracer,
				   struct examine_buffer *buffer);

#endif
