/* SPDX-License-Identifier: MIT */
/* A copy of the runtime's state, taken from outside. */
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <upatch/patch.h>

#include "arch/arch.h"
#include "dynamic.h"

/* More than any process has; a longer list is a damaged one. */
#define LIST_MAX      1000000
#define STRING_MAX    4096
#define READ_TRIES    100
#define READ_PAUSE_NS 500000L

static upatch_addr_t find_symbol(const struct memory *memory,
				 const struct module *module, const char *name)
{
	const struct dynamic_place place = {
		.dynamic = module->dynamic,
		.bias = module->bias,
		.start = module->start,
		.end = module->end,
	};

	return dynamic_find_symbol(memory, &place, name);
}

int view_find_state(const struct memory *memory, const struct modules *modules,
		    upatch_addr_t *ret_addr, struct upatch_error *err)
{
	const struct module *runtime = modules_find_name(modules, RT_SONAME);
	upatch_addr_t addr = 0;

	if (runtime) {
		errno = 0;
		addr = find_symbol(memory, runtime, RT_STATE_SYMBOL);
		if (!addr && errno)
			return error_set(
				err, error_code_of_errno(errno), errno,
				"cannot read the symbols of the runtime in process %d",
				memory->pid);
		if (!addr)
			return error_set(err, UPATCH_ERROR_CONFLICT, 0,
					 "'%s' in process %d has no symbol %s",
					 runtime->path, memory->pid,
					 RT_STATE_SYMBOL);
	}
	*ret_addr = addr;
	return 0;
}

static int read_string(const struct memory *memory, rt_addr_t addr,
		       char **ret_string, struct upatch_error *err)
{
	char buf[STRING_MAX];
	char *string = NULL;
	int ret;

	if (addr) {
		ret = memory_read_string(memory, addr, buf, sizeof(buf), err);
		if (ret)
			return ret;
		string = strdup(buf);
		if (!string)
			return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
					 "out of memory");
	}
	*ret_string = string;
	return 0;
}

/* One more, zeroed, at the end of an array. */
static void *append(void *array, size_t *count, size_t size,
		    struct upatch_error *err)
{
	void **base = array;
	char *grown;

	if (*count >= LIST_MAX) {
		error_set(
			err, UPATCH_ERROR_SYSTEM, 0,
			"the runtime's state is damaged: a list does not end");
		return NULL;
	}
	if ((*count & (*count - 1)) == 0) {
		grown = realloc(*base, (*count ? 2 * *count : 1) * size);
		if (!grown) {
			error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				  "out of memory");
			return NULL;
		}
		*base = grown;
	}
	grown = *base;
	return memset(grown + (*count)++ * size, 0, size);
}

static rt_addr_t addr_of(const void *pointer_in_target)
{
	return (rt_addr_t)(uintptr_t)pointer_in_target;
}

static void add_range(struct rt_func_spec *spec, uint64_t start, uint64_t end)
{
	spec->ranges[spec->range_count++] = (struct rt_range){ start, end };
}

/* One range is the function, one may be its shield. */
static int read_func_ranges(const struct memory *memory,
			    const struct rt_patch *patch,
			    const struct rt_func *rt, struct rt_func_spec *spec,
			    struct upatch_error *err)
{
	uint32_t part_count =
		rt->part_count < RT_RANGES - 2 ? rt->part_count : RT_RANGES - 2;
	int ret = 0;

	if (rt->flags & RT_FUNC_SCATTERED)
		add_range(spec, patch->text.start, patch->text.end);
	else
		add_range(spec, spec->new_addr,
			  spec->new_addr + spec->new_size);
	if (part_count)
		ret = memory_read(memory, rt->parts,
				  spec->ranges + spec->range_count,
				  part_count * sizeof(*spec->ranges), err);
	spec->range_count += part_count;
	if (rt->flags & RT_FUNC_SHIELDED)
		add_range(spec, rt->entry, rt->code + rt->code_len);
	return ret;
}

static int read_func(const struct memory *memory, const struct rt_patch *patch,
		     const struct rt_func *rt, const struct upatch_func *author,
		     struct view_func *func, struct upatch_error *err)
{
	int ret = read_string(memory, addr_of(author->old_name), &func->name,
			      err);

