/* SPDX-License-Identifier: MIT */
/* Seizing, stopping and resuming the threads of the target. */
#include "tracer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "seccomp.h"
#include "tasks.h"

#define TRACE_OPTIONS                                                          \
	(PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD)

/* Between two looks, where no timer is to be had. */
#define PAUSE_NS 300000L
/* So many threads are asked for by number, so often, before any is. */
#define WANTED_MAX    4
#define WANTED_IN_ROW 16

#define RESUME_TRIES	3
#define INTERRUPT_TRIES 3
#define SEIZE_TRIES	4

/* For the processors' clocks, see sched_clock_ask. */
#define PATIENCE_MIN_NS 20000000UL
#define PATIENCE_MAX_NS 200000000UL
#define OTHERS_NS	2000000000UL
#define OTHERS_LOOK_NS	1000000UL

void tracer_init(struct tracer *tracer, pid_t pid)
{
	*tracer = (struct tracer){ .pid = pid };
	wait_timer_init(&tracer->timer);
}

void tracer_fini(struct tracer *tracer)
{
	for (size_t i = 0; i < tracer->count; i++)
		free(tracer->threads[i]);
	free(tracer->threads);
	free(tracer->index);
	free(tracer->children);
	wait_timer_fini(&tracer->timer);
	call_deadlines_fini(&tracer->deadlines);
	*tracer = (struct tracer){ 0 };
}

/* Where the tid is in the index, or the free place for it. */
static uint32_t *find_place(const struct tracer *tracer, pid_t tid)
{
	const size_t mask = 2 * tracer->capacity - 1;
	size_t place = (uint32_t)tid * 2654435769u & mask;

	while (tracer->index[place] &&
	       tracer->threads[tracer->index[place] - 1]->tid != tid)
		place = (place + 1) & mask;
	return &tracer->index[place];
}

struct thread *tracer_find(struct tracer *tracer, pid_t tid)
{
	uint32_t number = tracer->count ? *find_place(tracer, tid) : 0;

	return number ? tracer->threads[number - 1] : NULL;
}

size_t tracer_count(const struct tracer *tracer)
{
	size_t count = 0;

	for (size_t i = 0; i < tracer->count; i++)
		count += tracer->threads[i]->run != THREAD_GONE;
	return count;
}

int tracer_check_end(const struct tracer *tracer, struct upatch_error *err)
{
	if (tracer->executed)
		return error_set(
			err, UPATCH_ERROR_NO_TARGET, 0,
			"process %d has called execve: the patches are gone with the old program",
			tracer->pid);
	if (tracer->exited && !tracer_count(tracer))
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "process %d ended", tracer->pid);
	return 0;
}

static bool grow(struct tracer *tracer)
{
	size_t capacity = tracer->capacity ? 2 * tracer->capacity : 64;
	struct thread **threads;
	uint32_t *index;

	threads = realloc(tracer->threads, capacity * sizeof(*threads));
	if (!threads)
		return false;
	tracer->threads = threads;
	index = calloc(2 * capacity, sizeof(*index));
	if (!index)
		return false;
	free(tracer->index);
	tracer->index = index;
	tracer->capacity = capacity;
	for (size_t i = 0; i < tracer->count; i++)
		*find_place(tracer, threads[i]->tid) = (uint32_t)i + 1;
	return true;
}

/* A tid can come back: an entry of a thread that is gone is used again. */
static struct thread *add_thread(struct tracer *tracer, pid_t tid)
{
	struct thread *thread = tracer_find(tracer, tid);

	if (!thread) {
		if (tracer->count == tracer->capacity && !grow(tracer))
			return NULL;
		thread = malloc(sizeof(*thread));
		if (!thread)
			return NULL;
		*find_place(tracer, tid) = (uint32_t)tracer->count + 1;
		tracer->threads[tracer->count++] = thread;
	}
	*thread = (struct thread){
		.tracer = tracer,
		.tid = tid,
		.under_seccomp = tracer->under_seccomp,
	};
	return thread;
}

/*
 * Between the refusal and the look at who is to blame, another tracer may
 * have left: then the thread is to be had, and it is not that we may not.
 */
