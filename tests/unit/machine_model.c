/* SPDX-License-Identifier: MIT */
/*
 * What the rules say: who is enabled in which order, which versions moved and
 * unmoved threads run, which callbacks are owed.
 */
#include "machine.h"

#include <string.h>

#include <upatch/upatch.h>

#include "protocol.h"

#define PARTNERS                                                               \
	{                                                                      \
		true, true, true, true                                         \
	}

/* The third function is in the second object. */
const unsigned int func_object[FUNC_COUNT] = { 0, 0, 1 };

/* clang-format off */
const struct patch_rules patch_rules[PATCH_COUNT] = {
	{
		.has = { true, true, false },
		.wants_orig = { true, true, false },
		.calls = { PARTNERS, PARTNERS },
	},
	{
		.has = { false, true, true },
		.is_immediate = { false, false, true },
		.wants_orig = { false, true, true },
		/* pre_patch is absent in one, post_patch in the other */
		.calls = { { false, true, true, true },
			   { true, false, true, true } },
	},
	{
		.replaces = true,
		.has = { true, false, true },
		.wants_orig = { true, false, true },
		.calls = { PARTNERS, { false, false, false, false } },
	},
};
/* clang-format on */

/* --- Lists ---------------------------------------------------------------- */

static int place_of(const struct model *model, unsigned int patch)
{
	for (size_t i = 0; i < model->listed_count; i++) {
		if (model->listed[i] == patch)
			return (int)i;
	}
	return -1;
}

static void unlist(struct model *model, unsigned int patch)
{
	size_t place = (size_t)place_of(model, patch);

	model->listed_count--;
	memmove(&model->listed[place], &model->listed[place + 1],
		(model->listed_count - place) * sizeof(model->listed[0]));
	model->has_left[patch] = true;
}

static void tell(struct model *model, enum upatch_event event,
		 unsigned int patch)
{
	struct happened happened = { .event = (uint8_t)event,
				     .patch = (uint8_t)patch };

	model->events.list[model->events.count++] = happened;
}

static void tell_direction(struct model *model, enum upatch_event event,
			   unsigned int patch, bool patching)
{
	tell(model, event, patch);
	model->events.list[model->events.count - 1].patching = patching;
}

static void call(struct model *model, unsigned int patch, unsigned int object,
		 enum rt_callback callback)
{
	struct happened *last;

	if (!patch_rules[patch].calls[object][callback])
		return;
	tell(model, UPATCH_EVENT_CALLBACK, patch);
	last = &model->events.list[model->events.count - 1];
	last->object = (uint8_t)object;
	last->callback = (uint8_t)callback;
}

/* --- Pairs of callbacks --------------------------------------------------- */

static void post_patch_all(struct model *model, unsigned int patch)
{
	for (unsigned int i = 0; i < OBJECT_COUNT; i++) {
		call(model, patch, i, RT_POST_PATCH);
		model->post_ran[patch][i] = true;
	}
}

static void pre_unpatch_all(struct model *model, unsigned int patch)
{
	for (unsigned int i = 0; i < OBJECT_COUNT; i++) {
		if (model->post_ran[patch][i])
			call(model, patch, i, RT_PRE_UNPATCH);
		model->post_ran[patch][i] = false;
	}
}

static void post_unpatch_all(struct model *model, unsigned int patch)
{
	for (unsigned int i = 0; i < OBJECT_COUNT; i++) {
		if (model->pre_ran[patch][i])
			call(model, patch, i, RT_POST_UNPATCH);
		model->pre_ran[patch][i] = false;
	}
}

/* Nothing is owed to a patch that begins, or that was replaced. */
static void owe_nothing(struct model *model, unsigned int patch)
{
	memset(model->pre_ran[patch], 0, sizeof(model->pre_ran[patch]));
	memset(model->post_ran[patch], 0, sizeof(model->post_ran[patch]));
}

/* --- Steps ------------------------------------------------------------- */

static bool aims_at_patching(const struct model *model)
{
	return model->is_disabling == model->is_reversed;
}

