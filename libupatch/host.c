/* SPDX-License-Identifier: MIT */
/* Finding a thread of the target that may be borrowed. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent_end.h"
#include "clock.h"
#include "examine.h"
#include "host_facts.h"
#include "make_room.h"
#include "protocol.h"
#include "seccomp.h"
#include "tasks.h"

#define STOP_TIMEOUT_NS	   200000000UL
#define ROUND_PAUSE_NS	   1000000UL
#define ROUND_PAUSE_MAX_NS 20000000UL

struct search {
	struct process *process;
	struct tracer *tracer;
	const struct host_check *check;
	uint64_t deadline_ns;
	struct host_facts facts;
	struct examine_buffer buffer;
	/* the main thread, mostly; of one round */
	pid_t first_tid;
	/* of the last thread that was refused, for the message */
	pid_t refused_tid;
	const char *refusal;
	/* why the system calls of a filter's thread are not ours to make */
	char filter_reason[160];
	/* of one round */
	size_t tried_count, filtered_count;
	/* tables and symbols of what is on its stack have been read */
	bool has_walked;
	/* seen: its stack may be younger than the maps */
	bool has_unknown_stack;
};

static void search_fini(struct search *search)
{
	host_facts_fini(&search->facts);
	examine_buffer_free(&search->buffer);
}

/* The main thread's stack grows as far as its limit; others lie there whole. */
static upatch_addr_t stack_floor(const struct search *search, pid_t tid,
				 const struct stack_thread *thread)
{
	upatch_addr_t floor = thread->bounds.own.start;
	struct rlimit limit;

	if (tid != search->process->pid ||
	    prlimit(search->process->pid, RLIMIT_STACK, NULL, &limit))
		return floor;
	if (limit.rlim_cur != RLIM_INFINITY &&
	    thread->bounds.own.end - floor >= limit.rlim_cur)
		return floor;
	if (limit.rlim_cur == RLIM_INFINITY)
		return floor - (1UL << 20);
	return thread->bounds.own.end - limit.rlim_cur;
}

/*
 * False: it cannot be looked at.  The maps are not read again while it waits
 * for us: what is wrong for it because of that is right in the next round.
 */
static bool copy_thread(struct search *search, struct thread *thread,
			struct arch_regs *ret_regs,
			struct stack_thread *ret_stack)
{
	if (tracer_registers(thread, ret_regs) ||
	    examine_copy(search->process, thread->tid, ret_regs,
			 &search->buffer, ret_stack, NULL))
		return false;
	search->has_unknown_stack |= !ret_stack->bounds.is_own;
	return true;
}

static void judge(struct search *search, const struct thread *thread,
		  const struct stack_thread *stack,
		  struct host_verdict *ret_verdict)
{
	const struct host_lookup lookup = host_facts_lookup(&search->facts);
	const struct arch_regs *regs = stack->regs;
	struct unwind_walk walk;
	const struct host_thread candidate = {
		.walk = &walk,
		.in_syscall = arch_in_syscall(regs) || thread->call_again,
		.in_shared_wait = arch_in_shared_wait(regs),
		.is_main_thread = thread->tid == search->process->pid,
		.is_on_own_stack = stack->bounds.is_own,
		.main_has_allocator = search->facts.main_has_allocator,
		.stack_floor = stack_floor(search, thread->tid, stack),
	};

	unwind_walk(search->process->unwinder, regs, &stack->copy,
		    stack->is_stopped, &walk);
	search->has_walked = true;
	host_rule_judge(&lookup, &candidate, ret_verdict);
}

/* True: the thread fits; it stays stopped. */
static bool fits(struct search *search, struct thread *thread,
		 struct host_verdict *ret_verdict)
{
	struct stack_thread stack;
	struct arch_regs regs;

	if (!copy_thread(search, thread, &regs, &stack))
		return false;
	judge(search, thread, &stack, ret_verdict);
	return ret_verdict->fit < HOST_REFUSED;
}

/*
 * The first one that does not wait in a system call: it runs on while the
 * tables are read, and is looked at once more.
 */
static void look_at_copy(struct search *search, struct thread *thread)
{
	struct host_verdict verdict;
	struct stack_thread stack;
	struct arch_regs regs;
	bool has_copy;

	if (tracer_stop(search->tracer, thread,
			clock_now_ns() + STOP_TIMEOUT_NS, NULL))
		return;
	has_copy = thread->run == THREAD_STOPPED &&
		   thread->event == THREAD_EVENT_INTERRUPT &&
		   copy_thread(search, thread, &regs, &stack);
	tracer_resume(thread);
	if (!has_copy)
		return;
	stack.is_stopped = false;
	judge(search, thread, &stack, &verdict);
}

