/* SPDX-License-Identifier: MIT */
/* Room in the target for gates and their words. */
#include "code_space.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"

#define PAGE_LEN  4096UL
#define CODE_UNIT 32UL
#define DATA_UNIT 8UL
/* So that an area for one function serves its neighbours too. */
#define REACH_RESERVE (256UL << 20)

struct space_area {
	struct rt_area rt;
	bool *code_used, *data_used; /* by units */
};

static int no_memory(struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0, "out of memory");
}

static void mark(bool *used, upatch_addr_t base, uint64_t base_len, size_t unit,
		 upatch_addr_t addr, uint64_t len)
{
	if (addr < base || addr >= base + base_len || len > base_len)
		return;
	for (uint64_t offset = addr - base; offset < addr - base + len;
	     offset += unit) {
		if (offset < base_len)
			used[offset / unit] = true;
	}
}

static void mark_piece(struct code_space *space, upatch_addr_t code,
		       uint64_t code_len, upatch_addr_t words)
{
	for (size_t i = 0; i < space->area_count; i++) {
		struct space_area *area = &space->areas[i];

		mark(area->code_used, area->rt.code, area->rt.code_len,
		     CODE_UNIT, code, code_len);
		mark(area->data_used, area->rt.data, area->rt.data_len,
		     DATA_UNIT, words, sizeof(struct rt_gate_words));
	}
}

static void mark_used(struct code_space *space, const struct view *view)
{
	for (size_t i = 0; i < view->site_count; i++) {
		const struct rt_site_spec *site = &view->sites[i].rt;

		mark_piece(space, site->code, site->code_len, site->words);
	}
	for (size_t i = 0; i < view->patch_count; i++) {
		const struct view_patch *patch = &view->patches[i];

		for (uint32_t j = 0; j < patch->rt.object_count; j++) {
			const struct view_object *object = &patch->objects[j];

			for (uint32_t k = 0; k < object->rt.func_count; k++) {
				const struct rt_func_spec *func =
					&object->funcs[k].rt;

				mark_piece(space, func->code, func->code_len,
					   func->orig_words);
			}
		}
	}
}

static int add_area(struct code_space *space, const struct rt_area *rt,
		    struct upatch_error *err)
{
	struct space_area *areas, *area;

	areas = realloc(space->areas, (space->area_count + 1) * sizeof(*areas));
	if (!areas)
		return no_memory(err);
	space->areas = areas;
	area = &areas[space->area_count];
	area->rt = *rt;
	area->code_used = calloc(rt->code_len / CODE_UNIT, sizeof(bool));
	area->data_used = calloc(rt->data_len / DATA_UNIT, sizeof(bool));
	space->area_count++;
	if (!area->code_used || !area->data_used)
		return no_memory(err);
	mark(area->data_used, rt->data, rt->data_len, DATA_UNIT, rt->data,
	     RT_AREA_HEAD);
	return 0;
}

int code_space_open(struct code_space *space, struct process *process,
		    struct channel *channel, const struct view *view,
		    uint64_t deadline_ns, struct upatch_error *err)
{
	*space = (struct code_space){
		.process = process,
		.channel = channel,
		.deadline_ns = deadline_ns,
	};
	for (size_t i = 0; i < view->area_count; i++) {
		int ret = add_area(space, &view->areas[i].rt, err);

		if (ret)
			return ret;
	}
	mark_used(space, view);
	return 0;
}

void code_space_close(struct code_space *space)
{
	for (size_t i = 0; i < space->area_count; i++) {
		free(space->areas[i].code_used);
		free(space->areas[i].data_used);
	}
	free(space->areas);
	*space = (struct code_space){ 0 };
}

/* The first free run, or `count` if there is none; 0 for an empty one. */
static size_t find_run(const bool *used, size_t count, size_t wanted)
{
	size_t run = 0;

	if (!wanted)
		return 0;
	for (size_t i = 0; i < count; i++) {
		run = used[i] ? 0 : run + 1;
		if (run == wanted)
			return i + 1 - wanted;
	}
	return count;
}

