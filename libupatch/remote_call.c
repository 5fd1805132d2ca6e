/* SPDX-License-Identifier: MIT */
/* Calls in a borrowed thread. */
#include "remote_call.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>

#include "clock.h"
#include "make_room.h"
#include "protocol.h"

#define LOOK_TRIES 3
/* Between two looks at the report: the first, and the most. */
#define LOOK_GAP_NS	30000UL
#define LOOK_GAP_MAX_NS 1000000UL
/* Longer than a call takes that waits for no lock: see trace_rivals. */
#define LOCK_FREE_NS 5000000UL
/*
 * For calls that take no lock of libc: its signal 33 is blocked as well.  Traced
 * to each system call, the thread would stop at those of its handler, too, and
 * under a stream of setegid() calls never get on.  A call that may wait for a
 * lock whose owner waits for our answer has RT_BLOCKED_SIGNALS.
 */
#define ALL_SIGNALS UINT64_MAX

static int thread_failed(const struct remote_call *call, int ret,
			 const char *what, struct upatch_error *err)
{
	return error_set(err, error_code_of_errno(-ret), -ret,
			 "cannot %s thread %d of process %d", what,
			 call->thread->tid, call->tracer->pid);
}

int remote_call_open(struct remote_call *call, struct tracer *tracer,
		     struct thread *thread, const struct memory *memory,
		     upatch_addr_t sigreturn, struct upatch_error *err)
{
	uint8_t frame[ARCH_SIGNAL_FRAME_MAX];
	size_t len;
	int ret;

	call->tracer = tracer;
	call->thread = thread;
	call->memory = memory;
	call->on_frame = false;
	call->keeps_errno = false;
	call->at_sigreturn = false;
	call->setxid = NULL;
	call->newborn_since_ns = 0;
	call->is_ready = false;
	ret = arch_thread_save(thread->tid, &call->saved);
	if (ret)
		return thread_failed(call, ret, "save the registers of", err);
	arch_build_signal_frame(&call->saved, sigreturn, frame, &len,
				&call->frame);
	call->report = arch_frame_report(call->frame);
	ret = memory_write(memory, call->frame, frame, len, err);
	call->is_ready = !ret;
	return ret;
}

/* Before the time is over: an execve by another thread has taken it away. */
static int not_back(const struct remote_call *call, uint64_t deadline_ns,
		    struct upatch_error *err)
{
	bool is_late = clock_now_ns() >= deadline_ns;

	return error_set(
		err, is_late ? UPATCH_ERROR_TIMED_OUT : UPATCH_ERROR_NO_TARGET,
		0,
		"thread %d of process %d, which was borrowed to enter it, %s",
		call->thread->tid, call->tracer->pid,
		is_late ? "has not come back" : "is gone");
}

/*
 * Sanitizers' pthread_create returns only when the new thread has run.  What
 * is borrowed longer than this has gone too long without an answer.
 */
#define NEWBORN_NS 10000000UL

/* When newborn threads are let go; `deadline_ns` if there are none. */
static uint64_t newborn_deadline(const struct remote_call *call,
				 uint64_t deadline_ns)
{
	uint64_t newborn_ns = call->newborn_since_ns + NEWBORN_NS;

	return call->newborn_since_ns && newborn_ns < deadline_ns ? newborn_ns
								  : deadline_ns;
}

static void look_after_newborn(struct remote_call *call,
			       const struct thread *stopped)
{
	uint64_t now = clock_now_ns();

	if (stopped && stopped->is_new && !call->newborn_since_ns)
		call->newborn_since_ns = now;
	if (now < newborn_deadline(call, UINT64_MAX))
		return;
	remote_call_release_newborn(call);
	call->newborn_since_ns = 0;
}

/* Until the borrowed thread stops; what else stops goes on. */
static int wait_for_stop(struct remote_call *call, uint64_t deadline_ns,
			 struct upatch_error *err)
{
	struct thread *thread = call->thread;

