/* SPDX-License-Identifier: MIT */
/* A victim with a thread that is stopped in a known place. */
#include "stack_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "deadline.h"
#include "procfs.h"

static bool is_in_program(void *arg)
{
	struct stack_target *target = arg;
	const struct module *module =
		modules_find_addr(&target->modules,
				  arch_regs_pc(&target->regs));

	if (module && module->is_main)
		return true;
	stack_target_resume(target);
	stack_target_interrupt(target);
	return false;
}

static bool is_asleep(void *arg)
{
	const struct stack_target *target = arg;

	return procfs_is_in_state(target->child.pid, target->tid, "S");
}

/* These say when they are there; the others fall asleep. */
static bool is_busy_wait(const char *wait)
{
	return strcmp(wait, "spin") == 0 || strcmp(wait, "malloc") == 0;
}

/* These say so in a signal handler, and fall asleep there. */
static bool is_interrupted_wait(const char *wait)
{
	return strncmp(wait, "interrupted-", strlen("interrupted-")) == 0;
}

static void wait_for_rest(struct stack_target *target, const char *wait)
{
	bool at_rest = true;

	if (is_busy_wait(wait) || is_interrupted_wait(wait))
		at_rest = child_read_line(&target->child, DEADLINE_MS) != NULL;
	if (!is_busy_wait(wait))
		at_rest = at_rest && wait_until(is_asleep, target, DEADLINE_MS);
	if (!at_rest)
		cr_fatal("the victim does not come to rest");
}

static void read_ready_line(struct stack_target *target)
{
	const char *line = child_read_line(&target->child, DEADLINE_MS);

	if (!line || sscanf(line, "ready tid=%d old=%lu old_end=%lu return=%lu",
			    &target->tid, &target->old.start, &target->old.end,
			    &target->signal_return) != 4)
		cr_fatal("the victim does not say that it is ready");
	/* it prints them inverted, see there */
	target->old.start = ~target->old.start;
	target->old.end = ~target->old.end;
	target->signal_return = ~target->signal_return;
}

static void set_modules(struct stack_target *target, struct upatch_error *err)
{
	const struct modules *modules = &target->modules;
	struct unwind_module *unwind_modules =
		calloc(modules->count, sizeof(*unwind_modules));
	size_t i;

	for (i = 0; i < modules->count; i++) {
		const struct module *module = &modules->modules[i];

		unwind_modules[i] = (struct unwind_module){
			.start = module->start,
			.end = module->end,
			.eh_frame_hdr = module->eh_frame_hdr,
			.eh_frame_hdr_len = module->eh_frame_hdr_len,
		};
	}
	if (unwind_set_modules(target->unwinder, unwind_modules, modules->count,
			       err) != 0)
		cr_fatal("%s", err->message);
	free(unwind_modules);
}

void stack_target_start(struct stack_target *target, const char *wait,
			const char *place, const char *thread)
{
	const char *dir = getenv("UPATCH_UNIT_VICTIMS");
	struct upatch_error err;
	char path[512];
	const char *argv[] = { path, wait, place, thread, NULL };

	*target = (struct stack_target){ 0 };
	snprintf(path, sizeof(path), "%s/stack_victim", dir ? dir : ".");
	child_start(&target->child, argv, 0);
	read_ready_line(target);
	wait_for_rest(target, wait);
	if (memory_open(&target->memory, target->child.pid, &err) != 0 ||
	    modules_read(&target->memory, &target->modules, NULL, &err) != 0 ||
	    unwind_open(&target->memory, &target->unwinder, &err) != 0)
		cr_fatal("%s", err.message);
	set_modules(target, &err);
	if (ptrace(PTRACE_SEIZE, target->tid, NULL, NULL) != 0)
		cr_skip("ptrace is not permitted here");
	stack_target_interrupt(target);
	/* it may just have said that it begins */
	if (strcmp(wait, "spin") == 0 &&
	    !wait_until(is_in_program, target, DEADLINE_MS))
		cr_fatal("the victim does not come to rest");
}

static bool find_mapping(void *user, upatch_addr_t addr,
			 struct addr_range *ret_mapping)
{
	const struct map *map = maps_find(user, addr);

	if (!map)
		return false;
	*ret_mapping = (struct addr_range){ map->start, map->end };
	return true;
}

static struct addr_range find_main_stack(const struct maps *maps)
{
	size_t i;

	for (i = 0; i < maps->count; i++) {
		if (strcmp(maps->maps[i].path, "[stack]") == 0)
			return (struct addr_range){ maps->maps[i].start,
						    maps->maps[i].end };
	}
	return (struct addr_range){ 0, 0 };
}

static void copy_stack(struct stack_target *target)
{
	const struct addr_range *live = &target->bounds.live;
	size_t len = live->end - live->start;

	free(target->bytes);
	target->bytes = malloc(len);
	target->copy = (struct stack_copy){
		.base = live->start,
		.bytes = target->bytes,
		.len = memory_read_some(&target->memory, live->start,
					target->bytes, len),
	};
}

void stack_target_interrupt(struct stack_target *target)
{
	struct stack_maps stack_maps = { .mapping = find_mapping,
					 .user = &target->maps };
	struct iovec iov = { &target->regs.user, sizeof(target->regs.user) };
	struct upatch_error err;
	int status;

	if (ptrace(PTRACE_INTERRUPT, target->tid, NULL, NULL) != 0 ||
	    waitpid(target->tid, &status, __WALL) != target->tid ||
	    !WIFSTOPPED(status) ||
	    /* NT_PRSTATUS */
	    ptrace(PTRACE_GETREGSET, target->tid, 1, &iov) != 0)
		cr_fatal("cannot stop thread %d", target->tid);
	maps_free(&target->maps);
	if (maps_read(target->child.pid, &target->maps, &err) != 0)
		cr_fatal("%s", err.message);
	stack_maps.main_stack = find_main_stack(&target->maps);
	stack_bounds_find(&target->regs, target->tid == target->child.pid,
			  &stack_maps, &target->bounds);
	copy_stack(target);
}

void stack_target_resume(struct stack_target *target)
{
	if (ptrace(PTRACE_CONT, target->tid, NULL, NULL) != 0)
		cr_fatal("cannot resume thread %d", target->tid);
}

void stack_target_end(struct stack_target *target)
{
	ptrace(PTRACE_DETACH, target->tid, NULL, NULL);
	child_terminate(&target->child, DEADLINE_MS);
	unwind_close(target->unwinder);
	modules_free(&target->modules);
	maps_free(&target->maps);
	memory_close(&target->memory);
	free(target->bytes);
}

void stack_target_walk(struct stack_target *target,
		       struct unwind_walk *ret_walk)
{
	unwind_walk(target->unwinder, &target->regs, &target->copy, true,
		    ret_walk);
}

void stack_target_check(struct stack_target *target,
			struct stack_verdict *ret_verdict)
{
	struct stack_query query = {
		.functions = &target->old,
		.function_count = 1,
		.signal_return = target->signal_return,
	};
	struct stack_thread thread = {
		.regs = &target->regs,
		.bounds = target->bounds,
		.copy = target->copy,
		.is_stopped = true,
	};
	struct stack_check check;
	struct upatch_error err;

	if (stack_check_init(&check, &query, &err) != 0)
		cr_fatal("%s", err.message);
	stack_check_thread(&check, target->unwinder, &target->memory, &thread,
			   ret_verdict);
	stack_check_fini(&check);
}
