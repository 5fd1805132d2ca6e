/* SPDX-License-Identifier: MIT */
/* Where the own stacks of threads are, as they were found at a stop. */
#include "own_stacks.h"

#include <stdlib.h>

static struct own_stack *find(struct own_stacks *own, pid_t tid)
{
	for (size_t i = 0; i < own->count; i++) {
		struct own_stack *stack =
			&own->stacks[(own->next + i) % own->count];

		if (stack->tid != tid)
			continue;
		own->next = (size_t)(stack - own->stacks) + 1;
		return stack;
	}
	return NULL;
}

static struct own_stack *add(struct own_stacks *own)
{
	if (own->count == own->capacity) {
		size_t capacity = own->capacity ? 2 * own->capacity : 16;
		struct own_stack *stacks =
			realloc(own->stacks, capacity * sizeof(*stacks));

		if (!stacks)
			return NULL;
		own->stacks = stacks;
		own->capacity = capacity;
	}
	return &own->stacks[own->count++];
}

void own_stacks_note(struct own_stacks *own, pid_t tid,
		     const struct addr_range *range)
{
	struct own_stack *stack = find(own, tid);

	if (!stack)
		stack = add(own);
	if (stack)
		*stack = (struct own_stack){ tid, *range };
}

bool own_stacks_find(struct own_stacks *own, pid_t tid,
		     struct addr_range *ret_range)
{
	const struct own_stack *stack = find(own, tid);

	if (stack)
		*ret_range = stack->range;
	return stack;
}

void own_stacks_free(struct own_stacks *own)
{
	free(own->stacks);
	*own = (struct own_stacks){ 0 };
}
