/* SPDX-License-Identifier: MIT */
/*
 * For the victim `built`, in whatever way it was built.
 */
#include <upatch/patch.h>

#include <stdio.h>
#include <stdlib.h>

static int (*old_leaf)(int x);
static int (*old_caller)(int x);
static int (*old_switch)(int x);

/* Calls what the old one did not, and the original. */
static int new_leaf(int x)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", x);
	return old_leaf(x) + atoi(text);
}

static int new_caller(int x)
{
	return old_caller(x) + 100;
}

static int new_switch(int x)
{
	return old_switch(x) - 1;
}

static struct upatch_func funcs[] = {
	{ .old_name = "built_leaf",
	  .new_func = new_leaf,
	  .orig_func = (void **)&old_leaf },
	{ .old_name = "built_caller",
	  .new_func = new_caller,
	  .orig_func = (void **)&old_caller },
	{ .old_name = "built_switch",
	  .new_func = new_switch,
	  .orig_func = (void **)&old_switch },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "built",
	.objs = objs,
};
UPATCH_PATCH(patch);
