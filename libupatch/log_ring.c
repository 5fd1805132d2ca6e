/* SPDX-License-Identifier: MIT */
/* Unpacking the log: runtime/log.c has packed it. */
#include "log_ring.h"

#include <stdbool.h>
#include <string.h>

#define UNIT_LEN sizeof(((struct rt_log_unit *)0)->bytes)

static const struct rt_log_unit *unit_at(const struct rt_log_unit *ring,
					 uint32_t position)
{
	return &ring[position % RT_LOG_UNITS];
}

static bool has_stamp(const struct rt_log_unit *ring, uint32_t position,
		      uint32_t flags)
{
	return unit_at(ring, position)->stamp ==
	       (position << RT_LOG_SHIFT | RT_LOG_WRITTEN | flags);
}

/* The next string of [*text, end), cut to `size`; empty behind the last. */
static void take_string(const char **text, const char *end, char *ret_string,
			size_t size)
{
	size_t len = strnlen(*text, (size_t)(end - *text));
	size_t kept = len < size ? len : size - 1;

	memcpy(ret_string, *text, kept);
	memset(ret_string + kept, 0, size - kept);
	*text += len;
	if (*text < end)
		(*text)++;
}

static void unpack(const struct rt_log_unit *ring, uint32_t position,
		   uint32_t count, struct log_event *ret_event)
{
	char bytes[UINT8_MAX * UNIT_LEN];
	const char *text = bytes + sizeof(ret_event->rt);
	const char *end = bytes + count * UNIT_LEN;

	for (uint32_t i = 0; i < count; i++)
		memcpy(bytes + i * UNIT_LEN, unit_at(ring, position + i)->bytes,
		       UNIT_LEN);
	memcpy(&ret_event->rt, bytes, sizeof(ret_event->rt));
	take_string(&text, end, ret_event->patch, sizeof(ret_event->patch));
	take_string(&text, end, ret_event->object, sizeof(ret_event->object));
	take_string(&text, end, ret_event->detail, sizeof(ret_event->detail));
}

/* How many units the event at `position` takes; 0: there is none. */
static uint32_t count_units(const struct rt_log_unit *ring, uint32_t position,
			    uint32_t end)
{
	struct rt_event event;
	char bytes[2 * UNIT_LEN];
	uint32_t count = 2;

	_Static_assert(sizeof(event) <= sizeof(bytes) &&
			       sizeof(event) > UNIT_LEN,
		       "an event begins in two units");
	if (!has_stamp(ring, position, RT_LOG_HEAD) || end - position < count)
		return 0;
	memcpy(bytes, unit_at(ring, position)->bytes, UNIT_LEN);
	memcpy(bytes + UNIT_LEN, unit_at(ring, position + 1)->bytes, UNIT_LEN);
	memcpy(&event, bytes, sizeof(event));
	count = event.unit_count;
	if (count < 2 || count > end - position)
		return 0;
	for (uint32_t i = 1; i < count; i++) {
		if (!has_stamp(ring, position + i, 0))
			return 0;
	}
	return count;
}

size_t log_ring_read(const struct rt_log_unit ring[RT_LOG_UNITS], uint64_t next,
		     uint64_t next_after, struct log_event *ret_events,
		     uint64_t *ret_lost_count)
{
	const uint32_t end = RT_LOG_POSITION(next);
	const uint32_t passed = RT_LOG_POSITION(next_after) - end;
	uint32_t left = passed < RT_LOG_UNITS ? RT_LOG_UNITS - passed : 0;
	size_t count = 0, busy_count = 0;

	/* By stamps alone: positions begin at any number, and at 0 again. */
	while (left) {
		uint32_t units = count_units(ring, end - left, end);

		if (units)
			unpack(ring, end - left, units, &ret_events[count++]);
		else if (has_stamp(ring, end - left, RT_LOG_HEAD | RT_LOG_BUSY))
			busy_count++;
		left -= units ? units : 1;
	}
	/* It is written while we look: next time it is there. */
	*ret_lost_count = RT_LOG_SEQ(next) - 1;
	*ret_lost_count -= count + busy_count < *ret_lost_count
				   ? count + busy_count
				   : *ret_lost_count;
	return count;
}
