/* SPDX-License-Identifier: MIT */
/* The one stop of all threads, while entry bytes are written. */
#include "barrier.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "clock.h"
#include "code_runs.h"
#include "handlers.h"
#include "priority.h"
#include "stack_scan.h"
#include "tasks.h"

/*
 * While one thread does not stop, in an uninterruptible sleep say, the others
 * must not be held for long; but on a busy machine stopping takes its time.
 */
#define STOP_MIN_NS	   10000000UL
#define STOP_MAX_NS	   200000000UL
#define RETRY_PAUSE_NS	   1000000UL
#define RETRY_PAUSE_MAX_NS 64000000UL

struct write {
	const struct rt_site_spec *site;
	upatch_addr_t addr;
	uint8_t jump[ARCH_JUMP_LEN];
	/* where the copies of the overwritten instructions begin */
	struct arch_twin twins[ARCH_TWINS_MAX];
	size_t twin_count;
};

struct barrier {
	struct process *process;
	struct tracer *tracer;
	const struct view *view;
	enum barrier_action action;
	struct write *writes;
	size_t write_count;
	struct code_runs runs;
	/* the bytes that must not be in the middle of being executed */
	struct addr_range *inside;
	struct scan_values inside_values;
	struct examine_buffer buffer;
	uint64_t patience_ns, pause_ns;
	pid_t deaf_tid; /* did not stop; 0: all did */
};

enum outcome {
	WRITTEN,
	TRY_AGAIN,
	FAILED
};

static bool is_wanted(const struct rt_site_spec *site,
		      enum barrier_action action)
{
	bool is_needed = site->top || site->hook;

	if (action == BARRIER_INSTALL)
		return site->state == RT_SITE_PREPARED && is_needed;
	return site->state != RT_SITE_IDLE && !is_needed;
}

static int compare_writes(const void *left, const void *right)
{
	const struct write *a = left, *b = right;

	return (a->addr > b->addr) - (a->addr < b->addr);
}

static void add_write(struct barrier *barrier, const struct rt_site_spec *site)
{
	struct write *write = &barrier->writes[barrier->write_count++];

	write->site = site;
	write->addr = site->addr + site->jump_offset;
	arch_emit_jump(write->jump, write->addr, site->code);
}

/* As the function was before any patch. */
static bool read_entry(const struct barrier *barrier,
		       const struct rt_site_spec *site,
		       struct arch_entry *ret_entry)
{
	struct arch_entry entry = {
		.addr = site->addr,
		.jump_offset = site->jump_offset,
		.moved_end = site->moved_end,
	};

	if (entry.moved_end > sizeof(entry.bytes) ||
	    entry.jump_offset + ARCH_JUMP_LEN > entry.moved_end ||
	    memory_read_some(&barrier->process->memory, entry.addr, entry.bytes,
			     entry.moved_end) != entry.moved_end)
		return false;
	memcpy(entry.bytes + entry.jump_offset, site->bytes,
	       sizeof(site->bytes));
	*ret_entry = entry;
	return true;
}

/*
 * The target keeps no list of them, as few threads ever need one: they are found
 * by emitting the copy once more, before anybody is stopped.  None where the
 * code is gone; then the comparison of the bytes fails.
 */
static void find_twins(const struct barrier *barrier, struct write *write)
{
	const struct rt_site_spec *site = write->site;
	uint8_t code[ARCH_ORIGINAL_MAX];
	struct arch_entry entry;
	size_t len;

	if (!read_entry(barrier, site, &entry) ||
	    arch_emit_original(&entry, site->original, code, sizeof(code), &len,
			       write->twins, &write->twin_count, NULL))
		write->twin_count = 0;
}

static int prepare_runs(struct barrier *barrier, struct upatch_error *err)
{
	upatch_addr_t *addrs = calloc(barrier->write_count + 1, sizeof(*addrs));
	int ret;

	if (!addrs)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	for (size_t i = 0; i < barrier->write_count; i++)
		addrs[i] = barrier->writes[i].addr;
	ret = code_runs_init(&barrier->runs, addrs, barrier->write_count,
			     ARCH_JUMP_LEN, err);
	free(addrs);
	return ret;
}