static int try_to_seize(const struct tracer *tracer, pid_t tid,
			unsigned long options, struct upatch_error *err)
{
	int saved_errno = 0;
	char name[64];

	for (int i = 0; i < SEIZE_TRIES; i++) {
		pid_t other;

		if (!ptrace(PTRACE_SEIZE, tid, NULL, (void *)options))
			return 0;
		saved_errno = errno;
		other = tasks_tracer(tracer->pid, tid, name, sizeof(name));
		if (other > 0)
			return error_set(
				err, UPATCH_ERROR_BUSY, 0,
				"thread %d of process %d is traced by process %d (%s)",
				tid, tracer->pid, other, name);
		if (saved_errno != EPERM)
			break;
	}
	return error_set(err, error_code_of_errno(saved_errno), saved_errno,
			 "cannot seize thread %d of process %d", tid,
			 tracer->pid);
}

int tracer_seize(struct tracer *tracer, pid_t tid, struct thread **ret_thread,
		 struct upatch_error *err)
{
	unsigned long options = TRACE_OPTIONS;
	struct thread *thread;
	int ret;

	/* Memory first: a thread that is seized must be in the list. */
	thread = add_thread(tracer, tid);
	if (!thread)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory for the threads of process %d",
				 tracer->pid);
	/* Who is traced already must not wait for long. */
	tracer->deadlines.patience_ns =
		tracer->count > 1 ? PATIENCE_MIN_NS : PATIENCE_MAX_NS;
	/* From now on signals that are ignored interrupt its call, too. */
	call_deadline_look(&tracer->deadlines, tid, &thread->deadline);
	if (tracer->note_children)
		options |= PTRACE_O_TRACEFORK;
	if (tracer->leaves_newborn)
		options &= ~(unsigned long)PTRACE_O_TRACECLONE;
	ret = try_to_seize(tracer, tid, options, err);
	if (ret) {
		thread->run = THREAD_GONE;
		return ret;
	}
	*ret_thread = thread;
	return 0;
}

bool tracer_has(const struct tracer *tracer, pid_t tid)
{
	char name[64];

	return tasks_tracer(tracer->pid, tid, name, sizeof(name)) == gettid();
}

bool tracer_may_leave_out(const struct tracer *tracer, pid_t tid)
{
	enum task_kind kind = tasks_kind(tracer->pid, tid);

	/* Born meanwhile, and traced from its first instruction on. */
	if (tracer_has(tracer, tid))
		return true;
	return kind == TASK_GONE || kind == TASK_KERNEL_WORKER;
}

/*
 * Where a thread goes while it is listed, the list ends with it (next_tid,
 * fs/proc/base.c), and there may be more.  What is traced stays until it has
 * been waited for.
 */
static bool may_have_cut_list(const struct tracer *tracer, pid_t tid)
{
	return !tasks_state(tracer->pid, tid);
}

/* What is new, or may have hidden something new. */
static int seize_new(struct tracer *tracer, const pid_t *tids, size_t count,
		     pid_t except, size_t *ret_news, struct upatch_error *err)
{
	size_t news = 0;

	for (size_t i = 0; i < count; i++) {
		struct thread *thread = tracer_find(tracer, tids[i]);
		int ret;

		if (tids[i] == except)
			continue;
		if (thread && thread->run != THREAD_GONE)
			continue;
		ret = tracer_seize(tracer, tids[i], &thread, err);
		if (ret && !tracer_may_leave_out(tracer, tids[i]))
			return ret;
		news += !ret || may_have_cut_list(tracer, tids[i]);
	}
	*ret_news = news;
	return 0;
}

/*
 * Another operator who came at the same time traces a thread of his choice
 * until he learns that we are at work (host.c): he is waited for.
 */
int tracer_seize_all(struct tracer *tracer, pid_t except, bool is_only,
		     struct upatch_error *err)
{
	const uint64_t deadline_ns = clock_now_ns() + OTHERS_NS;
	size_t news;
	int ret;

