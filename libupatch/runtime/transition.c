/* SPDX-License-Identifier: MIT */
/*
 * The state machine of a patch: one function per edge.
 *
 *	edge      from        to          threads run
 *	enable    LOADED      INIT        old
 *	cancel    INIT        LEAVING     old
 *	start     INIT        PATCHING    old or new, by their moved word
 *	disable   ENABLED     UNPATCHING  new until start, then new or old
 *	reverse   PATCHING    PATCHING    aim: old     (the same for
 *	                                  UNPATCHING, aim: new)
 *	settle    PATCHING    ENABLED     new          (reversed: LEAVING, old)
 *	settle    UNPATCHING  LEAVING     old          (reversed: ENABLED, new)
 *	finish    the callbacks that follow, the state stays
 */
#include "coming.h"
#include "gate.h"
#include "gate_code.h"
#include "runtime.h"

#include <errno.h>
#include <stddef.h>

static struct rt_state *const state = &upatch_runtime_state;

/*
 * Between settle and finish: the controller lets the threads go before the
 * callbacks run, which may take their time.
 */
static struct {
	struct rt_patch *patch;
	enum rt_direction direction;
} settled;

static enum rt_direction aim(void)
{
	const struct rt_transition *transition = &state->transition;

	if (!transition->reversed)
		return (enum rt_direction)transition->kind;
	return transition->kind == RT_PATCHING ? RT_UNPATCHING : RT_PATCHING;
}

static void for_each_loaded(struct rt_patch *patch,
			    void (*visit)(struct rt_patch *patch,
					  struct rt_object *object))
{
	for (uint32_t i = 0; i < patch->object_count; i++) {
		struct rt_object *object = &patch_objects(patch)[i];

		if (object->flags & RT_OBJECT_LOADED)
			visit(patch, object);
	}
}

static void open_transition(struct rt_patch *patch, enum rt_direction kind)
{
	struct rt_transition *transition = &state->transition;

	transition->patch = rt_addr(patch);
	transition->kind = (uint32_t)kind;
	transition->reversed = 0;
	transition->started = 0;
	transition->thread_count = 0;
	transition->moved_count = 0;
}

static void close_transition(void)
{
	state->transition.patch = 0;
	state->transition.started = 0;
}

static int run_pre_patch(struct rt_patch *patch, uint32_t *ret_object)
{
	for (uint32_t i = 0; i < patch->object_count; i++) {
		struct rt_object *object = &patch_objects(patch)[i];
		int ret;

		if (!(object->flags & RT_OBJECT_LOADED))
			continue;
		ret = object_pre_patch(patch, object);
		if (ret) {
			*ret_object = i;
			return ret;
		}
	}
	return 0;
}

/* What can fail, while there is nothing to be undone. */
static int prepare(const struct rt_patch *patch)
{
	int ret = gate_code_lead();

	return ret ? ret : system_state_open(patch);
}

int transition_enable(struct rt_patch *patch, uint32_t *ret_object)
{
	int ret;

	if (state->transition.patch || patch->state != RT_PATCH_LOADED)
		return -EBUSY;
	ret = prepare(patch);
	if (ret)
		return ret;
	state_change_begin();
	open_transition(patch, RT_PATCHING);
	patch->state = RT_PATCH_INIT;
	state_change_end();
	log_patch(UPATCH_EVENT_ENABLE, patch);
	log_direction(UPATCH_EVENT_INIT, patch, RT_PATCHING);
	ret = run_pre_patch(patch, ret_object);
	if (ret) {
		log_patch(UPATCH_EVENT_ENABLE_FAILED, patch);
		transition_cancel(patch);
		return ret;
	}
	state_change_begin();
	site_push_patch(patch);
	gate_update_words();
	state_change_end();
	return 0;
}

/* Legal only before start; afterwards there is transition_reverse. */
void transition_cancel(struct rt_patch *patch)
{
	state_change_begin();
	site_drop_patch(patch);
	patch->flags |= RT_PATCH_UNUSED;
	patch->state = RT_PATCH_LEAVING;
	site_drop_unneeded_hooks();
	close_transition();
	gate_update_words();
	state_change_end();
	gate_code_direct();
	log_patch(UPATCH_EVENT_CANCEL, patch);
	log_direction(UPATCH_EVENT_COMPLETE, patch, RT_UNPATCHING);
	for_each_loaded(patch, object_post_unpatch);
	system_state_close();
	log_direction(UPATCH_EVENT_DONE, patch, RT_UNPATCHING);
}

int transition_disable(struct rt_patch *patch)
{
	int ret;

	if (state->transition.patch || patch->state != RT_PATCH_ENABLED)
		return -EBUSY;
	ret = prepare(patch);
	if (ret)
		return ret;
	state_change_begin();
	open_transition(patch, RT_UNPATCHING);
	patch->state = RT_PATCH_UNPATCHING;
	state_change_end();
	log_direction(UPATCH_EVENT_INIT, patch, RT_UNPATCHING);
	for_each_loaded(patch, object_pre_unpatch);
	return 0;
}