static bool is_replacing(const struct model *model)
{
	return model->moving >= 0 && !model->is_disabling &&
	       patch_rules[model->moving].replaces;
}

static void begin(struct model *model, unsigned int patch, bool is_disabling)
{
	model->moving = (int)patch;
	model->is_disabling = is_disabling;
	model->is_reversed = model->has_started = false;
}

static bool cancel(struct model *model)
{
	unsigned int patch = (unsigned int)model->moving;

	if (model->moving < 0 || model->is_disabling || model->has_started)
		return false;
	unlist(model, patch);
	model->moving = -1;
	tell(model, UPATCH_EVENT_CANCEL, patch);
	tell_direction(model, UPATCH_EVENT_COMPLETE, patch, false);
	post_unpatch_all(model, patch);
	tell_direction(model, UPATCH_EVENT_DONE, patch, false);
	return true;
}

static bool enable(struct model *model, unsigned int patch, bool is_refused)
{
	if (model->moving >= 0 || place_of(model, patch) >= 0)
		return false;
	model->has_left[patch] = model->is_forced[patch] = false;
	owe_nothing(model, patch);
	model->listed[model->listed_count++] = patch;
	begin(model, patch, false);
	tell(model, UPATCH_EVENT_ENABLE, patch);
	tell_direction(model, UPATCH_EVENT_INIT, patch, true);
	for (unsigned int i = 0; i < OBJECT_COUNT; i++) {
		call(model, patch, i, RT_PRE_PATCH);
		if (is_refused && i == 1) {
			tell(model, UPATCH_EVENT_CALLBACK_FAILED, patch);
			tell(model, UPATCH_EVENT_ENABLE_FAILED, patch);
			return cancel(model);
		}
		model->pre_ran[patch][i] = true;
	}
	return true;
}

static bool disable(struct model *model, unsigned int patch)
{
	if (model->moving >= 0 || place_of(model, patch) < 0)
		return false;
	begin(model, patch, true);
	tell_direction(model, UPATCH_EVENT_INIT, patch, false);
	pre_unpatch_all(model, patch);
	return true;
}

static bool start(struct model *model)
{
	if (model->moving < 0 || model->has_started)
		return false;
	model->has_started = true;
	for (unsigned int i = 0; i < FUNC_COUNT; i++)
		model->is_undrained |=
			patch_rules[model->moving].is_immediate[i];
	tell_direction(model, UPATCH_EVENT_START, (unsigned int)model->moving,
		       aims_at_patching(model));
	return true;
}

static void reverse(struct model *model)
{
	unsigned int patch = (unsigned int)model->moving;

	model->is_reversed = !model->is_reversed;
	tell_direction(model, UPATCH_EVENT_REVERSE, patch,
		       aims_at_patching(model));
	tell_direction(model, UPATCH_EVENT_START, patch,
		       aims_at_patching(model));
}

static void force(struct model *model)
{
	model->is_undrained = true;
	if (!aims_at_patching(model))
		model->is_forced[model->moving] = true;
	else if (is_replacing(model))
		for (size_t i = 0; i + 1 < model->listed_count; i++)
			model->is_forced[model->listed[i]] = true;
	tell(model, UPATCH_EVENT_FORCE, (unsigned int)model->moving);
}

static void settle(struct model *model)
{
	unsigned int patch = (unsigned int)model->moving;
	bool patching = aims_at_patching(model);

	if (!patching)
		unlist(model, patch);
	while (patching && is_replacing(model) && model->listed[0] != patch) {
		owe_nothing(model, model->listed[0]);
		unlist(model, model->listed[0]);
	}
	model->settled = (int)patch;
	model->settled_patching = patching;
	model->moving = -1;
	tell_direction(model, UPATCH_EVENT_COMPLETE, patch, patching);
}

static bool finish(struct model *model)
{
	unsigned int patch = (unsigned int)model->settled;

	if (model->settled < 0)
		return false;
	if (model->settled_patching)
		post_patch_all(model, patch);
	else
		post_unpatch_all(model, patch);
	model->settled = -1;
	tell_direction(model, UPATCH_EVENT_DONE, patch,
		       model->settled_patching);
	return true;
}

