/* SPDX-License-Identifier: MIT */
/*
 * What a patch declares.  A patch is an ordinary shared object that describes,
 * in static data, which functions of which objects it replaces; upatchctl
 * loads it into a running process.  Nothing of ours is needed at link time:
 * the upatch_* functions below are resolved when the patch is loaded.
 */
#ifndef UPATCH_PATCH_H
#define UPATCH_PATCH_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The version of the structures below.  It travels in every patch; a runtime
 * refuses a patch whose version it does not know.
 */
#define UPATCH_INTERFACE_VERSION 1u

/* Longest name of a patch, without the terminating NUL. */
#define UPATCH_NAME_MAX 63

struct upatch_object;
struct upatch_object_private;

/* One function to replace.  The list of an object ends with an empty entry. */
struct upatch_func {
	/* Symbol to replace, as it stands in the object's symbol table. */
	const char *old_name;
	/* Its replacement. */
	void *new_func;
	/*
	 * 0: the name must be unique in the object.  n: the n-th occurrence
	 * in the order of the symbol table, counted from 1.
	 */
	unsigned long old_sympos;
	/*
	 * Redirect at once, without waiting for threads that are inside the
	 * old function.  The patch can then never be unloaded.
	 */
	bool immediate;
	/*
	 * Optional.  Receives, before pre_patch runs, a pointer through which
	 * the new function can call what ran before this patch: the function
	 * of the patch below, or the original.
	 */
	void **orig_func;
};

/*
 * A function or variable of the object that the patch uses, static ones
 * included.  The list of an object ends with an empty entry.
 */
struct upatch_symbol {
	const char *name;
	/* As old_sympos above. */
	unsigned long sympos;
	/* Where the address is stored, before pre_patch runs. */
	void **addr;
};

/*
 * All optional.  They run in an ordinary thread that holds no lock of the
 * application, so they may lock, allocate and sleep; but for an object that is
 * coming or going, in the thread that called dlopen or dlclose, which holds the
 * loader's lock: they must not wait for a thread that may want it, and while
 * an object is going nothing may be loaded or closed, or the loader ends the
 * process.  pre_patch and post_unpatch are partners, as are post_patch and
 * pre_unpatch: an unpatch callback runs only if its partner ran (post_unpatch
 * also if there is no pre_patch).
 */
struct upatch_callbacks {
	/* Before the object is redirected.  0, or -ERRNO to refuse. */
	int (*pre_patch)(struct upatch_object *obj);
	/* After every thread runs the new functions. */
	void (*post_patch)(struct upatch_object *obj);
	/* Before the object goes back. */
	void (*pre_unpatch)(struct upatch_object *obj);
	/* After no thread runs the new functions any more. */
	void (*post_unpatch)(struct upatch_object *obj);
};

/* The main executable or a shared library.  Ends with UPATCH_OBJECT_END. */
struct upatch_object {
	/* soname or file name of a library; NULL: the main executable */
	const char *name;
	/*
	 * Optional, lower-case hexadecimal: refuse an object that has
	 * another build id.
	 */
	const char *build_id;
	/* NULL: callbacks only */
	struct upatch_func *funcs;
	/* NULL: none */
	struct upatch_symbol *symbols;
	struct upatch_callbacks callbacks;
	/* The runtime's; leave it NULL. */
	struct upatch_object_private *priv;
};

/* Ends the list of objects: the empty name, as NULL is the executable. */
#define UPATCH_OBJECT_END                                                      \
	{                                                                      \
		"", NULL, NULL, NULL, { NULL, NULL, NULL, NULL }, NULL         \
	}

/* A change of the process's data that patches hand on to each other. */
struct upatch_state {
	/* 1 or larger; 0 ends the list */
	unsigned long id;
	/* A later patch must have the same version or a newer one. */
	unsigned int version;
	/* The author's. */
	void *data;
};