	if (ret)
		return ret;
	func->rt = (struct rt_func_spec){
		.site = rt->site,
		.below = rt->below,
		.patch = rt->patch,
		.sympos = author->old_sympos ? author->old_sympos : 1,
		.flags = rt->flags,
		.new_addr = addr_of(author->new_func),
		.new_size = rt->new_size,
		.entry = rt->entry,
		.code = rt->code,
		.code_len = rt->code_len,
		.orig_gate = rt->orig_words ? rt->code : 0,
		.orig_words = rt->orig_words,
	};
	return read_func_ranges(memory, patch, rt, &func->rt, err);
}

/* The runtime's array and the author's. */
struct func_arrays {
	struct rt_func *rt;
	struct upatch_func *author;
};

static int read_func_arrays(const struct memory *memory,
			    const struct rt_object *object,
			    struct func_arrays *arrays,
			    struct upatch_error *err)
{
	const size_t count = object->func_count;
	struct upatch_object author;
	int ret;

	arrays->rt = calloc(count, sizeof(*arrays->rt));
	arrays->author = calloc(count, sizeof(*arrays->author));
	if (!arrays->rt || !arrays->author)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	ret = memory_read(memory, object->funcs, arrays->rt,
			  count * sizeof(*arrays->rt), err);
	if (!ret)
		ret = memory_read(memory, object->author, &author,
				  sizeof(author), err);
	return ret ? ret
		   : memory_read(memory, addr_of(author.funcs), arrays->author,
				 count * sizeof(*arrays->author), err);
}

static int read_funcs(const struct memory *memory, const struct rt_patch *patch,
		      struct view_object *object, struct upatch_error *err)
{
	const uint32_t count = object->rt.func_count;
	struct func_arrays arrays = { NULL, NULL };
	int ret = 0;

	object->funcs = calloc(count + 1, sizeof(*object->funcs));
	if (!object->funcs)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	if (count)
		ret = read_func_arrays(memory, &object->rt, &arrays, err);
	for (uint32_t i = 0; i < count && !ret; i++) {
		struct view_func *func = &object->funcs[i];

		func->addr = object->rt.funcs + i * sizeof(struct rt_func);
		ret = read_func(memory, patch, &arrays.rt[i], &arrays.author[i],
				func, err);
	}
	free(arrays.rt);
	free(arrays.author);
	return ret;
}

