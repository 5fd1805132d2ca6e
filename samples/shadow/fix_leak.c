/* SPDX-License-Identifier: MIT */
/*
 * Frees the labels.  A parcel has no room for the pointer, and must not grow:
 * there are parcels already, and old code that allocates them.  So the pointer
 * is a shadow variable of the parcel.
 */
#include <upatch/patch.h>

#include <stdlib.h>

#include "parcel.h"

static char *(*label_new)(unsigned int number);
static void (*label_free)(char *label);

/* Runs before another thread can see the variable. */
static int set_label(void *parcel, void *shadow, void *label)
{
	(void)parcel;
	*(char **)shadow = label;
	return 0;
}

static void free_label(void *parcel, void *shadow)
{
	(void)parcel;
	label_free(*(char **)shadow);
}

static struct parcel *new_parcel_new(unsigned int number)
{
	struct parcel *parcel = malloc(sizeof(*parcel));
	char *label = label_new(number);

	if (!parcel || !label)
		exit(1);
	parcel->number = number;
	/* Without memory the label leaks as it did before. */
	upatch_shadow_alloc(parcel, SHADOW_LABEL, sizeof(label), set_label,
			    label);
	return parcel;
}

/* A parcel from before the patch has none; then this does nothing. */
static void new_parcel_free(struct parcel *parcel)
{
	upatch_shadow_free(parcel, SHADOW_LABEL, free_label);
	free(parcel);
}

/* The old parcel_free does not know of them. */
static void free_labels(struct upatch_object *obj)
{
	(void)obj;
	upatch_shadow_free_all(SHADOW_LABEL, free_label);
}

static struct upatch_func funcs[] = {
	{ .old_name = "parcel_new", .new_func = new_parcel_new },
	{ .old_name = "parcel_free", .new_func = new_parcel_free },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "label_new", .addr = (void **)&label_new },
	{ .name = "label_free", .addr = (void **)&label_free },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.symbols = symbols,
		.callbacks = { .post_unpatch = free_labels },
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "courier-leak",
	.description = "frees the label with its parcel",
	.objs = objs,
};
UPATCH_PATCH(patch);
