/* SPDX-License-Identifier: MIT */
/* Moves the threads, one by one while the others run. */
#include "mover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "examine.h"
#include "priority.h"
#include "round.h"
#include "still.h"
#include "tasks.h"

/* Between looks at the moved words, questions whether to stop, full looks. */
#define WORDS_GAP_NS  1000000UL
#define WORDS_GAP_MAX 4000000UL
/* Where threads wait for processors that others of them are to make free. */
#define CROWDED_GAP_NS 500000UL
#define KEEP_MAX_NS    100000000UL
#define STOP_GAP_NS    50000000UL
#define LOOK_GAP_NS    500000UL
#define LOOK_GAP_MAX   8000000UL
/* While it waits, the controller uses at most one part in so many of a core. */
#define IDLE_SHARE 25
/* So much it uses of one at the expense of all others. */
#define RAISED_CPU_MAX_NS 10000000UL
#define WORDS_MAX	  256
#define BACKTRACE_MAX	  32
#define FRAME_TEXT_SIZE	  256

struct look {
	struct mover *mover;
	struct examine_buffer buffer;
	struct arch_regs regs;
	struct stack_thread stack;
	struct stack_verdict verdict;
	struct priority priority;
	/* processor time of this thread at the last raise, and at the begin */
	uint64_t raised_at_cpu_ns, begin_cpu_ns;
	struct round round;
	/* all unmoved threads, not only those that say that they have moved */
	bool is_full;
	bool is_crowded, is_short; /* of processors: all, unmoved threads */
	bool has_tried;		   /* one round has begun */
	uint64_t next_full_ns, full_gap_ns, words_gap_ns;
	/* of a thread that was left for the next round: see examine_is_known */
	bool has_unknown_stack;
	/* of mover_look */
	bool word_counts, wants_backtraces, may_leave_out;
	struct blocking blocking;
	int ret;
	struct upatch_error *err;
};

static upatch_addr_t moved_word(const struct mover *mover,
				const struct arch_regs *regs)
{
	return arch_regs_thread_pointer(regs) + (uint64_t)mover->thread_offset;
}

/*
 * Any other word, as of a transition before, is that of a thread that has not
 * moved: where it is when the transition is turned around.
 */
static bool is_aim(const struct mover *mover, uint32_t word)
{
	return (word == mover->transition_id) != mover->reversed;
}

static bool has_moved(const struct look *look)
{
	const struct mover *mover = look->mover;
	uint32_t word;

	return memory_read_some(&mover->process->memory,
				moved_word(mover, &look->regs), &word,
				sizeof(word)) == sizeof(word) &&
	       is_aim(mover, word);
}

/*
 * From now on the thread looks at its own stack whenever it comes through a
 * gate (runtime/self_move.c).  The main thread's stack grows: what it may use
 * is not all mapped, but nothing else is mapped there.
 */
static void let_move_itself(const struct look *look, struct thread *thread)
{
	const uint64_t main_stack_growth = 8UL << 20;
	const struct stack_bounds *bounds = &look->stack.bounds;
	struct rt_thread words = {
		.may_move = look->mover->transition_id,
		.stack_start = bounds->own.start,
		.stack_end = bounds->own.end,
	};
	/* What follows can be the time-out of the call that it is in. */
	const size_t begin = offsetof(struct rt_thread, may_move);
	const size_t end = offsetof(struct rt_thread, timeout);

	if (!look->mover->is_published || !bounds->is_own)
		return;
	if (thread->tid == look->mover->tracer->pid)
		words.stack_start -= main_stack_growth;
	(void)!memory_write(&look->mover->process->memory,
			    moved_word(look->mover, &look->regs) + begin,
			    (const char *)&words + begin, end - begin, NULL);
	thread->moved_word = moved_word(look->mover, &look->regs);
}