static int prepare(struct barrier *barrier, const struct view *view,
		   struct upatch_error *err)
{
	const struct view_site *entry;
	size_t count;

	barrier->writes = calloc(view->site_count + 1, sizeof(struct write));
	barrier->inside =
		calloc(view->site_count + 1, sizeof(struct addr_range));
	if (!barrier->writes || !barrier->inside)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	view_for_each(entry, view->sites, view->site_count)
	{
		if (is_wanted(&entry->rt, barrier->action))
			add_write(barrier, &entry->rt);
	}
	count = barrier->write_count;
	qsort(barrier->writes, count, sizeof(struct write), compare_writes);
	for (size_t i = 0; i < count; i++) {
		barrier->inside[i].start = barrier->writes[i].addr + 1;
		barrier->inside[i].end =
			barrier->writes[i].addr + ARCH_JUMP_LEN;
		/* Nobody can be in the middle of a jump that is removed. */
		if (barrier->action == BARRIER_INSTALL)
			find_twins(barrier, &barrier->writes[i]);
	}
	stack_scan_init(&barrier->inside_values, barrier->inside,
			stack_scan_sort(barrier->inside, count));
	return prepare_runs(barrier, err);
}

static const struct write *write_around(const struct barrier *barrier,
					upatch_addr_t pc)
{
	if (!stack_scan_has(&barrier->inside_values, pc))
		return NULL;
	for (size_t i = 0; i < barrier->write_count; i++) {
		const struct write *write = &barrier->writes[i];

		if (pc > write->addr && pc < write->addr + ARCH_JUMP_LEN)
			return write;
	}
	return NULL;
}

/* The copy of the instruction that the thread is about to execute. */
static bool find_twin(const struct write *write, upatch_addr_t pc,
		      upatch_addr_t *ret_twin)
{
	const struct rt_site_spec *site = write->site;

	for (size_t i = 0; i < write->twin_count; i++) {
		if (site->addr + write->twins[i].from != pc)
			continue;
		*ret_twin = site->original + write->twins[i].to;
		return true;
	}
	return false;
}

/*
 * A handler's frame holds the address that it interrupted: the handler would
 * return into the jump.  It is over soon; a look into the frame alone cannot
 * tell such a word from a stale one.
 */
static enum outcome in_handler(pid_t tid, struct upatch_error *err)
{
	error_set(
		err, UPATCH_ERROR_TIMED_OUT, 0,
		"thread %d is in a signal handler that interrupted the first instructions of a function to be patched",
		tid);
	return TRY_AGAIN;
}

static enum outcome not_stopped(struct barrier *barrier, pid_t tid,
				struct upatch_error *err)
{
	barrier->deaf_tid = tid;
	error_set(err, UPATCH_ERROR_TIMED_OUT, 0,
		  "thread %d of process %d does not stop", tid,
		  barrier->tracer->pid);
	return TRY_AGAIN;
}

static enum outcome move_to_twin(struct barrier *barrier, struct thread *thread,
				 struct arch_regs *regs,
				 struct upatch_error *err)
{
	upatch_addr_t pc = arch_regs_pc(regs), twin;
	const struct write *write = write_around(barrier, pc);
	int ret;

	if (!write)
		return WRITTEN;
	if (!find_twin(write, pc, &twin)) {
		error_set(
			err, UPATCH_ERROR_MISMATCH, 0,
			"thread %d is at 0x%lx, in the middle of an instruction",
			thread->tid, pc);
		return FAILED;
	}
	arch_regs_set_pc(regs, twin);
	ret = arch_regs_write(thread->tid, regs);
	if (ret)
		error_set(err, error_code_of_errno(-ret), -ret,
			  "cannot move thread %d to the relocated code",
			  thread->tid);
	return ret ? FAILED : WRITTEN;
}

/* A signal between the look at the stacks and the stop. */
static enum outcome check_thread(struct barrier *barrier, struct thread *thread,
				 struct upatch_error *err)
{
	struct arch_regs regs;

