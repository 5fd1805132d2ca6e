/* SPDX-License-Identifier: MIT */
/*
 * What applying a patch to a target means: which objects are there, which
 * function is meant by each name, and whether its code can be redirected.
 * Made by reading alone.
 */
#ifndef UPATCH_PLAN_H
#define UPATCH_PLAN_H

#include "arch/arch.h"
#include "arch/clobber.h"
#include "findings.h"
#include "object_code.h"
#include "patch_file.h"
#include "process.h"
#include "view.h"

struct plan_func {
	uint32_t object, index; /* in the patch */
	const struct patch_func *declared;
	struct symbol symbol;
	struct arch_entry entry;
	struct rt_range ranges[RT_RANGES]; /* of the original */
	uint32_t range_count;
	struct clobber old_clobber, new_clobber;
	bool shielded;
	struct clobber_set kept; /* by the shield */
	char **aliases;		 /* NULL-terminated, or NULL */
};

struct plan_symbol {
	uint32_t object, index;
	upatch_addr_t addr;
};

struct plan_object {
	const struct patch_object *declared;
	/* Of the process's own list, which is read again when it is entered. */
	bool is_loaded;
	upatch_addr_t link_map; /* 0: the main executable, or a file */
	upatch_addr_t bias;
};

/* A function of the loader that tells of libraries (runtime/hooks.c). */
struct plan_hook {
	enum rt_hook hook;
	struct arch_entry entry;
};

#define PLAN_HOOKS 2

struct plan_hooks {
	/* False: libraries that come later are not covered. */
	bool are_possible;
	upatch_addr_t r_debug, signal_error;
	struct plan_hook hooks[PLAN_HOOKS];
};

struct plan {
	struct plan_object *objects;
	size_t object_count;
	struct plan_func *funcs;
	size_t func_count;
	struct plan_symbol *symbols;
	size_t symbol_count;
	struct plan_hooks hooks;
	struct findings findings;
};

/*
 * Every problem found is in plan->findings; what is returned is only that the
 * looking itself failed.  `view` is NULL for a target without a runtime.
 * Release with plan_free, also after a failure.
 */
UPATCH_MUST_CHECK int plan_make(struct process *process,
				const struct view *view,
				const struct upatch_patch_file *file,
				struct plan *plan, struct upatch_error *err);
/*
 * The same for an executable or library that is not loaded: addresses are
 * those in the file.  The patch's other objects are not looked at.
 */
UPATCH_MUST_CHECK int plan_make_for_file(const char *path,
					 const struct upatch_patch_file *file,
					 struct plan *plan,
					 struct upatch_error *err);
void plan_free(struct plan *plan);

#endif
