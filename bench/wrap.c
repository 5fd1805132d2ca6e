/* SPDX-License-Identifier: MIT */
/*
 * Replaces FUNCTION by one that only calls it: whatever its arguments are, up
 * to six in registers, they go through.
 */
#include <upatch/patch.h>

typedef long function(long a, long b, long c, long d, long e, long f);

static function *original;

static long wrapper(long a, long b, long c, long d, long e, long f)
{
	return original(a, b, c, d, e, f);
}

static struct upatch_func funcs[] = {
	{ .old_name = FUNCTION,
	  .new_func = wrapper,
	  .orig_func = (void **)&original },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "wrap",
	.objs = objs,
};
UPATCH_PATCH(patch);
