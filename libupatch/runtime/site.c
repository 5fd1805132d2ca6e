/* SPDX-License-Identifier: MIT */
/* Sites, and the stack of versions of each. */
#include "hooks.h"
#include "runtime.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gate.h"

static struct rt_state *const state = &upatch_runtime_state;

struct rt_site *site_find(uint64_t addr)
{
	struct rt_site_table *table;
	struct rt_site *site;

	rt_for_each_site(site, table)
	{
		if (site->addr == addr)
			return site;
	}
	return NULL;
}

/* In memory of their own, as few functions have any. */
static int copy_parts(const struct rt_range *ranges, uint32_t range_count,
		      rt_addr_t *ret_parts)
{
	uint32_t count = range_count ? range_count - 1 : 0;
	struct rt_range *parts = NULL;

	if (range_count > RT_RANGES)
		return -EINVAL;
	if (count) {
		parts = calloc(count, sizeof(*parts));
		if (!parts)
			return -ENOMEM;
		memcpy(parts, ranges + 1, count * sizeof(*parts));
	}
	*ret_parts = rt_addr(parts);
	return 0;
}

void site_free_parts(rt_addr_t parts, uint32_t count)
{
	if (parts)
		explicit_bzero(rt_ptr(parts), count * sizeof(struct rt_range));
	free(rt_ptr(parts));
}

/* A place for a site, in the last table or in a new one. */
static struct rt_site *find_place(void)
{
	struct rt_site_table *table;

	rt_for_each(table, state->sites)
	{
		for (size_t i = 0; i < RT_TABLE_SITES; i++) {
			if (!table->sites[i].addr)
				return &table->sites[i];
		}
	}
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->next = state->sites;
	atomic_thread_fence(memory_order_release);
	state->sites = rt_addr(table);
	return table->sites;
}

/* The address comes last: with it there is a site. */
static void fill_site(struct rt_site *site, const struct rt_site_spec *wanted,
		      rt_addr_t parts)
{
	site->top = 0;
	site->parts = parts;
	site->part_count = parts ? (uint8_t)(wanted->range_count - 1) : 0;
	site->size = 0;
	if (wanted->range_count)
		site->size = (uint32_t)(wanted->ranges[0].end - wanted->addr);
	site->code = (int32_t)(wanted->code - wanted->addr);
	site->code_len = (uint8_t)wanted->code_len;
	site->words = (int32_t)(wanted->words - wanted->addr);
	site->state = RT_SITE_PREPARED;
	site->hook = (uint8_t)wanted->hook;
	site->jump_offset = wanted->jump_offset;
	site->moved_end = wanted->moved_end;
	memcpy(site->bytes, wanted->bytes, sizeof(site->bytes));
	atomic_thread_fence(memory_order_release);
	site->addr = wanted->addr;
}

int site_register(const struct rt_site_spec *wanted, struct rt_site **ret_site)
{
	struct rt_site *site = site_find(wanted->addr);
	struct rt_gate_words *words = rt_ptr(wanted->words);
	rt_addr_t parts, old_parts;
	uint32_t old_count;
	int ret;

	if (site && site->state == RT_SITE_INSTALLED)
		return -EEXIST;
	ret = copy_parts(wanted->ranges, wanted->range_count, &parts);
	if (ret)
		return ret;
	if (!site)
		site = find_place();
	if (!site) {
		site_free_parts(parts, wanted->range_count - 1U);
		return -ENOMEM;
	}
	old_parts = site->parts;
	old_count = site->part_count;
	state_change_begin();
	words->source = wanted->original;
	words->destination = wanted->original;
	words->slot = wanted->original;
	if (wanted->hook) {
		hooks_set_original(wanted->hook, wanted->original);
		words->slot = hooks_entry(wanted->hook);
	}
	fill_site(site, wanted, parts);
	state_change_end();
	site_free_parts(old_parts, old_count);
	if (ret_site)
		*ret_site = site;
	return 0;
}

int site_add_func(struct rt_patch *patch, uint32_t object_index, uint32_t index,
		  const struct rt_func_spec *found)
{
	const uint32_t shielded = found->flags & RT_FUNC_SHIELDED;
	struct rt_object *object;
	struct rt_site *site;
	struct rt_func *func;
	const struct upatch_object *author;
	rt_addr_t parts, old_parts;
	uint32_t old_count;
	void **orig_func;
	int ret;

	if (object_index >= patch->object_count)
		return -EINVAL;
	object = &patch_objects(patch)[object_index];
	if (index >= object->func_count)
		return -EINVAL;
	site = found->old_addr ? site_find(found->old_addr) : NULL;
	/* The library may have gone since the controller looked. */
	if (found->old_addr && (!site || !(object->flags & RT_OBJECT_LOADED)))
		return -EAGAIN;
	ret = copy_parts(found->ranges, found->range_count, &parts);
	if (ret)
		return ret;
	func = &patch_funcs(object)[index];
	author = rt_ptr(object->author);
	orig_func = author->funcs[index].orig_func;
	old_parts = func->parts;
	old_count = func->part_count;
	state_change_begin();
	func->site = rt_addr(site);
	func->flags &= RT_FUNC_IMMEDIATE;
	func->flags |=
		found->range_count ? shielded : shielded | RT_FUNC_SCATTERED;
	func->new_size = (uint32_t)found->new_size;
	func->entry = found->entry;
	func->code = found->code;
	func->code_len = (uint16_t)found->code_len;
	func->orig_words = found->orig_words;
	func->parts = parts;
	func->part_count = parts ? (uint8_t)(found->range_count - 1) : 0;
	state_change_end();
	site_free_parts(old_parts, old_count);
	if (orig_func && func->site)
		*orig_func = rt_ptr(found->orig_gate);
	return 0;
}

