/* SPDX-License-Identifier: MIT */
/*
 * work() of the victim `idle` counts its calls in a shadow variable of what it
 * is called with.  Variants, by macro: NAME; STEP: what a call counts for;
 * TWICE: attaches what is there already.
 */
#include <upatch/patch.h>

#include <errno.h>
#include <stddef.h>

#define COUNT_ID 1
#define OTHER_ID 2

/* The victim has no objects: any address will do. */
static volatile int *step;

static int begin_at(void *obj, void *shadow_data, void *ctor_data)
{
	(void)obj;
	*(int *)shadow_data = *(const int *)ctor_data;
	return 0;
}

static int refuse(void *obj, void *shadow_data, void *ctor_data)
{
	(void)obj;
	(void)shadow_data;
	(void)ctor_data;
	return -EINVAL;
}

static int new_work(int x)
{
	void *obj = (void *)step;
	int first = 100;
	int *count = upatch_shadow_get_or_alloc(obj, COUNT_ID, sizeof(*count),
						begin_at, &first);

	(void)x;
	if (count == NULL)
		return -1;
#if defined(TWICE)
	if (upatch_shadow_alloc(obj, COUNT_ID, sizeof(*count), begin_at,
				&first) != NULL)
		return -2;
#endif
	if (upatch_shadow_alloc(obj, OTHER_ID, sizeof(*count), refuse, NULL) !=
		    NULL ||
	    upatch_shadow_get(obj, OTHER_ID) != NULL)
		return -3;
	*count += STEP;
	return *count;
}

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "step", .sympos = 1, .addr = (void **)&step },
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
};
UPATCH_PATCH(patch);