	do {
		pid_t *tids;
		size_t count;

		news = 0;
		ret = tasks_list(tracer->pid, &tids, &count, err);
		if (ret)
			return ret;
		ret = seize_new(tracer, tids, count, except, &news, err);
		free(tids);
		if (ret == UPATCH_ERROR_BUSY && is_only &&
		    clock_now_ns() < deadline_ns)
			tracer_serve(tracer, clock_now_ns() + OTHERS_LOOK_NS);
		else if (ret)
			return ret;
	} while (ret || news);
	return 0;
}

static void set_wanted(struct tracer *tracer, struct thread *thread)
{
	if (thread->wanted)
		return;
	thread->wanted = true;
	thread->wanted_before = tracer->wanted_last;
	thread->wanted_after = NULL;
	if (tracer->wanted_last)
		tracer->wanted_last->wanted_after = thread;
	else
		tracer->wanted_first = thread;
	tracer->wanted_last = thread;
	tracer->wanted_count++;
}

static void clear_wanted(struct tracer *tracer, struct thread *thread)
{
	struct thread *before = thread->wanted_before;
	struct thread *after = thread->wanted_after;

	if (!thread->wanted)
		return;
	thread->wanted = false;
	*(before ? &before->wanted_after : &tracer->wanted_first) = after;
	*(after ? &after->wanted_before : &tracer->wanted_last) = before;
	tracer->wanted_count--;
}

void tracer_look_at_call(struct tracer *tracer, struct thread *thread)
{
	if (thread->run == THREAD_RUNS)
		call_deadline_look(&tracer->deadlines, thread->tid,
				   &thread->deadline);
}

void tracer_interrupt(struct tracer *tracer, struct thread *thread)
{
	if (thread->run != THREAD_RUNS)
		return;
	for (int i = 0; i < INTERRUPT_TRIES; i++) {
		if (!ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL))
			break;
		if (errno == ESRCH)
			return; /* it is ending: waitpid will say so */
	}
	set_wanted(tracer, thread);
}

static bool is_job_control(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
	       signal == SIGTTOU;
}

/*
 * A signal that the process ignores is dropped when it is sent, but not if the
 * thread is traced (sig_ignored, kernel/signal.c): then it interrupts the call
 * and is dropped after this stop.
 */
static bool is_ignored(pid_t tid, int signal)
{
	struct task_status status;

	return tasks_status(tid, tid, &status) &&
	       status.ignored >> (signal - 1) & 1;
}

static void make_call_again(struct thread *thread, struct arch_regs *regs)
{
	struct arch_regs again = *regs;

	arch_make_call_again(&again);
	thread->call_is_deferred = thread->tracer->defers_calls;
	if (!thread->call_is_deferred)
		call_deadline_apply(&thread->tracer->deadlines, thread->tid,
				    &thread->deadline, &again);
	if (arch_regs_write(thread->tid, &again))
		return;
	thread->interrupted = *regs;
	thread->call_again = true;
	*regs = again;
}

/*
 * A signal that comes before the call that we interrupted was made again: now
 * the EINTR is the program's own.  That of a signal that is ignored is ours.
 */
static void settle_eintr(struct thread *thread, int signal)
{
	struct arch_regs regs;
	bool is_pending, is_eintr;

	if (arch_regs_read(thread->tid, &regs))
		return;
	is_pending = thread->call_again &&
		     arch_call_is_pending(&regs, &thread->interrupted);
	is_eintr = arch_is_spurious_eintr(&regs);
	thread->call_again = is_pending;
	if (!is_pending && !is_eintr)
		return;
	if (is_ignored(thread->tid, signal)) {
		if (is_eintr)
			make_call_again(thread, &regs);
	} else if (is_pending) {
		thread->call_again = false;
		(void)!arch_regs_write(thread->tid, &thread->interrupted);
	}
}

/* Without memory for it the child is left to a later command. */
static void note_child(struct tracer *tracer, pid_t tid)
{
	size_t len = (tracer->child_count + 1) * sizeof(pid_t);
	unsigned long child;
	pid_t *children;

	if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &child))
		return;
	children = realloc(tracer->children, len);
	if (!children)
		return;
	tracer->children = children;
	children[tracer->child_count++] = (pid_t)child;
}

