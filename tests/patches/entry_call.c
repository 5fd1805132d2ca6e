/* SPDX-License-Identifier: MIT */
/*
 * Its old function calls inside its first five bytes.
 */
#include <upatch/patch.h>

static int new_entry_call(void (*const *inside)(void))
{
	(*inside)();
	return 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "entry_call", .new_func = new_entry_call },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "entry_call",
	.objs = objs,
};
UPATCH_PATCH(patch);
