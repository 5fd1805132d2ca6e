/* SPDX-License-Identifier: MIT */
/*
 * The runtime's state machine in memory, and a model of it that is written
 * from the rules alone.  Both know three functions, in two objects, and three
 * patches, and tell what happened as a list of events.
 */
#ifndef UNIT_MACHINE_H
#define UNIT_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATCH_COUNT  3
#define OBJECT_COUNT 2
#define FUNC_COUNT   3
#define EVENTS_MAX   64

struct patch_rules {
	bool replaces;
	bool has[FUNC_COUNT], is_immediate[FUNC_COUNT];
	bool wants_orig[FUNC_COUNT];
	/* [object][enum rt_callback] */
	bool calls[OBJECT_COUNT][4];
};
extern const struct patch_rules patch_rules[PATCH_COUNT];
/* In which object the function is. */
extern const unsigned int func_object[FUNC_COUNT];

enum action {
	ENABLE,
	/* enable, where the pre_patch of the second object fails */
	ENABLE_REFUSED,
	CANCEL,
	START,
	REVERSE,
	FORCE,
	SETTLE,
	FINISH,
	DISABLE,
	/* the controller dies */
	ABANDON,
	ACTION_COUNT
};

struct step {
	enum action action;
	unsigned int patch;
};

struct happened {
	uint8_t event, patch, object, callback;
	bool patching;
};

struct events {
	struct happened list[EVENTS_MAX];
	size_t count;
};

/* --- machine.c: the real one ------------------------------------------- */
void machine_reset(void);
/* 0 or -errno */
int machine_do(const struct step *step);
extern struct events machine_events;

enum slot {
	SLOT_SOURCE,
	SLOT_DESTINATION,
	SLOT_DECIDE
};
struct gate_state {
	/* -1: the original; else the patch whose version it is */
	int source, destination;
	enum slot slot;
};
/* Of the function, or of the gate behind the patch's orig_func. */
struct gate_state machine_gate(unsigned int func);
struct gate_state machine_orig_gate(unsigned int func, unsigned int patch);
/* The newest versions first; returns how many. */
size_t machine_stack(unsigned int func, unsigned int stack[PATCH_COUNT]);
/* enum rt_patch_state; -1: it is not loaded */
int machine_patch_state(unsigned int patch);
bool machine_is_forced(unsigned int patch);
bool machine_is_undrained(void);
/* Do new threads count as moved? */
bool machine_new_threads_are_moved(void);
bool machine_is_consistent(void);
/* Of gates whose code does not ask the slot: none leads elsewhere. */
bool machine_direct_gates_follow_their_slots(void);
/* The gate of the function does not ask its slot. */
bool machine_is_direct(unsigned int func);
/*
 * Forgets a site that a patch which is not enabled yet has found, too.  Does
 * anybody still refer to it?
 */
bool machine_refers_to_forgotten_site(void);

/* --- machine_model.c: what the rules say --------------------------------- */
struct model {
	/* enabled, or on the way, in the order of enabling */
	unsigned int listed[PATCH_COUNT];
	size_t listed_count;
	/* the one in transition, or -1 */
	int moving;
	bool is_disabling, is_reversed, has_started;
	/* the one whose last callbacks are to run, or -1 */
	int settled;
	bool settled_patching;
	bool has_left[PATCH_COUNT], is_forced[PATCH_COUNT];
	/* a pre_patch, a post_patch waits for its partner */
	bool pre_ran[PATCH_COUNT][OBJECT_COUNT];
	bool post_ran[PATCH_COUNT][OBJECT_COUNT];
	bool is_undrained;
	struct events events;
};

void model_init(struct model *model);
/* Would a controller ask for it? */
bool model_is_asked(const struct model *model, const struct step *step);
/* False: refused, nothing changes. */
bool model_do(struct model *model, const struct step *step);
struct gate_state model_gate(const struct model *model, unsigned int func);
struct gate_state model_orig_gate(const struct model *model, unsigned int func,
				  unsigned int patch);
size_t model_stack(const struct model *model, unsigned int func,
		   unsigned int stack[PATCH_COUNT]);
int model_patch_state(const struct model *model, unsigned int patch);
bool model_new_threads_are_moved(const struct model *model);

#endif