static void abandon(struct model *model)
{
	(void)finish(model);
	if (!cancel(model))
		(void)start(model);
}

void model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
	model->moving = model->settled = -1;
}

bool model_is_asked(const struct model *model, const struct step *step)
{
	switch (step->action) {
	case CANCEL:
		return model->moving == (int)step->patch &&
		       !model->has_started && !model->is_disabling;
	case ENABLE_REFUSED:
		return step->patch != 2 && model->settled < 0;
	case ENABLE:
	case DISABLE:
		/* The callbacks are asked for first. */
		return model->settled < 0;
	default:
		return step->patch == 0;
	}
}

bool model_do(struct model *model, const struct step *step)
{
	bool is_running = model->moving >= 0 && model->has_started;

	model->events.count = 0;
	switch (step->action) {
	case ENABLE:
	case ENABLE_REFUSED:
		return enable(model, step->patch,
			      step->action == ENABLE_REFUSED);
	case CANCEL:
		return cancel(model);
	case DISABLE:
		return disable(model, step->patch);
	case START:
		return start(model);
	case FINISH:
		return finish(model);
	case ABANDON:
		abandon(model);
		return true;
	case REVERSE:
		if (is_running)
			reverse(model);
		return is_running;
	case FORCE:
		if (is_running)
			force(model);
		return is_running;
	case SETTLE:
		if (is_running)
			settle(model);
		return is_running;
	case ACTION_COUNT:
		break;
	}
	return false;
}

/* --- What threads run ----------------------------------------------------- */

/* Do unmoved, or moved, threads know the patch? */
static bool is_known(const struct model *model, unsigned int patch, bool moved)
{
	if (model->moving == (int)patch)
		return moved != model->is_disabling;
	return !(moved && is_replacing(model));
}

/* The newest version among the first `count` patches. */
static int version(const struct model *model, unsigned int func, size_t count,
		   bool moved)
{
	while (count-- > 0) {
		unsigned int patch = model->listed[count];

		if (patch_rules[patch].has[func] &&
		    is_known(model, patch, moved))
			return (int)patch;
	}
	return -1;
}

static struct gate_state gate_of(const struct model *model, unsigned int func,
				 size_t count)
{
	struct gate_state gate = {
		.source = version(model, func, count, false),
		.destination = version(model, func, count, true),
		.slot = SLOT_SOURCE,
	};

	if (gate.source == gate.destination || !model->has_started)
		return gate;
	gate.slot = SLOT_DECIDE;
	if (place_of(model, (unsigned int)model->moving) < (int)count &&
	    patch_rules[model->moving].is_immediate[func])
		gate.slot = model->is_reversed ? SLOT_SOURCE : SLOT_DESTINATION;
	return gate;
}

struct gate_state model_gate(const struct model *model, unsigned int func)
{
	return gate_of(model, func, model->listed_count);
}

struct gate_state model_orig_gate(const struct model *model, unsigned int func,
				  unsigned int patch)
{
	return gate_of(model, func, (size_t)place_of(model, patch));
}

size_t model_stack(const struct model *model, unsigned int func,
		   unsigned int stack[PATCH_COUNT])
{
	size_t count = 0;

	for (size_t i = model->listed_count; i-- > 0;) {
		if (patch_rules[model->listed[i]].has[func])
			stack[count++] = model->listed[i];
	}
	return count;
}

int model_patch_state(const struct model *model, unsigned int patch)
{
	if (model->moving == (int)patch) {
		if (model->is_disabling)
			return RT_PATCH_UNPATCHING;
		return model->has_started ? RT_PATCH_PATCHING : RT_PATCH_INIT;
	}
	if (place_of(model, patch) >= 0)
		return RT_PATCH_ENABLED;
	return model->has_left[patch] ? RT_PATCH_LEAVING : -1;
}

bool model_new_threads_are_moved(const struct model *model)
{
	return !model->is_reversed;
}