static bool set_moved(const struct look *look)
{
	const struct mover *mover = look->mover;
	const uint32_t word = mover->reversed ? 0 : mover->transition_id;

	return !memory_write(&mover->process->memory,
			     moved_word(mover, &look->regs), &word,
			     sizeof(word), NULL);
}

/* A stopped thread.  False: it cannot be looked at, it is ending. */
static bool copy_stack(struct look *look, struct thread *thread)
{
	struct process *process = look->mover->process;

	if (tracer_registers(thread, &look->regs) ||
	    examine_copy(process, thread->tid, &look->regs, &look->buffer,
			 &look->stack, NULL))
		return false;
	if (look->stack.bounds.is_own)
		own_stacks_note(&process->own_stacks, thread->tid,
				&look->stack.bounds.own);
	return true;
}

static uint64_t own_cpu_ns(void)
{
	struct timespec used = { 0 };

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static void raise_priority(struct look *look)
{
	look->raised_at_cpu_ns = own_cpu_ns();
	priority_raise(&look->priority);
}

static void check_stack(struct look *look)
{
	struct mover *mover = look->mover;
	uint64_t used_ns;

	stack_check_thread(&mover->sought->check, mover->process->unwinder,
			   &mover->process->memory, &look->stack,
			   &look->verdict);
	used_ns = own_cpu_ns();
	/* Walks take their time: that is not to be at others' expense. */
	if (look->verdict.has_walk &&
	    used_ns - look->raised_at_cpu_ns > RAISED_CPU_MAX_NS)
		priority_restore(&look->priority);
	/* The hurry of the whole operation ends, whatever it was used for. */
	if (used_ns - look->begin_cpu_ns > RAISED_CPU_MAX_NS)
		priority_restore(&mover->tracer->priority);
}

static bool look_at(struct look *look, struct thread *thread)
{
	if (!copy_stack(look, thread))
		return false;
	check_stack(look);
	return true;
}

static const char *blocking_function(const struct look *look)
{
	const struct stack_verdict *verdict = &look->verdict;

	if (verdict->reason != STACK_ON_STACK)
		return NULL;
	return look->mover->sought->names[verdict->range_index];
}

static void note_blocking(struct look *look, const struct thread *thread)
{
	struct blocking_thread *last = &look->mover->last_blocking;
	const char *function = blocking_function(look);

	last->tid = thread->tid;
	last->reason = stack_reason_text(look->verdict.reason);
	free(last->function);
	last->function = function ? strdup(function) : NULL;
}

/* What is stopped is looked at, whatever it stopped for. */
static void try_to_move(struct thread *thread, void *user)
{
	struct look *look = user;
	struct mover *mover = look->mover;

	if (thread->moved || thread->run == THREAD_RUNS ||
	    thread->run == THREAD_GONE)
		return;
	/* While it is stopped, nothing new gets on its stack. */
	if (mover->is_stale(mover, mover->user) || !look_at(look, thread))
		return;
	if (has_moved(look) && look->verdict.reason != STACK_IN_GATE) {
		thread->moved = true;
	} else if (!examine_is_known(thread, &look->stack)) {
		look->has_unknown_stack = true;
		still_forget(thread);
	} else if (look->verdict.reason == STACK_SAFE) {
		thread->moved = set_moved(look);
	} else {
		note_blocking(look, thread);
		let_move_itself(look, thread);
	}
}

static size_t count_unmoved(struct mover *mover)
{
	const struct tracer *tracer = mover->tracer;
	size_t unmoved = 0;

	mover->thread_count = 0;
	for (size_t i = 0; i < tracer->count; i++) {
		if (tracer->threads[i]->run == THREAD_GONE)
			continue;
		mover->thread_count++;
		unmoved += !tracer->threads[i]->moved;
	}
	mover->moved_count = mover->thread_count - unmoved;
	return unmoved;
}

static bool is_due(const struct thread *thread, void *user)
{
	const struct look *look = user;

	return !thread->moved &&
	       (look->is_full ? thread->is_due : thread->says_moved);
}

/* How many of them say that they have moved. */
static size_t ask_words(const struct mover *mover, struct thread **threads,
			size_t count)
{
	upatch_addr_t addrs[WORDS_MAX];
	uint32_t words[WORDS_MAX];
	size_t found, moved = 0;

	for (size_t i = 0; i < count; i++)
		addrs[i] = threads[i]->moved_word;
	found = memory_read_words(&mover->process->memory, addrs, count, words);
	for (size_t i = 0; i < count; i++) {
		threads[i]->says_moved = i < found && is_aim(mover, words[i]);
		moved += threads[i]->says_moved;
	}
	return moved;
}

/*
 * Whoever may move himself is asked without being stopped, and stopped only
 * to see that he is out of the gate.
 */
static size_t ask_all_words(const struct mover *mover)
{
	const struct tracer *tracer = mover->tracer;
	struct thread *asked[WORDS_MAX];
	size_t count = 0, moved = 0;

	for (size_t i = 0; i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];

		if (thread->run == THREAD_GONE || thread->moved ||
		    !thread->moved_word)
			continue;
		asked[count++] = thread;
		if (count < WORDS_MAX)
			continue;
		moved += ask_words(mover, asked, count);
		count = 0;
	}
	return moved + ask_words(mover, asked, count);
}

