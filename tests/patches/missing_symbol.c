/* SPDX-License-Identifier: MIT */
/*
 * Names a function that is not there, but nearly.
 */
#include <upatch/patch.h>

static int new_work(int x)
{
	return x + 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "wrok", .new_func = new_work },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "missing_symbol",
	.objs = objs,
};
UPATCH_PATCH(patch);