/* Thousands of threads with one filter: the reason is of the last one. */
static bool filter_permits(struct search *search, const struct thread *thread)
{
	char reason[sizeof(search->filter_reason)];

	if (!search->process->under_seccomp)
		return true;
	seccomp_judge(thread->tid, search->check->own_calls, reason,
		      sizeof(reason));
	if (!reason[0])
		return true;
	memcpy(search->filter_reason, reason, sizeof(reason));
	search->refusal = search->filter_reason;
	search->filtered_count++;
	return false;
}

static bool may_be_borrowed(struct search *search, struct thread *thread)
{
	struct host_verdict verdict = { .fit = HOST_REFUSED };

	if (!filter_permits(search, thread))
		return false;
	if (fits(search, thread, &verdict))
		return true;
	search->refusal = host_fit_text(verdict.fit);
	return false;
}

/*
 * Where it waits in a system call, it is judged while it does, by what the
 * kernel tells of it.  So it need not be stopped if it does not fit, and not
 * while tables and symbols are read for the first time if it does.  Of the
 * other registers nothing is known; where one is needed, the walk ends.
 */
static bool is_refused_unseen(struct search *search, pid_t tid)
{
	const struct host_lookup lookup = host_facts_lookup(&search->facts);
	struct process *process = search->process;
	struct host_thread candidate = {
		.in_syscall = true,
		.in_shared_wait = true, /* at best */
		.is_main_thread = tid == process->pid,
		.is_on_own_stack = true,
		.main_has_allocator = search->facts.main_has_allocator,
	};
	struct host_verdict verdict;
	struct stack_copy copy;
	struct arch_regs regs;
	struct unwind_walk walk;

	if (!examine_copy_waiting(process, tid, &search->buffer, &regs, &copy))
		return false;
	unwind_walk(process->unwinder, &regs, &copy, false, &walk);
	search->has_walked = true;
	candidate.walk = &walk;
	host_rule_judge(&lookup, &candidate, &verdict);
	if (verdict.fit < HOST_REFUSED || walk.end != UNWIND_OUTERMOST)
		return false;
	search->refused_tid = tid;
	search->refusal = host_fit_text(verdict.fit);
	return true;
}

/*
 * The first thread (tasks_first_living) is seized first and stays seized: of
 * two operations that begin at the same time, only one gets it.  *ret_thread
 * is NULL if the thread is gone, or so new that it has yet to stop for us.
 */
static int seize(struct search *search, pid_t tid, struct thread **ret_thread,
		 struct upatch_error *err)
{
	struct tracer *tracer = search->tracer;
	int ret;

	*ret_thread = tracer_find(tracer, tid);
	if (*ret_thread && (*ret_thread)->run != THREAD_GONE)
		return 0;
	*ret_thread = NULL;
	ret = tracer_seize(tracer, tid, ret_thread, err);
	if (ret && tracer_may_leave_out(tracer, tid))
		return 0;
	if (!ret && tid == search->first_tid)
		ret = search->check->check(search->check->user, err);
	return ret;
}

/*
 * One that waits for a processor stops as soon as it has one, and so would any
 * other.
 */
static int stop(struct search *search, struct thread *thread,
		struct upatch_error *err)
{
	struct tracer *tracer = search->tracer;
	int ret;

	do
		ret = make_room_and_stop(tracer, thread,
					 clock_now_ns() + STOP_TIMEOUT_NS, err);
	while (ret == UPATCH_ERROR_TIMED_OUT &&
	       tasks_state(tracer->pid, thread->tid) == 'R' &&
	       tracer_has(tracer, thread->tid) &&
	       clock_now_ns() < search->deadline_ns &&
	       !asked_to_stop(&search->process->asked));
	return ret;
}

/* *ret_fits: it is stopped. */
static int stop_and_judge(struct search *search, struct thread *thread,
			  bool *ret_fits, struct upatch_error *err)
{
	struct tracer *tracer = search->tracer;
	int ret;

	search->refused_tid = thread->tid;
	search->refusal = "it does not stop";
	ret = stop(search, thread, err);
	/* Uninterruptible, as a parent in vfork(2) is: another one may do. */
	if (ret == UPATCH_ERROR_TIMED_OUT ||
	    (ret == UPATCH_ERROR_NO_TARGET && !tracer->exited))
		return 0;
	if (ret)
		return ret;
	search->refusal = thread->run == THREAD_JOB_STOPPED
				  ? "it is stopped (SIGCONT lets it go on)"
				  : "it does something else";
	*ret_fits = thread->run == THREAD_STOPPED &&
		    thread->event == THREAD_EVENT_INTERRUPT &&
		    may_be_borrowed(search, thread);
	/* Where it is to be borrowed it needs a processor, too. */
	if (*ret_fits)
		return 0;
	make_room_end(tracer);
	if (thread->tid == search->first_tid)
		tracer_resume(thread);
	else
		tracer_release(tracer, thread);
	return 0;
}

static int try_thread(struct search *search, pid_t tid,
		      struct thread **ret_thread, struct upatch_error *err)
{
	bool is_refused = is_refused_unseen(search, tid);
	struct thread *thread = NULL;
	bool is_fit = false;
	int ret = 0;

