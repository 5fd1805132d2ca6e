/* SPDX-License-Identifier: MIT */
/*
 * System states: what patches hand on to each other.  The answers that other
 * threads may ask for are collected once per transition, as the list of
 * patches belongs to the agent.
 */
#include "runtime.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The id is ours: the patch may be unloaded before a slow reader gets to it. */
struct entry {
	unsigned long id;
	struct upatch_state *state;
};

/* Of the patches before the one that moves, in the order of enabling. */
struct previous {
	struct previous *next_retired;
	size_t count;
	struct entry entries[];
};

/* NULL: none, or no transition */
static _Atomic(struct previous *) previous;
/* Threads that may be reading what `previous` has led them to. */
static atomic_uint reader_count;
static struct previous *retired;

/* What `patch` hands on, to `entries` unless it is NULL; returns how many. */
static size_t list_states(const struct rt_patch *patch, struct entry *entries)
{
	const struct upatch_patch *author = rt_ptr(patch->author);
	struct upatch_state *states = author->states;
	size_t count = 0;

	if (patch->state != RT_PATCH_ENABLED)
		return 0;
	for (; states && states[count].id; count++) {
		if (entries)
			entries[count] = (struct entry){ states[count].id,
							 &states[count] };
	}
	return count;
}

static size_t list_previous(const struct rt_patch *moving,
			    struct entry *entries)
{
	const struct rt_patch *patch = rt_ptr(upatch_runtime_state.patches);
	size_t count = 0;

	for (; patch != moving; patch = rt_ptr(patch->next))
		count += list_states(patch, entries ? entries + count : NULL);
	return count;
}

/*
 * Who reads, counts first and looks at `previous` then: when nobody is counted
 * after it was taken away, nobody has it.  In a child that was forked from
 * under a reader, what is retired stays.
 */
void system_state_close(void)
{
	struct previous *all = atomic_exchange(&previous, NULL);

	if (all) {
		all->next_retired = retired;
		retired = all;
	}
	if (atomic_load(&reader_count))
		return;
	while (retired) {
		all = retired;
		retired = all->next_retired;
		free(all);
	}
}

int system_state_open(const struct rt_patch *moving)
{
	size_t count = list_previous(moving, NULL);
	struct previous *all;

	/* A child that was forked during a transition's callbacks has some. */
	system_state_close();
	if (!count)
		return 0;
	all = calloc(1, sizeof(*all) + count * sizeof(all->entries[0]));
	if (!all)
		return -ENOMEM;
	all->count = list_previous(moving, all->entries);
	atomic_store(&previous, all);
	return 0;
}

static struct upatch_state *find_newest(const struct previous *all,
					unsigned long id)
{
	for (size_t i = all->count; i > 0; i--) {
		if (all->entries[i - 1].id == id)
			return all->entries[i - 1].state;
	}
	return NULL;
}

RT_EXPORT struct upatch_state *upatch_get_prev_state(unsigned long id)
{
	struct upatch_state *found = NULL;
	const struct previous *all;

	atomic_fetch_add(&reader_count, 1);
	all = atomic_load(&previous);
	if (all)
		found = find_newest(all, id);
	atomic_fetch_sub(&reader_count, 1);
	return found;
}

RT_EXPORT struct upatch_state *
upatch_get_state(const struct upatch_patch *patch, unsigned long id)
{
	struct upatch_state *states = patch->states;

	for (; states && states->id; states++) {
		if (states->id == id)
			return states;
	}
	return NULL;
}
