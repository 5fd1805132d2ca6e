/* SPDX-License-Identifier: MIT */
/* The filters of threads that may call dlopen or dlclose. */
#include "loader_filters.h"

#include <stdlib.h>

#include "arch/own_calls.h"
#include "seccomp.h"
#include "tasks.h"
#include "traced.h"

static int judge(struct tracer *tracer, struct thread *thread,
		 struct upatch_error *err)
{
	struct arch_regs regs;
	char reason[160];

	/* What has just ended has nothing to load. */
	if (thread->run != THREAD_STOPPED || tracer_registers(thread, &regs))
		return 0;
	seccomp_judge(thread->tid, OWN_CALL_IN_LOADER, reason, sizeof(reason));
	tracer_release(tracer, thread);
	if (!reason[0])
		return 0;
	return error_set(
		err, UPATCH_ERROR_UNSUPPORTED, 0,
		"thread %d of process %d could not load libraries that a patch waits for: %s",
		thread->tid, tracer->pid, reason);
}

static int look_at_thread(struct tracer *tracer, pid_t tid,
			  uint64_t deadline_ns, struct upatch_error *err)
{
	struct task_status status;
	struct thread *thread;
	int ret;

	if (!tasks_status(tracer->pid, tid, &status) ||
	    status.seccomp != SECCOMP_FILTERED)
		return 0;
	ret = tracer_seize(tracer, tid, &thread, err);
	if (!ret)
		ret = tracer_stop(tracer, thread, deadline_ns, err);
	if (ret && tasks_kind(tracer->pid, tid) == TASK_GONE)
		return 0;
	return ret ? ret : judge(tracer, thread, err);
}

static int look_at_threads(struct tracer *tracer, void *user,
			   struct upatch_error *err)
{
	const uint64_t *deadline_ns = user;
	size_t count;
	pid_t *tids;
	int ret = tasks_list(tracer->pid, &tids, &count, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < count && !ret; i++)
		ret = look_at_thread(tracer, tids[i], *deadline_ns, err);
	free(tids);
	return ret;
}

int loader_filters_check(struct process *process, uint64_t deadline_ns,
			 struct upatch_error *err)
{
	if (!process->under_seccomp)
		return 0;
	return traced_run(process->pid, true, look_at_threads, &deadline_ns,
			  err);
}
