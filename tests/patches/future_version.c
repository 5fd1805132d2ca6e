/* SPDX-License-Identifier: MIT */
/*
 * Made for an interface that does not exist yet.
 */
#include <upatch/patch.h>

static struct upatch_object objs[] = {
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "future_version",
	.objs = objs,
};

struct upatch_descriptor upatch_descriptor = {
	UPATCH_DESCRIPTOR_MAGIC,
	UPATCH_INTERFACE_VERSION + 41,
	sizeof(struct upatch_patch),
	&patch,
};
