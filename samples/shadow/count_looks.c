/* SPDX-License-Identifier: MIT */
/*
 * Counts how often each parcel was looked at, and says so when it is freed.
 * Parcels that are under way get their counter at the next look.
 */
#include <upatch/patch.h>

#include <stdio.h>

#include "parcel.h"

/* What is below this patch: the fix of the leak, or the program. */
static void (*previous_look_at)(struct parcel *parcel);
static void (*previous_free)(struct parcel *parcel);

static void new_parcel_look_at(struct parcel *parcel)
{
	unsigned int *looks =
		upatch_shadow_get_or_alloc(parcel, SHADOW_LOOKS, sizeof(*looks),
					   NULL, NULL);

	if (looks)
		++*looks;
	previous_look_at(parcel);
}

static void tell(void *parcel, void *shadow)
{
	printf("parcel %u: %u looks\n", ((struct parcel *)parcel)->number,
	       *(unsigned int *)shadow);
}

/* First the variable: the address may be another parcel's right afterwards. */
static void new_parcel_free(struct parcel *parcel)
{
	upatch_shadow_free(parcel, SHADOW_LOOKS, tell);
	previous_free(parcel);
}

static void free_counters(struct upatch_object *obj)
{
	(void)obj;
	upatch_shadow_free_all(SHADOW_LOOKS, NULL);
}

static struct upatch_func funcs[] = {
	{
		.old_name = "parcel_look_at",
		.new_func = new_parcel_look_at,
		.orig_func = (void **)&previous_look_at,
	},
	{
		.old_name = "parcel_free",
		.new_func = new_parcel_free,
		.orig_func = (void **)&previous_free,
	},
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.callbacks = { .post_unpatch = free_counters },
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "courier-looks",
	.description = "counts the looks at each parcel",
	.objs = objs,
};
UPATCH_PATCH(patch);