static void for_each_placed_func(struct rt_patch *patch,
				 void (*visit)(struct rt_site *site,
					       struct rt_func *func))
{
	for (uint32_t i = 0; i < patch->object_count; i++) {
		struct rt_object *object = &patch_objects(patch)[i];

		for (uint32_t j = 0; j < object->func_count; j++) {
			struct rt_func *func = &patch_funcs(object)[j];

			if (func->site)
				visit(rt_ptr(func->site), func);
		}
	}
}

static void push(struct rt_site *site, struct rt_func *func)
{
	func->below = site->top;
	site->top = rt_addr(func);
}

static void drop(struct rt_site *site, struct rt_func *func)
{
	rt_addr_t *link = &site->top;

	while (*link && *link != rt_addr(func))
		link = &((struct rt_func *)rt_ptr(*link))->below;
	if (*link)
		*link = func->below;
}

void site_drop_func(struct rt_func *func)
{
	drop(rt_ptr(func->site), func);
}

/*
 * Also of functions that are on no stack: of patches that have left, or are
 * not enabled yet.
 */
static void forget_in_object(const struct rt_object *object,
			     const struct rt_site *site)
{
	for (uint32_t i = 0; i < object->func_count; i++) {
		struct rt_func *func = &patch_funcs(object)[i];

		if (func->site == rt_addr(site))
			func->site = 0;
	}
}

void site_forget(struct rt_site *site)
{
	const rt_addr_t parts = site->parts;
	const uint32_t part_count = site->part_count;
	struct rt_patch *patch;

	rt_for_each(patch, state->patches)
	{
		for (uint32_t i = 0; i < patch->object_count; i++)
			forget_in_object(&patch_objects(patch)[i], site);
	}
	/* No address may stay behind, as in place_free. */
	explicit_bzero(site, sizeof(*site));
	site_free_parts(parts, part_count);
}

/* The loader is left alone as soon as no patch names a library. */
void site_drop_unneeded_hooks(void)
{
	struct rt_patch *patch;
	struct rt_site_table *table;
	struct rt_site *site;

	rt_for_each(patch, state->patches)
	{
		if (patch_is_listed(patch) && patch_names_library(patch))
			return;
	}
	rt_for_each_site(site, table)
	{
		struct rt_gate_words *words = rt_ptr(rt_site_words(site));

		if (site->hook)
			words->slot = gate_original(site);
		site->hook = RT_HOOK_NONE;
	}
}

void site_push_patch(struct rt_patch *patch)
{
	for_each_placed_func(patch, push);
}

void site_drop_patch(struct rt_patch *patch)
{
	for_each_placed_func(patch, drop);
}

void site_mark_installed(void)
{
	struct rt_site_table *table;
	struct rt_site *site;

	state_change_begin();
	rt_for_each_site(site, table)
	{
		if (site->state == RT_SITE_PREPARED &&
		    (site->top || site->hook))
			site->state = RT_SITE_INSTALLED;
	}
	state_change_end();
}

void site_mark_removed(void)
{
	struct rt_site_table *table;
	struct rt_site *site;

	state_change_begin();
	rt_for_each_site(site, table)
	{
		if (!site->top && !site->hook)
			site->state = RT_SITE_IDLE;
	}
	state_change_end();
}

int area_map(rt_addr_t addr, uint64_t code_len, uint64_t data_len,
	     bool is_of_runtime, struct rt_area **ret_area)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	struct rt_area *area = calloc(1, sizeof(*area));
	struct rt_area_head *head;
	char *start = rt_ptr(addr);
	int saved_errno;

	if (!area)
		return -ENOMEM;
	if (mmap(start, code_len, PROT_READ | PROT_EXEC, flags, -1, 0) != start)
		goto no_code;
	if (mmap(start + code_len, data_len, PROT_READ | PROT_WRITE, flags, -1,
		 0) != start + code_len)
		goto no_data;
	area->code = addr;
	area->code_len = code_len;
	area->data = addr + code_len;
	area->data_len = data_len;
	area->is_of_runtime = is_of_runtime;
	head = rt_ptr(area->data);
	head->transition = state->transition.id;
	head->self_move = state->self_move;
	state_change_begin();
	area->next = state->areas;
	state->areas = rt_addr(area);
	state_change_end();
	*ret_area = area;
	return 0;

no_data:
	saved_errno = errno;
	munmap(start, code_len);
	free(area);
	return saved_errno ? -saved_errno : -EEXIST;
no_code:
	saved_errno = errno;
	free(area);
	return saved_errno ? -saved_errno : -EEXIST;
}
