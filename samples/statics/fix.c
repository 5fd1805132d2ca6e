/* SPDX-License-Identifier: MIT */
/*
 * Replaces a static function with one that uses a static function and a
 * static variable of the program: `symbols` asks for their addresses.
 */
#include <upatch/patch.h>

static unsigned int (*mix)(unsigned int sum, unsigned char byte);
static volatile unsigned int *seed;

static unsigned int fixed_checksum(const char *text, size_t len)
{
	unsigned int sum = *seed;

	for (size_t i = 0; i < len; i++)
		sum = mix(sum, (unsigned char)text[i]);
	return sum % 1000;
}

static struct upatch_func funcs[] = {
	{ .old_name = "checksum", .new_func = fixed_checksum },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "mix", .addr = (void **)&mix },
	{ .name = "seed", .addr = (void **)&seed },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs, .symbols = symbols },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "checksum-fix",
	.description = "count the last byte",
	.objs = objs,
};
UPATCH_PATCH(patch);
