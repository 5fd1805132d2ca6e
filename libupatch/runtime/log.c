/* SPDX-License-Identifier: MIT */
/* The events of the process, a ring that a controller reads from outside. */
#include "runtime.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct rt_event upatch_runtime_log[RT_LOG_SIZE];

/*
 * Events come from any thread, so an entry is claimed before it is written.
 * NULL, and the event is lost: somebody writes it still, or wrote it for a
 * later event.  In a child, what another thread was writing during the fork
 * stays claimed.
 */
static struct rt_event *claim(uint64_t seq)
{
	struct rt_event *entry = &upatch_runtime_log[seq % RT_LOG_SIZE];
	uint64_t old = __atomic_load_n(&entry->seq, __ATOMIC_RELAXED);

	/* The number of a claimed entry is the largest. */
	do {
		if (old > seq)
			return NULL;
	} while (!__atomic_compare_exchange_n(&entry->seq, &old, RT_EVENT_BUSY,
					      true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return entry;
}

/* `patch` may be NULL. */
static struct rt_event begin(enum upatch_event event,
			     const struct rt_patch *patch)
{
	struct rt_event entry = { .event = (uint8_t)event };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	entry.time_ns =
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (patch)
		memcpy(entry.patch, patch->name, sizeof(entry.patch));
	return entry;
}

/* A reader takes an entry only if its seq is what it expects. */
static void commit(const struct rt_event *event)
{
	const size_t head = sizeof(event->seq);
	uint64_t seq = __atomic_fetch_add(&upatch_runtime_state.log_next, 1,
					  __ATOMIC_RELAXED);
	struct rt_event *entry = claim(seq);

	if (!entry)
		return;
	/* Nothing of it may be seen under the old number. */
	atomic_thread_fence(memory_order_release);
	memcpy((char *)entry + head, (const char *)event + head,
	       sizeof(*event) - head);
	__atomic_store_n(&entry->seq, seq, __ATOMIC_RELEASE);
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
	const struct rt_event entry = begin(event, patch);

	commit(&entry);
}

void log_direction(enum upatch_event event, const struct rt_patch *patch,
		   enum rt_direction direction)
{
	struct rt_event entry = begin(event, patch);

	entry.has |= RT_EVENT_HAS_DIRECTION;
	entry.direction = (uint8_t)direction;
	commit(&entry);
}

void log_callback(const struct rt_patch *patch, const struct rt_object *object,
		  enum rt_callback callback, const int *ret)
{
	struct rt_event entry = begin(UPATCH_EVENT_CALLBACK, patch);

	set_object(&entry, object);
	entry.has |= RT_EVENT_HAS_CALLBACK;
	entry.callback = (uint8_t)callback;
	if (ret) {
		entry.has |= RT_EVENT_HAS_RET;
		entry.ret = *ret;
	}
	commit(&entry);
}

void log_callback_failed(const struct rt_patch *patch,
			 const struct rt_object *object, int ret)
{
	struct rt_event entry = begin(UPATCH_EVENT_CALLBACK_FAILED, patch);

	set_object(&entry, object);
	entry.has |= RT_EVENT_HAS_CALLBACK | RT_EVENT_HAS_RET;
	entry.callback = RT_PRE_PATCH;
	entry.ret = ret;
	commit(&entry);
}

/* `detail` may be NULL. */
void log_object(enum upatch_event event, const struct rt_patch *patch,
		const struct rt_object *object, const char *detail)
{
	struct rt_event entry = begin(event, patch);

	set_object(&entry, object);
	if (detail)
		snprintf(entry.detail, sizeof(entry.detail), "%s", detail);
	commit(&entry);
}

void log_detail(enum upatch_event event, const struct rt_patch *patch,
		const char *detail)
{
	struct rt_event entry = begin(event, patch);

	snprintf(entry.detail, sizeof(entry.detail), "%s", detail);
	commit(&entry);
}

void log_warning(const char *detail)
{
	log_detail(UPATCH_EVENT_WARNING, NULL, detail);
}
