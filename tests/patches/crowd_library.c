/* SPDX-License-Identifier: MIT */
/*
 * Computes in a callback for a library that comes, in the thread that loads it,
 * and notes the longest pause in that.
 */
#include <upatch/patch.h>

#include "../victims/crowd.h"

#define LASTS_NS 1500000000l

static struct crowd_words *words;

static int compute(struct upatch_object *obj)
{
	long last = crowd_now_ns(), end = last + LASTS_NS;

	if (upatch_object_phase(obj) != UPATCH_OBJECT_COMING)
		return 0;
	while (last < end) {
		long now = crowd_now_ns();

		if (now - last > words->longest_gap_ns)
			words->longest_gap_ns = now - last;
		last = now;
	}
	return 0;
}

static struct upatch_symbol symbols[] = {
	{ .name = "words", .addr = (void **)&words },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.symbols = symbols,
	},
	{
		.name = "libtarget_a.so",
		.callbacks = { .pre_patch = compute },
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
};
UPATCH_PATCH(patch);
