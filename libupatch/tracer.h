/* SPDX-License-Identifier: MIT */
/*
 * The threads of the target that are traced.  All of it belongs to the thread
 * that calls tracer_init: ptrace(2) ties a tracee to the thread that seized
 * it, and that thread's end lets every tracee go at once, without a stop.
 */
#ifndef UPATCH_TRACER_H
#define UPATCH_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/arch_thread.h"
#include "call_deadline.h"
#include "error.h"
#include "priority.h"
#include "stack_scan.h"
#include "tasks.h"
#include "wait_timer.h"

enum thread_run {
	THREAD_RUNS,
	/* stopped by us; its registers can be read and written */
	THREAD_STOPPED,
	/* as STOPPED, by SIGSTOP and the like (group-stop) */
	THREAD_JOB_STOPPED,
	/* ended, or no longer ours */
	THREAD_GONE,
};

enum thread_event {
	THREAD_EVENT_NONE,
	THREAD_EVENT_INTERRUPT, /* the stop that was asked for, or a new thread */
	THREAD_EVENT_SYSCALL,
	THREAD_EVENT_EXEC,
	THREAD_EVENT_OTHER,
};

struct thread {
	struct tracer *tracer;
	pid_t tid;
	enum thread_run run;
	enum thread_event event; /* of the last stop */
	bool is_new;		 /* born while its creator was traced */
	/* It makes a remote call, which ends even if the process is stopped. */
	bool is_borrowed;
	pid_t created; /* the last thread that it created while borrowed */
	bool wanted;   /* an interrupt was sent and not yet seen */
	/* among those that are wanted, in the order of their interrupts */
	struct thread *wanted_before, *wanted_after;
	bool to_syscall; /* it was last resumed to stop at system calls */
	bool moved;	 /* see mover.h */
	bool was_seen;	 /* likewise */
	/* likewise: its moved word, 0: not known; and what that says */
	upatch_addr_t moved_word;
	bool says_moved;
	/* see round.c and make_room.h; 0: it is not */
	uint64_t held_since_ns;
	bool is_clear; /* see handlers.h */
	bool in_maps;  /* see examine_refresh_maps */
	bool is_due;   /* see mover.c */
	/* see still.h; 0: nowhere */
	struct task_place waits_at;
	uint64_t waits_since_ns;
	/*
	 * A call that we interrupted is to be made again; the registers as
	 * they were, for the case that a signal comes first.
	 */
	bool call_again;
	/* tracer_registers has been called since it stopped */
	bool was_looked_at;
	bool was_computing; /* then: what it had been doing */
	struct arch_regs interrupted;
	bool under_seccomp; /* see struct tracer */
	struct call_deadline deadline;
	/* the time-out of the call is to be set before it goes on */
	bool call_is_deferred;
};

/*
 * Threads that compute take their turns while others of them wait to be
 * stopped.  Held until all have stopped, each only costs a moment of a
 * processor, and less in all than the turns; but no longer than this.
 */
#define TRACER_HOLD_MAX_NS 20000000UL

struct tracer {
	pid_t pid;
	/* set before threads are seized: some may have filters */
	bool under_seccomp;
	/* entries stay where they are */
	struct thread **threads;
	size_t count, capacity;
	/* 1 + where a tid is in threads, by a hash of it; 2 * capacity */
	uint32_t *index;
	/*
	 * Set before threads are seized: forked children are noted.  They are
	 * not kept traced.
	 */
	bool note_children;
	pid_t *children;
	size_t child_count;
	/* Of threads seized from now on, what they create is not traced. */
	bool leaves_newborn;
	/* threads that were interrupted and have not stopped yet */
	size_t wanted_count;
	struct thread *wanted_first, *wanted_last;
	/* stops in a row that were found by the number of the thread */
	unsigned int found_wanted;
	struct wait_timer timer;
	/* see handlers.h, or NULL */
	const struct scan_values *watched;
	/* see tracer_defer_calls */
	bool defers_calls;
	bool executed; /* the process has called execve */
	int exited;    /* the process has ended */
	struct call_deadlines deadlines;
	uint64_t room_until_ns; /* see make_room.h; 0: nobody is held */
	/* of the thread that traces, where turns are very rare */
	struct priority priority;
};

