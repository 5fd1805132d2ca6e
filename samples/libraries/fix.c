/* SPDX-License-Identifier: MIT */
/*
 * One patch for the main executable and two plugins, which need not be there
 * when it is applied.  Every callback says for which object and why it runs.
 */
#include <upatch/patch.h>

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>

/* Filled in when the object that has them is there. */
static const volatile int *protocol;
static sem_t *jobs;

static const char *new_version(void)
{
	return "1.1";
}

static const char *new_greeting(void)
{
	return "1.1";
}

static const char *new_take_job(void)
{
	while (sem_wait(jobs))
		;
	return "1.1";
}

static void tell(const char *callback, const struct upatch_object *obj)
{
	static const char *const phases[] = {
		[UPATCH_OBJECT_LIVE] = "LIVE",
		[UPATCH_OBJECT_COMING] = "COMING",
		[UPATCH_OBJECT_GOING] = "GOING",
	};

	printf("%s: %s, %s\n", callback,
	       obj->name ? obj->name : "main executable",
	       phases[upatch_object_phase(obj)]);
}

static int pre_patch(struct upatch_object *obj)
{
	tell("pre_patch", obj);
	return 0;
}

/* Refused while it is COMING, the plugin is not loaded: dlopen fails. */
static int pre_patch_greeter(struct upatch_object *obj)
{
	tell("pre_patch", obj);
	return *protocol == 1 ? 0 : -EPROTO;
}

static void post_patch(struct upatch_object *obj)
{
	tell("post_patch", obj);
}

static void pre_unpatch(struct upatch_object *obj)
{
	tell("pre_unpatch", obj);
}

static void post_unpatch(struct upatch_object *obj)
{
	tell("post_unpatch", obj);
}

static struct upatch_func service_funcs[] = {
	{ .old_name = "version", .new_func = new_version },
	{ 0 },
};

static struct upatch_func greeter_funcs[] = {
	{ .old_name = "greeting", .new_func = new_greeting },
	{ 0 },
};

static struct upatch_symbol greeter_symbols[] = {
	{ .name = "protocol", .addr = (void **)&protocol },
	{ 0 },
};

static struct upatch_func busy_funcs[] = {
	{ .old_name = "take_job", .new_func = new_take_job },
	{ 0 },
};

static struct upatch_symbol busy_symbols[] = {
	{ .name = "jobs", .addr = (void **)&jobs },
	{ 0 },
};

#define CALLBACKS(pre_patch_of_object)                                         \
	{                                                                      \
		.pre_patch = (pre_patch_of_object), .post_patch = post_patch,  \
		.pre_unpatch = pre_unpatch, .post_unpatch = post_unpatch,      \
	}

static struct upatch_object objs[] = {
	{
		.funcs = service_funcs,
		.callbacks = CALLBACKS(pre_patch),
	},
	{
		.name = "greeter.so",
		.funcs = greeter_funcs,
		.symbols = greeter_symbols,
		.callbacks = CALLBACKS(pre_patch_greeter),
	},
	{
		.name = "busy.so",
		.funcs = busy_funcs,
		.symbols = busy_symbols,
		.callbacks = CALLBACKS(pre_patch),
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "libraries-fix",
	.objs = objs,
};
UPATCH_PATCH(patch);
