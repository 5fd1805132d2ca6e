/* SPDX-License-Identifier: MIT */
/*
 * Makes an upatchctl under which the UPATCH_FAIL_HOST-th system call of the
 * borrowed thread fails.  ld(1), --wrap: the calls of both functions come here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "remote_call.h"

#define WRAPPED(function) __wrap_##function
#define REAL(function)	  __real_##function

void WRAPPED(tracer_resume_to_syscall)(struct thread *thread);
void REAL(tracer_resume_to_syscall)(struct thread *thread);
void WRAPPED(tracer_resume)(struct thread *thread);
void REAL(tracer_resume)(struct thread *thread);
int WRAPPED(remote_call_run)(struct remote_call *call, upatch_addr_t function,
			     const uint64_t args[6], uint64_t deadline_ns,
			     struct arch_regs *ret_regs, int64_t *ret_last,
			     struct upatch_error *err);
int REAL(remote_call_run)(struct remote_call *call, upatch_addr_t function,
			  const uint64_t args[6], uint64_t deadline_ns,
			  struct arch_regs *ret_regs, int64_t *ret_last,
			  struct upatch_error *err);
int WRAPPED(remote_call_run_reporting)(struct remote_call *call,
				       upatch_addr_t function,
				       const uint64_t args[6],
				       uint64_t deadline_ns,
				       struct host_report *ret_report,
				       struct upatch_error *err);
int REAL(remote_call_run_reporting)(struct remote_call *call,
				    upatch_addr_t function,
				    const uint64_t args[6],
				    uint64_t deadline_ns,
				    struct host_report *ret_report,
				    struct upatch_error *err);

static bool is_inside;
/* It is not stopped at system calls otherwise. */
static const struct thread *reporting;
static unsigned long count;

static unsigned long setting(const char *name)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : 0;
}

static void report(long number)
{
	const char *path = getenv("UPATCH_FAIL_REPORT");
	FILE *file = path ? fopen(path, "we") : NULL;

	if (!file)
		return;
	fprintf(file, "failed\nsystem call %ld of the borrowed thread\n",
		number);
	fclose(file);
}

/* The kernel cannot fail these, or nothing depends on it. */
static bool cannot_fail(long number)
{
	return number == SYS_rt_sigreturn || number == SYS_rt_sigprocmask ||
	       number == SYS_close || number == SYS_munmap ||
	       number == SYS_futex || number == SYS_getpid ||
	       number == SYS_gettid || number == SYS_madvise;
}

static int error_of(long number)
{
	switch (number) {
	case SYS_memfd_create:
	case SYS_socketpair:
	case SYS_openat:
		return EMFILE;
	case SYS_clone:
	case SYS_clone3:
		return EAGAIN;
	case SYS_write:
		return ENOSPC;
	case SYS_read:
	case SYS_pread64:
		return EIO;
	default:
		return ENOMEM;
	}
}

static void at_syscall(pid_t tid)
{
	struct __ptrace_syscall_info info = { 0 };
	struct user_regs_struct regs;
	long number;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) <=
		    0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	number = (long)info.entry.nr;
	if (cannot_fail(number) || ++count != setting("UPATCH_FAIL_HOST") ||
	    ptrace(PTRACE_GETREGS, tid, NULL, &regs))
		return;
	report(number);
	/* The kernel makes no call and leaves the result as it is set. */
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)-error_of(number);
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
}

void WRAPPED(tracer_resume_to_syscall)(struct thread *thread)
{
	if (is_inside && thread->run == THREAD_STOPPED &&
	    thread->event == THREAD_EVENT_SYSCALL)
		at_syscall(thread->tid);
	REAL(tracer_resume_to_syscall)(thread);
}

void WRAPPED(tracer_resume)(struct thread *thread)
{
	if (reporting && thread == reporting)
		WRAPPED(tracer_resume_to_syscall)(thread);
	else
		REAL(tracer_resume)(thread);
}

int WRAPPED(remote_call_run)(struct remote_call *call, upatch_addr_t function,
			     const uint64_t args[6], uint64_t deadline_ns,
			     struct arch_regs *ret_regs, int64_t *ret_last,
			     struct upatch_error *err)
{
	int ret;

	is_inside = true;
	ret = REAL(remote_call_run)(call, function, args, deadline_ns, ret_regs,
				    ret_last, err);
	is_inside = false;
	return ret;
}

int WRAPPED(remote_call_run_reporting)(struct remote_call *call,
				       upatch_addr_t function,
				       const uint64_t args[6],
				       uint64_t deadline_ns,
				       struct host_report *ret_report,
				       struct upatch_error *err)
{
	int ret;

	is_inside = true;
	reporting = call->thread;
	ret = REAL(remote_call_run_reporting)(call, function, args, deadline_ns,
					      ret_report, err);
	is_inside = false;
	reporting = NULL;
	return ret;
}
