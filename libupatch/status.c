/* SPDX-License-Identifier: MIT */
/* upatch_status: what is patched, and who blocks a running transition. */
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "event.h"
#include "mover.h"
#include "operation.h"
#include "sought.h"
#include "tasks.h"
#include "traced.h"

/* The public part first: it is what the caller frees. */
struct status {
	struct upatch_status public;
	struct view view;
	struct blocking blocking;
	struct upatch_status_transition transition;
	struct upatch_status_blocking *blocking_list;
	struct upatch_status_callback callbacks[RT_CALLS];
	char *exe;
};

static int no_memory(struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0, "out of memory");
}

static void free_patches(struct status *status)
{
	const struct upatch_status_patch *patches = status->public.patches;

	for (size_t i = 0; i < status->public.patch_count; i++) {
		for (size_t j = 0; j < patches[i].object_count; j++)
			free((void *)(uintptr_t)patches[i].objects[j].funcs);
		free((void *)(uintptr_t)patches[i].objects);
	}
	free((void *)(uintptr_t)patches);
}

void upatch_status_free(struct upatch_status *public)
{
	struct status *status = (struct status *)public;

	if (!status)
		return;
	free_patches(status);
	free(status->blocking_list);
	blocking_free(&status->blocking);
	view_free(&status->view);
	free(status->exe);
	free(status);
}

static bool is_in_transition(const struct view *view,
			     const struct view_patch *patch)
{
	return patch->addr == view->state.transition.patch;
}

static enum upatch_direction
direction_of(const struct rt_transition *transition)
{
	return (transition->kind == RT_PATCHING) != (transition->reversed != 0)
		       ? UPATCH_PATCHING
		       : UPATCH_UNPATCHING;
}

static enum upatch_patch_state state_of(const struct view *view,
					const struct view_patch *patch)
{
	if (!is_in_transition(view, patch))
		return UPATCH_PATCH_ENABLED;
	return direction_of(&view->state.transition) == UPATCH_PATCHING
		       ? UPATCH_PATCH_PATCHING
		       : UPATCH_PATCH_UNPATCHING;
}

static void fill_func(const struct view *view, const struct view_func *func,
		      bool is_moving, bool is_patched,
		      struct upatch_status_func *ret_func)
{
	const struct view_site *site = view_find_site_at(view, func->rt.site);

	*ret_func = (struct upatch_status_func){
		.name = func->name,
		.sympos = func->rt.sympos,
		.patched = site && is_patched,
		.transition = site && is_moving,
		.shielded = func->rt.flags & RT_FUNC_SHIELDED,
		.new_addr = func->rt.new_addr,
		.new_size = func->rt.new_size,
	};
	if (!site)
		return;
	ret_func->old_addr = site->rt.addr;
	ret_func->old_size = site->rt.ranges[0].end - site->rt.ranges[0].start;
}

/* kernel/livepatch: (patched, transition) is 01, 11, 10 on the way in. */
static int fill_funcs(const struct view *view, const struct view_patch *patch,
		      const struct view_object *object,
		      struct upatch_status_object *ret_object,
		      struct upatch_error *err)
{
	bool is_moving = is_in_transition(view, patch);
	bool is_patched = !is_moving || view->state.transition.started ||
			  patch->rt.state == RT_PATCH_UNPATCHING;
	struct upatch_status_func *funcs =
		calloc(object->rt.func_count + 1, sizeof(*funcs));

	if (!funcs)
		return no_memory(err);
	for (uint32_t i = 0; i < object->rt.func_count; i++)
		fill_func(view, &object->funcs[i], is_moving, is_patched,
			  &funcs[i]);
	ret_object->funcs = funcs;
	ret_object->func_count = object->rt.func_count;
	return 0;
}

static int fill_objects(const struct view *view, const struct view_patch *patch,
			struct upatch_status_patch *ret_patch,
			struct upatch_error *err)
{
	struct upatch_status_object *objects =
		calloc(patch->rt.object_count + 1, sizeof(*objects));

	if (!objects)
		return no_memory(err);
	ret_patch->objects = objects;
	ret_patch->object_count = patch->rt.object_count;
	for (uint32_t i = 0; i < patch->rt.object_count; i++) {
		const struct view_object *object = &patch->objects[i];
		int ret;

		objects[i].name = object->name;
		objects[i].loaded = object->rt.flags & RT_OBJECT_LOADED;
		objects[i].patched = object->rt.flags & RT_OBJECT_PRE_PATCH_RAN;
		ret = fill_funcs(view, patch, object, &objects[i], err);
		if (ret)
			return ret;
	}
	return 0;
}

static int fill_patches(struct status *status, struct upatch_error *err)
{
	const struct view *view = &status->view;
	struct upatch_status_patch *patches =
		calloc(view->patch_count + 1, sizeof(*patches));
	const struct view_patch *patch;

	if (!patches)
		return no_memory(err);
	status->public.patches = patches;
	view_for_each(patch, view->patches, view->patch_count)
	{
		struct upatch_status_patch *entry =
			&patches[status->public.patch_count];
		int ret;

		if (!view_is_listed(patch))
			continue;
		entry->name = patch->rt.name;
		entry->file = patch->file;
		entry->state = state_of(view, patch);
		entry->stack_order = (unsigned int)++status->public.patch_count;
		entry->replace = patch->rt.flags & RT_PATCH_REPLACE;
		entry->forced = patch->rt.flags & RT_PATCH_FORCED;
		ret = fill_objects(view, patch, entry, err);
		if (ret)
			return ret;
	}
	return 0;
}

