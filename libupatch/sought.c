/* SPDX-License-Identifier: MIT */
/* What may not be on a thread's stack when it moves. */
#include "sought.h"

#include <stdlib.h>

static int no_memory(struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0, "out of memory");
}

static int add(struct sought *sought, uint64_t start, uint64_t end,
	       const char *name, struct upatch_error *err)
{
	if (sought->function_count == sought->capacity) {
		size_t capacity = sought->capacity ? 2 * sought->capacity : 16;
		struct addr_range *functions =
			realloc(sought->functions,
				capacity * sizeof(*functions));
		const char **names;

		if (!functions)
			return no_memory(err);
		sought->functions = functions;
		names = realloc(sought->names, capacity * sizeof(*names));
		if (!names)
			return no_memory(err);
		sought->names = names;
		sought->capacity = capacity;
	}
	sought->functions[sought->function_count] =
		(struct addr_range){ start, end };
	sought->names[sought->function_count++] = name;
	return 0;
}

/* The name by which the oldest version of the site knows the function. */
static const char *site_name(const struct view *view,
			     const struct rt_site_spec *site)
{
	const char *name = "?";
	rt_addr_t addr = site->top;

	while (addr) {
		const struct view_func *func = view_find_func(view, addr, NULL);

		if (!func)
			break;
		name = func->name;
		addr = func->rt.below;
	}
	return name;
}

/*
 * A thread that stands at the jump has not begun the function: it goes through
 * the gate.  So the function begins behind the jump's first byte, and mere
 * pointers to the function are no trace of it.
 */
static int add_original(const struct view *view,
			const struct rt_site_spec *site, struct sought *sought,
			struct upatch_error *err)
{
	const char *name = site_name(view, site);

