/* SPDX-License-Identifier: MIT */
/* The events of the process, a ring that a controller reads from outside. */
#include "runtime.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define UNIT_LEN sizeof(((struct rt_log_unit *)0)->bytes)

struct rt_log_unit upatch_runtime_log[RT_LOG_UNITS];

struct text {
	char bytes[RT_EVENT_TEXT_SIZE];
	size_t len, used; /* used: without the empty ones at the end */
};

/* At most size - 1 bytes of it; `string` may be NULL. */
static void put(struct text *text, const char *string, size_t size)
{
	for (; string && *string && size > 1; size--)
		text->bytes[text->len++] = *string++;
	text->bytes[text->len++] = '\0';
	if (text->len > 1 && text->bytes[text->len - 2])
		text->used = text->len;
}

/*
 * Events come from any thread, so a unit is claimed before it is written.
 * False, and the event is lost: somebody writes there still, or has written a
 * later one.  In a child, what another thread was writing during the fork
 * stays claimed.
 */
static bool claim(uint32_t position, uint32_t flags)
{
	struct rt_log_unit *unit = &upatch_runtime_log[position % RT_LOG_UNITS];
	const uint32_t here = position << RT_LOG_SHIFT;
	uint32_t old = __atomic_load_n(&unit->stamp, __ATOMIC_RELAXED);

	do {
		if (old & RT_LOG_BUSY || (old && (int32_t)(old - here) >= 0))
			return false;
	} while (!__atomic_compare_exchange_n(&unit->stamp, &old,
					      here | RT_LOG_WRITTEN |
						      RT_LOG_BUSY | flags,
					      true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}

static void release(uint32_t position, uint32_t flags)
{
	__atomic_store_n(&upatch_runtime_log[position % RT_LOG_UNITS].stamp,
			 position << RT_LOG_SHIFT | RT_LOG_WRITTEN | flags,
			 __ATOMIC_RELEASE);
}

/* A reader takes an event only if all stamps are what it expects. */
static void write_units(uint32_t position, uint32_t count, const char *bytes)
{
	uint32_t head = RT_LOG_HEAD, claimed = 0;

	while (claimed < count &&
	       claim(position + claimed, claimed ? 0 : RT_LOG_HEAD))
		claimed++;
	if (claimed < count)
		head = 0;
	/* Nothing of it may be seen under the old stamps. */
	atomic_thread_fence(memory_order_release);
	for (uint32_t i = 0; head && i < count; i++)
		memcpy(upatch_runtime_log[(position + i) % RT_LOG_UNITS].bytes,
		       bytes + i * UNIT_LEN, UNIT_LEN);
	for (uint32_t i = claimed; i > 0; i--)
		release(position + i - 1, i == 1 ? head : 0);
}

/* `patch` and the strings may be NULL. */
static void commit(struct rt_event event, const struct rt_patch *patch,
		   const char *object, const char *detail)
{
	char bytes[sizeof(event) + RT_EVENT_TEXT_SIZE + UNIT_LEN];
	struct text text = { .len = 0 };
	struct timespec now;
	uint64_t place;

	put(&text, patch ? patch->name : NULL, RT_PATCH_NAME_SIZE);
	put(&text, object, RT_OBJECT_NAME_SIZE);
	put(&text, detail, RT_DETAIL_SIZE);
	event.unit_count =
		(uint8_t)((sizeof(event) + text.used + UNIT_LEN - 1) /
			  UNIT_LEN);
	clock_gettime(CLOCK_REALTIME, &now);
	event.time_ns =
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	place = __atomic_fetch_add(&upatch_runtime_state.log_next,
				   RT_LOG_NEXT(1, event.unit_count),
				   __ATOMIC_RELAXED);
	event.seq = RT_LOG_SEQ(place);
	memcpy(bytes, &event, sizeof(event));
	memcpy(bytes + sizeof(event), text.bytes, text.used);
	memset(bytes + sizeof(event) + text.used, 0, UNIT_LEN);
	write_units(RT_LOG_POSITION(place), event.unit_count, bytes);
}

static const char *object_name(const struct rt_object *object)
{
	return rt_ptr(object->name);
}

void log_patch(enum upatch_event event, const struct rt_patch *patch)
{
	commit((struct rt_event){ .event = (uint8_t)event }, patch, NULL, NULL);
}

void log_direction(enum upatch_event event, const struct rt_patch *patch,
		   enum rt_direction direction)
{
	commit((struct rt_event){ .event = (uint8_t)event,
				  .has = RT_EVENT_HAS_DIRECTION,
				  .direction = direction & 1 },
	       patch, NULL, NULL);
}

void log_callback(const struct rt_patch *patch, const struct rt_object *object,
		  enum rt_callback callback, const int *ret)
{
	commit((struct rt_event){ .event = UPATCH_EVENT_CALLBACK,
				  .has = RT_EVENT_HAS_OBJECT |
					 RT_EVENT_HAS_CALLBACK |
					 (ret ? RT_EVENT_HAS_RET : 0),
				  .phase = object->phase & 3,
				  .callback = callback & 3,
				  .ret = ret ? *ret : 0 },
	       patch, object_name(object), NULL);
}

void log_callback_failed(const struct rt_patch *patch,
			 const struct rt_object *object, int ret)
{
	commit((struct rt_event){ .event = UPATCH_EVENT_CALLBACK_FAILED,
				  .has = RT_EVENT_HAS_OBJECT |
					 RT_EVENT_HAS_CALLBACK |
					 RT_EVENT_HAS_RET,
				  .phase = object->phase & 3,
				  .callback = RT_PRE_PATCH,
				  .ret = ret },
	       patch, object_name(object), NULL);
}

/* `detail` may be NULL. */
void log_object(enum upatch_event event, const struct rt_patch *patch,
		const struct rt_object *object, const char *detail)
{
	commit((struct rt_event){ .event = (uint8_t)event,
				  .has = RT_EVENT_HAS_OBJECT,
				  .phase = object->phase & 3 },
	       patch, object_name(object), detail);
}

void log_detail(enum upatch_event event, const struct rt_patch *patch,
		const char *detail)
{
	commit((struct rt_event){ .event = (uint8_t)event }, patch, NULL,
	       detail);
}

void log_warning(const char *detail)
{
	log_detail(UPATCH_EVENT_WARNING, NULL, detail);
}
