/* SPDX-License-Identifier: MIT */
/*
 * Open addressing with linear probing.  Readers check by versions what they
 * have read, so the memory of an array may be emptied and used again at any
 * time; its address range is never given back.
 */
#include "shadow_table.h"

#include <stdatomic.h>
#include <sys/mman.h>

/*
 *	version       value     the slot
 *	0             -         has never been used: probing ends here
 *	VERSION_BUSY  -         is being written: not there yet
 *	even          NULL      its value was removed: probing goes on
 *	even          other     holds a value
 *
 * No version is used twice in a table: the same version before and after
 * means that what was read in between belongs together.
 */
struct slot {
	_Atomic(uint64_t) version;
	_Atomic(const void *) obj;
	_Atomic(unsigned long) id;
	_Atomic(void *) value;
};
#define VERSION_BUSY 1u

#define PAGE_MASK     0xfffUL
#define SMALLEST      7u /* one page */
#define LARGEST	      38u
#define HUGE_PAGE_LEN (2UL << 20)

_Static_assert(sizeof(struct slot) << SMALLEST == PAGE_MASK + 1,
	       "the smallest array is a page");

static struct slot *slots_of(shadow_array_t array)
{
	return (struct slot *)(uintptr_t)(array & ~PAGE_MASK);
}

static unsigned int log2_of(shadow_array_t array)
{
	return (unsigned int)(array & PAGE_MASK);
}

static size_t mask_of(shadow_array_t array)
{
	return ((size_t)1 << log2_of(array)) - 1;
}

static size_t slot_count(shadow_array_t array)
{
	return array ? mask_of(array) + 1 : 0;
}

/* --- Reading ---------------------------------------------------------- */

enum look {
	LOOK_FOUND,
	LOOK_OTHER,
	LOOK_END,
};

/* What is acquired keeps its order with the second look at the version. */
static inline enum look look_at(const struct slot *slot,
				const struct shadow_key *key, void **ret_value)
{
	uint64_t version;
	void *value;

	do {
		version = atomic_load_explicit(&slot->version,
					       memory_order_acquire);
		if (!version)
			return LOOK_END;
		if (version == VERSION_BUSY ||
		    atomic_load_explicit(&slot->obj, memory_order_acquire) !=
			    key->obj ||
		    atomic_load_explicit(&slot->id, memory_order_acquire) !=
			    key->id)
			return LOOK_OTHER;
		value = atomic_load_explicit(&slot->value,
					     memory_order_acquire);
	} while (atomic_load_explicit(&slot->version, memory_order_relaxed) !=
		 version);
	if (!value)
		return LOOK_OTHER;
	*ret_value = value;
	return LOOK_FOUND;
}

/* Inlined: the fewer instructions, the more searches wait for memory at once. */
static inline __attribute__((always_inline)) struct slot *
probe(shadow_array_t array, const struct shadow_key *key, void **ret_value)
{
	struct slot *slots = slots_of(array);
	size_t mask = mask_of(array);

	for (size_t i = 0; i <= mask; i++) {
		struct slot *slot = &slots[(key->hash + i) & mask];
		enum look look = look_at(slot, key, ret_value);

		if (look == LOOK_FOUND)
			return slot;
		if (look == LOOK_END)
			break;
	}
	return NULL;
}

/*
 * In an array that was emptied meanwhile nothing is found; then the count has
 * changed.  What is found is right even there: it was in the table when the
 * search began, or is in the one that is about to be published.
 */
void *shadow_table_find(const struct shadow_table *table,
			const struct shadow_key *key)
{
	uint64_t seen;
	void *value;

	do {
		shadow_array_t array;

		seen = atomic_load_explicit(&table->rebuild_count,
					    memory_order_acquire);
		array = atomic_load_explicit(&table->array,
					     memory_order_acquire);
		if (array && probe(array, key, &value))
			return value;
	} while (atomic_load_explicit(&table->rebuild_count,
				      memory_order_relaxed) != seen);
	return NULL;
}

/* --- Rebuilding ------------------------------------------------------- */

static size_t array_len(unsigned int log2)
{
	return sizeof(struct slot) << log2;
}

/* After a fork between the two stores, one array is lost, none is there twice. */
static shadow_array_t take_spare(struct shadow_table *table, size_t index)
{
	shadow_array_t array = table->spares[index];
	shadow_array_t last = table->spares[table->spare_count - 1];

	table->spare_count--;
	table->spares[index] = last;
	return array;
}

