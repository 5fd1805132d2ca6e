/* SPDX-License-Identifier: MIT */
/* Which libraries does the dlclose that is under way take away? */
#ifndef UPATCH_RUNTIME_LEAVING_H
#define UPATCH_RUNTIME_LEAVING_H

#include <link.h>
#include <stdbool.h>

enum leaving {
	LEAVING_NOT,
	LEAVING_NOW,
	/* it exports nothing that one could look up */
	LEAVING_UNKNOWN,
};

/*
 * Learns from the map of the program how the loader keeps its lists.  False:
 * in no way that is known.
 */
bool leaving_init(const struct link_map *program);
/* In RT_DELETE, with the loader's lock held. */
enum leaving leaving_find(struct link_map *map);

#endif