	*ret_thread = NULL;
	/* Whether a filter is to blame, only a stop tells. */
	is_refused &= !search->process->under_seccomp;
	if (!is_refused || tid == search->first_tid)
		ret = seize(search, tid, &thread, err);
	if (ret || !thread || is_refused)
		return ret;
	search->tried_count++;
	if (!search->has_walked)
		look_at_copy(search, thread);
	ret = stop_and_judge(search, thread, &is_fit, err);
	if (is_fit)
		*ret_thread = thread;
	return ret;
}

struct candidate {
	pid_t tid;
	int rank;
};

static int compare_rank(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	return (left->rank > right->rank) - (left->rank < right->rank);
}

/* Those that wait in a system call, then the others; without the first. */
static size_t rank_candidates(const struct search *search, const pid_t *tids,
			      size_t count, struct candidate *candidates)
{
	size_t ranked = 0;

	for (size_t i = 0; i < count; i++) {
		bool waits;

		if (tids[i] == search->first_tid)
			continue;
		waits = tasks_syscall(search->process->pid, tids[i]) >= 0;
		candidates[ranked].tid = tids[i];
		candidates[ranked++].rank = waits ? 0 : 1;
	}
	qsort(candidates, ranked, sizeof(*candidates), compare_rank);
	return ranked;
}

static int try_others(struct search *search, struct thread **ret_thread,
		      struct upatch_error *err)
{
	struct candidate *candidates;
	size_t count;
	pid_t *tids;
	int ret = tasks_list(search->process->pid, &tids, &count, err);

	if (ret)
		return ret;
	candidates = calloc(count + 1, sizeof(*candidates));
	if (!candidates)
		ret = error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				"out of memory");
	else
		count = rank_candidates(search, tids, count, candidates);
	for (size_t i = 0; !ret && !*ret_thread && i < count; i++) {
		if (clock_now_ns() >= search->deadline_ns ||
		    asked_to_stop(&search->process->asked))
			break;
		ret = try_thread(search, candidates[i].tid, ret_thread, err);
	}
	free(candidates);
	free(tids);
	return ret;
}

/* The first thread nearly always fits; then no other is even looked at. */
static int try_round(struct search *search, struct thread **ret_thread,
		     struct upatch_error *err)
{
	int ret;

	search->tried_count = 0;
	search->filtered_count = 0;
	if (search->has_unknown_stack)
		(void)!process_refresh_maps(search->process, NULL);
	search->has_unknown_stack = false;
	search->first_tid = tasks_first_living(search->process->pid);
	ret = try_thread(search, search->first_tid, ret_thread, err);
	if (ret || *ret_thread)
		return ret;
	ret = try_others(search, ret_thread, err);
	if (ret || *ret_thread)
		return ret;
	/* Filters are never taken away: waiting does not help. */
	if (search->filtered_count &&
	    search->filtered_count == search->tried_count)
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"no thread of process %d can be borrowed; the last one, %d: %s",
			search->process->pid, search->refused_tid,
			search->refusal);
	return 0;
}

static int none_found(const struct search *search, struct upatch_error *err)
{
	return error_set(
		err, UPATCH_ERROR_TIMED_OUT, 0,
		"no thread of process %d could be borrowed in time; the last one, %d: %s",
		search->process->pid, search->refused_tid,
		search->refusal ? search->refusal : "none is left");
}

int host_find(struct process *process, struct tracer *tracer,
	      const struct host_check *check, uint64_t deadline_ns,
	      struct thread **ret_thread, struct upatch_error *err)
{
	struct search search = {
		.process = process,
		.tracer = tracer,
		.check = check,
		.deadline_ns = deadline_ns,
	};
	uint64_t pause_ns = ROUND_PAUSE_NS;
	int ret = process_prepare_unwind(process, err);

	if (!ret)
		ret = host_facts_init(&search.facts, process, err);
	if (ret)
		return ret;
	for (;;) {
		ret = try_round(&search, ret_thread, err);
		if (ret || *ret_thread)
			break;
		if (process_is_gone(process)) {
			ret = process_explain(process, UPATCH_ERROR_NO_TARGET,
					      err);
			break;
		}
		if (agent_end_find(process)) {
			ret = error_set(
				err, UPATCH_ERROR_BUSY, 0,
				"another operation is at work in process %d",
				process->pid);
			break;
		}
		if (asked_to_stop(&process->asked)) {
			ret = asked_report(err);
			break;
		}
		if (clock_now_ns() >= deadline_ns) {
			ret = none_found(&search, err);
			break;
		}
		tracer_serve(tracer, clock_now_ns() + pause_ns);
		if (pause_ns < ROUND_PAUSE_MAX_NS)
			pause_ns *= 2;
	}
	search_fini(&search);
	return ret;
}