struct looking {
	struct process *process;
	struct status *status;
};

static int look_at_threads(struct tracer *tracer, void *user,
			   struct upatch_error *err)
{
	struct looking *looking = user;
	struct status *status = looking->status;
	const struct rt_state *state = &status->view.state;
	struct sought sought;
	struct mover mover = {
		.process = looking->process,
		.tracer = tracer,
		.sought = &sought,
		.thread_offset = state->thread_offset,
		.transition_id = state->transition.id,
		.reversed = state->transition.reversed,
	};
	const pid_t agent = state->agent_tid
				    ? tasks_find_inner(looking->process->pid,
						       (pid_t)state->agent_tid)
				    : 0;
	int ret;

	tracer->deadlines.thread_offset = state->thread_offset;
	mover.was_crowded = priority_stays_crowded();
	ret = tracer_seize_all(tracer, agent, false, err);
	if (!ret)
		ret = sought_for_transition(looking->process, &status->view,
					    &sought, err);
	if (ret)
		return ret;
	ret = mover_look(&mover, true, true, &status->blocking, err);
	status->transition.thread_count = (unsigned int)mover.thread_count;
	status->transition.moved_count = (unsigned int)mover.moved_count;
	sought_free(&sought);
	return ret;
}

static int fill_blocking(struct status *status, struct upatch_error *err)
{
	size_t count = status->blocking.count;

	status->blocking_list =
		calloc(count + 1, sizeof(*status->blocking_list));
	if (!status->blocking_list)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		const struct blocking_thread *thread =
			&status->blocking.threads[i];

		status->blocking_list[i] = (struct upatch_status_blocking){
			.tid = thread->tid,
			.comm = thread->comm,
			.reason = thread->reason,
			.function = thread->function,
			.backtrace = (const char *const *)thread->backtrace,
		};
	}
	status->transition.blocking = status->blocking_list;
	status->transition.blocking_count = count;
	return 0;
}

/*
 * While another controller traces the threads, what it last reported has to
 * do.
 */
static int fill_transition(struct process *process, struct status *status,
			   struct upatch_error *err)
{
	const struct rt_transition *rt = &status->view.state.transition;
	const struct view_patch *patch =
		view_find_patch_addr(&status->view, rt->patch);
	struct looking looking = { .process = process, .status = status };
	int ret;

	if (!patch)
		return 0;
	status->transition.patch = patch->rt.name;
	status->transition.direction = direction_of(rt);
	status->public.transition = &status->transition;
	if (!rt->started)
		return fill_blocking(status, err);
	process_note_seccomp(process);
	ret = traced_run(process->pid, process->under_seccomp, look_at_threads,
			 &looking, err);
	if (ret == UPATCH_ERROR_BUSY) {
		status->transition.thread_count = rt->thread_count;
		status->transition.moved_count = rt->moved_count;
		ret = 0;
	}
	return ret ? ret : fill_blocking(status, err);
}

static void fill_callbacks(const struct process *process, struct status *status)
{
	struct running_call calls[RT_CALLS];
	size_t count = calls_find(process, &status->view, calls);

	for (size_t i = 0; i < count; i++) {
		const struct running_call *call = &calls[i];

		status->callbacks[i] = (struct upatch_status_callback){
			.patch = call->patch->rt.name,
			.object = call->object->name,
			.phase = event_phase_name(call->object->rt.phase),
			.callback = event_callback_name(call->callback),
			.tid = call->tid,
		};
	}
	status->public.callbacks = status->callbacks;
	status->public.callback_count = count;
}

static int fill(struct process *process, struct status *status,
		struct upatch_error *err)
{
	int ret = process_refresh(process, err);

	/* What cannot be patched has no patches. */
	if (ret == UPATCH_ERROR_UNSUPPORTED || (!ret && !process->state_addr))
		return 0;
	if (!ret)
		ret = view_read(&process->memory, process->state_addr,
				&status->view, err);
	if (!ret)
		ret = fill_patches(status, err);
	if (!ret)
		fill_callbacks(process, status);
	if (!ret)
		ret = fill_transition(process, status, err);
	return ret;
}

int upatch_status(struct upatch_target *target,
		  struct upatch_status **ret_status, struct upatch_error *err)
{
	struct status *status = calloc(1, sizeof(*status));
	struct upatch_error local = { 0 };
	int ret;

	if (!status)
		return no_memory(err);
	status->exe = strdup(target->process.exe);
	if (!status->exe) {
		free(status);
		return no_memory(err);
	}
	status->public.pid = target->process.pid;
	status->public.exe = status->exe;
	ret = process_explain(&target->process,
			      fill(&target->process, status, &local), &local);
	if (ret) {
		upatch_status_free(&status->public);
		if (err)
			*err = local;
		return ret;
	}
	*ret_status = &status->public;
	return 0;
}
