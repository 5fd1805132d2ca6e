/* SPDX-License-Identifier: MIT */
/* A thread for work that traces the target. */
#include "traced.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "let_go.h"

struct job {
	pid_t pid;
	bool under_seccomp;
	bool is_hurried;
	int (*work)(struct tracer *tracer, void *user,
		    struct upatch_error *err);
	void *user;
	struct upatch_error *err;
	int ret;
};

static void *run(void *argument)
{
	struct job *job = argument;
	struct tracer tracer;

	tracer_init(&tracer, job->pid);
	priority_raise_tracer(job->is_hurried, &tracer.priority);
	tracer.under_seccomp = job->under_seccomp;
	job->ret = job->work(&tracer, job->user, job->err);
	let_go(&tracer);
	tracer_fini(&tracer);
	return NULL;
}

/* The caller's signal handlers run in the caller's threads, not here. */
int traced_run(pid_t pid, bool under_seccomp,
	       int (*work)(struct tracer *tracer, void *user,
			   struct upatch_error *err),
	       void *user, struct upatch_error *err)
{
	struct job job = {
		.pid = pid,
		.under_seccomp = under_seccomp,
		.is_hurried = priority_is_hurried(),
		.work = work,
		.user = user,
		.err = err,
	};
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	if (job.is_hurried)
		priority_hurry_from_birth(&attr);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread, &attr, run, &job);
	if (ret == EPERM && job.is_hurried) {
		job.is_hurried = false;
		ret = pthread_create(&thread, NULL, run, &job);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (ret)
		return error_set(err, UPATCH_ERROR_SYSTEM, ret,
				 "cannot create a thread to trace process %d",
				 pid);
	pthread_join(thread, NULL);
	return job.ret;
}