static void note_created(struct thread *thread)
{
	unsigned long tid;

	if (thread->is_borrowed &&
	    !ptrace(PTRACE_GETEVENTMSG, thread->tid, NULL, &tid))
		thread->created = (pid_t)tid;
}

/*
 * All other threads are gone.  The one that called it has become the main
 * thread; under its former number nothing more is heard of it.
 */
static void note_exec(struct tracer *tracer, const struct thread *thread)
{
	tracer->executed = true;
	for (size_t i = 0; i < tracer->count; i++) {
		if (tracer->threads[i] == thread)
			continue;
		tracer->threads[i]->run = THREAD_GONE;
		clear_wanted(tracer, tracer->threads[i]);
	}
}

static void note_stop(struct tracer *tracer, struct thread *thread, int status)
{
	int signal = WSTOPSIG(status);
	int event = status >> 16;

	thread->run = THREAD_STOPPED;
	thread->was_looked_at = false;
	thread->event = THREAD_EVENT_OTHER;
	if (event == PTRACE_EVENT_STOP && is_job_control(signal)) {
		thread->run = THREAD_JOB_STOPPED;
		thread->event = THREAD_EVENT_INTERRUPT;
	} else if (event == PTRACE_EVENT_STOP) {
		thread->event = THREAD_EVENT_INTERRUPT;
	} else if (event == PTRACE_EVENT_EXEC) {
		thread->event = THREAD_EVENT_EXEC;
		note_exec(tracer, thread);
	} else if (event == PTRACE_EVENT_FORK) {
		note_child(tracer, thread->tid);
	} else if (event == PTRACE_EVENT_CLONE) {
		note_created(thread);
	} else if (event == 0 && signal == (SIGTRAP | 0x80)) {
		thread->event = THREAD_EVENT_SYSCALL;
	}
	/* Any stop answers an interrupt (kernel/signal.c, ptrace_stop). */
	if (thread->event != THREAD_EVENT_OTHER)
		clear_wanted(tracer, thread);
}

/*
 * With CLONE_THREAD it is a thread of ours; a process made with a plain clone
 * reports here too and is let go.
 */
static struct thread *note_newborn(struct tracer *tracer, pid_t tid)
{
	struct thread *thread;

	if (tasks_kind(tracer->pid, tid) == TASK_GONE) {
		ptrace(PTRACE_DETACH, tid, NULL, NULL);
		return NULL;
	}
	thread = add_thread(tracer, tid);
	if (thread)
		thread->is_new = thread->is_clear = true;
	return thread;
}

static void note_end(struct tracer *tracer, struct thread *thread)
{
	thread->run = THREAD_GONE;
	clear_wanted(tracer, thread);
	if (thread->tid == tracer->pid)
		tracer->exited = 1;
}

/* Nobody may have looked at it: the EINTR of our stop is still to be undone. */
static void repair_interrupted_call(struct thread *thread)
{
	struct arch_regs regs;

	if (thread->run == THREAD_STOPPED && !thread->was_looked_at &&
	    thread->event == THREAD_EVENT_INTERRUPT)
		(void)!tracer_registers(thread, &regs);
}

/*
 * Only a thread that was killed cannot be let go.  Any other that is refused
 * would be held until the tracer ends.
 */
static void let_run(pid_t tid, int request)
{
	for (int i = 0; i < RESUME_TRIES; i++) {
		if (!ptrace(request, tid, NULL, NULL) ||
		    tasks_state(tid, tid) != 't')
			return;
	}
}

static void set_deferred_time_out(struct thread *thread)
{
	struct arch_regs regs;

	if (!thread->call_is_deferred || thread->tracer->defers_calls)
		return;
	thread->call_is_deferred = false;
	if (thread->run != THREAD_STOPPED ||
	    arch_regs_read(thread->tid, &regs) ||
	    !arch_call_is_pending(&regs, &thread->interrupted))
		return;
	call_deadline_apply(&thread->tracer->deadlines, thread->tid,
			    &thread->deadline, &regs);
	(void)!arch_regs_write(thread->tid, &regs);
}

