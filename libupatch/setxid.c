/* SPDX-License-Identifier: MIT */
/*
 * Unties the dead lock where it does no harm, at setegid.  That waits for the
 * beginning of a thread so as not to miss it; but it sends its signal again
 * and again until no thread is left that has not answered, and takes one that
 * cannot be sent it for one that has not begun (setxid_mark_thread and
 * setxid_signal_thread, nptl/nptl_setxid.c of glibc 2.36).  The creator has
 * answered, and with that changed its own user and group, before the last
 * round; so whatever it creates has either inherited them or is found then.
 */
#include "setxid.h"

#include "clock.h"

#define LOOK_GAP_NS 5000000UL
#define LOOK_SHARE  4
/* A thread that has been created mostly begins within a millisecond. */
#define KNOT_NS 20000000UL
/* At most; it has 51 bytes in glibc 2.36. */
#define WRAPPER_LEN 64

/* What pd->setxid_futex says: somebody waits for the beginning; it has begun. */
static const uint32_t awaited = (uint32_t)-2, begun = 0;

static bool is_same_wait(const struct task_futex *one,
			 const struct task_futex *other)
{
	return one->addr == other->addr && one->value == other->value &&
	       one->pc == other->pc;
}

static bool is_in_wrapper(const struct setxid_watch *watch, upatch_addr_t pc)
{
	return pc >= watch->wrapper && pc < watch->wrapper + WRAPPER_LEN;
}

/* A program can wait for the same value, in a word of its own. */
static bool is_caller(const struct setxid_watch *watch,
		      const struct thread *thread, struct task_futex *ret_wait)
{
	struct tracer *tracer = thread->tracer;
	uint32_t word = begun;

	return tasks_waits_for_futex(tracer->pid, thread->tid, ret_wait) &&
	       ret_wait->value == awaited &&
	       !is_in_wrapper(watch, ret_wait->pc) &&
	       call_deadlines_is_libc(&tracer->deadlines, thread->tid,
				      ret_wait->pc) &&
	       memory_read_some(watch->memory, ret_wait->addr, &word,
				sizeof(word)) == sizeof(word) &&
	       word == awaited;
}

static struct thread *find_caller(const struct setxid_watch *watch,
				  const struct tracer *tracer,
				  struct task_futex *ret_wait)
{
	for (size_t i = 0; i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];

		if (thread->run == THREAD_RUNS &&
		    is_caller(watch, thread, ret_wait))
			return thread;
	}
	return NULL;
}

static bool host_waits_still(struct setxid_watch *watch, pid_t pid, pid_t host)
{
	struct task_futex wait = { 0 };
	bool waits = tasks_waits_for_futex(pid, host, &wait);
	bool is_same = waits && is_same_wait(&wait, &watch->host_wait);

	watch->host_wait = wait;
	return is_same;
}

/* One that has come since then may not be traced yet: next time. */
static void look_for_caller(struct setxid_watch *watch, struct tracer *tracer)
{
	const struct task_futex before = watch->caller_wait;
	struct thread *caller = find_caller(watch, tracer, &watch->caller_wait);

	if (!caller) {
		watch->caller = 0;
		(void)!tracer_seize_all(tracer, 0, false, NULL);
	} else if (caller->tid != watch->caller ||
		   !is_same_wait(&before, &watch->caller_wait)) {
		watch->caller = caller->tid;
	} else {
		watch->is_asked = true;
		tracer_look_at_call(tracer, caller);
		tracer_interrupt(tracer, caller);
	}
}

void setxid_look(struct setxid_watch *watch, struct tracer *tracer,
		 const struct thread *host)
{
	uint64_t begin = clock_now_ns();

	if (!watch->wrapper || begin < watch->next_ns)
		return;
	watch->is_asked = false;
	if (!host_waits_still(watch, tracer->pid, host->tid)) {
		watch->since_ns = begin;
		watch->caller = 0;
	} else if (begin - watch->since_ns >= KNOT_NS) {
		look_for_caller(watch, tracer);
	}
	/* It looks at all threads, at a priority before theirs. */
	watch->next_ns = clock_now_ns() + LOOK_GAP_NS +
			 LOOK_SHARE * (clock_now_ns() - begin);
}

/*
 * Only while it is stopped is it known to be there still; the kernel has it
 * look at the word again when it goes on.  If the thread begins meanwhile, that
 * writes the same.
 */
void setxid_serve(const struct setxid_watch *watch,
		  const struct thread *stopped)
{
	struct task_futex wait;

	if (watch->is_asked && stopped->tid == watch->caller &&
	    is_caller(watch, stopped, &wait) &&
	    is_same_wait(&wait, &watch->caller_wait))
		(void)!memory_write(watch->memory, wait.addr, &begun,
				    sizeof(begun), NULL);
}
