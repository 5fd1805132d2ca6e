/* SPDX-License-Identifier: MIT */
/* The log: what the runtime packs is what a controller unpacks. */
#include "log_ring.h"
#include "random_bytes.h"
#include "runtime/runtime.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define WRITER_COUNT 4
#define LONG_NAME    60

TestSuite(log_ring, .timeout = 60);

struct rt_state upatch_runtime_state = { .log_next = RT_LOG_NEXT(1, 0) };

static struct log_event events[LOG_RING_EVENTS_MAX];
static uint64_t lost_count;

static size_t read_events(void)
{
	return log_ring_read(upatch_runtime_log, upatch_runtime_state.log_next,
			     upatch_runtime_state.log_next, events,
			     &lost_count);
}

static uint32_t next_seq(void)
{
	return RT_LOG_SEQ(upatch_runtime_state.log_next);
}

static struct rt_patch patch_named(const char *name)
{
	struct rt_patch patch = { 0 };

	snprintf(patch.name, sizeof(patch.name), "%s", name);
	return patch;
}

/* The newest `count` events are there, and no others. */
static void expect_newest(size_t count)
{
	for (size_t i = 0; i < count; i++)
		cr_assert(events[i].rt.seq == next_seq() - count + i);
	cr_assert(lost_count == next_seq() - 1 - count);
}

Test(log_ring, nothing_is_in_an_empty_one)
{
	cr_assert(read_events() == 0);
	cr_assert(lost_count == 0);
}

Test(log_ring, what_is_written_is_read)
{
	const struct rt_patch patch = patch_named("tax-rounding");
	struct rt_object object = {
		.name = rt_addr("libtax.so.1"),
		.phase = UPATCH_OBJECT_GOING,
	};
	const int refusal = -5;

	log_callback(&patch, &object, RT_POST_UNPATCH, NULL);
	log_callback(&patch, &object, RT_PRE_PATCH, &refusal);
	log_object(UPATCH_EVENT_OBJECT_REFUSED, &patch, &object, "no reason");
	log_direction(UPATCH_EVENT_START, &patch, RT_UNPATCHING);
	log_warning("beware");
	cr_assert(read_events() == 5);
	expect_newest(5);
	cr_assert(events[0].rt.callback == RT_POST_UNPATCH);
	cr_assert(events[0].rt.phase == UPATCH_OBJECT_GOING);
	cr_assert(events[0].rt.has ==
		  (RT_EVENT_HAS_CALLBACK | RT_EVENT_HAS_OBJECT));
	cr_assert(events[1].rt.ret == refusal);
	cr_assert(events[1].rt.has == (RT_EVENT_HAS_CALLBACK |
				       RT_EVENT_HAS_OBJECT | RT_EVENT_HAS_RET));
	cr_assert(strcmp(events[2].patch, "tax-rounding") == 0);
	cr_assert(strcmp(events[2].object, "libtax.so.1") == 0);
	cr_assert(strcmp(events[2].detail, "no reason") == 0);
	cr_assert(events[3].rt.direction == RT_UNPATCHING);
	cr_assert(events[3].object[0] == '\0');
	cr_assert(events[4].patch[0] == '\0');
	cr_assert(events[4].object[0] == '\0');
	cr_assert(strcmp(events[4].detail, "beware") == 0);
	for (int i = 1; i < 5; i++)
		cr_assert(events[i].rt.time_ns >= events[i - 1].rt.time_ns);
}

