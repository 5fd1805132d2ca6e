/* SPDX-License-Identifier: MIT */
/* The callbacks that are running in the target, or have never returned. */
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "event.h"
#include "tasks.h"

static bool find_object(const struct view *view, rt_addr_t addr,
			struct running_call *call)
{
	const struct view_patch *patch;

	view_for_each(patch, view->patches, view->patch_count)
	{
		uint64_t index =
			(addr - patch->rt.objects) / sizeof(struct rt_object);

		if (addr < patch->rt.objects || index >= patch->rt.object_count)
			continue;
		call->patch = patch;
		call->object = &patch->objects[index];
		return true;
	}
	return false;
}

/* A forked child has a copy of the state, but not of the thread. */
static pid_t find_thread(pid_t pid, uint32_t inner_tid)
{
	pid_t found = 0;
	size_t count;
	pid_t *tids;

	if (tasks_list(pid, &tids, &count, NULL))
		return 0;
	for (size_t i = 0; i < count && !found; i++) {
		if (tasks_inner_tid(pid, tids[i]) == (pid_t)inner_tid)
			found = tids[i];
	}
	free(tids);
	return found;
}

size_t calls_find(const struct process *process, const struct view *view,
		  struct running_call ret_calls[RT_CALLS])
{
	size_t count = 0;

	for (size_t i = 0; i < RT_CALLS; i++) {
		const struct rt_call *rt = &view->state.calls[i];
		struct running_call call = { .callback = rt->callback };

		if (!rt->object || !find_object(view, rt->object, &call))
			continue;
		call.tid = find_thread(process->pid, rt->tid);
		if (call.tid)
			ret_calls[count++] = call;
	}
	return count;
}

void calls_describe(const struct running_call *call, char *buf, size_t size)
{
	const char *quote = call->object->name ? "'" : "";

	snprintf(buf, size, "%s of %s%s%s, patch '%s', in thread %d",
		 event_callback_name(call->callback), quote,
		 call->object->name ? call->object->name
				    : "the main executable",
		 quote, call->patch->rt.name, call->tid);
}
