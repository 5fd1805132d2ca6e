/* SPDX-License-Identifier: MIT */
/*
 * The runtime's own state machine, with patches that are built in memory and
 * everything around it replaced by notes of what it asked for.
 */
#include "machine.h"

#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "runtime/coming.h"
#include "runtime/gate.h"
#include "runtime/gate_code.h"
#include "runtime/hooks.h"
#include "runtime/runtime.h"

#define SITE_CODE 0x100

struct rt_state upatch_runtime_state;
struct events machine_events;

static struct rt_state *const state = &upatch_runtime_state;

static struct {
	struct rt_patch patch;
	struct rt_object objects[OBJECT_COUNT];
	struct rt_func funcs[OBJECT_COUNT][FUNC_COUNT];
	struct upatch_patch author;
	struct upatch_object author_objects[OBJECT_COUNT];
	struct rt_gate_words orig_words[FUNC_COUNT];
} patches[PATCH_COUNT];

_Static_assert(FUNC_COUNT < RT_TABLE_SITES, "in one table, and one is free");
static struct rt_site_table table;
static struct rt_site *const sites = table.sites;
static struct rt_gate_words site_words[FUNC_COUNT];

/* Where gates lead whose code is direct; 0: they are led by their slots. */
static struct {
	uint64_t sites[FUNC_COUNT];
	uint64_t origs[PATCH_COUNT][FUNC_COUNT];
} direct;

static struct rt_area area;
static struct rt_area_head area_head;
static uint32_t moved_image;
/* whose second pre_patch fails, or -1 */
static int refusing;

static unsigned int patch_index(const struct rt_patch *patch);

/* --- What the state machine calls -------------------------------------- */

void state_change_begin(void)
{
	state->seq++;
}

void state_change_end(void)
{
	state->seq++;
}

void state_lock(void)
{
}

void state_unlock(void)
{
}

void state_leave_for_callback(const struct rt_object *object,
			      enum rt_callback callback,
			      struct rt_call *ret_outer)
{
	(void)object;
	(void)callback;
	*ret_outer = (struct rt_call){ 0 };
}

void state_return_from_callback(const struct rt_call *outer)
{
	(void)outer;
}

void state_set_moved_image(uint32_t id)
{
	moved_image = id;
}

void state_drop_sought(void)
{
}

int system_state_open(const struct rt_patch *moving)
{
	(void)moving;
	return 0;
}

void system_state_close(void)
{
}

bool coming_was_missed(const struct rt_patch *patch)
{
	(void)patch;
	return false;
}

int gate_code_lead(void)
{
	memset(&direct, 0, sizeof(direct));
	return 0;
}

/* Those of functions that are on the stack of a site. */
static void make_direct(unsigned int index)
{
	const struct rt_func *func = rt_ptr(sites[index].top);

	if (func)
		direct.sites[index] = site_words[index].slot;
	for (; func; func = rt_ptr(func->below)) {
		unsigned int patch = patch_index(rt_ptr(func->patch));
		const struct rt_gate_words *words = rt_ptr(func->orig_words);

		if (words)
			direct.origs[patch][index] = words->slot;
	}
}

void gate_code_direct(void)
{
	for (unsigned int i = 0; i < FUNC_COUNT && !state->transition.patch;
	     i++)
		make_direct(i);
}

void hooks_set_original(enum rt_hook hook, rt_addr_t original)
{
	(void)hook;
	(void)original;
}

rt_addr_t hooks_entry(enum rt_hook hook)
{
	return hook;
}

bool patch_is_listed(const struct rt_patch *patch)
{
	return patch->state >= RT_PATCH_INIT &&
	       patch->state <= RT_PATCH_UNPATCHING;
}

bool patch_names_library(const struct rt_patch *patch)
{
	(void)patch;
	return true;
}

struct rt_object *patch_objects(const struct rt_patch *patch)
{
	return rt_ptr(patch->objects);
}

struct rt_func *patch_funcs(const struct rt_object *object)
{
	return rt_ptr(object->funcs);
}

/* --- Its log ------------------------------------------------------------ */

static unsigned int patch_index(const struct rt_patch *patch)
{
	unsigned int i = 0;

	while (&patches[i].patch != patch)
		i++;
	return i;
}

static struct happened *note(enum upatch_event event,
			     const struct rt_patch *patch)
{
	struct happened *happened =
		&machine_events.list[machine_events.count++];

	*happened = (struct happened){ .event = (uint8_t)event,
				       .patch = (uint8_t)patch_index(patch) };
	return happened;
}