Test(log_ring, names_of_every_length_arrive)
{
	char name[2 * RT_OBJECT_NAME_SIZE] = { 0 };

	for (size_t len = 0; len + 1 < sizeof(name); len++) {
		struct rt_object object = { .name = rt_addr(name) };
		struct rt_patch patch = patch_named(name);
		const struct log_event *event = events;
		size_t count;

		log_object(UPATCH_EVENT_PARKED, &patch, &object, name);
		count = read_events();
		cr_assert(count > 0);
		event += count - 1;
		cr_assert(event->rt.seq == next_seq() - 1);
		cr_assert(strcmp(event->patch, patch.name) == 0);
		cr_assert(strncmp(event->object, name,
				  sizeof(event->object) - 1) == 0);
		cr_assert(strncmp(event->detail, name,
				  sizeof(event->detail) - 1) == 0);
		name[len] = (char)('a' + len % 26);
	}
}

/* What docs/operator.md says of it. */
Test(log_ring, the_last_of_many_are_there)
{
	const struct rt_patch short_name = patch_named("fix");
	const struct rt_patch usual_name = patch_named("tax-rounding");
	char name[200] = { 0 };
	struct rt_object object = { .name = rt_addr(name) };
	struct rt_patch long_name;

	for (int i = 0; i < 1000; i++)
		log_patch(UPATCH_EVENT_ENABLE, &short_name);
	cr_assert(read_events() == 224);
	expect_newest(224);
	for (int i = 0; i < 1000; i++)
		log_patch(UPATCH_EVENT_ENABLE, &usual_name);
	cr_assert(read_events() == 149);
	expect_newest(149);
	memset(name, 'x', sizeof(name) - 1);
	long_name = patch_named(name);
	for (int i = 0; i < 1000; i++)
		log_object(UPATCH_EVENT_PARKED, &long_name, &object, name);
	cr_assert(read_events() == 17);
	expect_newest(17);
}

/*
 * Positions begin at 0 again: first those in stamps, at last those in the
 * state, where some events are overwritten early.
 */
Test(log_ring, positions_may_overflow)
{
	static const struct {
		uint32_t last;
		size_t least;
	} rows[] = {
		{ UINT32_MAX >> RT_LOG_SHIFT, 149 },
		{ UINT32_MAX, 80 },
	};
	const struct rt_patch patch = patch_named("tax-rounding");

	for (size_t i = 0; i < 2; i++) {
		memset(upatch_runtime_log, 0, sizeof(upatch_runtime_log));
		upatch_runtime_state.log_next =
			RT_LOG_NEXT(1000, rows[i].last - 600);
		for (size_t j = 1; j <= 600; j++) {
			uint32_t seq = next_seq();
			size_t count;

			log_patch(UPATCH_EVENT_ENABLE, &patch);
			count = read_events();
			cr_assert(count >=
				  (j < rows[i].least ? j : rows[i].least));
			cr_assert(events[count - 1].rt.seq == seq);
			cr_assert(next_seq() - seq <= 2);
		}
	}
}

/* The copy is of before, and could as well be of before and after, mixed. */
Test(log_ring, what_is_overwritten_meanwhile_is_not_taken)
{
	static struct rt_log_unit copy[RT_LOG_UNITS];
	const struct rt_patch patch = patch_named("tax-rounding");
	uint64_t before;
	size_t count;

	for (int i = 0; i < 1000; i++)
		log_patch(UPATCH_EVENT_ENABLE, &patch);
	before = upatch_runtime_state.log_next;
	memcpy(copy, upatch_runtime_log, sizeof(copy));
	for (int i = 0; i < 100; i++)
		log_patch(UPATCH_EVENT_ENABLE, &patch);
	count = log_ring_read(copy, before, upatch_runtime_state.log_next,
			      events, &lost_count);
	cr_assert(count == 49);
	cr_assert(events[48].rt.seq == 1000);
	cr_assert(lost_count == 951);
	for (int i = 0; i < 100; i++)
		log_patch(UPATCH_EVENT_ENABLE, &patch);
	count = log_ring_read(copy, before, upatch_runtime_state.log_next,
			      events, &lost_count);
	cr_assert(count == 0);
	cr_assert(lost_count == 1000);
}