static void resume_with(struct thread *thread, int request)
{
	repair_interrupted_call(thread);
	set_deferred_time_out(thread);
	if (thread->run == THREAD_JOB_STOPPED && !thread->is_borrowed) {
		/* Stays stopped until SIGCONT, as its job control wants. */
		ptrace(PTRACE_LISTEN, thread->tid, NULL, NULL);
	} else if (thread->run == THREAD_STOPPED ||
		   thread->run == THREAD_JOB_STOPPED) {
		let_run(thread->tid, request);
	} else {
		return;
	}
	thread->to_syscall = request == PTRACE_SYSCALL;
	thread->run = THREAD_RUNS;
}

static bool is_signal(int status)
{
	return WIFSTOPPED(status) && status >> 16 == 0 &&
	       WSTOPSIG(status) != (SIGTRAP | 0x80);
}

/* Its handler's frame will hold the pc that it has now. */
static void note_delivery(struct thread *thread)
{
	const struct scan_values *watched = thread->tracer->watched;
	struct arch_regs regs;

	if (watched && (arch_regs_read(thread->tid, &regs) ||
			stack_scan_has(watched, arch_regs_pc(&regs))))
		thread->is_clear = false;
}

/*
 * At once, not when we are done with the thread: see look_for.  If it
 * is wanted, it stops before the first instruction of the handler.
 */
static void pass_on(struct thread *thread, int signal)
{
	settle_eintr(thread, signal);
	note_delivery(thread);
	if (thread->wanted)
		ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL);
	ptrace(thread->to_syscall ? PTRACE_SYSCALL : PTRACE_CONT, thread->tid,
	       NULL, (void *)(long)signal);
}

static struct thread *note_status(struct tracer *tracer, pid_t tid, int status)
{
	struct thread *thread = tracer_find(tracer, tid);

	if (!thread || (thread->run == THREAD_GONE && WIFSTOPPED(status)))
		thread = WIFSTOPPED(status) ? note_newborn(tracer, tid) : NULL;
	if (!thread)
		return NULL;
	if (!WIFSTOPPED(status)) {
		note_end(tracer, thread);
		return thread;
	}
	if (is_signal(status)) {
		pass_on(thread, WSTOPSIG(status));
		return NULL;
	}
	note_stop(tracer, thread, status);
	if (thread->event == THREAD_EVENT_OTHER ||
	    (thread->event == THREAD_EVENT_EXEC && !thread->wanted)) {
		/* A clone: the creator goes on, the newborn reports itself. */
		resume_with(thread,
			    thread->to_syscall ? PTRACE_SYSCALL : PTRACE_CONT);
		/* The stop has used up an interrupt that was under way. */
		if (thread->wanted)
			tracer_interrupt(tracer, thread);
		return NULL;
	}
	return thread;
}

/*
 * As waitpid, for what this thread traces, no child of the caller's.  But a
 * thread that is about to get a signal is only looked at: if it were waited
 * for and we were killed before it goes on, the signal would be lost (the
 * kernel's wait_task_stopped clears the number, ptrace_stop returns it).
 */
static pid_t look_for(pid_t tid, int flags, int *ret_status)
{
	const int whose = __WALL | __WNOTHREAD;
	siginfo_t info = { 0 };

	if (waitid(tid < 0 ? P_ALL : P_PID, (id_t)tid, &info,
		   WEXITED | WSTOPPED | WNOWAIT | whose | flags))
		return -1;
	if (!info.si_pid)
		return 0;
	*ret_status = W_STOPCODE(info.si_status);
	if (info.si_code == CLD_TRAPPED && is_signal(*ret_status))
		return info.si_pid;
	return waitpid(info.si_pid, ret_status, whose | WNOHANG);
}

/* -1: any thread.  0: none has stopped by then. */
static pid_t wait_for(const struct tracer *tracer, pid_t tid,
		      uint64_t deadline_ns, int *ret_status)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	for (;;) {
		pid_t found = look_for(tid, WNOHANG, ret_status);

		if (found != 0 || clock_now_ns() >= deadline_ns)
			return found;
		if (!tracer->timer.is_there) {
			nanosleep(&pause, NULL);
			continue;
		}
		wait_timer_start(&tracer->timer, deadline_ns);
		found = look_for(tid, 0, ret_status);
		wait_timer_stop(&tracer->timer);
		if (found > 0 || (found < 0 && errno != EINTR))
			return found;
	}
}