static void note_immediate(const struct rt_patch *patch)
{
	for (uint32_t i = 0; i < patch->object_count; i++) {
		const struct rt_object *object = &patch_objects(patch)[i];

		for (uint32_t j = 0; j < object->func_count; j++) {
			if (patch_funcs(object)[j].flags & RT_FUNC_IMMEDIATE)
				state->undrained = 1;
		}
	}
}

int transition_start(void)
{
	struct rt_transition *transition = &state->transition;
	struct rt_patch *patch = rt_ptr(transition->patch);

	if (!patch || transition->started)
		return -EINVAL;
	if (patch->state == RT_PATCH_INIT && coming_was_missed(patch))
		return -EAGAIN;
	state_change_begin();
	if (patch->state == RT_PATCH_INIT)
		patch->state = RT_PATCH_PATCHING;
	/* No thread's word has the new id: all count as unmoved. */
	transition->id++;
	transition->started = 1;
	note_immediate(patch);
	state_set_moved_image(transition->id);
	gate_update_words();
	state_change_end();
	log_direction(UPATCH_EVENT_START, patch, aim());
	return 0;
}

int transition_reverse(void)
{
	struct rt_transition *transition = &state->transition;
	struct rt_patch *patch = rt_ptr(transition->patch);

	if (!patch || !transition->started)
		return -EINVAL;
	/* Threads that move themselves now need other functions off the stack. */
	state_drop_sought();
	state_change_begin();
	transition->reversed = !transition->reversed;
	state_set_moved_image(transition->reversed ? 0 : transition->id);
	gate_update_words();
	state_change_end();
	log_direction(UPATCH_EVENT_REVERSE, patch, aim());
	log_direction(UPATCH_EVENT_START, patch, aim());
	return 0;
}

static bool is_replaced(const struct rt_patch *patch)
{
	const struct rt_patch *moving = rt_ptr(state->transition.patch);

	/* One that was to be disabled and stays replaces nothing any more. */
	return moving && patch != moving &&
	       state->transition.kind == RT_PATCHING &&
	       (moving->flags & RT_PATCH_REPLACE) &&
	       patch->state == RT_PATCH_ENABLED;
}

int transition_force(void)
{
	struct rt_patch *moving = rt_ptr(state->transition.patch);
	struct rt_patch *patch;

	if (!moving || !state->transition.started)
		return -EINVAL;
	state_change_begin();
	state->undrained = 1;
	if (aim() == RT_UNPATCHING)
		moving->flags |= RT_PATCH_FORCED;
	rt_for_each(patch, state->patches)
	{
		if (aim() == RT_PATCHING && is_replaced(patch))
			patch->flags |= RT_PATCH_FORCED;
	}
	state_change_end();
	log_patch(UPATCH_EVENT_FORCE, moving);
	return 0;
}

static void release_replaced(void)
{
	struct rt_patch *patch;

	rt_for_each(patch, state->patches)
	{
		if (!is_replaced(patch))
			continue;
		site_drop_patch(patch);
		patch->state = RT_PATCH_LEAVING;
	}
}

static void settle(struct rt_patch *patch, enum rt_direction direction)
{
	state_change_begin();
	if (direction == RT_PATCHING) {
		release_replaced();
		patch->state = RT_PATCH_ENABLED;
	} else {
		site_drop_patch(patch);
		patch->state = RT_PATCH_LEAVING;
	}
	site_drop_unneeded_hooks();
	close_transition();
	gate_update_words();
	state_change_end();
	gate_code_direct();
}

int transition_settle(void)
{
	struct rt_patch *patch = rt_ptr(state->transition.patch);
	enum rt_direction direction = aim();

	if (!patch || !state->transition.started)
		return -EINVAL;
	settle(patch, direction);
	settled.patch = patch;
	settled.direction = direction;
	log_direction(UPATCH_EVENT_COMPLETE, patch, direction);
	return 0;
}

bool transition_is_unfinished(const struct rt_patch *patch)
{
	return settled.patch == patch;
}

int transition_finish(void)
{
	struct rt_patch *patch = settled.patch;
	enum rt_direction direction = settled.direction;

	if (!patch)
		return -EINVAL;
	for_each_loaded(patch, direction == RT_PATCHING ? object_post_patch
							: object_post_unpatch);
	settled.patch = NULL;
	system_state_close();
	log_direction(UPATCH_EVENT_DONE, patch, direction);
	return 0;
}

/*
 * A transition that has started can stay: the gates decide for each thread,
 * and the next controller goes on or turns around.
 */
void transition_abandon(void)
{
	struct rt_patch *patch = rt_ptr(state->transition.patch);
	struct rt_patch *loaded;

	(void)transition_finish();
	if (patch && !state->transition.started) {
		if (patch->state == RT_PATCH_INIT)
			transition_cancel(patch);
		else
			(void)transition_start();
	}
	rt_for_each(loaded, state->patches)
	{
		if (loaded->state != RT_PATCH_LOADED)
			continue;
		loaded->flags |= RT_PATCH_UNUSED;
		loaded->state = RT_PATCH_LEAVING;
	}
}