Test(log_ring, one_that_is_being_written_is_not_lost)
{
	const struct rt_patch patch = patch_named("fix");

	for (int i = 0; i < 3; i++)
		log_patch(UPATCH_EVENT_ENABLE, &patch);
	/* Two units each. */
	upatch_runtime_log[2].stamp |= RT_LOG_BUSY;
	upatch_runtime_log[3].stamp |= RT_LOG_BUSY;
	cr_assert(read_events() == 2);
	cr_assert(events[1].rt.seq == 3);
	cr_assert(lost_count == 0);
	/* A lap later its writer is still there. */
	for (int i = 0; i < 300; i++)
		log_patch(UPATCH_EVENT_ENABLE, &patch);
	cr_assert(read_events() == 223);
	cr_assert(events[222].rt.seq == 303);
	cr_assert(upatch_runtime_log[2].stamp % (2 * RT_LOG_BUSY) >=
		  RT_LOG_BUSY);
}

/* Where the unit at `index` would be if `next` came next. */
static uint32_t position_of(uint32_t index, uint32_t next)
{
	return next - RT_LOG_UNITS + (index - next) % RT_LOG_UNITS;
}

Test(log_ring, garbage_is_survived)
{
	static struct rt_log_unit ring[RT_LOG_UNITS];
	uint64_t random = 1;

	for (uint32_t round = 0; round < 300; round++) {
		for (uint32_t i = 0; i < RT_LOG_UNITS; i++) {
			uint64_t words[2] = { random_next(&random),
					      random_next(&random) };

			memcpy(&ring[i], words, sizeof(ring[i]));
			if (words[0] & 1)
				ring[i].stamp = position_of(i, 7 * round)
							<< RT_LOG_SHIFT |
						(words[1] % 3 + 1);
		}
		cr_assert(log_ring_read(ring, RT_LOG_NEXT(77, 7 * round),
					RT_LOG_NEXT(77, 7 * round), events,
					&lost_count) <= LOG_RING_EVENTS_MAX);
		cr_assert(lost_count < 77);
	}
}

/* --- Several writers ---------------------------------------------------- */

static atomic_bool stopping;

/* Events of many lengths, that say twice who wrote them. */
static void *write_often(void *arg)
{
	unsigned int number = (unsigned int)(uintptr_t)arg << 24;

	while (!stopping) {
		char text[LONG_NAME + 1];
		struct rt_patch patch;

		snprintf(text, sizeof(text), "%0*u", 10 + (int)(number % 50),
			 number);
		patch = patch_named(text);
		log_detail(UPATCH_EVENT_PARKED, &patch, text);
		number++;
	}
	return NULL;
}

Test(log_ring, no_event_of_several_writers_is_torn)
{
	static struct rt_log_unit copy[RT_LOG_UNITS];
	pthread_t threads[WRITER_COUNT];
	size_t total = 0;

	for (uintptr_t i = 0; i < WRITER_COUNT; i++)
		cr_assert(pthread_create(&threads[i], NULL, write_often,
					 (void *)i) == 0);
	while (total < 100000 || next_seq() < 100000) {
		uint64_t next = __atomic_load_n(&upatch_runtime_state.log_next,
						__ATOMIC_ACQUIRE);
		size_t count;

		memcpy(copy, upatch_runtime_log, sizeof(copy));
		atomic_thread_fence(memory_order_seq_cst);
		count = log_ring_read(copy, next,
				      __atomic_load_n(&upatch_runtime_state
							       .log_next,
						      __ATOMIC_ACQUIRE),
				      events, &lost_count);
		for (size_t i = 0; i < count; i++) {
			cr_assert(strcmp(events[i].patch, events[i].detail) ==
				  0);
			cr_assert(i == 0 ||
				  events[i].rt.seq > events[i - 1].rt.seq);
		}
		total += count;
	}
	stopping = true;
	for (int i = 0; i < WRITER_COUNT; i++)
		pthread_join(threads[i], NULL);
}
