/* SPDX-License-Identifier: MIT */
/*
 * Needs a function that nobody has.
 */
#include <upatch/patch.h>

int upatch_test_nobody_has_this(int x);

static int new_work(int x)
{
	return upatch_test_nobody_has_this(x);
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
	.name = "undefined",
	.objs = objs,
};
UPATCH_PATCH(patch);
