/* SPDX-License-Identifier: MIT */
/* The callbacks of an object: which one is owed, and what becomes of it. */
#include "runtime.h"

static const struct upatch_callbacks *
callbacks_of(const struct rt_object *object)
{
	const struct upatch_object *author = rt_ptr(object->author);

	return &author->callbacks;
}

static bool has(const struct rt_object *object, enum rt_callback which)
{
	const struct upatch_callbacks *callbacks = callbacks_of(object);

	switch (which) {
	case RT_PRE_PATCH:
		return callbacks->pre_patch;
	case RT_POST_PATCH:
		return callbacks->post_patch;
	case RT_PRE_UNPATCH:
		return callbacks->pre_unpatch;
	case RT_POST_UNPATCH:
		return callbacks->post_unpatch;
	}
	return false;
}

static int call_author(const struct rt_object *object, enum rt_callback which)
{
	const struct upatch_callbacks *callbacks = callbacks_of(object);
	struct upatch_object *author = rt_ptr(object->author);

	switch (which) {
	case RT_PRE_PATCH:
		return callbacks->pre_patch(author);
	case RT_POST_PATCH:
		callbacks->post_patch(author);
		break;
	case RT_PRE_UNPATCH:
		callbacks->pre_unpatch(author);
		break;
	case RT_POST_UNPATCH:
		callbacks->post_unpatch(author);
		break;
	}
	return 0;
}

/* What pre_patch returned; 0: there is none, or it is another one. */
static int run(const struct rt_patch *patch, const struct rt_object *object,
	       enum rt_callback which)
{
	struct rt_call outer;
	int ret;

	if (!has(object, which))
		return 0;
	state_leave_for_callback(object, which, &outer);
	ret = call_author(object, which);
	state_return_from_callback(&outer);
	log_callback(patch, object, which, which == RT_PRE_PATCH ? &ret : NULL);
	return ret;
}

RT_EXPORT enum upatch_object_phase
upatch_object_phase(const struct upatch_object *obj)
{
	const struct rt_object *object = (const void *)obj->priv;

	return object ? (enum upatch_object_phase)object->phase
		      : UPATCH_OBJECT_LIVE;
}

int object_pre_patch(struct rt_patch *patch, struct rt_object *object)
{
	int ret = run(patch, object, RT_PRE_PATCH);

	if (ret)
		log_callback_failed(patch, object, ret);
	else
		object->flags |= RT_OBJECT_PRE_PATCH_RAN;
	return ret;
}

void object_post_patch(struct rt_patch *patch, struct rt_object *object)
{
	/* A library that came meanwhile has had it already. */
	if (object->flags & RT_OBJECT_POST_PATCH_RAN)
		return;
	(void)run(patch, object, RT_POST_PATCH);
	object->flags |= RT_OBJECT_POST_PATCH_RAN;
}

void object_pre_unpatch(struct rt_patch *patch, struct rt_object *object)
{
	if (!(object->flags & RT_OBJECT_POST_PATCH_RAN))
		return;
	object->flags &= ~RT_OBJECT_POST_PATCH_RAN;
	(void)run(patch, object, RT_PRE_UNPATCH);
}

void object_post_unpatch(struct rt_patch *patch, struct rt_object *object)
{
	if (!(object->flags & RT_OBJECT_PRE_PATCH_RAN))
		return;
	object->flags &= ~(RT_OBJECT_PRE_PATCH_RAN | RT_OBJECT_POST_PATCH_RAN);
	(void)run(patch, object, RT_POST_UNPATCH);
}