void log_patch(enum upatch_event event, const struct rt_patch *patch)
{
	(void)note(event, patch);
}

void log_direction(enum upatch_event event, const struct rt_patch *patch,
		   enum rt_direction direction)
{
	note(event, patch)->patching = direction == RT_PATCHING;
}

void log_callback(const struct rt_patch *patch, const struct rt_object *object,
		  enum rt_callback callback, const int *ret)
{
	struct happened *happened = note(UPATCH_EVENT_CALLBACK, patch);

	(void)ret;
	happened->object = (uint8_t)(object - patch_objects(patch));
	happened->callback = (uint8_t)callback;
}

void log_callback_failed(const struct rt_patch *patch,
			 const struct rt_object *object, int ret)
{
	(void)object;
	(void)ret;
	(void)note(UPATCH_EVENT_CALLBACK_FAILED, patch);
}

/* --- Patches ---------------------------------------------------------- */

static int pre_patch(struct upatch_object *object)
{
	return refusing >= 0 && object == &patches[refusing].author_objects[1]
		       ? -ENODEV
		       : 0;
}

static void do_nothing(struct upatch_object *object)
{
	(void)object;
}

static uint64_t entry_of(unsigned int patch, unsigned int func)
{
	return 0x1000u * (patch + 1) + func;
}

static void build_func(unsigned int patch, unsigned int index)
{
	const struct patch_rules *rules = &patch_rules[patch];
	struct rt_object *object = &patches[patch].objects[func_object[index]];
	struct rt_func *func = &patch_funcs(object)[object->func_count++];

	*func = (struct rt_func){
		.site = rt_addr(&sites[index]),
		.patch = rt_addr(&patches[patch].patch),
		.flags = rules->is_immediate[index] ? RT_FUNC_IMMEDIATE : 0,
		.entry = entry_of(patch, index),
	};
	if (!rules->wants_orig[index])
		return;
	func->orig_words = rt_addr(&patches[patch].orig_words[index]);
}

static void build_patch(unsigned int patch)
{
	const struct patch_rules *rules = &patch_rules[patch];
	struct rt_patch *rt = &patches[patch].patch;

	memset(&patches[patch], 0, sizeof(patches[patch]));
	rt->objects = rt_addr(patches[patch].objects);
	rt->object_count = OBJECT_COUNT;
	rt->author = rt_addr(&patches[patch].author);
	rt->flags = rules->replaces ? RT_PATCH_REPLACE : 0;
	for (unsigned int i = 0; i < OBJECT_COUNT; i++) {
		struct rt_object *object = &patches[patch].objects[i];
		const bool *calls = rules->calls[i];

		object->flags = RT_OBJECT_LOADED;
		object->funcs = rt_addr(patches[patch].funcs[i]);
		object->author = rt_addr(&patches[patch].author_objects[i]);
		patches[patch].author_objects[i].callbacks =
			(struct upatch_callbacks){
				calls[RT_PRE_PATCH] ? pre_patch : NULL,
				calls[RT_POST_PATCH] ? do_nothing : NULL,
				calls[RT_PRE_UNPATCH] ? do_nothing : NULL,
				calls[RT_POST_UNPATCH] ? do_nothing : NULL,
			};
	}
	for (unsigned int i = 0; i < FUNC_COUNT; i++) {
		if (rules->has[i])
			build_func(patch, i);
	}
}

static void unload(unsigned int patch)
{
	rt_addr_t *link = &state->patches;

	while (*link && *link != rt_addr(&patches[patch].patch))
		link = &((struct rt_patch *)rt_ptr(*link))->next;
	if (*link)
		*link = patches[patch].patch.next;
}

static void load(unsigned int patch)
{
	rt_addr_t *link = &state->patches;

	unload(patch);
	build_patch(patch);
	while (*link)
		link = &((struct rt_patch *)rt_ptr(*link))->next;
	*link = rt_addr(&patches[patch].patch);
}

/* --- Steps ------------------------------------------------------------- */

void machine_reset(void)
{
	/* What was settled before, and nobody finished. */
	(void)transition_finish();
	memset(state, 0, sizeof(*state));
	memset(patches, 0, sizeof(patches));
	memset(&table, 0, sizeof(table));
	memset(site_words, 0, sizeof(site_words));
	memset(&direct, 0, sizeof(direct));
	area.data = rt_addr(&area_head);
	state->areas = rt_addr(&area);
	state->transition.id = 7;
	state->sites = rt_addr(&table);
	for (unsigned int i = 0; i < FUNC_COUNT; i++) {
		/* In reach of its words; any other address does as well. */
		sites[i].addr = rt_addr(&site_words[i]);
		sites[i].code = SITE_CODE;
	}
	gate_update_words();
	machine_events.count = 0;
}

