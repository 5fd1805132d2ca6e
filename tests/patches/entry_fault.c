/* SPDX-License-Identifier: MIT */
/*
 * Its old function can be interrupted inside its first five bytes.
 */
#include <upatch/patch.h>

static int new_entry_fault(const int *address)
{
	return *address + 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "entry_fault", .new_func = new_entry_fault },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "entry_fault",
	.objs = objs,
};
UPATCH_PATCH(patch);
