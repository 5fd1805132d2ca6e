/* SPDX-License-Identifier: MIT */
/* A patch with COUNT functions: 10, 100 or 1000 of the victim's. */
#include <upatch/patch.h>

#include "each.h"

#define PASTE(a, b) a##b
#define EACH(count) PASTE(EACH_, count)
#define TEXT_OF(x)  #x
#define TEXT(x)	    TEXT_OF(x)
#define DEFINE(name)                                                           \
	static __attribute__((noinline)) int name(int x)                       \
	{                                                                      \
		return x + 2;                                                  \
	}
#define LIST(name) { .old_name = #name, .new_func = name },

/* clang-format off */
EACH(COUNT)(DEFINE)

static struct upatch_func funcs[] = {
	EACH(COUNT)(LIST)
	{ 0 },
};
/* clang-format on */

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "many" TEXT(COUNT),
	.objs = objs,
};
UPATCH_PATCH(patch);
