/* SPDX-License-Identifier: MIT */
/* The callbacks that are running in the target, or have never returned. */
#include "calls.h"

#include <stdio.h>

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

size_t calls_find(const struct process *process, const struct view *view,
		  struct running_call ret_calls[RT_CALLS])
{
	size_t count = 0;

	for (size_t i = 0; i < RT_CALLS; i++) {
		const struct rt_call *rt = &view->state.calls[i];
		struct running_call call = { .callback = rt->callback };

		if (!rt->object || !find_object(view, rt->object, &call))
			continue;
		/* A forked child has the state, too, but not the thread. */
		call.tid = tasks_find_inner(process->pid, (pid_t)rt->tid);
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
