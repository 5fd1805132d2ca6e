/* SPDX-License-Identifier: MIT */
/*
 * The table of shadow variables: what is in it is found, by readers without a
 * lock as well, while it grows, shrinks and is written to.
 */
#include "runtime/shadow_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define KEY_COUNT    20000
#define READER_COUNT 8

TestSuite(shadow_table, .timeout = 60);

static struct shadow_table table;
/* The objects, and the only value that each may have. */
static char objects[KEY_COUNT], values[KEY_COUNT];

static struct shadow_key key_of(size_t i)
{
	return shadow_table_key(&objects[i], i % 3);
}

static void *find(size_t i)
{
	const struct shadow_key key = key_of(i);

	return shadow_table_find(&table, &key);
}

static void insert(size_t i)
{
	const struct shadow_key key = key_of(i);
	bool reserved = shadow_table_reserve(&table);

	cr_assert(reserved);
	shadow_table_insert(&table, &key, &values[i]);
}

static void *take(size_t i)
{
	const struct shadow_key key = key_of(i);

	return shadow_table_remove(&table, &key);
}

Test(shadow_table, empty_one_finds_and_removes_nothing)
{
	cr_assert(find(0) == NULL);
	cr_assert(take(0) == NULL);
}

Test(shadow_table, object_and_id_make_the_key)
{
	const struct shadow_key other_id = shadow_table_key(&objects[0], 7);

	insert(0);
	cr_assert(find(0) == &values[0]);
	cr_assert(find(3) == NULL);
	cr_assert(shadow_table_find(&table, &other_id) == NULL);
}

Test(shadow_table, keeps_everything_while_it_grows_and_shrinks)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		insert(i);
	for (size_t i = 0; i < KEY_COUNT; i++)
		cr_assert(find(i) == &values[i], "key %zu", i);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		cr_assert(take(i) == &values[i], "key %zu", i);
		cr_assert(find(i) == NULL, "key %zu", i);
	}
	cr_assert(table.live_count == 0);
}

/* Arrays are used again: their number does not depend on the work done. */
Test(shadow_table, churn_takes_no_more_memory)
{
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < 2000; i++)
			insert(i);
		for (size_t i = 0; i < 2000; i++)
			cr_assert(take(i) == &values[i], "key %zu", i);
	}
	cr_assert(table.rebuild_count > 100);
	cr_assert(table.spare_count <= 14);
}

Test(shadow_table, reservations_of_many_are_kept)
{
	for (size_t i = 0; i < 500; i++)
		cr_assert(shadow_table_reserve(&table));
	for (size_t i = 0; i < 1000; i++)
		insert(i);
	for (size_t i = 1000; i < 1400; i++) {
		const struct shadow_key key = key_of(i);

		shadow_table_insert(&table, &key, &values[i]);
	}
	for (size_t i = 0; i < 100; i++)
		shadow_table_unreserve(&table);
	cr_assert(table.reserved_count == 0);
	for (size_t i = 0; i < 1400; i++)
		cr_assert(find(i) == &values[i], "key %zu", i);
}

Test(shadow_table, walk_removes_one_id_in_pieces)
{
	struct shadow_walk walk = { 0 };
	struct shadow_removed removed[7];
	size_t count, total = 0;

	for (size_t i = 0; i < 3000; i++)
		insert(i);
	while ((count = shadow_table_remove_some(&table, 1, &walk, removed,
						 7))) {
		for (size_t i = 0; i < count; i++) {
			size_t index =
				(size_t)((char *)removed[i].obj - objects);

			cr_assert(index % 3 == 1);
			cr_assert(removed[i].value == &values[index]);
		}
		total += count;
	}
	cr_assert(total == 1000);
	for (size_t i = 0; i < 3000; i++)
		cr_assert(find(i) == (i % 3 == 1 ? NULL : &values[i]),
			  "key %zu", i);
}

/* --- Readers in other threads ----------------------------------------- */

static atomic_bool stopping;
static atomic_ulong mistakes, look_ups;

/* Every hundredth key stays all the time, the others come and go. */
static void *read_all_the_time(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	unsigned long count = 0;

	while (!atomic_load(&stopping)) {
		size_t i = (size_t)rand_r(&seed) % KEY_COUNT;
		void *value = find(i);

		count++;
		if (value ? value != &values[i] : i % 100 == 0)
			atomic_fetch_add(&mistakes, 1);
	}
	atomic_fetch_add(&look_ups, count);
	return NULL;
}

static void come_and_go(int rounds)
{
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < KEY_COUNT; i++) {
			if (i % 100)
				insert(i);
		}
		for (size_t i = 0; i < KEY_COUNT; i++) {
			if (i % 100)
				take(i);
		}
	}
}

Test(shadow_table, readers_are_never_wrong_while_it_is_written)
{
	pthread_t readers[READER_COUNT];
	bool created = true;

	for (size_t i = 0; i < KEY_COUNT; i += 100)
		insert(i);
	for (uintptr_t i = 0; i < READER_COUNT; i++)
		created &= !pthread_create(&readers[i], NULL, read_all_the_time,
					   (void *)i);
	cr_assert(created);
	come_and_go(20);
	atomic_store(&stopping, true);
	for (int i = 0; i < READER_COUNT; i++)
		pthread_join(readers[i], NULL);
	cr_assert(atomic_load(&mistakes) == 0);
	cr_assert(atomic_load(&look_ups) > 0);
	cr_assert(table.rebuild_count > 50);
}

/* The smallest array: slots are written again under the readers' eyes. */
static void *read_few(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!atomic_load(&stopping)) {
		size_t i = (size_t)rand_r(&seed) % 40;
		void *value = find(i);

		if (value ? value != &values[i] : i == 0)
			atomic_fetch_add(&mistakes, 1);
	}
	return NULL;
}

Test(shadow_table, readers_are_never_wrong_where_slots_are_reused)
{
	pthread_t readers[READER_COUNT];
	bool created = true;

	insert(0);
	for (uintptr_t i = 0; i < READER_COUNT; i++)
		created &=
			!pthread_create(&readers[i], NULL, read_few, (void *)i);
	cr_assert(created);
	for (size_t i = 0; i < 300000; i++) {
		insert(1 + i % 39);
		take(1 + i % 39);
	}
	atomic_store(&stopping, true);
	for (int i = 0; i < READER_COUNT; i++)
		pthread_join(readers[i], NULL);
	cr_assert(atomic_load(&mistakes) == 0);
}
