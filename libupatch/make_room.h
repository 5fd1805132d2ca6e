/* SPDX-License-Identifier: MIT */
/* A turn for one thread of the target, where others of it take all turns. */
#ifndef UPATCH_MAKE_ROOM_H
#define UPATCH_MAKE_ROOM_H

#include "tracer.h"

/*
 * As tracer_stop, until the deadline; but if it takes the thread long to get a
 * processor, those of its process that want one, too, are stopped as they get
 * theirs, which takes each a moment instead of a turn.  On success they are
 * held until make_room_end.  Whoever waits meanwhile does so until
 * make_room_deadline only, and calls make_room_end_late then: after 20 ms they
 * go on, as the thread can need a lock that one of them has.
 */
UPATCH_MUST_CHECK int make_room_and_stop(struct tracer *tracer,
					 struct thread *thread,
					 uint64_t deadline_ns,
					 struct upatch_error *err);
/* `deadline_ns`, or the end of the 20 ms if somebody is held and that is earlier. */
uint64_t make_room_deadline(const struct tracer *tracer, uint64_t deadline_ns);
/* Ends it if they are over. */
void make_room_end_late(struct tracer *tracer);
/* They go on, and stay traced. */
void make_room_end(struct tracer *tracer);

#endif