static int enable(unsigned int patch)
{
	uint32_t object;
	int ret;

	if (patch_is_listed(&patches[patch].patch))
		return transition_enable(&patches[patch].patch, &object);
	/* As the controller does: loaded, tried, unloaded. */
	if (state->transition.patch)
		return -EBUSY;
	load(patch);
	ret = transition_enable(&patches[patch].patch, &object);
	return ret == -ENODEV ? 0 : ret;
}

int machine_do(const struct step *step)
{
	struct rt_patch *patch = &patches[step->patch].patch;

	machine_events.count = 0;
	refusing = step->action == ENABLE_REFUSED ? (int)step->patch : -1;
	switch (step->action) {
	case ENABLE:
	case ENABLE_REFUSED:
		return enable(step->patch);
	case CANCEL:
		transition_cancel(patch);
		return 0;
	case START:
		return transition_start();
	case REVERSE:
		return transition_reverse();
	case FORCE:
		return transition_force();
	case SETTLE:
		return transition_settle();
	case FINISH:
		return transition_finish();
	case DISABLE:
		return transition_disable(patch);
	case ABANDON:
		transition_abandon();
		return 0;
	case ACTION_COUNT:
		break;
	}
	return -EINVAL;
}

/* --- What it has come to --------------------------------------------------- */

static int version_of(uint64_t entry, unsigned int func)
{
	for (unsigned int i = 0; i < PATCH_COUNT; i++) {
		if (entry == entry_of(i, func))
			return (int)i;
	}
	return entry == sites[func].addr + SITE_CODE + ARCH_GATE_LEN ? -1 : -2;
}

static struct gate_state read_gate(const struct rt_gate_words *words,
				   unsigned int func)
{
	struct gate_state gate = {
		.source = version_of(words->source, func),
		.destination = version_of(words->destination, func),
		.slot = SLOT_DECIDE,
	};

	if (words->slot == words->source)
		gate.slot = SLOT_SOURCE;
	else if (words->slot == words->destination)
		gate.slot = SLOT_DESTINATION;
	return gate;
}

struct gate_state machine_gate(unsigned int func)
{
	return read_gate(&site_words[func], func);
}

struct gate_state machine_orig_gate(unsigned int func, unsigned int patch)
{
	return read_gate(&patches[patch].orig_words[func], func);
}

size_t machine_stack(unsigned int func, unsigned int stack[PATCH_COUNT])
{
	const struct rt_func *version = rt_ptr(sites[func].top);
	size_t count = 0;

	for (; version && count < PATCH_COUNT; version = rt_ptr(version->below))
		stack[count++] = patch_index(rt_ptr(version->patch));
	return count;
}

int machine_patch_state(unsigned int patch)
{
	const struct rt_patch *listed;

	rt_for_each(listed, state->patches)
	{
		if (listed == &patches[patch].patch)
			return (int)listed->state;
	}
	return -1;
}

bool machine_is_forced(unsigned int patch)
{
	return patches[patch].patch.flags & RT_PATCH_FORCED;
}

bool machine_is_undrained(void)
{
	return state->undrained;
}

static bool follows(uint64_t to, const struct rt_gate_words *words)
{
	return !to || to == words->slot;
}

bool machine_direct_gates_follow_their_slots(void)
{
	for (unsigned int i = 0; i < FUNC_COUNT; i++) {
		if (!follows(direct.sites[i], &site_words[i]))
			return false;
		for (unsigned int j = 0; j < PATCH_COUNT; j++) {
			if (!follows(direct.origs[j][i],
				     &patches[j].orig_words[i]))
				return false;
		}
	}
	return true;
}

bool machine_is_direct(unsigned int func)
{
	return direct.sites[func];
}

bool machine_new_threads_are_moved(void)
{
	return moved_image == state->transition.id;
}

/* A gate that decides compares with the id of this transition. */
bool machine_is_consistent(void)
{
	return state->seq % 2 == 0 &&
	       area_head.transition == state->transition.id;
}

bool machine_refers_to_forgotten_site(void)
{
	struct rt_site *site = &sites[FUNC_COUNT];
	struct rt_func *func;

	machine_reset();
	load(0);
	func = &patches[0].funcs[0][0];
	func->site = rt_addr(site);
	site->addr = rt_addr(site);
	site_forget(site);
	return func->site || site->addr;
}