	while (thread->run == THREAD_RUNS) {
		uint64_t until =
			make_room_deadline(call->tracer,
					   newborn_deadline(call, deadline_ns));
		struct thread *other = tracer_next(call->tracer, until);
		bool has_more_time =
			until < deadline_ns && clock_now_ns() >= until;

		make_room_end_late(call->tracer);
		look_after_newborn(call, other);
		if (!other && has_more_time)
			continue;
		if (!other)
			return not_back(call, deadline_ns, err);
		if (other == thread)
			break;
		/* Newborn threads wait: see remote_call_release_newborn. */
		if (!other->is_new)
			tracer_resume(other);
	}
	if (thread->run == THREAD_GONE || call->tracer->exited)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "process %d ended", call->tracer->pid);
	return 0;
}

/* Looks at a system call stop. */
static int note_syscall(struct remote_call *call, struct arch_regs *regs,
			int64_t *last, bool *ret_returned)
{
	struct __ptrace_syscall_info info = { 0 };
	pid_t tid = call->thread->tid;
	int ret;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) <=
	    0)
		return -errno;
	ret = arch_regs_read(tid, regs);
	if (ret)
		return ret;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		*last = info.exit.rval;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.is_error &&
	    call->keeps_errno) {
		arch_hide_error(regs);
		ret = arch_regs_write(tid, regs);
		if (ret)
			return ret;
	}
	*ret_returned = info.op == PTRACE_SYSCALL_INFO_ENTRY &&
			arch_at_sigreturn(regs, call->frame);
	return 0;
}

/* Not to know where it is would mean not to catch it when it is back. */
static int note_syscall_surely(struct remote_call *call, struct arch_regs *regs,
			       int64_t *last, bool *ret_returned)
{
	int ret = -EIO;

	for (int i = 0; ret && i < LOOK_TRIES; i++)
		ret = note_syscall(call, regs, last, ret_returned);
	return ret;
}

/* After a failure the thread is on its way back by itself. */
static int look_at_stop(struct remote_call *call, struct arch_regs *regs,
			int64_t *last, bool *ret_returned,
			struct upatch_error *err)
{
	int ret = 0;

	if (call->thread->event == THREAD_EVENT_EXEC)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "process %d has called execve",
				 call->tracer->pid);
	if (call->thread->event == THREAD_EVENT_SYSCALL)
		ret = note_syscall_surely(call, regs, last, ret_returned);
	if (!ret)
		return 0;
	/* It must be somewhere inside: let it come back. */
	tracer_resume(call->thread);
	return thread_failed(call, ret, "follow", err);
}

/*
 * Registers first, mask second: if we are killed in between, the call runs
 * with the thread's own mask and comes back; the other way round the thread
 * would stay deaf.
 */
static int enter(struct remote_call *call, upatch_addr_t function,
		 const uint64_t args[6], uint64_t mask,
		 struct upatch_error *err)
{
	struct arch_regs regs = call->saved.regs;
	int ret;

	arch_prepare_call(&regs, function, args, call->frame,
			  call->at_sigreturn);
	ret = arch_regs_write(call->thread->tid, &regs);
	if (ret)
		return thread_failed(call, ret, "set the registers of", err);
	call->on_frame = true;
	call->at_sigreturn = false;
	call->is_ready = false;
	call->thread->is_borrowed = true;
	if (ptrace(PTRACE_SETSIGMASK, call->thread->tid, (void *)sizeof(mask),
		   &mask))
		return thread_failed(call, -errno, "block the signals of", err);
	return 0;
}

int remote_call_run(struct remote_call *call, upatch_addr_t function,
		    const uint64_t args[6], uint64_t deadline_ns,
		    struct arch_regs *ret_regs, int64_t *ret_last,
		    struct upatch_error *err)
{
	int64_t last = 0;
	int ret = enter(call, function, args, ALL_SIGNALS, err);

	if (ret)
		return ret;
	for (;;) {
		struct arch_regs regs;
		bool has_returned = false;

		tracer_resume_to_syscall(call->thread);
		ret = wait_for_stop(call, deadline_ns, err);
		if (ret)
			return ret;
		ret = look_at_stop(call, &regs, &last, &has_returned, err);
		if (ret)
			return ret;
		if (has_returned) {
			*ret_regs = regs;
			*ret_last = last;
			call->is_ready = call->at_sigreturn = true;
			return 0;
		}
	}
}

static void read_report(const struct remote_call *call,
			struct host_report *ret_report)
{
	struct host_report report = { 0 };

	if (memory_read_some(call->memory, call->report, &report,
			     sizeof(report)) != sizeof(report))
		report.state = HOST_AT_WORK;
	*ret_report = report;
}

