/* SPDX-License-Identifier: MIT */
/* upatch_log: the events of a target, oldest first. */
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "operation.h"

struct log {
	struct upatch_log public;
	struct upatch_log_entry *entries;
	struct rt_event *events; /* what the entries point into */
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

static void terminate(struct rt_event *event)
{
	event->patch[sizeof(event->patch) - 1] = '\0';
	event->object[sizeof(event->object) - 1] = '\0';
	event->detail[sizeof(event->detail) - 1] = '\0';
}

static void fill_entry(const struct rt_event *event,
		       struct upatch_log_entry *entry)
{
	*entry = (struct upatch_log_entry){
		.seq = event->seq,
		.time_ns = event->time_ns,
		.event = (enum upatch_event)event->event,
		.patch = event->patch[0] ? event->patch : NULL,
		.has_direction = event->has & RT_EVENT_HAS_DIRECTION,
		.has_object = event->has & RT_EVENT_HAS_OBJECT,
		.has_callback = event->has & RT_EVENT_HAS_CALLBACK,
		.has_ret = event->has & RT_EVENT_HAS_RET,
		.direction = event->direction == RT_PATCHING
				     ? UPATCH_PATCHING
				     : UPATCH_UNPATCHING,
		.object = event->object[0] ? event->object : NULL,
		.phase = event->has & RT_EVENT_HAS_OBJECT
				 ? event_phase_name(event->phase)
				 : NULL,
		.callback = event->has & RT_EVENT_HAS_CALLBACK
				    ? event_callback_name(event->callback)
				    : NULL,
		.ret = event->ret,
		.detail = event->detail[0] ? event->detail : NULL,
	};
}

/* Events that were overwritten while they were read are counted as lost. */
static int fill(struct log *log, const struct rt_state *state,
		const struct rt_event *ring, struct upatch_error *err)
{
	uint64_t next = state->log_next;
	uint64_t first = next > RT_LOG_SIZE ? next - RT_LOG_SIZE : 1;

	log->events = calloc(RT_LOG_SIZE, sizeof(*log->events));
	log->entries = calloc(RT_LOG_SIZE, sizeof(*log->entries));
	if (!log->events || !log->entries)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	log->public.lost_count = first - 1;
	for (uint64_t seq = first; seq < next; seq++) {
		size_t index = log->public.entry_count;
		struct rt_event *event = &log->events[index];

		*event = ring[seq % RT_LOG_SIZE];
		/* It is written while we look: next time it is there. */
		if (event->seq == RT_EVENT_BUSY)
			continue;
		if (event->seq != seq) {
			log->public.lost_count++;
			continue;
		}
		terminate(event);
		fill_entry(event, &log->entries[index]);
		log->public.entry_count++;
	}
	log->public.entries = log->entries;
	return 0;
}

static int read_ring(const struct memory *memory, const struct rt_state *state,
		     struct log *log, struct upatch_error *err)
{
	size_t len = RT_LOG_SIZE * sizeof(struct rt_event);
	struct rt_event *ring = malloc(len);
	int ret;

	if (!ring)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	ret = memory_read(memory, state->log, ring, len, err);
	if (!ret)
		ret = fill(log, state, ring, err);
	free(ring);
	return ret;
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
	ret = read_ring(&process->memory, &view.state, log, err);
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