struct upatch_patch {
	/* [A-Za-z0-9._-]{1,63}, unique in a process */
	const char *name;
	/* optional, one line */
	const char *description;
	/* ends with UPATCH_OBJECT_END */
	struct upatch_object *objs;
	/* optional, ends with id 0 */
	struct upatch_state *states;
	/* Atomic replace: this patch supersedes all earlier ones. */
	bool replace;
	/* Every function is immediate. */
	bool immediate;
};

/*
 * What the loader of patches looks for, under the name `upatch_descriptor`.
 * Use UPATCH_PATCH to define it.
 */
struct upatch_descriptor {
	char magic[8];
	unsigned int interface_version;
	/* sizeof(struct upatch_patch) of the compiler that built the patch */
	unsigned int patch_size;
	struct upatch_patch *patch;
};

#define UPATCH_DESCRIPTOR_MAGIC "UPATCH\n"

extern struct upatch_descriptor upatch_descriptor
	__attribute__((visibility("default")));

/*
 * Exactly once per shared object, at file scope:
 *
 *	static struct upatch_patch fix = { ... };
 *	UPATCH_PATCH(fix);
 */
#define UPATCH_PATCH(patch_variable)                                           \
	struct upatch_descriptor upatch_descriptor = {                         \
		UPATCH_DESCRIPTOR_MAGIC,                                       \
		UPATCH_INTERFACE_VERSION,                                      \
		(unsigned int)sizeof(struct upatch_patch),                     \
		&(patch_variable),                                             \
	}

enum upatch_object_phase {
	/* The object was there when the patch was applied or reverted. */
	UPATCH_OBJECT_LIVE,
	/* It is being loaded; its constructors have not run. */
	UPATCH_OBJECT_COMING,
	/* It is being unloaded; its destructors have run. */
	UPATCH_OBJECT_GOING
};

/* For callbacks: why this one runs. */
enum upatch_object_phase upatch_object_phase(const struct upatch_object *obj);

/* --- Shadow variables ------------------------------------------------- */
/*
 * A value attached to (obj, id), without a change to the layout of what `obj`
 * points to; `obj` is only compared, never followed.  One table per process:
 * patches that use the same id share the value.  Nothing is freed
 * automatically; the table outlives the patches that filled it.
 */

/* 0, or -ERRNO: nothing is attached then. */
typedef int (*upatch_shadow_ctor)(void *obj, void *shadow_data,
				  void *ctor_data);
typedef void (*upatch_shadow_dtor)(void *obj, void *shadow_data);

/* The value, or NULL.  Never waits for a constructor. */
void *upatch_shadow_get(void *obj, unsigned long id);
/*
 * Attaches `size` zeroed bytes; ctor (optional) runs once, before anybody can
 * see them.  NULL: out of memory, ctor failed, or there is a value already.
 */
void *upatch_shadow_alloc(void *obj, unsigned long id, size_t size,
			  upatch_shadow_ctor ctor, void *ctor_data);
/* The value that is there, or a new one as by upatch_shadow_alloc. */
void *upatch_shadow_get_or_alloc(void *obj, unsigned long id, size_t size,
				 upatch_shadow_ctor ctor, void *ctor_data);
/* Detaches the value, runs dtor (optional), frees it.  None: nothing. */
void upatch_shadow_free(void *obj, unsigned long id, upatch_shadow_dtor dtor);
/* The same for every obj that has a value under `id`. */
void upatch_shadow_free_all(unsigned long id, upatch_shadow_dtor dtor);

/* --- System states ---------------------------------------------------- */

/* The patch's own entry for `id`, or NULL. */
struct upatch_state *upatch_get_state(const struct upatch_patch *patch,
				      unsigned long id);
/*
 * During a transition: the newest entry for `id` among the patches that were
 * enabled before the one in transition.  NULL: none, or no transition.
 */
struct upatch_state *upatch_get_prev_state(unsigned long id);

#ifdef __cplusplus
}
#endif

#endif
