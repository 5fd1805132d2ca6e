/* SPDX-License-Identifier: MIT */
/* Getting the shared objects of patches that are gone out of the target. */
#include "leave.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cross.h"
#include "mover.h"
#include "references.h"
#include "sought.h"
#include "traced.h"

#define TRIES	 5
#define PAUSE_NS 2000000UL

struct leaving {
	struct operation *operation;
	const struct view_patch *patch;
	bool is_clear;
	struct range_list stacks; /* the threads' own */
	char reason[RT_DETAIL_SIZE];
};

static bool has_immediate(const struct view_patch *patch)
{
	for (uint32_t i = 0; i < patch->rt.object_count; i++) {
		const struct view_object *object = &patch->objects[i];

		for (uint32_t j = 0; j < object->rt.func_count; j++) {
			if (object->funcs[j].rt.flags & RT_FUNC_IMMEDIATE)
				return true;
		}
	}
	return false;
}

/* Nothing is known of the threads that were not waited for. */
static const char *must_stay(const struct view_patch *patch)
{
	if (patch->rt.flags & RT_PATCH_FORCED)
		return "forced: threads may still be in its code";
	if (has_immediate(patch))
		return "immediate: threads may still be in its code";
	return NULL;
}

static void note_blocking(struct leaving *leaving,
			  const struct blocking *blocking)
{
	const struct blocking_thread *thread = &blocking->threads[0];

	snprintf(leaving->reason, sizeof(leaving->reason),
		 "thread %d (%s) is still in its code", thread->tid,
		 thread->comm);
}

/*
 * The patch itself, whose own pointers go when it goes: the mappings of its
 * file, and what .bss has beyond the file.
 */
static struct addr_range find_own_mappings(const struct maps *maps,
					   upatch_addr_t text)
{
	const struct map *map = maps_find(maps, text);
	const struct map *first = map, *last = map;
	const struct map *end = maps->maps + maps->count;

	if (!map)
		return (struct addr_range){ text, text };
	while (first > maps->maps && first[-1].end == first->start &&
	       first[-1].inode == map->inode)
		first--;
	while (last + 1 < end && last[1].start == last->end &&
	       (last[1].inode == map->inode ||
		(last->inode == map->inode && !last[1].path[0])))
		last++;
	return (struct addr_range){ first->start, last->end };
}

/* What the runtime and the loader note of the patch. */
static int add_known(const struct view_patch *patch, struct range_list *known,
		     struct upatch_error *err)
{
	int ret = range_list_add(known, patch->rt.text.start,
				 patch->rt.text.end, err);

	for (uint32_t i = 0; i < patch->rt.object_count; i++) {
		const struct view_object *object = &patch->objects[i];

		for (uint32_t j = 0; !ret && j < object->rt.func_count; j++) {
			const struct rt_func_spec *func = &object->funcs[j].rt;

			ret = range_list_add(known, func->new_addr, func->entry,
					     err);
			for (uint32_t k = 0; !ret && k < func->range_count; k++)
				ret = range_list_add(known,
						     func->ranges[k].start,
						     func->ranges[k].end, err);
		}
	}
	return ret;
}

/*
 * A coroutine that is suspended in the patch is on no thread's stack, but in
 * memory.  A dead word there keeps a patch that could have gone; the threads'
 * own stacks, where dead words abound, have been walked instead.  It takes its
 * time: no thread may be traced, or its signals would wait for us.
 */
static int look_at_memory(struct leaving *leaving, struct upatch_error *err)
{
	struct operation *operation = leaving->operation;
	struct process *process = operation->process;
	const struct rt_range *text = &leaving->patch->rt.text;
	const struct rt_range *agent_stack = &operation->view.state.agent_stack;
	struct reference_query query = {
		.code = { text->start, text->end },
		.skipped = leaving->stacks,
	};
	enum reference_result result = REFERENCES_UNKNOWN;
	struct addr_range own;
	int ret = process_refresh_maps(process, err);

	leaving->stacks = (struct range_list){ 0 };
	own = find_own_mappings(&process->maps, text->start);
	if (!ret)
		ret = range_list_add(&query.skipped, own.start, own.end, err);
	if (!ret)
		ret = range_list_add(&query.skipped, agent_stack->start,
				     agent_stack->end, err);
	if (!ret)
		ret = add_known(leaving->patch, &query.known, err);
	/* Seconds for which nobody waits. */
	priority_restore(&operation->priority);
	if (!ret)
		ret = references_find(process, &query, &result, err);
	range_list_free(&query.skipped);
	range_list_free(&query.known);
	if (ret || result == REFERENCES_NONE)
		return ret;
	leaving->is_clear = false;
	snprintf(
		leaving->reason, sizeof(leaving->reason), "%s",
		result == REFERENCES_FOUND
			? "something in memory refers to its code, as a suspended coroutine"
			: "there is too much memory to look for references to its code");
	return 0;
}

