/* SPDX-License-Identifier: MIT */
/*
 * All three functions of the victim `pair` belong together.  By macro IMMEDIATE
 * without the stack check: then the victim has to see mixes.
 */
#include <upatch/patch.h>

#include <sched.h>

struct versions {
	int outer, first, second;
	void (*pause)(void);
};

/* Called at their old addresses, so that the gates decide. */
static int (*call_first)(void);
static int (*call_second)(void);

static int new_first(void)
{
	return 2;
}

static int new_second(void)
{
	sched_yield();
	return 2;
}

static void new_outer(struct versions *versions)
{
	versions->outer = 2;
	versions->first = call_first();
	versions->pause();
	versions->second = call_second();
}

static struct upatch_func funcs[] = {
	{ .old_name = "outer", .new_func = new_outer },
	{ .old_name = "first", .new_func = new_first },
	{ .old_name = "second", .new_func = new_second },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "first", .addr = (void **)&call_first },
	{ .name = "second", .addr = (void **)&call_second },
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
	.name = NAME,
	.objs = objs,
#if defined(IMMEDIATE)
	.immediate = true,
#endif
};
UPATCH_PATCH(patch);
