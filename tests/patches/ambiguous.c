/* SPDX-License-Identifier: MIT */
/*
 * Two functions have this name.
 */
#include <upatch/patch.h>

static int new_twin(int x)
{
	return x + 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "twin", .new_func = new_twin },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "ambiguous",
	.objs = objs,
};
UPATCH_PATCH(patch);
