/* SPDX-License-Identifier: MIT */
/*
 * A callback, or a constructor, that returns only when a file has gone: /tmp/upatch-hanging.PID.
 * It still replaces work, as work.c does.
 */
#include <upatch/patch.h>

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int new_work(int x)
{
	return x + 2;
}

static void hang(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	char path[64];

	snprintf(path, sizeof(path), "/tmp/upatch-hanging.%d", (int)getpid());
	while (access(path, F_OK) == 0)
		nanosleep(&pause, NULL);
}

#ifdef IN_PRE_PATCH
static int pre_patch(struct upatch_object *obj)
{
	(void)obj;
	hang();
	return 0;
}
#elif defined(IN_PRE_UNPATCH)
static void pre_unpatch(struct upatch_object *obj)
{
	(void)obj;
	hang();
}
#elif defined(IN_CONSTRUCTOR)
__attribute__((constructor)) static void construct(void)
{
	hang();
}
#else
static void post_patch(struct upatch_object *obj)
{
	(void)obj;
	hang();
}
#endif

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
#ifdef IN_PRE_PATCH
		.callbacks = { .pre_patch = pre_patch },
#elif defined(IN_PRE_UNPATCH)
		.callbacks = { .pre_unpatch = pre_unpatch },
#elif !defined(IN_CONSTRUCTOR)
		.callbacks = { .post_patch = post_patch },
#endif
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
};
UPATCH_PATCH(patch);
