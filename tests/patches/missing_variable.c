/* SPDX-License-Identifier: MIT */
/*
 * Wants the address of a variable that is not there.
 */
#include <upatch/patch.h>

static int *limit;

static int new_work(int x)
{
	return x + *limit;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "no_such_variable", .addr = (void **)&limit },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.symbols = symbols,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "missing_variable",
	.objs = objs,
};
UPATCH_PATCH(patch);