	for (size_t i = 0; i < site->range_count; i++) {
		uint64_t start = site->ranges[i].start;
		int ret;

		if (start == site->addr)
			start += site->jump_offset + 1U;
		ret = add(sought, start, site->ranges[i].end, name, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int add_func(const struct view_func *func, struct sought *sought,
		    struct upatch_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < func->rt.range_count && i < RT_RANGES;
	     i++)
		ret = add(sought, func->rt.ranges[i].start,
			  func->rt.ranges[i].end, func->name, err);
	return ret;
}

/* The version that a gate leads to by `entry`, from `top` down. */
static int add_version(const struct view *view, const struct rt_site_spec *site,
		       rt_addr_t top, uint64_t entry, struct sought *sought,
		       struct upatch_error *err)
{
	for (rt_addr_t addr = top; addr;) {
		const struct view_func *func = view_find_func(view, addr, NULL);

		if (!func)
			break;
		if (func->rt.entry == entry)
			return add_func(func, sought, err);
		addr = func->rt.below;
	}
	return add_original(view, site, sought, err);
}

/* Its functions are in force before and after the transition. */
static bool stays_in_force(const struct view *view,
			   const struct view_patch *patch)
{
	const struct view_patch *moving =
		view_find_patch_addr(view, view->state.transition.patch);

	return patch != moving && patch->rt.state == RT_PATCH_ENABLED &&
	       !(moving && (moving->rt.flags & RT_PATCH_REPLACE));
}

/*
 * After a forced or immediate step threads can be in any other version, also
 * in one of a patch that is no longer listed.
 */
static int add_all_but(const struct view *view, const struct view_site *site,
		       uint64_t entry, struct sought *sought,
		       struct upatch_error *err)
{
	const struct view_patch *patch;
	int ret = 0;

	view_for_each(patch, view->patches, view->patch_count)
	{
		if (stays_in_force(view, patch))
			continue;
		for (uint32_t i = 0; i < patch->rt.object_count; i++) {
			const struct view_object *object = &patch->objects[i];

			for (uint32_t j = 0; !ret && j < object->rt.func_count;
			     j++) {
				const struct view_func *func =
					&object->funcs[j];

				if (func->rt.site == site->addr &&
				    func->rt.entry != entry)
					ret = add_func(func, sought, err);
			}
		}
	}
	if (!ret && entry != site->rt.original)
		ret = add_original(view, &site->rt, sought, err);
	return ret;
}

static bool is_immediate(const struct view *view, rt_addr_t top)
{
	for (rt_addr_t addr = top; addr;) {
		const struct view_func *func = view_find_func(view, addr, NULL);

		if (!func)
			break;
		if (func->rt.patch == view->state.transition.patch)
			return func->rt.flags & RT_FUNC_IMMEDIATE;
		addr = func->rt.below;
	}
	return false;
}

static int add_gate(const struct process *process, const struct view *view,
		    const struct view_site *site, rt_addr_t top,
		    rt_addr_t words, struct sought *sought,
		    struct upatch_error *err)
{
	struct rt_gate_words gate;
	uint64_t from, to;
	int ret =
		memory_read(&process->memory, words, &gate, sizeof(gate), err);

	if (ret)
		return ret;
	if (gate.source == gate.destination || is_immediate(view, top))
		return 0;
	from = view->state.transition.reversed ? gate.destination : gate.source;
	to = view->state.transition.reversed ? gate.source : gate.destination;
	if (view->state.undrained)
		return add_all_but(view, site, to, sought, err);
	return add_version(view, &site->rt, top, from, sought, err);
}

static int add_site(const struct process *process, const struct view *view,
		    const struct view_site *site, struct sought *sought,
		    struct upatch_error *err)
{
	int ret = add_gate(process, view, site, site->rt.top, site->rt.words,
			   sought, err);

	for (rt_addr_t addr = site->rt.top; addr && !ret;) {
		const struct view_func *func = view_find_func(view, addr, NULL);

		if (!func)
			break;
		addr = func->rt.below;
		if (func->rt.orig_gate)
			ret = add_gate(process, view, site, addr,
				       func->rt.orig_words, sought, err);
	}
	return ret;
}

static int finish(const struct view *view, struct sought *sought,
		  struct upatch_error *err)
{
	struct stack_query query = { 0 };
	size_t i = 0;
	const struct view_area *area;

	sought->gates = calloc(view->area_count + 1, sizeof(*sought->gates));
	if (!sought->gates)
		return no_memory(err);
	/* A shield before or after the call, or a thread that moves itself. */
	sought->gates[i].start = view->state.text.start;
	sought->gates[i++].end = view->state.text.end;
	view_for_each(area, view->areas, view->area_count)
	{
		sought->gates[i].start = area->rt.code;
		sought->gates[i++].end = area->rt.code + area->rt.code_len;
	}
	sought->gate_count = i;
	query.functions = sought->functions;
	query.function_count = sought->function_count;
	query.gates = sought->gates;
	query.gate_count = sought->gate_count;
	query.signal_return = view->state.sigreturn;
	return stack_check_init(&sought->check, &query, err);
}

int sought_for_transition(const struct process *process,
			  const struct view *view, struct sought *ret_sought,
			  struct upatch_error *err)
{
	struct sought sought = { 0 };
	const struct view_site *site;
	int ret = 0;

	view_for_each(site, view->sites, view->site_count)
	{
		if (site->rt.hook)
			continue;
		ret = add_site(process, view, site, &sought, err);
		if (ret)
			break;
	}
	if (!ret)
		ret = finish(view, &sought, err);
	if (ret)
		sought_free(&sought);
	else
		*ret_sought = sought;
	return ret;
}

int sought_for_unload(const struct view *view, const struct view_patch *patch,
		      struct sought *ret_sought, struct upatch_error *err)
{
	struct sought sought = { 0 };
	int ret = add(&sought, patch->rt.text.start, patch->rt.text.end,
		      patch->rt.name, err);

	if (!ret)
		ret = finish(view, &sought, err);
	if (ret)
		sought_free(&sought);
	else
		*ret_sought = sought;
	return ret;
}

void sought_free(struct sought *sought)
{
	stack_check_fini(&sought->check);
	free(sought->functions);
	free(sought->names);
	free(sought->gates);
	*sought = (struct sought){ 0 };
}
