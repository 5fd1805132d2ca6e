/* SPDX-License-Identifier: MIT */
/* upatch_log: the events of a target, oldest first. */
#include <stddef.h>
#include <stdlib.h>

#include "event.h"
#include "log_ring.h"
#include "operation.h"

struct log {
	struct upatch_log public;
	struct upatch_log_entry *entries;
	struct log_event *events; /* what the entries point into */
};

void upatch_log_free(struct upatch_log *public)
{
	struct log *log = (struct log *)public;

	if (!log)
		return;
	free(log->entries);
	free(log->events);
	free(log);
}

static void fill_entry(const struct log_event *event,
		       struct upatch_log_entry *entry)
{
	const struct rt_event *rt = &event->rt;

	*entry = (struct upatch_log_entry){
		.seq = rt->seq,
		.time_ns = rt->time_ns,
		.event = (enum upatch_event)rt->event,
		.patch = event->patch[0] ? event->patch : NULL,
		.has_direction = rt->has & RT_EVENT_HAS_DIRECTION,
		.has_object = rt->has & RT_EVENT_HAS_OBJECT,
		.has_callback = rt->has & RT_EVENT_HAS_CALLBACK,
		.has_ret = rt->has & RT_EVENT_HAS_RET,
		.direction = rt->direction == RT_PATCHING ? UPATCH_PATCHING
							  : UPATCH_UNPATCHING,
		.object = event->object[0] ? event->object : NULL,
		.phase = rt->has & RT_EVENT_HAS_OBJECT
				 ? event_phase_name(rt->phase)
				 : NULL,
		.callback = rt->has & RT_EVENT_HAS_CALLBACK
				    ? event_callback_name(rt->callback)
				    : NULL,
		.ret = rt->ret,
		.detail = event->detail[0] ? event->detail : NULL,
	};
}

static int read_ring(const struct memory *memory, upatch_addr_t state_addr,
		     const struct rt_state *state, struct log *log,
		     struct upatch_error *err)
{
	struct rt_log_unit ring[RT_LOG_UNITS];
	uint64_t next_after;
	int ret = memory_read(memory, state->log, ring, sizeof(ring), err);

	if (!ret)
		ret = memory_read(memory,
				  state_addr +
					  offsetof(struct rt_state, log_next),
				  &next_after, sizeof(next_after), err);
	if (ret)
		return ret;
	log->events = calloc(LOG_RING_EVENTS_MAX, sizeof(*log->events));
	log->entries = calloc(LOG_RING_EVENTS_MAX, sizeof(*log->entries));
	if (!log->events || !log->entries)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	log->public.entry_count =
		log_ring_read(ring, state->log_next, next_after, log->events,
			      &log->public.lost_count);
	for (size_t i = 0; i < log->public.entry_count; i++)
		fill_entry(&log->events[i], &log->entries[i]);
	log->public.entries = log->entries;
	return 0;
}

static int read_log(struct process *process, struct log *log,
		    struct upatch_error *err)
{
	struct view view;
	int ret = process_refresh(process, err);

	if (ret == UPATCH_ERROR_UNSUPPORTED || (!ret && !process->state_addr))
		return 0;
	if (!ret)
		ret = view_read(&process->memory, process->state_addr, &view,
				err);
	if (ret)
		return ret;
	/* Loaded a moment ago, it has none. */
	if (view.state.log)
		ret = read_ring(&process->memory, process->state_addr,
				&view.state, log, err);
	view_free(&view);
	return ret;
}

int upatch_log(struct upatch_target *target, struct upatch_log **ret_log,
	       struct upatch_error *err)
{
	struct log *log = calloc(1, sizeof(*log));
	struct upatch_error local = { 0 };
	int ret;

	if (!log)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	ret = process_explain(&target->process,
			      read_log(&target->process, log, &local), &local);
	if (ret) {
		upatch_log_free(&log->public);
		if (err)
			*err = local;
		return ret;
	}
	*ret_log = &log->public;
	return 0;
}