/*
 * While a thread waits for a processor it cannot move itself: those that have
 * moved leave it theirs.
 */
static bool is_to_wait(const struct thread *thread, void *user)
{
	const struct look *look = user;

	return look->is_crowded && look->is_short && thread->moved;
}

/*
 * Does one that has not moved wait for a processor?  As far as is known: who
 * was interrupted and does not stop, or computed when it was stopped last.  For
 * one that sleeps in the function, nobody needs to stand aside.
 */
static bool unmoved_compute(const struct mover *mover)
{
	const struct tracer *tracer = mover->tracer;

	for (size_t i = 0; i < tracer->count; i++) {
		const struct thread *thread = tracer->threads[i];

		if (thread->run != THREAD_GONE && !thread->moved &&
		    (thread->wanted || thread->was_computing))
			return true;
	}
	return false;
}

static void let_go_late(struct look *look)
{
	look->is_short = unmoved_compute(look->mover);
	round_let_go_late(&look->round);
}

/*
 * Before the first round all have just been stopped in the barrier: that they
 * want a processor then is no sign of a crowd.
 */
static void run_round(struct look *look)
{
	look->is_crowded = (look->has_tried || look->mover->was_crowded) &&
			   priority_is_crowded();
	look->has_tried = true;
	look->round.keep_ns = priority_turn_ns();
	if (look->round.keep_ns > KEEP_MAX_NS)
		look->round.keep_ns = KEEP_MAX_NS;
	/* Known when all have stopped. */
	look->is_short = true;
	if (look->is_crowded)
		raise_priority(look);
	round_run(&look->round);
	let_go_late(look);
	priority_restore(&look->priority);
}

/* Who was found blocked, and waits where it did, need not be stopped again. */
static bool choose_due(const struct look *look)
{
	const struct tracer *tracer = look->mover->tracer;
	const uint64_t now_ns = clock_now_ns();
	bool is_any_due = false;

	for (size_t i = 0; i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];

		if (thread->run == THREAD_GONE || thread->moved)
			continue;
		thread->is_due =
			thread->says_moved || !still_waits(thread, now_ns);
		is_any_due |= thread->is_due;
	}
	return is_any_due;
}

static void forget_moved_blocking(struct mover *mover)
{
	const struct thread *thread =
		tracer_find(mover->tracer, mover->last_blocking.tid);

	if (!thread || thread->run == THREAD_GONE || thread->moved)
		mover->last_blocking.tid = 0;
}