static int read_objects(const struct memory *memory, struct view_patch *patch,
			struct upatch_error *err)
{
	patch->objects =
		calloc(patch->rt.object_count + 1, sizeof(*patch->objects));
	if (!patch->objects)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	for (uint32_t i = 0; i < patch->rt.object_count; i++) {
		struct view_object *object = &patch->objects[i];
		int ret =
			memory_read(memory,
				    patch->rt.objects + i * sizeof(object->rt),
				    &object->rt, sizeof(object->rt), err);

		if (!ret)
			ret = read_string(memory, object->rt.name,
					  &object->name, err);
		if (!ret && object->rt.func_count > LIST_MAX)
			ret = error_set(err, UPATCH_ERROR_SYSTEM, 0,
					"the runtime's state is damaged");
		if (!ret)
			ret = read_funcs(memory, &patch->rt, object, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int read_patches(const struct memory *memory, struct view *view,
			struct upatch_error *err)
{
	rt_addr_t addr = view->state.patches;

	while (addr) {
		struct view_patch *patch =
			append(&view->patches, &view->patch_count,
			       sizeof(*patch), err);
		int ret;

		if (!patch)
			return UPATCH_ERROR_NO_MEMORY;
		patch->addr = addr;
		ret = memory_read(memory, addr, &patch->rt, sizeof(patch->rt),
				  err);
		if (!ret && patch->rt.object_count > LIST_MAX)
			ret = error_set(err, UPATCH_ERROR_SYSTEM, 0,
					"the runtime's state is damaged");
		if (ret) {
			patch->rt.object_count = 0;
			return ret;
		}
		patch->rt.name[sizeof(patch->rt.name) - 1] = '\0';
		ret = read_string(memory, patch->rt.file, &patch->file, err);
		if (!ret)
			ret = read_objects(memory, patch, err);
		if (ret)
			return ret;
		addr = patch->rt.next;
	}
	return 0;
}

static int read_site(const struct memory *memory, const struct rt_site *rt,
		     struct rt_site_spec *spec, struct upatch_error *err)
{
	uint32_t part_count =
		rt->part_count < RT_RANGES ? rt->part_count : RT_RANGES - 1;

	*spec = (struct rt_site_spec){
		.addr = rt->addr,
		.state = rt->state,
		.hook = rt->hook,
		.jump_offset = rt->jump_offset,
		.moved_end = rt->moved_end,
		.code = rt_site_code(rt),
		.code_len = rt->code_len,
		.original = rt_site_code(rt) + ARCH_GATE_LEN,
		.words = rt_site_words(rt),
		.ranges[0] = { rt->addr, rt->addr + rt->size },
		.range_count = (uint8_t)(rt->size ? 1 + part_count : 0),
		.top = rt->top,
	};
	memcpy(spec->bytes, rt->bytes, sizeof(spec->bytes));
	return part_count ? memory_read(memory, rt->parts, spec->ranges + 1,
					part_count * sizeof(*spec->ranges), err)
			  : 0;
}

static int read_site_table(const struct memory *memory, rt_addr_t addr,
			   struct view *view, rt_addr_t *ret_next,
			   struct upatch_error *err)
{
	struct rt_site_table table;
	int ret = memory_read(memory, addr, &table, sizeof(table), err);

	for (size_t i = 0; i < RT_TABLE_SITES && !ret; i++) {
		struct view_site *site;

		if (!table.sites[i].addr)
			continue;
		site = append(&view->sites, &view->site_count, sizeof(*site),
			      err);
		if (!site)
			return UPATCH_ERROR_NO_MEMORY;
		site->addr = addr + offsetof(struct rt_site_table, sites) +
			     i * sizeof(struct rt_site);
		ret = read_site(memory, &table.sites[i], &site->rt, err);
	}
	*ret_next = table.next;
	return ret;
}

static int read_sites(const struct memory *memory, struct view *view,
		      struct upatch_error *err)
{
	rt_addr_t addr = view->state.sites;

	for (size_t i = 0; addr; i++) {
		int ret;

		if (i == LIST_MAX)
			return error_set(
				err, UPATCH_ERROR_SYSTEM, 0,
				"the runtime's state is damaged: a list does not end");
		ret = read_site_table(memory, addr, view, &addr, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int read_areas(const struct memory *memory, struct view *view,
		      struct upatch_error *err)
{
	rt_addr_t addr = view->state.areas;

	while (addr) {
		struct view_area *area = append(&view->areas, &view->area_count,
						sizeof(*area), err);
		int ret;

		if (!area)
			return UPATCH_ERROR_NO_MEMORY;
		area->addr = addr;
		ret = memory_read(memory, addr, &area->rt, sizeof(area->rt),
				  err);
		if (ret)
			return ret;
		addr = area->rt.next;
	}
	return 0;
}

static int read_head(const struct memory *memory, upatch_addr_t addr,
		     struct rt_state *state, struct upatch_error *err)
{
	int ret = memory_read(memory, addr, state, sizeof(*state), err);

	if (ret)
		return ret;
	if (state->magic == RT_MAGIC && state->version == RT_VERSION &&
	    state->size == sizeof(*state))
		return 0;
	/* Loaded a moment ago, and not started: nothing has been done yet. */
	if (state->magic == 0) {
		*state = (struct rt_state){ 0 };
		return 0;
	}
	if (state->magic != RT_MAGIC)
		return error_set(err, UPATCH_ERROR_CONFLICT, 0,
				 "the runtime's state in process %d is damaged",
				 memory->pid);
	return error_set(
		err, UPATCH_ERROR_CONFLICT, 0,
		"process %d has a runtime of layout %u, this upatch knows layout %u",
		memory->pid, state->version, RT_VERSION);
}

/*
 * Odd for so long: a change that was under way in the parent when this child
 * was forked.  Nobody will end it; lists are linked at all times.
 */
#define STANDSTILL_TRIES 40

static int try_read(const struct memory *memory, upatch_addr_t addr,
		    bool stands_still, struct view *view, bool *ret_torn,
		    struct upatch_error *err)
{
	uint32_t seq;
	bool changing;
	int ret = read_head(memory, addr, &view->state, err);

	if (ret)
		return ret;
	changing = (view->state.seq & 1) && !stands_still;
	if (!changing) {
		ret = read_patches(memory, view, err);
		if (!ret)
			ret = read_sites(memory, view, err);
		if (!ret)
			ret = read_areas(memory, view, err);
	}
	if (memory_read_some(memory, addr + offsetof(struct rt_state, seq),
			     &seq, sizeof(seq)) != sizeof(seq))
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "process %d ended", memory->pid);
	*ret_torn = changing || seq != view->state.seq;
	return *ret_torn ? 0 : ret;
}

int view_read(const struct memory *memory, upatch_addr_t state_addr,
	      struct view *ret_view, struct upatch_error *err)
{
	const struct timespec pause = { .tv_nsec = READ_PAUSE_NS };
	uint32_t last_seq = 0;
	int unchanged = 0;

	for (int i = 0; i < READ_TRIES; i++) {
		struct view view = { 0 };
		bool torn = false;
		int ret = try_read(memory, state_addr,
				   unchanged >= STANDSTILL_TRIES, &view, &torn,
				   err);

		if (!ret && !torn) {
			*ret_view = view;
			return 0;
		}
		unchanged = view.state.seq == last_seq ? unchanged + 1 : 0;
		last_seq = view.state.seq;
		view_free(&view);
		if (ret)
			return ret;
		nanosleep(&pause, NULL);
	}
	return error_set(err, UPATCH_ERROR_BUSY, 0,
			 "the runtime's state in process %d keeps changing",
			 memory->pid);
}

static void free_object(struct view_object *object)
{
	for (uint32_t i = 0; object->funcs && i < object->rt.func_count; i++)
		free(object->funcs[i].name);
	free(object->funcs);
	free(object->name);
}

void view_free(struct view *view)
{
	for (size_t i = 0; i < view->patch_count; i++) {
		struct view_patch *patch = &view->patches[i];

		for (uint32_t j = 0;
		     patch->objects && j < patch->rt.object_count; j++)
			free_object(&patch->objects[j]);
		free(patch->objects);
		free(patch->file);
	}
	free(view->patches);
	free(view->sites);
	free(view->areas);
	memset(view, 0, sizeof(*view));
}

bool view_is_listed(const struct view_patch *patch)
{
	switch (patch->rt.state) {
	case RT_PATCH_INIT:
	case RT_PATCH_PATCHING:
	case RT_PATCH_ENABLED:
	case RT_PATCH_UNPATCHING:
		return true;
	default:
		return false;
	}
}

struct view_patch *view_find_patch(const struct view *view, const char *name)
{
	struct view_patch *patch;

	view_for_each(patch, view->patches, view->patch_count)
	{
		if (view_is_listed(patch) && !strcmp(patch->rt.name, name))
			return patch;
	}
	return NULL;
}

struct view_patch *view_find_patch_addr(const struct view *view, rt_addr_t addr)
{
	struct view_patch *patch;

	view_for_each(patch, view->patches, view->patch_count)
	{
		if (patch->addr == addr)
			return patch;
	}
	return NULL;
}

struct view_site *view_find_site(const struct view *view, uint64_t addr)
{
	struct view_site *site;

	view_for_each(site, view->sites, view->site_count)
	{
		if (site->rt.addr == addr)
			return site;
	}
	return NULL;
}

struct view_site *view_find_site_at(const struct view *view, rt_addr_t addr)
{
	struct view_site *site;

	view_for_each(site, view->sites, view->site_count)
	{
		if (site->addr == addr)
			return site;
	}
	return NULL;
}

struct view_func *view_find_func(const struct view *view, rt_addr_t addr,
				 struct view_patch **ret_patch)
{
	struct view_patch *patch;

	view_for_each(patch, view->patches, view->patch_count)
	{
		for (uint32_t i = 0; i < patch->rt.object_count; i++) {
			const struct view_object *object = &patch->objects[i];
			uint64_t offset = addr - object->rt.funcs;
			uint64_t index = offset / sizeof(struct rt_func);

			if (addr < object->rt.funcs ||
			    index >= object->rt.func_count)
				continue;
			if (ret_patch)
				*ret_patch = patch;
			return &object->funcs[index];
		}
	}
	return NULL;
}

unsigned int view_count_funcs(const struct view_patch *patch)
{
	unsigned int count = 0;

	for (uint32_t i = 0; i < patch->rt.object_count; i++)
		count += patch->objects[i].rt.func_count;
	return count;
}