	if (tracer_registers(thread, &regs))
		return WRITTEN; /* killed meanwhile */
	if (!thread->is_clear)
		return in_handler(thread->tid, err);
	return move_to_twin(barrier, thread, &regs, err);
}

/* Nobody can be in the middle of a jump that is to be removed. */
static enum outcome check_all(struct barrier *barrier, struct upatch_error *err)
{
	const struct tracer *tracer = barrier->tracer;

	if (barrier->action == BARRIER_REMOVE)
		return WRITTEN;
	for (size_t i = 0; i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];
		enum outcome outcome;

		if (thread->run != THREAD_STOPPED &&
		    thread->run != THREAD_JOB_STOPPED)
			continue;
		outcome = check_thread(barrier, thread, err);
		if (outcome != WRITTEN)
			return outcome;
	}
	return WRITTEN;
}

/*
 * The bytes that are to be overwritten must be what they were when the patch
 * was planned: a library can have gone meanwhile, and another one come.  Where
 * a jump is to be removed and is not there, nothing is left to do.
 */
static enum outcome check_bytes(struct barrier *barrier,
				const struct write *write,
				struct upatch_error *err)
{
	const struct rt_site_spec *site = write->site;
	const uint8_t *original = site->bytes;
	const uint8_t *found = code_runs_found(&barrier->runs, write->addr);
	bool is_original = !memcmp(found, original, ARCH_JUMP_LEN);
	bool is_jump = !memcmp(found, write->jump, ARCH_JUMP_LEN);

	if (barrier->action == BARRIER_INSTALL && is_original)
		code_runs_put(&barrier->runs, write->addr, write->jump,
			      ARCH_JUMP_LEN);
	else if (barrier->action == BARRIER_REMOVE && is_jump)
		code_runs_put(&barrier->runs, write->addr, original,
			      ARCH_JUMP_LEN);
	if (is_original || is_jump || barrier->action == BARRIER_REMOVE)
		return WRITTEN;
	error_set(err, UPATCH_ERROR_MISMATCH, 0,
		  "the code at 0x%lx of process %d has changed meanwhile",
		  write->addr, barrier->tracer->pid);
	return FAILED;
}

static enum outcome write_all(struct barrier *barrier, struct upatch_error *err)
{
	const struct memory *memory = &barrier->process->memory;

	code_runs_read(&barrier->runs, memory);
	for (size_t i = 0; i < barrier->write_count; i++) {
		enum outcome outcome =
			check_bytes(barrier, &barrier->writes[i], err);

		if (outcome != WRITTEN)
			return outcome;
	}
	return code_runs_write(&barrier->runs, memory, err) ? FAILED : WRITTEN;
}

/*
 * A thread in dlopen or dlclose changes the state, too.  A library that was
 * closed and opened again can have the very bytes where they were, but the
 * gates that the view knows may serve something else by now.
 */
static enum outcome check_view(const struct barrier *barrier,
			       struct upatch_error *err)
{
	const upatch_addr_t addr =
		barrier->process->state_addr + offsetof(struct rt_state, seq);
	uint32_t seq;

	if (memory_read_some(&barrier->process->memory, addr, &seq,
			     sizeof(seq)) == sizeof(seq) &&
	    seq == barrier->view->state.seq)
		return WRITTEN;
	error_set(err, UPATCH_ERROR_BUSY, 0,
		  "a library of process %d comes or goes",
		  barrier->tracer->pid);
	return FAILED;
}

static enum outcome try_once(struct barrier *barrier, uint64_t *ret_ns,
			     struct upatch_error *err)
{
	enum outcome outcome;
	struct priority priority;
	pid_t tid = 0;
	uint64_t begin;

	for (size_t i = 0; i < barrier->tracer->count; i++)
		tracer_look_at_call(barrier->tracer,
				    barrier->tracer->threads[i]);
	tracer_defer_calls(barrier->tracer, true);
	priority_raise(&priority);
	begin = clock_now_ns();
	if (tracer_stop_all(barrier->tracer, begin + barrier->patience_ns,
			    &tid)) {
		outcome = check_view(barrier, err);
		if (outcome == WRITTEN)
			outcome = check_all(barrier, err);
		if (outcome == WRITTEN)
			outcome = write_all(barrier, err);
	} else {
		outcome = not_stopped(barrier, tid, err);
	}
	tracer_resume_all(barrier->tracer);
	priority_restore(&priority);
	*ret_ns = clock_now_ns() - begin;
	return outcome;
}

