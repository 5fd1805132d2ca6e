/* SPDX-License-Identifier: MIT */
/*
 * Shadow variables: who may write the table when, and when the author's
 * constructors and destructors run.  None runs while a lock is held.
 */
#include "runtime.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "shadow_table.h"

#define SHARD_BITS  4
#define SHARD_COUNT (1u << SHARD_BITS)
#define BATCH	    32

/* A value whose constructor runs; on the stack of the thread that does it. */
struct pending {
	struct pending *next;
	struct shadow_key key;
	pthread_t owner;
};

/*
 * In a page that a forked child gets zeroed (MADV_WIPEONFORK): there the locks
 * are free, and nobody waits for a constructor whose thread stayed behind.
 * All zero is what PTHREAD_MUTEX_INITIALIZER and PTHREAD_COND_INITIALIZER are.
 */
struct guard {
	pthread_mutex_t mutex;
	pthread_cond_t ended; /* a constructor has */
	struct pending *pending;
};

static struct shadow_table tables[SHARD_COUNT];
static _Atomic(struct guard *) guards;

struct shard {
	struct shadow_table *table;
	struct guard *guard;
};

static unsigned int shard_index(const struct shadow_key *key)
{
	return (unsigned int)(key->hash >> (64 - SHARD_BITS));
}

/* NULL: no memory. */
static struct guard *get_guards(void)
{
	const size_t len = SHARD_COUNT * sizeof(struct guard);
	struct guard *found = atomic_load(&guards);
	struct guard *made;

	if (found)
		return found;
	made = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return NULL;
	if (madvise(made, len, MADV_WIPEONFORK)) {
		munmap(made, len);
		return NULL;
	}
	if (atomic_compare_exchange_strong(&guards, &found, made))
		return made;
	munmap(made, len);
	return found;
}

/* --- Looking ---------------------------------------------------------- */

RT_EXPORT void *upatch_shadow_get(void *obj, unsigned long id)
{
	const struct shadow_key key = shadow_table_key(obj, id);

	return shadow_table_find(&tables[shard_index(&key)], &key);
}

/* --- Attaching -------------------------------------------------------- */

/* A loop of mistakes must not push everything else out of the log. */
static void warn(const char *problem, const struct shadow_key *key)
{
	static atomic_uint warning_count;
	unsigned int count = atomic_fetch_add(&warning_count, 1) + 1;
	char text[RT_DETAIL_SIZE];

	if (count > 16 && (count & (count - 1)))
		return;
	snprintf(text, sizeof(text), "shadow variable (%p, %lu) %s", key->obj,
		 key->id, problem);
	log_warning(text);
}

static bool same_key(const struct shadow_key *a, const struct shadow_key *b)
{
	return a->obj == b->obj && a->id == b->id;
}

static struct pending *find_pending(const struct guard *guard,
				    const struct shadow_key *key)
{
	struct pending *pending = guard->pending;

	while (pending && !same_key(&pending->key, key))
		pending = pending->next;
	return pending;
}

/* In a child that was forked by its own constructor it is not there. */
static void drop_pending(struct guard *guard, const struct pending *pending)
{
	struct pending **link = &guard->pending;

	while (*link && *link != pending)
		link = &(*link)->next;
	if (*link)
		*link = pending->next;
}

enum claim {
	CLAIM_MINE, /* `own` is pending, room is reserved */
	CLAIM_EXISTS,
	CLAIM_RECURSIVE,
	CLAIM_NO_MEMORY,
};

static enum claim claim(const struct shard *shard, struct pending *own,
			void **ret_existing)
{
	struct guard *guard = shard->guard;
	const struct pending *other;
	enum claim result = CLAIM_MINE;

	pthread_mutex_lock(&guard->mutex);
	for (;;) {
		*ret_existing = shadow_table_find(shard->table, &own->key);
		other = find_pending(guard, &own->key);
		if (*ret_existing || !other ||
		    pthread_equal(other->owner, own->owner))
			break;
		pthread_cond_wait(&guard->ended, &guard->mutex);
	}
	if (*ret_existing)
		result = CLAIM_EXISTS;
	else if (other)
		result = CLAIM_RECURSIVE;
	else if (!shadow_table_reserve(shard->table))
		result = CLAIM_NO_MEMORY;
	if (result == CLAIM_MINE) {
		own->next = guard->pending;
		guard->pending = own;
	}
	pthread_mutex_unlock(&guard->mutex);
	return result;
}

static void *construct(const struct shadow_key *key, size_t size,
		       upatch_shadow_ctor ctor, void *ctor_data)
{
	void *value = calloc(1, size ? size : 1);

	if (value && ctor &&
	    ctor((void *)(uintptr_t)key->obj, value, ctor_data)) {
		free(value);
		value = NULL;
	}
	return value;
}