static void look_at_all(struct look *look)
{
	const uint64_t begin_ns = own_cpu_ns();
	uint64_t gap_ns;

	if (choose_due(look))
		run_round(look);
	forget_moved_blocking(look->mover);
	gap_ns = (own_cpu_ns() - begin_ns) * IDLE_SHARE;
	if (gap_ns < look->full_gap_ns)
		gap_ns = look->full_gap_ns;
	look->next_full_ns = clock_now_ns() + gap_ns;
	if (look->full_gap_ns < LOOK_GAP_MAX)
		look->full_gap_ns += look->full_gap_ns / 2;
}

/*
 * Everybody, or, in between, those that have moved themselves: where many
 * compute, each at once, so that it leaves its processor to the others; else
 * once all have, as a stop of each would be for nothing.
 */
static void try_round(struct look *look)
{
	size_t moved;

	let_go_late(look);
	look->is_full = clock_now_ns() >= look->next_full_ns;
	if (look->is_full) {
		look_at_all(look);
		return;
	}
	moved = ask_all_words(look->mover);
	if (moved && look->is_crowded)
		look->is_crowded = priority_is_crowded();
	if (moved && look->is_crowded)
		round_ask(&look->round);
	else if (moved && moved == count_unmoved(look->mover))
		run_round(look);
}

/* Until something is to be done again. */
static uint64_t next_ns(struct look *look, uint64_t deadline_ns)
{
	uint64_t gap_ns = STOP_GAP_NS, next;

	if (look->mover->is_published && look->is_crowded && look->is_short) {
		gap_ns = CROWDED_GAP_NS;
	} else if (look->mover->is_published) {
		gap_ns = look->words_gap_ns;
		if (look->words_gap_ns < WORDS_GAP_MAX)
			look->words_gap_ns += look->words_gap_ns / 8;
	}
	next = clock_now_ns() + gap_ns;
	if (next > look->next_full_ns)
		next = look->next_full_ns;
	return next < deadline_ns ? next : deadline_ns;
}

/* In a crowd each turn that it waits for is one more of the others. */
static void wait_for_stops(struct look *look, uint64_t deadline_ns)
{
	if (look->is_crowded && look->is_short)
		raise_priority(look);
	round_serve(&look->round, next_ns(look, deadline_ns));
	priority_restore(&look->priority);
}

static int report_blocked(const struct mover *mover, struct upatch_error *err)
{
	const struct blocking_thread *last = &mover->last_blocking;
	char comm[32];

	if (!last->tid)
		return error_set(err, UPATCH_ERROR_TIMED_OUT, 0,
				 "%zu of %zu threads of process %d do not stop",
				 mover->thread_count - mover->moved_count,
				 mover->thread_count, mover->tracer->pid);
	tasks_comm(mover->tracer->pid, last->tid, comm, sizeof(comm));
	return error_set(
		err, UPATCH_ERROR_TIMED_OUT, 0,
		"%zu of %zu threads of process %d have not moved; thread %d (%s): %s%s%s",
		mover->thread_count - mover->moved_count, mover->thread_count,
		mover->tracer->pid, last->tid, comm, last->reason,
		last->function ? " of " : "",
		last->function ? last->function : "");
}

/* While nobody is stopped. */
static int know_stacks(struct look *look, struct upatch_error *err)
{
	if (!look->has_unknown_stack)
		return 0;
	look->has_unknown_stack = false;
	return examine_refresh_maps(look->mover->process, look->mover->tracer,
				    err);
}

/* Also at those that wait where they did. */
static void look_at_everybody_next(struct look *look)
{
	const struct tracer *tracer = look->mover->tracer;

	for (size_t i = 0; i < tracer->count; i++)
		still_forget(tracer->threads[i]);
	look->next_full_ns = 0;
}

/* Who it is that has not moved may be from an earlier look. */
static int end_late(struct look *look, struct upatch_error *err)
{
	look_at_everybody_next(look);
	try_round(look);
	return count_unmoved(look->mover) ? report_blocked(look->mover, err)
					  : 0;
}

static int move_all(struct look *look, uint64_t deadline_ns,
		    struct upatch_error *err)
{
	struct mover *mover = look->mover;

