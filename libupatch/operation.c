/* SPDX-License-Identifier: MIT */
/* What every operation on a target goes through. */
#include "operation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent_end.h"
#include "clock.h"
#include "leave.h"
#include "tasks.h"
#include "tracer.h"

/* The end of the agent is waited for, so that no thread of ours is left. */
#define AGENT_END_NS	   1000000000UL
#define AGENT_END_PAUSE_NS 50000L
/* What is quick by nature may take this long on a busy machine. */
#define GRACE_NS 10000000000UL

static int take_options(struct operation *operation,
			const struct upatch_options *options,
			struct upatch_error *err)
{
	const struct upatch_options defaults = UPATCH_OPTIONS_INIT;

	operation->options = defaults;
	if (!options)
		return 0;
	if (options->size != sizeof(*options))
		return error_set(
			err, UPATCH_ERROR_ARGUMENT, 0,
			"the options have %zu bytes, this library knows %zu",
			options->size, sizeof(*options));
	operation->options = *options;
	return 0;
}

int operation_open(struct operation *operation, struct upatch_target *target,
		   const struct upatch_options *options,
		   struct upatch_error *err)
{
	int ret;

	*operation = (struct operation){
		.process = target ? &target->process : NULL,
		.begin_ns = clock_now_ns(),
		.channel = { .fd = -1, .pidfd = -1 },
	};
	ret = take_options(operation, options, err);
	if (ret)
		return ret;
	if (!target)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "no target is given");
	operation->deadline_ns =
		operation->begin_ns + operation->options.timeout_ms * 1000000UL;
	operation->channel.stopped_deadline_ns = operation->deadline_ns;
	operation->process->asked = (struct asked){
		.interrupted = operation->options.interrupted,
		.user = operation->options.user,
	};
	operation->channel.asked = &operation->process->asked;
	operation_progress(operation, UPATCH_STEP_CHECK);
	ret = process_check_ready(operation->process, err);
	if (!ret)
		ret = process_refresh(operation->process, err);
	if (!ret)
		ret = operation_look(operation, err);
	return ret;
}

int operation_look(struct operation *operation, struct upatch_error *err)
{
	struct view view = { 0 };
	int ret = 0;

	if (operation->process->state_addr)
		ret = view_read(&operation->process->memory,
				operation->process->state_addr, &view, err);
	if (ret)
		return ret;
	view_free(&operation->view);
	operation->view = view;
	return 0;
}

/* The first try is made even without time, the rest has some to spare. */
static uint64_t request_deadline(const struct operation *operation)
{
	return operation->deadline_ns + GRACE_NS;
}

int operation_tell(struct operation *operation, enum rt_request_type type,
		   rt_addr_t patch, const char *what, struct upatch_error *err)
{
	return channel_tell(&operation->channel, type, patch,
			    request_deadline(operation), what, err);
}

int operation_enter(struct operation *operation, struct upatch_error *err)
{
	struct injection injection;
	int ret;

	operation_progress(operation, UPATCH_STEP_INJECT);
	priority_hurry(&operation->priority);
	ret = inject_agent(operation->process, operation->deadline_ns,
			   &operation->channel, &injection, err);
	if (ret)
		return ret;
	operation->result.host_ns = injection.host_ns;
	operation_trace(operation, "entered through thread %d in %lu us",
			injection.host_tid, injection.host_ns / 1000);
	operation->agent_tid = agent_end_find(operation->process);
	/*
	 * It hurries if we do: asked once, not with each message.  A filter
	 * might mind that it lowers its priority if we are killed.
	 */
	if (priority_is_hurried() && !operation->process->under_seccomp)
		operation->channel.agent_tid = operation->agent_tid;
	ret = process_refresh(operation->process, err);
	if (!ret)
		ret = operation_look(operation, err);
	if (!ret)
		ret = leave_unload_leftovers(operation, err);
	return ret ? ret : operation_check_asked(operation, err);
}

int operation_check_asked(const struct operation *operation,
			  struct upatch_error *err)
{
	return asked_to_stop(&operation->process->asked) ? asked_report(err)
							 : 0;
}

void operation_ignore_asked(struct operation *operation)
{
	operation->process->asked.is_ignored = true;
}

int operation_call(struct operation *operation,
		   const struct rt_request *request, int passed_fd,
		   uint64_t deadline_ns, struct rt_reply *ret_reply,
		   const char *what, struct upatch_error *err)
{
	struct channel *channel = &operation->channel;
	int ret;

	channel->runs_foreign_code = true;
	ret = channel_request(channel, request, passed_fd, deadline_ns,
			      ret_reply, what, err);
	channel->runs_foreign_code = false;
	return ret;
}

static void wait_for_agent_end(const struct operation *operation)
{
	uint64_t deadline = clock_now_ns() + AGENT_END_NS;
	const struct timespec pause = { .tv_nsec = AGENT_END_PAUSE_NS };

	while (operation->agent_tid && clock_now_ns() < deadline &&
	       tasks_kind(operation->process->pid, operation->agent_tid) !=
		       TASK_GONE)
		nanosleep(&pause, NULL);
}

void operation_leave(struct operation *operation)
{
	bool is_silent = operation->channel.unanswered;
	struct priority never_restored;

	/* It only has to end; see calm_down in runtime/agent.c. */
	if (operation->is_final && !is_silent && operation->channel.agent_tid)
		priority_hurry_thread(&never_restored, operation->agent_tid);
	channel_close(&operation->channel);
	if (!is_silent)
		wait_for_agent_end(operation);
	operation->agent_tid = 0;
	operation->channel.agent_tid = 0;
	priority_restore(&operation->priority);
}

void operation_close(struct operation *operation)
{
	operation_leave(operation);
	operation->result.total_ns = clock_now_ns() - operation->begin_ns;
	if (operation->process) {
		operation->process->asked = (struct asked){ 0 };
		own_stacks_free(&operation->process->own_stacks);
	}
	view_free(&operation->view);
	free(operation->children);
	operation->children = NULL;
}

bool operation_is_over(const struct operation *operation)
{
	const struct upatch_options *options = &operation->options;

	return clock_now_ns() >= operation->deadline_ns ||
	       (options->interrupted && options->interrupted(options->user));
}

void operation_progress(const struct operation *operation,
			enum upatch_step step)
{
	const struct upatch_progress progress = { .step = step };

	if (operation->options.progress)
		operation->options.progress(&progress, operation->options.user);
}

void operation_trace(const struct operation *operation, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!operation->options.trace)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	operation->options.trace(line, operation->options.user);
}
