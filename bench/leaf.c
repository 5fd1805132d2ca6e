/* SPDX-License-Identifier: MIT */
/*
 * Replaces leaf(), whose caller keeps values in registers that leaf() leaves
 * alone, by a function that writes one of them: its calls are shielded.
 */
#include <upatch/patch.h>

static int new_leaf(void)
{
	int four = 4;

	__asm__ volatile("xor %%esi, %%esi" : "+r"(four) : : "rsi");
	return four;
}

static struct upatch_func funcs[] = {
	{ .old_name = "leaf", .new_func = new_leaf },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "leaf",
	.objs = objs,
};
UPATCH_PATCH(patch);
