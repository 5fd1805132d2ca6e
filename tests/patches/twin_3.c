/* SPDX-License-Identifier: MIT */
/*
 * There is no third function with this name.
 */
#include <upatch/patch.h>

static int new_twin(int x)
{
	return x + 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "twin", .new_func = new_twin, .old_sympos = 3 },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "twin_3",
	.objs = objs,
};
UPATCH_PATCH(patch);
