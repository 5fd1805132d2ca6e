/* SPDX-License-Identifier: MIT */
/*
 * Another patch with the name "work".
 */
#include <upatch/patch.h>

static int new_work(int x)
{
	return x + 5;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "work",
	.objs = objs,
};
UPATCH_PATCH(patch);