/*
 * The kernel finds a thread by its number at once; for any thread it goes
 * through all (kernel/exit.c, do_wait).  Others must not wait for ever.
 */
static pid_t look_for_wanted(struct tracer *tracer, int *ret_status)
{
	const struct thread *thread = tracer->wanted_first;
	bool is_others_turn = tracer->found_wanted >= WANTED_IN_ROW;

	for (int i = 0; i < WANTED_MAX && thread && !is_others_turn; i++) {
		pid_t tid = look_for(thread->tid, WNOHANG, ret_status);

		tracer->found_wanted++;
		if (tid > 0)
			return tid;
		thread = thread->wanted_after;
	}
	tracer->found_wanted = 0;
	return 0;
}

struct thread *tracer_next(struct tracer *tracer, uint64_t deadline_ns)
{
	/* Signals can come faster than they are passed on. */
	size_t left = tracer->count + 1;

	while (left > 0 || clock_now_ns() < deadline_ns) {
		struct thread *thread;
		int status;
		pid_t tid = look_for_wanted(tracer, &status);

		if (tid == 0)
			tid = wait_for(tracer, -1, deadline_ns, &status);
		if (tid <= 0)
			return NULL;
		thread = note_status(tracer, tid, status);
		if (thread)
			return thread;
		left -= left > 0;
	}
	return NULL;
}

void tracer_drop_ended(struct tracer *tracer)
{
	struct thread *thread = tracer->wanted_first, *after;

	for (; thread; thread = after) {
		after = thread->wanted_after;
		if (tasks_kind(tracer->pid, thread->tid) != TASK_GONE)
			continue;
		clear_wanted(tracer, thread);
		thread->run = THREAD_GONE;
	}
}

static void wait_until_stopped(struct tracer *tracer, struct thread *thread,
			       uint64_t deadline_ns)
{
	while (thread->wanted) {
		int status;
		pid_t tid = wait_for(tracer, thread->tid, deadline_ns, &status);

		if (tid == 0)
			return;
		if (tid > 0)
			note_status(tracer, tid, status);
		else
			note_end(tracer, thread);
	}
}

bool tracer_stop_all(struct tracer *tracer, uint64_t deadline_ns,
		     pid_t *ret_tid)
{
	for (size_t i = 0; i < tracer->count; i++)
		tracer_interrupt(tracer, tracer->threads[i]);
	for (size_t i = 0; i < tracer->count; i++)
		wait_until_stopped(tracer, tracer->threads[i], deadline_ns);
	if (tracer->wanted_count)
		tracer_drop_ended(tracer);
	if (tracer->wanted_count)
		*ret_tid = tracer->wanted_first->tid;
	return !tracer->wanted_count;
}

/* Threads can stop faster than they are served. */
void tracer_serve(struct tracer *tracer, uint64_t until_ns)
{
	for (size_t left = tracer->count + 1;
	     left > 0 || clock_now_ns() < until_ns; left -= left > 0) {
		struct thread *thread = tracer_next(tracer, until_ns);

		if (!thread)
			break;
		tracer_resume(thread);
	}
}

int tracer_stop(struct tracer *tracer, struct thread *thread,
		uint64_t deadline_ns, struct upatch_error *err)
{
	tracer_look_at_call(tracer, thread);
	tracer_interrupt(tracer, thread);
	while (thread->run == THREAD_RUNS) {
		struct thread *other = tracer_next(tracer, deadline_ns);

		if (!other)
			return error_set(
				err, UPATCH_ERROR_TIMED_OUT, 0,
				"thread %d of process %d does not stop",
				thread->tid, tracer->pid);
		if (other != thread && other->run != THREAD_GONE)
			tracer_resume(other);
	}
	if (thread->run == THREAD_GONE)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "thread %d of process %d ended", thread->tid,
				 tracer->pid);
	return 0;
}