static int look_at_threads(struct tracer *tracer, void *user,
			   struct upatch_error *err)
{
	struct leaving *leaving = user;
	struct operation *operation = leaving->operation;
	struct sought sought;
	struct mover mover = {
		.process = operation->process,
		.tracer = tracer,
		.sought = &sought,
		.thread_offset = operation->view.state.thread_offset,
		.own_stacks = &leaving->stacks,
	};
	int ret;

	tracer->deadlines.thread_offset = mover.thread_offset;
	mover.was_crowded = priority_stays_crowded();
	ret = tracer_seize_all(tracer, operation->agent_tid, true, err);
	if (!ret)
		ret = sought_for_unload(&operation->view, leaving->patch,
					&sought, err);
	if (ret)
		return ret;
	for (int i = 0; !ret && !leaving->is_clear && i < TRIES; i++) {
		struct blocking blocking;

		if (i > 0)
			tracer_serve(tracer, clock_now_ns() + PAUSE_NS);
		leaving->stacks.count = 0;
		ret = mover_look(&mover, false, false, &blocking, err);
		if (ret)
			break;
		leaving->is_clear = !blocking.count;
		if (blocking.count)
			note_blocking(leaving, &blocking);
		blocking_free(&blocking);
	}
	sought_free(&sought);
	return ret;
}

static int park(struct operation *operation, const struct view_patch *patch,
		const char *reason, struct upatch_error *err)
{
	struct rt_request request = { .type = RT_PARK, .patch = patch->addr };
	struct rt_reply reply;

	if (!strcmp(patch->rt.name, operation->result.patch))
		operation->result.parked = true;
	if (patch->rt.state == RT_PATCH_PARKED)
		return 0;
	snprintf(request.park.reason, sizeof(request.park.reason), "%s",
		 reason);
	return channel_request(&operation->channel, &request, -1,
			       operation->deadline_ns + 1000000000UL, &reply,
			       "park a patch", err);
}

static int unload(struct operation *operation, const struct view_patch *patch,
		  struct upatch_error *err)
{
	struct leaving leaving = { .operation = operation, .patch = patch };
	const char *reason = must_stay(patch);
	int ret = 0;

	if (patch->rt.flags & RT_PATCH_UNUSED) {
		leaving.is_clear = true;
	} else if (reason) {
		return park(operation, patch, reason, err);
	} else {
		ret = traced_run(operation->process->pid,
				 operation->process->under_seccomp,
				 look_at_threads, &leaving, err);
		if (!ret && leaving.is_clear)
			ret = look_at_memory(&leaving, err);
		range_list_free(&leaving.stacks);
	}
	if (ret)
		return ret;
	if (!leaving.is_clear)
		return park(operation, patch, leaving.reason, err);
	operation_trace(operation, "unloading '%s'", patch->rt.name);
	return operation_tell(operation, RT_UNLOAD, patch->addr,
			      "unload a patch", err);
}

static bool has_idle_jumps(const struct view *view)
{
	const struct view_site *site;

	view_for_each(site, view->sites, view->site_count)
	{
		if (!site->rt.top && !site->rt.hook &&
		    site->rt.state != RT_SITE_IDLE)
			return true;
	}
	return false;
}

static int remove_jumps(struct tracer *tracer, void *user,
			struct upatch_error *err)
{
	struct operation *operation = user;
	uint64_t ns;
	int ret;

	tracer->deadlines.thread_offset = operation->view.state.thread_offset;
	ret = tracer_seize_all(tracer, operation->agent_tid, true, err);
	if (!ret)
		ret = cross_barrier(operation, tracer, BARRIER_REMOVE,
				    operation->deadline_ns, &ns, err);
	return ret;
}

int leave_unload_leftovers(struct operation *operation,
			   struct upatch_error *err)
{
	const struct view_patch *patch;
	int ret = 0;

	if (has_idle_jumps(&operation->view)) {
		ret = traced_run(operation->process->pid,
				 operation->process->under_seccomp,
				 remove_jumps, operation, err);
		if (!ret)
			ret = operation_tell(operation, RT_REMOVED, 0,
					     "note that jumps are removed",
					     err);
	}
	view_for_each(patch, operation->view.patches,
		      operation->view.patch_count)
	{
		if (ret)
			return ret;
		if (patch->rt.state == RT_PATCH_LEAVING ||
		    patch->rt.state == RT_PATCH_PARKED)
			ret = unload(operation, patch, err);
	}
	return ret ? ret : operation_look(operation, err);
}
