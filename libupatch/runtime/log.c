/* SPDX-License-Identifier: MIT */
/* The events of the process, a ring that a controller reads from outside. */
#include "runtime.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct rt_event *begin(enum upatch_event event,
			      const struct rt_patch *patch)
{
	struct rt_state *state = &upatch_runtime_state;
	struct rt_event *entry = &state->log[state->log_next % RT_LOG_SIZE];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	/* A reader takes an entry only if its seq is what it expects. */
	entry->seq = 0;
	atomic_thread_fence(memory_order_release);
	memset(entry, 0, sizeof(*entry));
	entry->time_ns =
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	entry->event = (uint8_t)event;
	memcpy(entry->patch, patch->name, sizeof(entry->patch));
	return entry;
}

static void commit(struct rt_event *entry)
{
	struct rt_state *state = &upatch_runtime_state;

	atomic_thread_fence(memory_order_release);
	entry->seq = state->log_next;
	atomic_thread_fence(memory_order_release);
	state->log_next++;
}

static void set_object(struct rt_event *entry, const struct rt_object *object)
{
	const char *name = rt_ptr(object->name);

	entry->has |= RT_EVENT_HAS_OBJECT;
	entry->phase = (uint8_t)object->phase;
	if (name)
		snprintf(entry->object, sizeof(entry->object), "%s", name);
}

void log_patch(enum upatch_event event, const struct rt_patch *patch)
{
	commit(begin(event, patch));
}

void log_direction(enum upatch_event event, const struct rt_patch *patch,
		   enum rt_direction direction)
{
	struct rt_event *entry = begin(event, patch);

	entry->has |= RT_EVENT_HAS_DIRECTION;
	entry->direction = (uint8_t)direction;
	commit(entry);
}

void log_callback(const struct rt_patch *patch, const struct rt_object *object,
		  enum rt_callback callback, const int *ret)
{
	struct rt_event *entry = begin(UPATCH_EVENT_CALLBACK, patch);

	set_object(entry, object);
	entry->has |= RT_EVENT_HAS_CALLBACK;
	entry->callback = (uint8_t)callback;
	if (ret) {
		entry->has |= RT_EVENT_HAS_RET;
		entry->ret = *ret;
	}
	commit(entry);
}

void log_callback_failed(const struct rt_patch *patch,
			 const struct rt_object *object, int ret)
{
	struct rt_event *entry = begin(UPATCH_EVENT_CALLBACK_FAILED, patch);

	set_object(entry, object);
	entry->has |= RT_EVENT_HAS_CALLBACK | RT_EVENT_HAS_RET;
	entry->callback = RT_PRE_PATCH;
	entry->ret = ret;
	commit(entry);
}

void log_detail(enum upatch_event event, const struct rt_patch *patch,
		const char *detail)
{
	struct rt_event *entry = begin(event, patch);

	snprintf(entry->detail, sizeof(entry->detail), "%s", detail);
	commit(entry);
}
