/* SPDX-License-Identifier: MIT */
/* The loader's list of what it has loaded: r_debug and its link_maps. */
#include "link_list.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

/* So that a list that was damaged, or leads in a circle, ends. */
#define MAX_NODES      4096
#define MAX_NAMESPACES 64

static enum link_list_state append(struct link_list *list,
				   const struct link_node *node)
{
	if (list->count == MAX_NODES)
		return LINK_LIST_BROKEN;
	/* Grows at each power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t size = list->count == 0 ? 1 : 2 * list->count;
		struct link_node *bigger =
			realloc(list->nodes, size * sizeof(*bigger));

		if (!bigger)
			return LINK_LIST_NO_MEMORY;
		list->nodes = bigger;
	}
	list->nodes[list->count++] = *node;
	return LINK_LIST_OK;
}

/* All that hangs on one r_debug, that is, one namespace. */
static enum link_list_state read_namespace(const struct memory *memory,
					   const struct r_debug *r_debug,
					   uint64_t link_namespace,
					   struct link_list *list)
{
	upatch_addr_t at = (upatch_addr_t)r_debug->r_map;

	while (at != 0) {
		enum link_list_state state;
		struct link_node node;
		struct link_map local;

		if (memory_read_some(memory, at, &local, sizeof(local)) !=
		    sizeof(local))
			return LINK_LIST_BROKEN;
		node = (struct link_node){
			.link_map = at,
			.bias = local.l_addr,
			.name = (upatch_addr_t)local.l_name,
			.dynamic = (upatch_addr_t)local.l_ld,
			.link_namespace = link_namespace,
		};
		state = append(list, &node);
		if (state != LINK_LIST_OK)
			return state;
		at = (upatch_addr_t)local.l_next;
	}
	return LINK_LIST_OK;
}

/*
 * glibc 2.35 has one r_debug_extended per namespace; before, and where
 * r_version is 1, the other namespaces cannot be seen.
 */
static bool read_r_debug(const struct memory *memory, upatch_addr_t addr,
			 struct r_debug *ret_r_debug, upatch_addr_t *ret_next)
{
	struct {
		struct r_debug base;
		uint64_t next;
	} extended;

	if (memory_read_some(memory, addr, &extended.base,
			     sizeof(extended.base)) != sizeof(extended.base))
		return false;
	extended.next = 0;
	if (extended.base.r_version >= 2 &&
	    memory_read_some(memory, addr, &extended, sizeof(extended)) !=
		    sizeof(extended))
		return false;
	*ret_r_debug = extended.base;
	*ret_next = extended.next;
	return true;
}

static enum link_list_state read_list(const struct memory *memory,
				      upatch_addr_t r_debug,
				      struct link_list *list)
{
	upatch_addr_t at = r_debug;

	for (uint64_t i = 0; at != 0; i++) {
		enum link_list_state state;
		struct r_debug local;

		if (i == MAX_NAMESPACES ||
		    !read_r_debug(memory, at, &local, &at))
			return LINK_LIST_BROKEN;
		if (i == 0 && (local.r_version == 0 || !local.r_map))
			return LINK_LIST_STARTING;
		if (local.r_state != RT_CONSISTENT)
			return LINK_LIST_CHANGING;
		state = read_namespace(memory, &local, i, list);
		if (state != LINK_LIST_OK)
			return state;
	}
	return LINK_LIST_OK;
}

enum link_list_state link_list_read(const struct memory *memory,
				    upatch_addr_t r_debug,
				    struct link_list *ret_list)
{
	struct link_list list = { NULL, 0 };
	enum link_list_state state = read_list(memory, r_debug, &list);

	if (state == LINK_LIST_OK)
		*ret_list = list;
	else
		link_list_free(&list);
	return state;
}

void link_list_free(struct link_list *list)
{
	free(list->nodes);
	list->nodes = NULL;
	list->count = 0;
}

bool link_list_is_equal(const struct link_list *one,
			const struct link_list *other)
{
	return one->count == other->count &&
	       memcmp(one->nodes, other->nodes,
		      one->count * sizeof(*one->nodes)) == 0;
}