	for (;;) {
		int ret;

		ret = mover->refresh(mover, mover->user, err);
		if (!ret)
			ret = know_stacks(look, err);
		if (ret)
			return ret;
		try_round(look);
		ret = tracer_check_end(mover->tracer, err);
		if (ret)
			return ret;
		if (!count_unmoved(mover))
			return 0;
		if ((mover->stop && mover->stop(mover, mover->user)) ||
		    clock_now_ns() >= deadline_ns)
			return end_late(look, err);
		if (!mover->is_published && mover->publish) {
			mover->is_published =
				mover->publish(mover, mover->user);
			look_at_everybody_next(look);
			continue;
		}
		wait_for_stops(look, deadline_ns);
	}
}

int mover_run(struct mover *mover, uint64_t deadline_ns,
	      struct upatch_error *err)
{
	struct look look = {
		.mover = mover,
		.round = {
			.tracer = mover->tracer,
			.wants = is_due,
			.serve = try_to_move,
			.keeps = is_to_wait,
			.user = &look,
		},
		.begin_cpu_ns = own_cpu_ns(),
		.full_gap_ns = LOOK_GAP_NS,
		.words_gap_ns = WORDS_GAP_NS,
	};
	int ret;

	for (size_t i = 0; i < mover->tracer->count; i++) {
		struct thread *thread = mover->tracer->threads[i];

		thread->moved = thread->says_moved = false;
		thread->moved_word = 0;
		still_forget(thread);
	}
	mover->last_blocking = (struct blocking_thread){ 0 };
	mover->look = &look;
	ret = process_prepare_unwind(mover->process, err);
	if (!ret)
		ret = move_all(&look, deadline_ns, err);
	mover->look = NULL;
	round_let_go(&look.round);
	free(mover->last_blocking.function);
	mover->last_blocking.function = NULL;
	examine_buffer_free(&look.buffer);
	return ret;
}

void mover_serve(struct mover *mover)
{
	tracer_serve(mover->tracer, 0);
	if (mover->look)
		let_go_late(mover->look);
}

/* --- Looking without moving ------------------------------------------- */

void blocking_free(struct blocking *blocking)
{
	for (size_t i = 0; i < blocking->count; i++) {
		struct blocking_thread *thread = &blocking->threads[i];

		for (size_t j = 0; thread->backtrace && thread->backtrace[j];
		     j++)
			free(thread->backtrace[j]);
		free(thread->backtrace);
		free(thread->function);
	}
	free(blocking->threads);
	*blocking = (struct blocking){ 0 };
}

static char **describe_walk(struct look *look)
{
	struct process *process = look->mover->process;
	struct unwind_walk walk = look->verdict.walk;
	char text[FRAME_TEXT_SIZE];
	char **lines = calloc(BACKTRACE_MAX + 1, sizeof(*lines));

	if (!look->verdict.has_walk)
		unwind_walk(process->unwinder, &look->regs, &look->stack.copy,
			    true, &walk);
	for (size_t i = 0; lines && i < walk.count && i < BACKTRACE_MAX; i++) {
		process_describe(process, walk.frames[i].pc, text,
				 sizeof(text));
		lines[i] = strdup(text);
		if (!lines[i])
			break;
	}
	return lines;
}