/* Before anybody is stopped. */
static enum outcome look_before(struct barrier *barrier,
				struct upatch_error *err)
{
	const struct thread *thread;

	if (barrier->action == BARRIER_REMOVE)
		return WRITTEN;
	thread = handlers_look(barrier->process, barrier->tracer,
			       &barrier->buffer);
	if (!thread)
		return WRITTEN;
	return thread->was_seen ? in_handler(thread->tid, err)
				: not_stopped(barrier, thread->tid, err);
}

/* What was never written, or is gone already, takes no stop to be removed. */
static bool is_needed(const struct barrier *barrier)
{
	if (barrier->action != BARRIER_REMOVE)
		return true;
	for (size_t i = 0; i < barrier->write_count; i++) {
		const struct write *write = &barrier->writes[i];

		if (!memcmp(code_runs_found(&barrier->runs, write->addr),
			    write->jump, ARCH_JUMP_LEN))
			return true;
	}
	return false;
}

/*
 * As long as a thread sleeps uninterruptibly, another try would only hold the
 * others: it may be a parent in vfork(2), for as long as its child likes.
 */
static void pause_before_retry(struct barrier *barrier, uint64_t deadline_ns)
{
	const pid_t pid = barrier->tracer->pid;

	do {
		tracer_serve(barrier->tracer,
			     clock_now_ns() + barrier->pause_ns);
		if (barrier->pause_ns < RETRY_PAUSE_MAX_NS)
			barrier->pause_ns *= 2;
	} while (barrier->deaf_tid &&
		 tasks_state(pid, barrier->deaf_tid) == 'D' &&
		 clock_now_ns() < deadline_ns &&
		 !asked_to_stop(&barrier->process->asked));
	barrier->deaf_tid = 0;
}

static int run(struct barrier *barrier, uint64_t deadline_ns, uint64_t *ret_ns,
	       struct upatch_error *err)
{
	struct upatch_error problem = { 0 };

	for (;;) {
		enum outcome outcome;
		int ret = examine_refresh_maps(barrier->process,
					       barrier->tracer, err);

		if (ret)
			return ret;
		/* So that no page has to come from a disk later. */
		code_runs_read(&barrier->runs, &barrier->process->memory);
		if (!is_needed(barrier))
			return 0;
		outcome = look_before(barrier, &problem);
		if (outcome == WRITTEN)
			outcome = try_once(barrier, ret_ns, &problem);
		if (outcome == WRITTEN)
			return 0;
		ret = tracer_check_end(barrier->tracer, err);
		if (ret)
			return ret;
		if (outcome == FAILED || clock_now_ns() >= deadline_ns)
			break;
		if (asked_to_stop(&barrier->process->asked))
			return asked_report(err);
		pause_before_retry(barrier, deadline_ns);
		if (barrier->patience_ns < STOP_MAX_NS)
			barrier->patience_ns *= 2;
	}
	if (err)
		*err = problem;
	return problem.code;
}

int barrier_run(struct process *process, struct tracer *tracer,
		const struct view *view, enum barrier_action action,
		uint64_t deadline_ns, uint64_t *ret_ns,
		struct upatch_error *err)
{
	struct barrier barrier = {
		.process = process,
		.tracer = tracer,
		.view = view,
		.action = action,
		.patience_ns = STOP_MIN_NS,
		.pause_ns = RETRY_PAUSE_NS,
	};
	uint64_t ns = 0;
	int ret = prepare(&barrier, view, err);

	if (!ret && barrier.write_count) {
		handlers_watch(tracer, &barrier.inside_values);
		ret = run(&barrier, deadline_ns, &ns, err);
		handlers_unwatch(tracer);
	}
	if (!ret)
		*ret_ns = ns;
	examine_buffer_free(&barrier.buffer);
	code_runs_free(&barrier.runs);
	free(barrier.writes);
	free(barrier.inside);
	return ret;
}
