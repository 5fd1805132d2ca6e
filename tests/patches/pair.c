/* SPDX-License-Identifier: MIT */
/*
 * All three functions of the victim `pair` belong together.  By macro IMMEDIATE
 * without the stack check: then the victim has to see mixes.
 */
#define VERSION 2
#include "pair_functions.h"

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
