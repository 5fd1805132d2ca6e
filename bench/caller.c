/* SPDX-License-Identifier: MIT */
/* Replaces a caller by the same: what a call costs more is the gate. */
#include <upatch/patch.h>

static __attribute__((noipa)) int same(int x)
{
	return x;
}

static int (*volatile unknown)(int) = same;

static int new_caller(int x)
{
	return unknown(x) + 1;
}

static struct upatch_func funcs[] = {
	{ .old_name = FUNCTION, .new_func = new_caller },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .name = OBJECT, .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
};
UPATCH_PATCH(patch);
