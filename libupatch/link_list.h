/* SPDX-License-Identifier: MIT */
/*
 * The loader's list of what it has loaded: r_debug and its link_maps
 * (<link.h>; glibc, "The rendezvous with debuggers").
 */
#ifndef UPATCH_LINK_LIST_H
#define UPATCH_LINK_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "memory.h"

/* What one struct link_map says. */
struct link_node {
	upatch_addr_t link_map;
	upatch_addr_t bias;
	upatch_addr_t name;
	upatch_addr_t dynamic;
	uint64_t link_namespace;
};

struct link_list {
	struct link_node *nodes;
	size_t count;
};

enum link_list_state {
	LINK_LIST_OK,
	/* the loader has not set it up yet */
	LINK_LIST_STARTING,
	/* the loader is adding or removing something */
	LINK_LIST_CHANGING,
	/* unreadable, endless or too long: most likely it changed meanwhile */
	LINK_LIST_BROKEN,
	LINK_LIST_NO_MEMORY,
};

/* *ret_list is the caller's; release with link_list_free. */
enum link_list_state link_list_read(const struct memory *memory,
				    upatch_addr_t r_debug,
				    struct link_list *ret_list);
void link_list_free(struct link_list *list);
bool link_list_is_equal(const struct link_list *one,
			const struct link_list *other);

#endif
