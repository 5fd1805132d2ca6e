/* SPDX-License-Identifier: MIT */
/* Looking at one thread. */
#include "examine.h"

#include <stdlib.h>
#include <string.h>

#include "tasks.h"

/* A foreign stack can lie in a huge mapping; the walk reads on from there. */
#define FOREIGN_COPY_MAX (256UL * 1024)
#define OWN_COPY_MAX	 (64UL * 1024 * 1024)
#define WAITING_COPY_MAX (64UL * 1024)

static bool find_mapping(void *user, upatch_addr_t addr,
			 struct addr_range *ret_mapping)
{
	const struct process *process = user;
	const struct map *map = maps_find(&process->maps, addr);

	if (!map)
		return false;
	ret_mapping->start = map->start;
	ret_mapping->end = map->end;
	return true;
}

static struct addr_range find_main_stack(const struct process *process)
{
	struct addr_range range = { 0, 0 };

	for (size_t i = 0; i < process->maps.count; i++) {
		const struct map *map = &process->maps.maps[i];

		if (!strcmp(map->path, "[stack]")) {
			range.start = map->start;
			range.end = map->end;
		}
	}
	return range;
}

static void find_bounds(struct process *process, pid_t tid,
			const struct arch_regs *regs,
			struct stack_bounds *bounds)
{
	const struct stack_maps maps = {
		.mapping = find_mapping,
		.user = process,
		.main_stack = find_main_stack(process),
	};
	const struct map *map;

	stack_bounds_find(regs, tid == process->pid, &maps, bounds);
	map = maps_find(&process->maps, bounds->own.start);
	bounds->own_is_private = map && !map->shared;
}

int examine_buffer_reserve(struct examine_buffer *buffer, size_t len)
{
	unsigned char *bytes;

	if (len <= buffer->capacity)
		return 0;
	bytes = realloc(buffer->bytes, 2 * len);
	if (!bytes)
		return UPATCH_ERROR_NO_MEMORY;
	buffer->bytes = bytes;
	buffer->capacity = 2 * len;
	return 0;
}

void examine_buffer_free(struct examine_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct examine_buffer){ 0 };
}

int examine_refresh_maps(struct process *process, struct tracer *tracer,
			 struct upatch_error *err)
{
	const size_t count = tracer->count;
	int ret = process_refresh_maps(process, err);

	for (size_t i = 0; !ret && i < count; i++)
		tracer->threads[i]->in_maps = true;
	return ret;
}

int examine_copy(struct process *process, pid_t tid,
		 const struct arch_regs *regs, struct examine_buffer *buffer,
		 struct stack_thread *ret_thread, struct upatch_error *err)
{
	struct stack_thread thread = { .regs = regs, .is_stopped = true };
	size_t len;

	find_bounds(process, tid, regs, &thread.bounds);
	len = thread.bounds.live.end - thread.bounds.live.start;
	if (!thread.bounds.is_own && len > FOREIGN_COPY_MAX)
		len = FOREIGN_COPY_MAX;
	if (len > OWN_COPY_MAX)
		len = OWN_COPY_MAX;
	if (examine_buffer_reserve(buffer, len))
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory for the stack of thread %d",
				 tid);
	thread.copy.base = thread.bounds.live.start;
	thread.copy.bytes = buffer->bytes;
	thread.copy.len = memory_read_some(&process->memory, thread.copy.base,
					   buffer->bytes, len);
	*ret_thread = thread;
	return 0;
}

bool examine_copy_waiting(struct process *process, pid_t tid,
			  struct examine_buffer *buffer,
			  struct arch_regs *ret_regs,
			  struct stack_copy *ret_copy)
{
	struct task_place place;
	const struct map *map;
	size_t len;

	if (!tasks_waits_at(process->pid, tid, &place))
		return false;
	map = maps_find(&process->maps, place.sp);
	if (!map)
		return false;
	len = map->end - place.sp;
	if (len > WAITING_COPY_MAX)
		len = WAITING_COPY_MAX;
	if (examine_buffer_reserve(buffer, len))
		return false;
	memset(ret_regs, 0, sizeof(*ret_regs));
	arch_regs_set_pc(ret_regs, place.pc);
	arch_regs_set_sp(ret_regs, place.sp);
	ret_copy->base = place.sp;
	ret_copy->bytes = buffer->bytes;
	ret_copy->len = memory_read_some(&process->memory, place.sp,
					 buffer->bytes, len);
	return true;
}

static bool is_same_place(const struct task_place *a,
			  const struct task_place *b)
{
	return a->sp == b->sp && a->pc == b->pc;
}

/* Had it run since the first count, it would have gone to sleep once more. */
bool examine_copy_asleep(struct process *process, pid_t tid,
			 struct examine_buffer *buffer,
			 struct addr_range *ret_own, upatch_addr_t *ret_pc,
			 struct stack_copy *ret_copy)
{
	struct task_place before, after;
	uint64_t count_before, count_after;
	size_t len;

	if (!own_stacks_find(&process->own_stacks, tid, ret_own) ||
	    !tasks_sleep_count(process->pid, tid, &count_before) ||
	    !tasks_waits_at(process->pid, tid, &before) ||
	    before.sp < ret_own->start || before.sp >= ret_own->end)
		return false;
	len = ret_own->end - before.sp;
	if (len > OWN_COPY_MAX || examine_buffer_reserve(buffer, len) ||
	    memory_read_some(&process->memory, before.sp, buffer->bytes, len) !=
		    len ||
	    !tasks_waits_at(process->pid, tid, &after) ||
	    !tasks_sleep_count(process->pid, tid, &count_after))
		return false;
	*ret_pc = before.pc;
	ret_copy->base = before.sp;
	ret_copy->bytes = buffer->bytes;
	ret_copy->len = len;
	return is_same_place(&before, &after) && count_before == count_after;
}
