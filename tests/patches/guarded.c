/* SPDX-License-Identifier: MIT */
/*
 * guarded() and plain() of the victim `blocker`; by macro IMMEDIATE guarded() at
 * once.
 */
#include <upatch/patch.h>

#include <stdint.h>
#include <unistd.h>

#if defined(IMMEDIATE)
#define IS_IMMEDIATE true
#else
#define IS_IMMEDIATE false
#endif

static const int *inside_fd, *leave_fd;

static int new_guarded(int wait)
{
	uint64_t value = 1;

	if (wait) {
		if (write(*inside_fd, &value, sizeof(value)) < 0 ||
		    read(*leave_fd, &value, sizeof(value)) < 0)
			return -1;
	}
	return 2;
}

static int new_plain(void)
{
	return 2;
}

static struct upatch_func funcs[] = {
	{ .old_name = "guarded",
	  .new_func = new_guarded,
	  .immediate = IS_IMMEDIATE },
	{ .old_name = "plain", .new_func = new_plain },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "inside_fd", .addr = (void **)&inside_fd },
	{ .name = "leave_fd", .addr = (void **)&leave_fd },
	{ 0 },
};

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
};
UPATCH_PATCH(patch);