/*
 * `value` is NULL if nothing came of it.  Returns what is attached then: in a
 * child that was forked by the constructor, somebody may have been faster.
 */
static void *settle_claim(const struct shard *shard, struct pending *own,
			  void *value)
{
	struct guard *guard = shard->guard;
	void *existing;

	pthread_mutex_lock(&guard->mutex);
	drop_pending(guard, own);
	existing = shadow_table_find(shard->table, &own->key);
	if (value && !existing)
		shadow_table_insert(shard->table, &own->key, value);
	else
		shadow_table_unreserve(shard->table);
	pthread_cond_broadcast(&guard->ended);
	pthread_mutex_unlock(&guard->mutex);
	if (value && existing)
		free(value);
	return existing ? existing : value;
}

struct wanted {
	size_t size;
	upatch_shadow_ctor ctor;
	void *ctor_data;
	bool may_exist;
};

static void *attach(void *obj, unsigned long id, const struct wanted *wanted)
{
	struct pending own = {
		.key = shadow_table_key(obj, id),
		.owner = pthread_self(),
	};
	unsigned int index = shard_index(&own.key);
	struct guard *all = get_guards();
	struct shard shard;
	void *value;

	if (!all)
		return NULL;
	shard = (struct shard){ &tables[index], &all[index] };
	switch (claim(&shard, &own, &value)) {
	case CLAIM_MINE:
		value = construct(&own.key, wanted->size, wanted->ctor,
				  wanted->ctor_data);
		return settle_claim(&shard, &own, value);
	case CLAIM_EXISTS:
		if (wanted->may_exist)
			return value;
		warn("exists already", &own.key);
		return NULL;
	case CLAIM_RECURSIVE:
		warn("is asked for by its constructor", &own.key);
		return NULL;
	case CLAIM_NO_MEMORY:
	default:
		return NULL;
	}
}

/* A thread that is cancelled in a constructor would leave it pending. */
static void *attach_uncancelled(void *obj, unsigned long id,
				const struct wanted *wanted)
{
	int cancel_state;
	void *value;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	value = attach(obj, id, wanted);
	pthread_setcancelstate(cancel_state, NULL);
	return value;
}

RT_EXPORT void *upatch_shadow_alloc(void *obj, unsigned long id, size_t size,
				    upatch_shadow_ctor ctor, void *ctor_data)
{
	const struct wanted wanted = { size, ctor, ctor_data, false };

	return attach_uncancelled(obj, id, &wanted);
}

RT_EXPORT void *upatch_shadow_get_or_alloc(void *obj, unsigned long id,
					   size_t size, upatch_shadow_ctor ctor,
					   void *ctor_data)
{
	const struct wanted wanted = { size, ctor, ctor_data, true };
	void *value = upatch_shadow_get(obj, id);

	return value ? value : attach_uncancelled(obj, id, &wanted);
}

/* --- Detaching -------------------------------------------------------- */

static void destroy(void *obj, void *value, upatch_shadow_dtor dtor)
{
	if (dtor)
		dtor(obj, value);
	free(value);
}

RT_EXPORT void upatch_shadow_free(void *obj, unsigned long id,
				  upatch_shadow_dtor dtor)
{
	const struct shadow_key key = shadow_table_key(obj, id);
	struct guard *guard = atomic_load(&guards);
	void *value;

	if (!guard)
		return;
	guard += shard_index(&key);
	pthread_mutex_lock(&guard->mutex);
	value = shadow_table_remove(&tables[shard_index(&key)], &key);
	pthread_mutex_unlock(&guard->mutex);
	if (value)
		destroy(obj, value, dtor);
}

static void free_all_of_shard(const struct shard *shard, unsigned long id,
			      upatch_shadow_dtor dtor)
{
	struct shadow_walk walk = { 0 };
	size_t count;

	do {
		struct shadow_removed removed[BATCH];

		pthread_mutex_lock(&shard->guard->mutex);
		count = shadow_table_remove_some(shard->table, id, &walk,
						 removed, BATCH);
		pthread_mutex_unlock(&shard->guard->mutex);
		for (size_t i = 0; i < count; i++)
			destroy(removed[i].obj, removed[i].value, dtor);
	} while (count);
}

RT_EXPORT void upatch_shadow_free_all(unsigned long id, upatch_shadow_dtor dtor)
{
	struct guard *guard = atomic_load(&guards);

	for (unsigned int i = 0; guard && i < SHARD_COUNT; i++) {
		const struct shard shard = { &tables[i], &guard[i] };

		free_all_of_shard(&shard, id, dtor);
	}
}
