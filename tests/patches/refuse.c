/* SPDX-License-Identifier: MIT */
/*
 * pre_patch says no.
 */
#include <upatch/patch.h>

#include <errno.h>

static int new_work(int x)
{
	return x + 2;
}

static int refuse(struct upatch_object *obj)
{
	(void)obj;
	return -ENODEV;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.callbacks = { .pre_patch = refuse },
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "refuse",
	.objs = objs,
};
UPATCH_PATCH(patch);