static int add_blocking(struct look *look, const struct thread *thread)
{
	struct blocking *blocking = &look->blocking;
	const char *function = blocking_function(look);
	struct blocking_thread *threads, *entry;

	threads = realloc(blocking->threads,
			  (blocking->count + 1) * sizeof(*threads));
	if (!threads)
		return error_set(look->err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	blocking->threads = threads;
	entry = &threads[blocking->count++];
	*entry = (struct blocking_thread){ .tid = thread->tid };
	tasks_comm(look->mover->tracer->pid, thread->tid, entry->comm,
		   sizeof(entry->comm));
	entry->reason = stack_reason_text(look->verdict.reason);
	entry->function = function ? strdup(function) : NULL;
	if (look->wants_backtraces)
		entry->backtrace = describe_walk(look);
	return 0;
}

static bool is_unseen(const struct thread *thread, void *user)
{
	(void)user;
	return !thread->was_seen;
}

/*
 * A copy of its own stack is all that a scan needs; the thread need not wait
 * for it.  But of many that compute, the next one gets no processor before this
 * one has had its turn.
 */
static void let_go_early(struct look *look, struct thread *thread)
{
	if (look->wants_backtraces || !look->stack.bounds.is_own ||
	    (look->is_crowded && thread->was_computing))
		return;
	look->stack.is_stopped = false;
	tracer_resume(thread);
}

static void look_once(struct thread *thread, void *user)
{
	struct look *look = user;
	struct mover *mover = look->mover;
	bool has_stack;

	if (thread->was_seen || thread->run == THREAD_RUNS ||
	    thread->run == THREAD_GONE)
		return;
	has_stack = copy_stack(look, thread);
	if (has_stack && look->may_leave_out &&
	    !examine_is_known(thread, &look->stack)) {
		look->has_unknown_stack = true;
		return;
	}
	thread->was_seen = true;
	thread->moved = !has_stack || (look->word_counts && has_moved(look));
	if (!has_stack)
		return;
	if (mover->own_stacks && !look->ret)
		look->ret =
			range_list_add(mover->own_stacks,
				       look->stack.bounds.own.start,
				       look->stack.bounds.own.end, look->err);
	let_go_early(look, thread);
	check_stack(look);
	if (!look->ret && !thread->moved &&
	    (look->word_counts || look->verdict.reason != STACK_SAFE))
		look->ret = add_blocking(look, thread);
}

/*
 * Nobody is sent any more into what is sought: a thread that sleeps with
 * nothing of it on its stack need not be stopped.
 */
static void look_at_sleeping(struct look *look, struct thread *thread)
{
	const struct mover *mover = look->mover;
	const struct scan_values *values = &mover->sought->check.values;
	struct stack_copy copy;
	struct addr_range own;
	upatch_addr_t pc;
	size_t offset;

	if (thread->run != THREAD_RUNS || look->ret ||
	    !examine_copy_asleep(mover->process, thread->tid, &look->buffer,
				 &own, &pc, &copy) ||
	    stack_scan_has(values, pc) ||
	    stack_scan_find(values, &copy, 0, &offset))
		return;
	thread->was_seen = true;
	look->ret = range_list_add(mover->own_stacks, own.start, own.end,
				   look->err);
}

int mover_look(struct mover *mover, bool word_counts, bool want_backtraces,
	       struct blocking *ret_blocking, struct upatch_error *err)
{
	struct look look = {
		.mover = mover,
		.word_counts = word_counts,
		.wants_backtraces = want_backtraces,
		.may_leave_out = true,
		.begin_cpu_ns = own_cpu_ns(),
		.err = err,
		.round = {
			.tracer = mover->tracer,
			.wants = is_unseen,
			.serve = look_once,
			.user = &look,
		},
	};

	for (size_t i = 0; i < mover->tracer->count; i++)
		mover->tracer->threads[i]->was_seen = false;
	look.ret = process_prepare_unwind(mover->process, err);
	for (size_t i = 0; mover->own_stacks && i < mover->tracer->count; i++)
		look_at_sleeping(&look, mover->tracer->threads[i]);
	if (!look.ret)
		run_round(&look);
	look.may_leave_out = false;
	if (!look.ret && look.has_unknown_stack)
		look.ret = examine_refresh_maps(mover->process, mover->tracer,
						err);
	if (!look.ret && look.has_unknown_stack)
		run_round(&look);
	count_unmoved(mover);
	examine_buffer_free(&look.buffer);
	if (look.ret)
		blocking_free(&look.blocking);
	else
		*ret_blocking = look.blocking;
	return look.ret;
}
