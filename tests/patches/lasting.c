/* SPDX-License-Identifier: MIT */
/* For the victim `lasting`. */
#include <upatch/patch.h>

static int new_work(int x)
{
	return x + 2;
}

static int (*old_held)(void);

/* Stays below the old one on the stack: no tail call. */
static int new_held(void)
{
	int step = old_held();

	__asm__ volatile("" : "+r"(step));
	return step;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ .old_name = "held",
	  .new_func = new_held,
	  .orig_func = (void **)&old_held },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "lasting",
	.objs = objs,
};
UPATCH_PATCH(patch);
