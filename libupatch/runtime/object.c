/* SPDX-License-Identifier: MIT */
/* The callbacks of an object: which one is owed, and what becomes of it. */
#include "runtime.h"

static const struct upatch_callbacks *
callbacks_of(const struct rt_object *object)
{
	const struct upatch_object *author = rt_ptr(object->author);

	return &author->callbacks;
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
	struct upatch_object *author = rt_ptr(object->author);
	int ret = 0;

	if (callbacks_of(object)->pre_patch) {
		state_leave_for_callback();
		ret = callbacks_of(object)->pre_patch(author);
		state_return_from_callback();
		log_callback(patch, object, RT_PRE_PATCH, &ret);
	}
	if (ret)
		log_callback_failed(patch, object, ret);
	else
		object->flags |= RT_OBJECT_PRE_PATCH_RAN;
	return ret;
}

void object_post_patch(struct rt_patch *patch, struct rt_object *object)
{
	struct upatch_object *author = rt_ptr(object->author);

	/* A library that came meanwhile has had it already. */
	if (object->flags & RT_OBJECT_POST_PATCH_RAN)
		return;
	if (callbacks_of(object)->post_patch) {
		state_leave_for_callback();
		callbacks_of(object)->post_patch(author);
		state_return_from_callback();
		log_callback(patch, object, RT_POST_PATCH, NULL);
	}
	object->flags |= RT_OBJECT_POST_PATCH_RAN;
}

void object_pre_unpatch(struct rt_patch *patch, struct rt_object *object)
{
	struct upatch_object *author = rt_ptr(object->author);

	if (!(object->flags & RT_OBJECT_POST_PATCH_RAN))
		return;
	object->flags &= ~RT_OBJECT_POST_PATCH_RAN;
	if (callbacks_of(object)->pre_unpatch) {
		state_leave_for_callback();
		callbacks_of(object)->pre_unpatch(author);
		state_return_from_callback();
		log_callback(patch, object, RT_PRE_UNPATCH, NULL);
	}
}

void object_post_unpatch(struct rt_patch *patch, struct rt_object *object)
{
	struct upatch_object *author = rt_ptr(object->author);

	if (!(object->flags & RT_OBJECT_PRE_PATCH_RAN))
		return;
	object->flags &= ~(RT_OBJECT_PRE_PATCH_RAN | RT_OBJECT_POST_PATCH_RAN);
	if (callbacks_of(object)->post_unpatch) {
		state_leave_for_callback();
		callbacks_of(object)->post_unpatch(author);
		state_return_from_callback();
		log_callback(patch, object, RT_POST_UNPATCH, NULL);
	}
}