static shadow_array_t take_array(struct shadow_table *table, unsigned int log2)
{
	void *start;

	for (size_t i = 0; i < table->spare_count; i++) {
		if (log2_of(table->spares[i]) == log2)
			return take_spare(table, i);
	}
	if (log2 > LARGEST)
		return 0;
	start = mmap(NULL, array_len(log2), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return 0;
	/* All of it is used, in no order: fewer misses of the TLB. */
	if (array_len(log2) >= HUGE_PAGE_LEN)
		(void)madvise(start, array_len(log2), MADV_HUGEPAGE);
	return (uintptr_t)start | log2;
}

static void empty_slots(shadow_array_t array)
{
	struct slot *slots = slots_of(array);

	for (size_t i = 0; i < slot_count(array); i++) {
		atomic_store_explicit(&slots[i].version, 0,
				      memory_order_relaxed);
		atomic_store_explicit(&slots[i].value, NULL,
				      memory_order_relaxed);
	}
}

/*
 * Readers may still be in it: they find unused slots from now on.  Pages that
 * the program has locked cannot be dropped, see madvise(2).
 */
static void retire_array(struct shadow_table *table, shadow_array_t array)
{
	if (madvise(slots_of(array), array_len(log2_of(array)), MADV_DONTNEED))
		empty_slots(array);
	table->spares[table->spare_count] = array;
	table->spare_count++;
}

/* BUSY is what a fork in the middle of another thread's insert leaves. */
static bool holds_value(const struct slot *slot)
{
	uint64_t version =
		atomic_load_explicit(&slot->version, memory_order_relaxed);

	return version && version != VERSION_BUSY &&
	       atomic_load_explicit(&slot->value, memory_order_relaxed);
}

static void write_slot(struct slot *slot, const void *obj, unsigned long id,
		       void *value, uint64_t version)
{
	atomic_store_explicit(&slot->version, VERSION_BUSY,
			      memory_order_relaxed);
	atomic_store_explicit(&slot->obj, obj, memory_order_release);
	atomic_store_explicit(&slot->id, id, memory_order_release);
	atomic_store_explicit(&slot->value, value, memory_order_release);
	atomic_store_explicit(&slot->version, version, memory_order_release);
}

static struct slot *find_free(shadow_array_t array, uint64_t hash)
{
	struct slot *slots = slots_of(array);
	size_t mask = mask_of(array);

	while (holds_value(&slots[hash & mask]))
		hash++;
	return &slots[hash & mask];
}

static size_t copy_values(shadow_array_t from, shadow_array_t to)
{
	struct slot *slots = slots_of(from);
	size_t copied = 0;

	for (size_t i = 0; i < slot_count(from); i++) {
		struct slot *slot = &slots[i];
		struct shadow_key key;

		if (!holds_value(slot))
			continue;
		key = shadow_table_key(slot->obj, slot->id);
		write_slot(find_free(to, key.hash), key.obj, key.id,
			   slot->value, slot->version);
		copied++;
	}
	return copied;
}

/*
 * The old array is complete until the new one is published, and the new one
 * from then on: a fork at any point leaves one or the other.
 */
static bool rebuild(struct shadow_table *table, unsigned int log2)
{
	shadow_array_t old = table->array;
	shadow_array_t array = take_array(table, log2);

	if (!array)
		return false;
	table->live_count = copy_values(old, array);
	atomic_store_explicit(&table->array, array, memory_order_release);
	table->used_count = table->live_count;
	atomic_fetch_add_explicit(&table->rebuild_count, 1,
				  memory_order_release);
	if (old)
		retire_array(table, old);
	return true;
}

/* A third full at most, so that it lasts. */
static unsigned int fitting_log2(size_t count)
{
	unsigned int log2 = SMALLEST;

	while (3 * count > (size_t)1 << log2)
		log2++;
	return log2;
}

/* --- Writing ---------------------------------------------------------- */

/*
 * Probing is short up to two thirds, and ends as there are unused slots.  Room
 * is reserved before a constructor runs: nothing could undo that afterwards.
 */
bool shadow_table_reserve(struct shadow_table *table)
{
	size_t wanted = table->used_count + table->reserved_count + 1;

	if (3 * wanted > 2 * slot_count(table->array) &&
	    !rebuild(table, fitting_log2(table->live_count +
					 table->reserved_count + 1)))
		return false;
	table->reserved_count++;
	return true;
}

void shadow_table_unreserve(struct shadow_table *table)
{
	table->reserved_count--;
}

void shadow_table_insert(struct shadow_table *table,
			 const struct shadow_key *key, void *value)
{
	struct slot *slot = find_free(table->array, key->hash);

	table->reserved_count--;
	table->live_count++;
	if (!atomic_load_explicit(&slot->version, memory_order_relaxed))
		table->used_count++;
	table->last_version += 2;
	write_slot(slot, key->obj, key->id, value, table->last_version);
}

static void clear(struct shadow_table *table, struct slot *slot)
{
	atomic_store_explicit(&slot->value, NULL, memory_order_release);
	table->live_count--;
}

/* Without memory it stays as large as it is. */
static void shrink(struct shadow_table *table)
{
	unsigned int log2 =
		fitting_log2(table->live_count + table->reserved_count);

	if (log2 + 2 < log2_of(table->array))
		(void)rebuild(table, log2);
}

void *shadow_table_remove(struct shadow_table *table,
			  const struct shadow_key *key)
{
	struct slot *slot = NULL;
	void *value;

	if (table->array)
		slot = probe(table->array, key, &value);
	if (!slot)
		return NULL;
	clear(table, slot);
	shrink(table);
	return value;
}

size_t shadow_table_remove_some(struct shadow_table *table, unsigned long id,
				struct shadow_walk *walk,
				struct shadow_removed *ret_removed, size_t max)
{
	struct slot *slots = slots_of(table->array);
	size_t count = 0;

	if (walk->array != table->array)
		*walk = (struct shadow_walk){ .array = table->array };
	for (; count < max && walk->index < slot_count(table->array);
	     walk->index++) {
		struct slot *slot = &slots[walk->index];

		if (!holds_value(slot) || slot->id != id)
			continue;
		ret_removed[count].obj = (void *)(uintptr_t)slot->obj;
		ret_removed[count++].value = slot->value;
		clear(table, slot);
	}
	if (!count)
		shrink(table);
	return count;
}
