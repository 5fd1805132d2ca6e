/* SPDX-License-Identifier: MIT */
/* A patch that uses every field of the author's interface. */
#include <stdlib.h>

#include <upatch/patch.h>

static int (*orig_limit)(int);
static void *table_addr, *counter_addr;

/* abort() is cold: compilers move the call to new_limit.cold. */
static int new_limit(int value)
{
	if (__builtin_expect(value < -1000, 0)) {
		*(int *)table_addr = value;
		abort();
	}
	return orig_limit(value) + *(int *)counter_addr;
}

/* Exported, so that the loader would prefer a namesake of the target's. */
int read_new_name(void);
int read_new_name(void)
{
	return 7;
}

static int pre_patch(struct upatch_object *obj)
{
	return obj->priv ? 0 : -1;
}

static void post_patch(struct upatch_object *obj)
{
	counter_addr = obj;
}

static void pre_unpatch(struct upatch_object *obj)
{
	table_addr = obj;
}

static void post_unpatch(struct upatch_object *obj)
{
	obj->priv = NULL;
}

extern int read_not_there(struct upatch_object *obj) __attribute__((weak));

static struct upatch_func main_funcs[] = {
	{
		.old_name = "get_limit",
		.new_func = (void *)new_limit,
		.old_sympos = 2,
		.immediate = true,
		.orig_func = (void **)&orig_limit,
	},
	{ .old_name = "get_name", .new_func = (void *)read_new_name },
	{ 0 },
};

static struct upatch_symbol main_symbols[] = {
	{ "table", 3, &table_addr },
	{ "counter", 0, &counter_addr },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = main_funcs,
		.symbols = main_symbols,
		.callbacks = { pre_patch, post_patch, pre_unpatch,
			       post_unpatch },
	},
	{
		.name = "libz.so.1",
		.build_id = "0123456789abcdef",
		.callbacks = { .pre_patch = read_not_there,
			       .post_patch = post_patch },
	},
	UPATCH_OBJECT_END,
};

static struct upatch_state states[] = {
	{ .id = 5, .version = 1 },
	{ .id = 3, .version = 9, .data = states },
	{ 0 },
};

static struct upatch_patch read_all = {
	.name = "read-all_fields.1",
	.description = "Größe: every field",
	.objs = objs,
	.states = states,
	.replace = true,
};
UPATCH_PATCH(read_all);
