/* SPDX-License-Identifier: MIT */
/*
 * For the victim `rust`.  MANGLED is what its compiler has made of the
 * name `mangled`.
 */
#include <upatch/patch.h>

static int (*old_mangled)(int x);
static int (*old_plain)(int x);
static int (*old_panics)(int x);

static int new_mangled(int x)
{
	return old_mangled(x) + 100;
}

static int new_plain(int x)
{
	return old_plain(x) + 100;
}

/* The panic of the original passes. */
static int new_panics(int x)
{
	return old_panics(x) + 100;
}

static struct upatch_func funcs[] = {
	{ .old_name = MANGLED,
	  .new_func = new_mangled,
	  .orig_func = (void **)&old_mangled },
	{ .old_name = "built_plain",
	  .new_func = new_plain,
	  .orig_func = (void **)&old_plain },
	{ .old_name = "built_panics",
	  .new_func = new_panics,
	  .orig_func = (void **)&old_panics },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "rust",
	.objs = objs,
};
UPATCH_PATCH(patch);