static bool in_reach(const struct rt_area *area, upatch_addr_t near)
{
	upatch_addr_t start = area->code, end = area->data + area->data_len;

	return (start > near ? start - near : near - start) < ARCH_JUMP_REACH &&
	       (end > near ? end - near : near - end) < ARCH_JUMP_REACH;
}

static bool take_from(struct space_area *area, size_t code_len, size_t data_len,
		      struct code_grant *grant)
{
	size_t code_units = (code_len + CODE_UNIT - 1) / CODE_UNIT;
	size_t data_units = (data_len + DATA_UNIT - 1) / DATA_UNIT;
	size_t code_count = area->rt.code_len / CODE_UNIT;
	size_t data_count = area->rt.data_len / DATA_UNIT;
	size_t code = find_run(area->code_used, code_count, code_units);
	size_t data = find_run(area->data_used, data_count, data_units);

	if (code == code_count || data == data_count)
		return false;
	memset(area->code_used + code, true, code_units);
	memset(area->data_used + data, true, data_units);
	grant->code = area->rt.code + code * CODE_UNIT;
	grant->data = area->rt.data + data * DATA_UNIT;
	grant->transition = area->rt.data;
	return true;
}

static int map_area(struct code_space *space, upatch_addr_t near,
		    struct upatch_error *err)
{
	struct rt_request request = { .type = RT_MAP };
	struct rt_reply reply;
	struct rt_area area;
	uint64_t len;
	int ret = process_refresh_maps(space->process, err);

	if (ret)
		return ret;
	request.map.code_len =
		(space->expected_code_len + PAGE_LEN) & ~(PAGE_LEN - 1);
	request.map.data_len =
		(space->expected_data_len + RT_AREA_HEAD + PAGE_LEN) &
		~(PAGE_LEN - 1);
	len = request.map.code_len + request.map.data_len;
	request.map.addr = maps_find_gap(&space->process->maps, near,
					 ARCH_JUMP_REACH - REACH_RESERVE, len);
	if (!request.map.addr)
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"process %d has no room for gates within 2 GiB of 0x%lx",
			space->process->pid, near);
	ret = channel_request(space->channel, &request, -1, space->deadline_ns,
			      &reply, "map memory for gates", err);
	if (ret)
		return ret;
	ret = memory_read(&space->process->memory, reply.value, &area,
			  sizeof(area), err);
	return ret ? ret : add_area(space, &area, err);
}

int code_space_take(struct code_space *space, upatch_addr_t near,
		    size_t code_len, size_t data_len,
		    struct code_grant *ret_grant, struct upatch_error *err)
{
	for (int tries = 0; tries < 2; tries++) {
		int ret;

		for (size_t i = 0; i < space->area_count; i++) {
			if (!space->areas[i].rt.is_of_runtime &&
			    in_reach(&space->areas[i].rt, near) &&
			    take_from(&space->areas[i], code_len, data_len,
				      ret_grant))
				return 0;
		}
		if (tries)
			break;
		ret = map_area(space, near, err);
		if (ret)
			return ret;
	}
	return error_set(err, UPATCH_ERROR_SYSTEM, 0,
			 "an area of gates in process %d is too small",
			 space->process->pid);
}

void code_space_give_back(struct code_space *space,
			  const struct code_grant *grant, size_t code_len,
			  size_t used_len)
{
	for (size_t i = 0; i < space->area_count; i++) {
		struct space_area *area = &space->areas[i];
		size_t start, end;

		if (area->rt.data != grant->transition)
			continue;
		start = grant->code - area->rt.code + used_len;
		end = grant->code - area->rt.code + code_len;
		for (start = (start + CODE_UNIT - 1) / CODE_UNIT;
		     start < (end + CODE_UNIT - 1) / CODE_UNIT; start++)
			area->code_used[start] = false;
	}
}
