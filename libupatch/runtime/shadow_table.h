/* SPDX-License-Identifier: MIT */
/*
 * A hash table from (obj, id) to a value.  One writer at a time, any number of
 * readers that take no lock, also while the table is rebuilt.
 */
#ifndef UPATCH_SHADOW_TABLE_H
#define UPATCH_SHADOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHADOW_CACHE_LINE 64
/* Arrays of each size from 2^7 slots on: the one in use and one to spare. */
#define SHADOW_SPARES_MAX 64

struct shadow_key {
	const void *obj;
	unsigned long id;
	uint64_t hash;
};

/* An array's address, which is that of a page, plus log2 of its slot count. */
typedef uint64_t shadow_array_t;

/* All zero is the empty table. */
struct shadow_table {
	/* What readers read: a line that only rebuilding writes. */
	_Alignas(SHADOW_CACHE_LINE) _Atomic(shadow_array_t) array;
	/* Grows after `array` has changed, before the old one is emptied. */
	_Atomic(uint64_t) rebuild_count;
	/* The writer's. */
	_Alignas(SHADOW_CACHE_LINE) uint64_t last_version;
	size_t live_count; /* slots that hold a value */
	size_t used_count; /* or have held one since the last rebuild */
	size_t reserved_count;
	_Atomic(size_t) spare_count;
	_Atomic(shadow_array_t) spares[SHADOW_SPARES_MAX];
};

/* Two rounds of multiplying and folding: each bit of both depends on all. */
static inline struct shadow_key shadow_table_key(const void *obj,
						 unsigned long id)
{
	const uint64_t factor = 0xd6e8feb86659fd93;
	uint64_t hash = (uintptr_t)obj ^ (id * 0x9e3779b97f4a7c15);

	hash = (hash ^ (hash >> 32)) * factor;
	hash = (hash ^ (hash >> 32)) * factor;
	hash ^= hash >> 32;
	return (struct shadow_key){ obj, id, hash };
}

/*
 * For readers, at any time, also in signal handlers: the value that was there
 * at some moment of the call, or NULL.  Never waits.
 */
void *shadow_table_find(const struct shadow_table *table,
			const struct shadow_key *key);

/* --- For the writer: one at a time ------------------------------------ */

/* Room for one more value, until insert or unreserve.  False: no memory. */
bool shadow_table_reserve(struct shadow_table *table);
void shadow_table_unreserve(struct shadow_table *table);
/* Needs a reservation, and a key that is not there. */
void shadow_table_insert(struct shadow_table *table,
			 const struct shadow_key *key, void *value);
/* The value that was there, now the caller's; or NULL. */
void *shadow_table_remove(struct shadow_table *table,
			  const struct shadow_key *key);

struct shadow_removed {
	void *obj;
	void *value;
};

/* Where a walk over the table is; starts as all zero. */
struct shadow_walk {
	shadow_array_t array;
	size_t index;
};

/*
 * Removes values under `id`, at most `max`, and says how many.  0: the end.
 * Between the calls others may write; what they add may be missed.
 */
size_t shadow_table_remove_some(struct shadow_table *table, unsigned long id,
				struct shadow_walk *walk,
				struct shadow_removed *ret_removed, size_t max);

#endif
