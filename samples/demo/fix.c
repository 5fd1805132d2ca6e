/* SPDX-License-Identifier: MIT */
/*
 * Rounds once, at the end.
 */
#include <upatch/patch.h>

#define TAX_PERCENT 119

static long fixed_total_cents(long quantity, long net_cents)
{
	return (quantity * net_cents * TAX_PERCENT + 50) / 100;
}

static struct upatch_func funcs[] = {
	{ .old_name = "total_cents", .new_func = fixed_total_cents },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "priced-rounding",
	.description = "round the total, not each piece",
	.objs = objs,
};
UPATCH_PATCH(patch);
