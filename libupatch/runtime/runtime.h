/* SPDX-License-Identifier: MIT */
/*
 * The parts of the runtime, which lives in the target and uses its libc alone.
 * See protocol.h for the layout of the state, and for who changes it.
 */
#ifndef UPATCH_RUNTIME_H
#define UPATCH_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include <upatch/patch.h>
#include <upatch/upatch.h>

#include "../protocol.h"
#include "descriptor.h"

#define RT_EXPORT __attribute__((visibility("default")))

static inline void *rt_ptr(rt_addr_t addr)
{
	return (void *)(uintptr_t)addr;
}

static inline rt_addr_t rt_addr(const void *pointer)
{
	return (rt_addr_t)(uintptr_t)pointer;
}

#define rt_for_each(entry, head)                                               \
	for ((entry) = rt_ptr(head); (entry); (entry) = rt_ptr((entry)->next))

/* `table` is a variable for it. */
#define rt_for_each_site(site, table)                                          \
	rt_for_each(table,                                                     \
		    upatch_runtime_state                                       \
			    .sites) for ((site) = (table)->sites;              \
					 (site) <                              \
					 (table)->sites + RT_TABLE_SITES;      \
					 (site)++) if ((site)->addr)

extern struct rt_state upatch_runtime_state;
extern struct rt_log_unit upatch_runtime_log[RT_LOG_UNITS];

extern __thread struct rt_thread state_thread
	__attribute__((tls_model("initial-exec")));

/* --- state.c: a reader sees the state before or after, never between ---- */
void state_init(void);
/*
 * Held by whoever changes the state: the agent, or a thread in dlopen or
 * dlclose.  The latter holds the loader's lock as well, so the agent must not
 * call the loader, or the author's callbacks, while it holds this one.
 */
void state_lock(void);
void state_unlock(void);
bool state_is_locked_by_me(void);
/*
 * Around a callback: tells who runs it; unlocks in the agent.  One callback
 * can run inside another, if that loads a library.
 */
void state_leave_for_callback(const struct rt_object *object,
			      enum rt_callback callback,
			      struct rt_call *ret_outer);
void state_return_from_callback(const struct rt_call *outer);
void state_change_begin(void);
void state_change_end(void);
void state_end_change_of_parent(void);
/* The moved word that new threads start with. */
void state_set_moved_image(uint32_t id);
/* Until it is set again nobody moves himself. */
void state_drop_sought(void);
int state_set_sought(const struct rt_range *ranges, uint32_t count, bool first,
		     bool last);

/* --- log.c: from any thread, without a lock ------------------------------ */
void log_patch(enum upatch_event event, const struct rt_patch *patch);
void log_direction(enum upatch_event event, const struct rt_patch *patch,
		   enum rt_direction direction);
void log_callback(const struct rt_patch *patch, const struct rt_object *object,
		  enum rt_callback callback, const int *ret);
void log_callback_failed(const struct rt_patch *patch,
			 const struct rt_object *object, int ret);
void log_object(enum upatch_event event, const struct rt_patch *patch,
		const struct rt_object *object, const char *detail);
void log_detail(enum upatch_event event, const struct rt_patch *patch,
		const char *detail);
/* Concerns no patch, or nobody knows which. */
void log_warning(const char *detail);

/* --- patch.c: a patch's .so and its model ------------------------------ */
int patch_load(int fd, const char *file, uint32_t seq,
	       struct rt_patch **ret_patch, char *text, size_t text_size);
void patch_unload(struct rt_patch *patch);
void patch_append(struct rt_patch *patch);
/* Enabled, or about to be, or not quite disabled. */
bool patch_is_listed(const struct rt_patch *patch);
bool patch_names_library(const struct rt_patch *patch);
struct rt_object *patch_objects(const struct rt_patch *patch);
struct rt_func *patch_funcs(const struct rt_object *object);

/* --- object.c: callbacks ------------------------------------------------ */
int object_pre_patch(struct rt_patch *patch, struct rt_object *object);
void object_post_patch(struct rt_patch *patch, struct rt_object *object);
void object_pre_unpatch(struct rt_patch *patch, struct rt_object *object);
void object_post_unpatch(struct rt_patch *patch, struct rt_object *object);

/* --- site.c: sites and versions ------------------------------------------ */
struct rt_site *site_find(uint64_t addr);
/* *ret_site: the site; NULL: nobody asks. */
int site_register(const struct rt_site_spec *wanted, struct rt_site **ret_site);
int site_add_func(struct rt_patch *patch, uint32_t object, uint32_t index,
		  const struct rt_func_spec *found);
/* As in place_free, no address stays behind. */
void site_free_parts(rt_addr_t parts, uint32_t count);
void site_push_patch(struct rt_patch *patch);
void site_drop_patch(struct rt_patch *patch);
void site_drop_func(struct rt_func *func);
/* The code that it is in leaves the process. */
void site_forget(struct rt_site *site);
void site_drop_unneeded_hooks(void);
void site_mark_installed(void);
void site_mark_removed(void);
int area_map(rt_addr_t addr, uint64_t code_len, uint64_t data_len,
	     bool is_of_runtime, struct rt_area **ret_area);

/* --- transition.c -------------------------------------------------------- */
int transition_enable(struct rt_patch *patch, uint32_t *ret_object);
void transition_cancel(struct rt_patch *patch);
int transition_disable(struct rt_patch *patch);
int transition_start(void);
int transition_reverse(void);
int transition_force(void);
int transition_settle(void);
int transition_finish(void);
/* Settled, and its callbacks have not run. */
bool transition_is_unfinished(const struct rt_patch *patch);
/* The controller is gone: into a state in which the target can stay. */
void transition_abandon(void);

/* --- system_state.c -------------------------------------------------------- */
/* What patches before `moving` hand on, for the transition that begins. */
int system_state_open(const struct rt_patch *moving);
/* After its last callback. */
void system_state_close(void);

/* --- agent.c ------------------------------------------------------------- */
void agent_run(const struct descriptor *end,
	       const struct descriptor *other_end);

#endif