void tracer_init(struct tracer *tracer, pid_t pid);
/* Frees memory; the tracees go free when the calling thread ends. */
void tracer_fini(struct tracer *tracer);

struct thread *tracer_find(struct tracer *tracer, pid_t tid);
/* Threads that are traced and alive. */
size_t tracer_count(const struct tracer *tracer);
/* An error if the process has ended, or runs another program. */
UPATCH_MUST_CHECK int tracer_check_end(const struct tracer *tracer,
				       struct upatch_error *err);

/*
 * Traces one thread without stopping it.  New threads that it creates are
 * traced from their first instruction on.
 */
UPATCH_MUST_CHECK int tracer_seize(struct tracer *tracer, pid_t tid,
				   struct thread **ret_thread,
				   struct upatch_error *err);
/*
 * As the kernel has it.  A thread that was not traced can have called execve:
 * then it has the number of the main thread, and nothing is heard of that.
 */
bool tracer_has(const struct tracer *tracer, pid_t tid);
/*
 * That it could not be seized is no failure: it is ours already, or ended
 * meanwhile.  The kernel's io_uring workers stand among the threads but cannot
 * be traced and run no user code.
 */
bool tracer_may_leave_out(const struct tracer *tracer, pid_t tid);
/*
 * All threads but `except` (0: none), until no new one appears.  `is_only`:
 * the agent is ours, so whoever else traces is about to leave.
 */
UPATCH_MUST_CHECK int tracer_seize_all(struct tracer *tracer, pid_t except,
				       bool is_only, struct upatch_error *err);

/*
 * Before threads are interrupted: looks how much time their calls have left.
 * It takes a while, so not between the interrupts of many.
 */
void tracer_look_at_call(struct tracer *tracer, struct thread *thread);
/*
 * While many are stopped: what it takes to set a time-out is read when its
 * thread goes on, after those have gone on that have none.
 */
void tracer_defer_calls(struct tracer *tracer, bool defer);
void tracer_resume_all(struct tracer *tracer);
/* Asks a running thread to stop; see tracer_next for the answer. */
void tracer_interrupt(struct tracer *tracer, struct thread *thread);
/*
 * The next thread that stopped or ended, at most until `deadline_ns`
 * (CLOCK_MONOTONIC); NULL: none.  Signals are passed on, clones and calls to be
 * made again handled here; what is returned is in one of the stopped states or GONE.
 */
struct thread *tracer_next(struct tracer *tracer, uint64_t deadline_ns);
/*
 * Interrupts all threads and waits until all have stopped.  A newborn one that
 * has not reported yet has not executed an instruction.  False: somebody did
 * not stop in time; *ret_tid tells who.
 */
bool tracer_stop_all(struct tracer *tracer, uint64_t deadline_ns,
		     pid_t *ret_tid);
/*
 * Threads that will not stop any more because they have ended unreported, as
 * a main thread does that calls pthread_exit.
 */
void tracer_drop_ended(struct tracer *tracer);
/* Until then, lets everything that stops go on at once. */
void tracer_serve(struct tracer *tracer, uint64_t until_ns);
/* Interrupts the thread and waits for it. */
UPATCH_MUST_CHECK int tracer_stop(struct tracer *tracer, struct thread *thread,
				  uint64_t deadline_ns,
				  struct upatch_error *err);
/* Lets a stopped thread run on. */
void tracer_resume(struct thread *thread);
/* As tracer_resume, and stops again at the next system call boundary. */
void tracer_resume_to_syscall(struct thread *thread);
/* Lets a stopped thread go for good, at the latest when tracing ends. */
void tracer_release(struct tracer *tracer, struct thread *thread);

/*
 * Registers of a stopped thread, as the program should see them: a call that
 * fails with EINTR only because of our stop is set up to be made again.
 */
UPATCH_MUST_CHECK int tracer_registers(struct thread *thread,
				       struct arch_regs *ret_regs);

#endif
