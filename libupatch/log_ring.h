/* SPDX-License-Identifier: MIT */
/* The events in a copy of a process's log. */
#ifndef UPATCH_LOG_RING_H
#define UPATCH_LOG_RING_H

#include <stddef.h>

#include "protocol.h"

/* No event takes fewer units. */
#define LOG_RING_EVENTS_MAX (RT_LOG_UNITS / 2)

/* An event, unpacked; the strings are empty where there is none. */
struct log_event {
	struct rt_event rt;
	char patch[RT_PATCH_NAME_SIZE];
	char object[RT_OBJECT_NAME_SIZE];
	char detail[RT_DETAIL_SIZE];
};

/*
 * `next` is rt_state.log_next before the ring was copied, `next_after` after
 * it: what may have been overwritten meanwhile is not taken.  Writes up to
 * LOG_RING_EVENTS_MAX events, oldest first, and returns how many.
 */
size_t log_ring_read(const struct rt_log_unit ring[RT_LOG_UNITS], uint64_t next,
		     uint64_t next_after, struct log_event *ret_events,
		     uint64_t *ret_lost_count);

#endif
