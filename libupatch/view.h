/* SPDX-License-Identifier: MIT */
/*
 * A copy of the runtime's state, taken from outside: what is patched, by
 * what, and where sites and gates are.
 */
#ifndef UPATCH_VIEW_H
#define UPATCH_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "memory.h"
#include "modules.h"
#include "protocol.h"

struct view_func {
	rt_addr_t addr; /* of the rt_func in the target */
	struct rt_func_spec rt;
	char *name;
};

struct view_object {
	struct rt_object rt;
	char *name; /* NULL: the main executable */
	struct view_func *funcs;
};

struct view_patch {
	rt_addr_t addr;
	struct rt_patch rt;
	char *file;
	struct view_object *objects;
};

struct view_site {
	rt_addr_t addr;
	struct rt_site_spec rt;
};

struct view_area {
	rt_addr_t addr;
	struct rt_area rt;
};

struct view {
	struct rt_state state; /* the log included */
	struct view_patch *patches;
	size_t patch_count;
	struct view_site *sites;
	size_t site_count;
	struct view_area *areas;
	size_t area_count;
};

/*
 * Where the runtime's state is in the target; *ret_addr is 0 if the runtime
 * has not been loaded yet.  Refused, UPATCH_ERROR_CONFLICT: a runtime of
 * another layout.
 */
UPATCH_MUST_CHECK int view_find_state(const struct memory *memory,
				      const struct modules *modules,
				      upatch_addr_t *ret_addr,
				      struct upatch_error *err);

/* Consistent, or an error.  Release with view_free. */
UPATCH_MUST_CHECK int view_read(const struct memory *memory,
				upatch_addr_t state_addr, struct view *ret_view,
				struct upatch_error *err);
void view_free(struct view *view);

/* A patch that is listed: enabled or in transition. */
bool view_is_listed(const struct view_patch *patch);
/* The listed patch of that name, or NULL. */
struct view_patch *view_find_patch(const struct view *view, const char *name);
struct view_patch *view_find_patch_addr(const struct view *view,
					rt_addr_t addr);
/* The site of that address, or the one whose rt_site is there; or NULL. */
struct view_site *view_find_site(const struct view *view, uint64_t addr);
struct view_site *view_find_site_at(const struct view *view, rt_addr_t site);
unsigned int view_count_funcs(const struct view_patch *patch);
/* The function at `addr` in the target, and its patch if wanted; or NULL. */
struct view_func *view_find_func(const struct view *view, rt_addr_t addr,
				 struct view_patch **ret_patch);

#define view_for_each(entry, array, count)                                     \
	for ((entry) = (array); (entry) < (array) + (count); (entry)++)

#endif
