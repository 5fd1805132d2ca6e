/* SPDX-License-Identifier: MIT */
/* Seccomp filters of stopped threads. */
#include "seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "arch/own_calls.h"
#include "tasks.h"

/* Each task's filters together are limited to 32768 instructions. */
#define FILTER_MAX 4096

struct filters {
	struct sock_filter *insns;
	size_t count;
	struct program {
		size_t first, count;
	} * programs;
	size_t program_count;
};

bool seccomp_can_read(void)
{
	struct task_status status;

	/* One that comes and goes with CONFIG_CHECKPOINT_RESTORE. */
	return !access("/proc/sys/kernel/ns_last_pid", F_OK) &&
	       tasks_status(getpid(), gettid(), &status) &&
	       status.seccomp == SECCOMP_NONE &&
	       (status.capabilities >> CAP_SYS_ADMIN & 1);
}

static void free_filters(struct filters *filters)
{
	free(filters->insns);
	free(filters->programs);
}

static int append_program(struct filters *filters,
			  const struct sock_filter *insns, size_t count)
{
	struct program *programs =
		realloc(filters->programs,
			(filters->program_count + 1) * sizeof(*programs));
	struct sock_filter *more;

	if (!programs)
		return -ENOMEM;
	filters->programs = programs;
	more = realloc(filters->insns,
		       (filters->count + count) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	filters->insns = more;
	memcpy(more + filters->count, insns, count * sizeof(*insns));
	programs[filters->program_count++] =
		(struct program){ filters->count, count };
	filters->count += count;
	return 0;
}

/* 0 or -errno; -EINVAL: it has no filter.  Released by free_filters. */
static int read_filters(pid_t tid, struct filters *ret_filters)
{
	struct sock_filter insns[SECCOMP_PROGRAM_MAX];
	struct filters filters = { 0 };
	int ret = 0;

	for (unsigned long i = 0; !ret && i < FILTER_MAX; i++) {
		/* The length first: an index beyond the last is ENOENT. */
		long count =
			ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, NULL);

		if (count < 0 && errno == ENOENT && i > 0)
			break;
		if (count > SECCOMP_PROGRAM_MAX)
			ret = -E2BIG;
		else if (count < 0 || ptrace(PTRACE_SECCOMP_GET_FILTER, tid,
					     (void *)i, insns) != count)
			ret = -errno;
		else
			ret = append_program(&filters, insns, (size_t)count);
	}
	if (ret) {
		free_filters(&filters);
		return ret;
	}
	*ret_filters = filters;
	return 0;
}

static uint32_t action_for(const struct filters *filters,
			   const struct seccomp_call *call)
{
	uint32_t action = SECCOMP_RET_ALLOW;

	for (size_t i = 0; i < filters->program_count; i++) {
		const struct program *program = &filters->programs[i];

		action = seccomp_action_stricter(
			action,
			seccomp_program_judge(filters->insns + program->first,
					      program->count, call));
	}
	return action;
}

static bool permits(uint32_t action)
{
	action &= SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

/* Without a tracer that asks for it SECCOMP_RET_TRACE is ENOSYS. */
static int error_of(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return (int)(action & SECCOMP_RET_DATA);
	case SECCOMP_RET_TRACE:
		return ENOSYS;
	default:
		return 0;
	}
}

static const char *consequence(uint32_t action)
{
	if (error_of(action))
		return strerrordesc_np(error_of(action));
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return "pretended success";
	case SECCOMP_RET_USER_NOTIF:
		return "the decision of another process";
	case SECCOMP_RET_TRAP:
		return "SIGSYS";
	default:
		return "death";
	}
}

static bool is_harmful(const struct own_call *own, uint32_t action)
{
	if (permits(action))
		return false;
	if (own->may_fail && error_of(action))
		return false;
	return !own->has_substitute || error_of(action) != ENOSYS;
}

static void judge_filters(const struct filters *filters, unsigned int when,
			  char *ret_reason, size_t size)
{
	ret_reason[0] = '\0';
	for (size_t i = 0; i < arch_own_call_count; i++) {
		const struct own_call *own = &arch_own_calls[i];
		uint32_t action;

		if (!(own->when & when))
			continue;
		action = action_for(filters, &own->call);
		if (!is_harmful(own, action))
			continue;
		snprintf(
			ret_reason, size,
			"its seccomp filter has an answer of its own to %s: %s",
			own->name, consequence(action));
		return;
	}
}

void seccomp_judge(pid_t tid, unsigned int when, char *ret_reason, size_t size)
{
	struct task_status status;
	struct filters filters;
	int ret;

	ret_reason[0] = '\0';
	if (!tasks_status(tid, tid, &status) || status.seccomp == SECCOMP_NONE)
		return;
	if (status.seccomp == SECCOMP_STRICT) {
		snprintf(ret_reason, size, "it is in seccomp's strict mode");
		return;
	}
	ret = read_filters(tid, &filters);
	if (ret) {
		snprintf(ret_reason, size,
			 "its seccomp filter cannot be read: %s",
			 strerrordesc_np(-ret));
		return;
	}
	judge_filters(&filters, when, ret_reason, size);
	free_filters(&filters);
}

bool seccomp_permits_restart(pid_t tid)
{
	struct task_status status;
	struct filters filters;
	bool answer;

	if (read_filters(tid, &filters))
		return tasks_status(tid, tid, &status) &&
		       status.seccomp == SECCOMP_NONE;
	answer = permits(action_for(&filters, &arch_restart_call));
	free_filters(&filters);
	return answer;
}