static bool has_reported(const struct host_report *report)
{
	return report->state == HOST_STARTED || report->state == HOST_FAILED;
}

/* What is looked at from time to time while the thread runs. */
struct watch {
	uint64_t gap_ns;
	/* when the others are to be traced as well; 0: that was tried */
	uint64_t trace_rivals_ns;
	struct host_report report; /* as last seen */
	/* newborn threads have been let go: it can return at any time */
	bool to_syscall;
};

static bool is_to_be_stopped(struct remote_call *call, struct watch *watch)
{
	if (call->thread->run != THREAD_RUNS || call->thread->wanted ||
	    watch->to_syscall)
		return false;
	read_report(call, &watch->report);
	return watch->report.state != HOST_AT_WORK ||
	       clock_now_ns() >= newborn_deadline(call, UINT64_MAX);
}

/*
 * setegid(2) and its like hold a lock of the C library while each thread is
 * sent a signal and answers it.  Ours, which stops at each signal, is always
 * the last to answer and the last to wait for the lock again: where others
 * call it all the time it seldom gets the lock.  Once they are traced they stop
 * at signals as well, and are no better off.  What they create is not traced:
 * it would have to wait until the agent is let go.
 */
static void trace_rivals(struct remote_call *call, struct watch *watch)
{
	watch->trace_rivals_ns = 0;
	call->tracer->leaves_newborn = true;
	(void)!tracer_seize_all(call->tracer, 0, false, NULL);
}

/* It waits for a lock of the C library, perhaps for good. */
static void look_after_lock(struct remote_call *call, struct watch *watch)
{
	if (clock_now_ns() < watch->trace_rivals_ns)
		return;
	if (watch->trace_rivals_ns)
		trace_rivals(call, watch);
	else if (call->setxid && watch->report.state == HOST_AT_WORK)
		setxid_look(call->setxid, call->tracer, call->thread);
}

/*
 * The agent may be born after threads of the program, for which the borrowed
 * one need not wait.
 */
static void note_other(struct remote_call *call, const struct watch *watch,
		       struct thread *other, uint64_t now)
{
	if (!other->is_new && call->setxid)
		setxid_serve(call->setxid, other);
	if (!other->is_new)
		tracer_resume(other);
	else if (watch->to_syscall)
		remote_call_release_newborn(call);
	else if (!call->newborn_since_ns)
		call->newborn_since_ns = now;
}

/* Until the thread stops, for which it is asked when it has reported. */
static int wait_for_report(struct remote_call *call, struct watch *watch,
			   uint64_t deadline_ns, struct upatch_error *err)
{
	struct thread *thread = call->thread;

	while (thread->run == THREAD_RUNS) {
		uint64_t now = clock_now_ns();
		uint64_t until = now + watch->gap_ns;
		struct thread *other;

		if (until > deadline_ns)
			until = deadline_ns;
		other = tracer_next(call->tracer, until);
		now = clock_now_ns();
		make_room_end_late(call->tracer);
		if (!other && (now < until || now >= deadline_ns))
			return not_back(call, deadline_ns, err);
		if (other && other != thread)
			note_other(call, watch, other, now);
		if (watch->gap_ns < LOOK_GAP_MAX_NS)
			watch->gap_ns += watch->gap_ns / 8;
		if (is_to_be_stopped(call, watch))
			tracer_interrupt(call->tracer, thread);
		look_after_lock(call, watch);
	}
	if (thread->run == THREAD_GONE || call->tracer->exited)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "process %d ended", call->tracer->pid);
	return 0;
}

/*
 * True: the call is over.  At an interrupt the thread is taken back where it
 * waits; where newborn threads were let go it is taken back at its return.
 */
static bool is_over(struct remote_call *call, struct watch *watch,
		    bool has_returned)
{
	const bool is_leaving = watch->report.state == HOST_FAILED ||
				watch->report.state == HOST_LEAVES;
	struct thread *thread = call->thread;
	struct host_report report;

	read_report(call, &report);
	call->at_sigreturn = has_returned;
	call->is_ready =
		has_returned || (thread->event == THREAD_EVENT_INTERRUPT &&
				 !watch->to_syscall && has_reported(&report));
	if (call->is_ready) {
		watch->report = report;
		return true;
	}
	if (!is_leaving)
		return false;
	/* We have been late: it goes on by itself. */
	tracer_resume(thread);
	return true;
}

