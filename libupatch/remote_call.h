/* SPDX-License-Identifier: MIT */
/*
 * Calls in a borrowed thread.  From the first one on the thread stands on a
 * signal frame of ours: whatever becomes of the controller, it returns by
 * itself to where it was (arch_build_signal_frame).
 */
#ifndef UPATCH_REMOTE_CALL_H
#define UPATCH_REMOTE_CALL_H

#include "host_report.h"
#include "memory.h"
#include "setxid.h"
#include "tracer.h"

struct remote_call {
	struct tracer *tracer;
	struct thread *thread;
	const struct memory *memory;
	upatch_addr_t frame, report;
	bool on_frame; /* the thread has left its own work */
	bool is_ready; /* it is stopped, and can be sent into another call */
	/*
	 * The call is a wrapper of one system call.  That a call of ours has
	 * failed is told by *ret_last, and the thread's errno stays its own.
	 */
	bool keeps_errno;
	/* it is stopped at the entry of the rt_sigreturn that ends a call */
	bool at_sigreturn;
	/* of a function that calls dlopen; or NULL */
	struct setxid_watch *setxid;
	/* a thread was born in the call and is held; 0: none is */
	uint64_t newborn_since_ns;
	struct arch_saved_thread saved;
};

/*
 * Borrows a stopped thread; nothing is changed yet but dead stack below it.
 * `sigreturn` is the address of __restore_rt in the target's C library.
 */
UPATCH_MUST_CHECK int
remote_call_open(struct remote_call *call, struct tracer *tracer,
		 struct thread *thread, const struct memory *memory,
		 upatch_addr_t sigreturn, struct upatch_error *err);

/*
 * Runs function(args…) in the thread; its signals stay pending meanwhile, also
 * the C library's own, so the function must take none of its locks.
 * *ret_regs are those at its return.  *ret_last is the result of the last
 * system call that it made (0: it made none).  After a failure the thread is
 * on its way back by itself, or gone.
 */
UPATCH_MUST_CHECK int
remote_call_run(struct remote_call *call, upatch_addr_t function,
		const uint64_t args[6], uint64_t deadline_ns,
		struct arch_regs *ret_regs, int64_t *ret_last,
		struct upatch_error *err);

/*
 * The same for a function that reports (host_report.h) at `call->report`.  The
 * thread is stopped only twice: when it has created a thread, and when it has
 * reported.  What the function does behind its report is not done then, unless
 * *ret_report says HOST_LEAVES.
 */
UPATCH_MUST_CHECK int remote_call_run_reporting(struct remote_call *call,
						upatch_addr_t function,
						const uint64_t args[6],
						uint64_t deadline_ns,
						struct host_report *ret_report,
						struct upatch_error *err);

/*
 * Threads that were created during a call, the agent above all, have not
 * executed an instruction yet.  Lets them go.
 */
void remote_call_release_newborn(struct remote_call *call);

/*
 * Gives the thread its own state back, to the last register, and leaves it
 * stopped where it was found.
 */
UPATCH_MUST_CHECK int remote_call_close(struct remote_call *call,
					uint64_t deadline_ns,
					struct upatch_error *err);

#endif