void tracer_resume(struct thread *thread)
{
	resume_with(thread, PTRACE_CONT);
}

void tracer_defer_calls(struct tracer *tracer, bool defer)
{
	tracer->defers_calls = defer;
}

void tracer_resume_all(struct tracer *tracer)
{
	/* As this makes calls again, too, it is to be deferred until then. */
	for (size_t i = 0; i < tracer->count; i++) {
		repair_interrupted_call(tracer->threads[i]);
		if (!tracer->threads[i]->call_is_deferred)
			tracer_resume(tracer->threads[i]);
	}
	tracer_defer_calls(tracer, false);
	for (size_t i = 0; i < tracer->count; i++)
		tracer_resume(tracer->threads[i]);
}

void tracer_resume_to_syscall(struct thread *thread)
{
	resume_with(thread, PTRACE_SYSCALL);
}

void tracer_release(struct tracer *tracer, struct thread *thread)
{
	(void)tracer;
	if (thread->run != THREAD_STOPPED && thread->run != THREAD_JOB_STOPPED)
		return;
	repair_interrupted_call(thread);
	/* Until the call is made, its EINTR may have to be given back. */
	if (thread->call_again) {
		tracer_resume(thread);
		return;
	}
	ptrace(PTRACE_DETACH, thread->tid, NULL, NULL);
	thread->run = THREAD_GONE;
}

/*
 * Those that interrupt nothing: ignored ones, and what the kernel has blocked.
 * During epoll_pwait that is the mask of the call, while PTRACE_GETSIGMASK
 * tells the one that is put back behind it.
 */
static bool read_idle_signals(pid_t tid, uint64_t *ret_idle)
{
	struct task_status status;

	if (!tasks_status(tid, tid, &status))
		return false;
	*ret_idle = status.blocked | status.ignored;
	return true;
}

static bool has_other_than(pid_t tid, uint32_t queue, uint64_t idle)
{
	struct __ptrace_peeksiginfo_args args = { .flags = queue, .nr = 1 };
	siginfo_t pending;

	for (; ptrace(PTRACE_PEEKSIGINFO, tid, &args, &pending) > 0;
	     args.off++) {
		if (!(idle >> (pending.si_signo - 1) & 1))
			return true;
	}
	return false;
}

static bool has_pending_signal(pid_t tid)
{
	uint64_t idle = 0;

	/* Mostly none at all waits, and the file need not be read. */
	if (!has_other_than(tid, 0, idle) &&
	    !has_other_than(tid, PTRACE_PEEKSIGINFO_SHARED, idle))
		return false;
	if (!read_idle_signals(tid, &idle))
		return false;
	return has_other_than(tid, 0, idle) ||
	       has_other_than(tid, PTRACE_PEEKSIGINFO_SHARED, idle);
}

/*
 * Some calls go on by restart_syscall(2) after a stop.  Where a filter could
 * kill for that, the call itself is made again, which the filter has permitted.
 */
static int avoid_restart_call(const struct thread *thread,
			      struct arch_regs *regs)
{
	if (!thread->under_seccomp || !arch_uses_restart_call(regs) ||
	    seccomp_permits_restart(thread->tid))
		return 0;
	arch_avoid_restart_call(regs);
	return arch_regs_write(thread->tid, regs);
}

/*
 * The interrupted call is made again only if no signal waits: then the EINTR
 * is ours.  At a signal stop, see settle_eintr.
 */
int tracer_registers(struct thread *thread, struct arch_regs *ret_regs)
{
	struct arch_regs regs;
	int ret = arch_regs_read(thread->tid, &regs);

	if (ret)
		return ret;
	thread->was_looked_at = true;
	thread->was_computing = arch_was_computing(&regs);
	ret = avoid_restart_call(thread, &regs);
	if (ret)
		return ret;
	if (thread->event == THREAD_EVENT_INTERRUPT &&
	    arch_is_spurious_eintr(&regs) && !has_pending_signal(thread->tid))
		make_call_again(thread, &regs);
	*ret_regs = regs;
	return 0;
}
