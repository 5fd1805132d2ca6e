/* SPDX-License-Identifier: MIT */
/*
 * What install.c of a controller does for libraries that are there, done by
 * the runtime itself for one that comes: gates, originals, jumps.
 */
#ifndef UPATCH_RUNTIME_PLACE_H
#define UPATCH_RUNTIME_PLACE_H

#include "../arch/arch.h"
#include "object_symbols.h"
#include "runtime.h"

#define PLACEMENT_PIECES 16

struct placement_func {
	uint64_t addr, size;
	struct arch_entry entry;
	/* what the compiler split off it */
	struct rt_range pieces[PLACEMENT_PIECES];
	uint32_t piece_count;
};

struct placement {
	struct placement_func *funcs; /* beside the object's functions */
	uint32_t func_count;
};

/*
 * Finds the functions in the library and decides whether they can be
 * redirected.  Changes nothing.  0, or -errno and the reason.
 */
int place_plan(const struct rt_object *object,
	       const struct object_symbols *symbols,
	       struct placement *ret_placement, char *text, size_t size);
void place_free(struct placement *placement);

/*
 * Registers sites and functions and pushes the functions on their sites; the
 * state is being changed by the caller.  After a failure nothing is there.
 */
int place_install(struct rt_object *object, const struct placement *placement,
		  char *text, size_t size);
/* Redirects.  Nobody runs the library's code yet. */
int place_write_jumps(struct rt_object *object);
/* Forgets the object's functions, and the sites that nobody else needs. */
void place_remove(struct rt_object *object);

#endif
