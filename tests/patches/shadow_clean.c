/* SPDX-License-Identifier: MIT */
/*
 * Frees what the shadow_count patches have left; tells on stdout what it was.
 */
#include <upatch/patch.h>

#include <stdio.h>
#include <unistd.h>

#define COUNT_ID 1

static void tell(void *obj, void *shadow_data)
{
	(void)obj;
	dprintf(STDOUT_FILENO, "freed %d\n", *(int *)shadow_data);
}

static void post_patch(struct upatch_object *obj)
{
	(void)obj;
	upatch_shadow_free_all(COUNT_ID, tell);
	upatch_shadow_free_all(COUNT_ID, tell);
}

static struct upatch_object objs[] = {
	{ .callbacks = { .post_patch = post_patch } },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "shadow_clean",
	.objs = objs,
};
UPATCH_PATCH(patch);