static void go_on(struct remote_call *call, struct watch *watch)
{
	if (clock_now_ns() >= newborn_deadline(call, UINT64_MAX)) {
		watch->to_syscall = true;
		call->newborn_since_ns = 0;
		remote_call_release_newborn(call);
	}
	if (watch->to_syscall)
		tracer_resume_to_syscall(call->thread);
	else
		tracer_resume(call->thread);
}

int remote_call_run_reporting(struct remote_call *call, upatch_addr_t function,
			      const uint64_t args[6], uint64_t deadline_ns,
			      struct host_report *ret_report,
			      struct upatch_error *err)
{
	const struct host_report nothing = { .state = HOST_AT_WORK };
	struct watch watch = {
		.gap_ns = LOOK_GAP_NS,
		.trace_rivals_ns = clock_now_ns() + LOCK_FREE_NS,
	};
	struct arch_regs regs;
	int64_t last;
	int ret = memory_write(call->memory, call->report, &nothing,
			       sizeof(nothing), err);

	if (!ret)
		ret = enter(call, function, args, RT_BLOCKED_SIGNALS, err);
	if (ret)
		return ret;
	for (;;) {
		bool has_returned = false;

		go_on(call, &watch);
		ret = wait_for_report(call, &watch, deadline_ns, err);
		if (!ret)
			ret = look_at_stop(call, &regs, &last, &has_returned,
					   err);
		if (ret)
			return ret;
		if (is_over(call, &watch, has_returned)) {
			*ret_report = watch.report;
			return 0;
		}
	}
}

/*
 * The thread stands at the entry of rt_sigreturn, which would forget what the
 * kernel knows of an interrupted call.  Something harmless is called in its
 * place, and at the stop behind it, where the kernel restarts calls itself,
 * the thread gets the very registers it had.  To be killed between any two
 * steps is harmless: the thread goes on to rt_sigreturn.
 */
static int pass_sigreturn(struct remote_call *call, uint64_t deadline_ns,
			  struct upatch_error *err)
{
	struct thread *thread = call->thread;
	struct arch_regs regs;
	int ret = arch_regs_read(thread->tid, &regs);

	if (!ret) {
		arch_postpone_sigreturn(&regs);
		ret = arch_regs_write(thread->tid, &regs);
	}
	if (ret)
		return thread_failed(call, ret, "restore the registers of",
				     err);
	/* While it is stopped still, so that it runs no instruction. */
	ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL);
	tracer_resume(thread);
	return wait_for_stop(call, deadline_ns, err);
}

/* From an interrupt stop the kernel restarts the call that it was in. */
static int leave_frame(struct remote_call *call, uint64_t deadline_ns,
		       struct upatch_error *err)
{
	struct thread *thread = call->thread;
	int ret = arch_thread_restore_state(thread->tid, &call->saved);

	if (ret)
		return thread_failed(call, ret, "restore the state of", err);
	if (call->at_sigreturn)
		ret = pass_sigreturn(call, deadline_ns, err);
	if (ret)
		return ret;
	if (thread->event != THREAD_EVENT_INTERRUPT)
		return 0;
	/* The time went on. */
	call_deadline_apply(&call->tracer->deadlines, thread->tid,
			    &thread->deadline, &call->saved.regs);
	ret = arch_regs_write(thread->tid, &call->saved.regs);
	if (ret)
		return thread_failed(call, ret, "restore the registers of",
				     err);
	call->on_frame = false;
	return 0;
}

int remote_call_close(struct remote_call *call, uint64_t deadline_ns,
		      struct upatch_error *err)
{
	int ret = 0;

	/* It runs although the process is stopped, and stops again. */
	if (call->on_frame && (call->thread->run == THREAD_STOPPED ||
			       call->thread->run == THREAD_JOB_STOPPED))
		ret = leave_frame(call, deadline_ns, err);
	call->thread->is_borrowed = false;
	return ret;
}

void remote_call_release_newborn(struct remote_call *call)
{
	struct tracer *tracer = call->tracer;

	for (size_t i = 0; i < tracer->count; i++) {
		if (tracer->threads[i]->is_new)
			tracer_release(tracer, tracer->threads[i]);
	}
}
