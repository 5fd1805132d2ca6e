/* SPDX-License-Identifier: MIT */
/* The declarations of a patch that replaces one function, and no more. */
#ifndef PATCHES_ONE_FUNCTION_H
#define PATCHES_ONE_FUNCTION_H

#include <upatch/patch.h>

/* The patch's name, and the fields of the function. */
#define ONE_FUNCTION(patch_name, ...)                                          \
	static struct upatch_func funcs[] = { { __VA_ARGS__ }, { 0 } };        \
	static struct upatch_object objs[] = { { .funcs = funcs },             \
					       UPATCH_OBJECT_END };            \
	static struct upatch_patch patch = { .name = patch_name,               \
					     .objs = objs };                   \
	UPATCH_PATCH(patch)

#endif
