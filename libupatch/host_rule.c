/* SPDX-License-Identifier: MIT */
/* May a thread be borrowed to call dlopen? */
#include "host_rule.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch_thread.h"
#include "arch/frame.h"

/* __libc_start_main, __libc_start_call_main; or start_thread, clone3 */
#define LIBC_START_FRAMES_MAX 2

/* What a call that ends in another function is looked at for its jump. */
#define CALL_CODE_MAX 256

/* The longest function that is looked at for its system calls. */
#define WAIT_CODE_MAX 4096

/*
 * Functions of libc that wait in a system call and hold no lock of libc then;
 * what they may hold meanwhile belongs to the caller.  Left out on purpose:
 * stdio, getaddrinfo, fork, system, dl_iterate_phdr and whatever else locks.
 * Three do not wait; as a rule a signal that was blocked is taken in them.
 * `in_allocators`: allocators wait so for their own locks.
 * `frees_stack`: when the thread has ended, its stack goes back under the lock
 * of libc's cache of stacks, with munmap, or free, which can wait for a lock.
 */
static const struct waiting_call {
	const char *name;
	bool in_allocators;
	bool frees_stack;
} waiting_calls[] = {
	/* clang-format off */
	{ "accept", false, false },
	{ "accept4", false, false },
	{ "clock_nanosleep", true, false },
	{ "close", false, false },
	{ "cnd_timedwait", false, false },
	{ "cnd_wait", false, false },
	{ "connect", false, false },
	{ "copy_file_range", false, false },
	{ "epoll_pwait", false, false },
	{ "epoll_pwait2", false, false },
	{ "epoll_wait", false, false },
	{ "fcntl", false, false },
	{ "fcntl64", false, false },
	{ "fdatasync", false, false },
	{ "flock", false, false },
	{ "fsync", false, false },
	{ "ioctl", false, false },
	{ "kill", false, false },
	{ "mq_receive", false, false },
	{ "mq_send", false, false },
	{ "mq_timedreceive", false, false },
	{ "mq_timedsend", false, false },
	{ "msgrcv", false, false },
	{ "msgsnd", false, false },
	{ "msync", false, false },
	{ "mtx_lock", true, false },
	{ "mtx_timedlock", true, false },
	{ "nanosleep", true, false },
	{ "open", false, false },
	{ "open64", false, false },
	{ "openat", false, false },
	{ "openat64", false, false },
	{ "pause", false, false },
	{ "poll", false, false },
	{ "poll_chk", false, false },
	{ "ppoll", false, false },
	{ "ppoll_chk", false, false },
	{ "pread", false, false },
	{ "pread64", false, false },
	{ "pread64_chk", false, false },
	{ "pread_chk", false, false },
	{ "preadv", false, false },
	{ "preadv2", false, false },
	{ "preadv64", false, false },
	{ "preadv64v2", false, false },
	{ "pselect", false, false },
	{ "pthread_barrier_wait", false, false },
	{ "pthread_clockjoin_np", false, true },
	{ "pthread_cond_clockwait", false, false },
	{ "pthread_cond_timedwait", false, false },
	{ "pthread_cond_wait", false, false },
	{ "pthread_join", false, true },
	{ "pthread_mutex_clocklock", true, false },
	{ "pthread_mutex_lock", true, false },
	{ "pthread_mutex_timedlock", true, false },
	{ "pthread_rwlock_clockrdlock", true, false },
	{ "pthread_rwlock_clockwrlock", true, false },
	{ "pthread_rwlock_rdlock", true, false },
	{ "pthread_rwlock_timedrdlock", true, false },
	{ "pthread_rwlock_timedwrlock", true, false },
	{ "pthread_rwlock_wrlock", true, false },
	{ "pthread_sigmask", false, false },
	{ "pthread_timedjoin_np", false, true },
	{ "pwrite", false, false },
	{ "pwrite64", false, false },
	{ "pwritev", false, false },
	{ "pwritev2", false, false },
	{ "pwritev64", false, false },
	{ "pwritev64v2", false, false },
	{ "read", false, false },
	{ "read_chk", false, false },
	{ "readv", false, false },
	{ "recv", false, false },
	{ "recv_chk", false, false },
	{ "recvfrom", false, false },
	{ "recvfrom_chk", false, false },
	{ "recvmmsg", false, false },
	{ "recvmsg", false, false },
	{ "select", false, false },
	{ "sem_clockwait", false, false },
	{ "sem_timedwait", false, false },
	{ "sem_wait", false, false },
	{ "semop", false, false },
	{ "semtimedop", false, false },
	{ "send", false, false },
	{ "sendfile", false, false },
	{ "sendfile64", false, false },
	{ "sendmmsg", false, false },
	{ "sendmsg", false, false },
	{ "sendto", false, false },
	{ "sigprocmask", false, false },
	{ "sigsuspend", false, false },
	{ "sigtimedwait", false, false },
	{ "sigwait", false, false },
	{ "sigwaitinfo", false, false },
	{ "sleep", false, false },
	{ "splice", false, false },
	{ "sync_file_range", false, false },
	{ "syscall", true, false },
	{ "tcdrain", false, false },
	{ "tee", false, false },
	{ "thrd_join", false, true },
	{ "thrd_sleep", true, false },
	{ "usleep", true, false },
	{ "vmsplice", false, false },
	{ "wait", false, false },
	{ "wait3", false, false },
	{ "wait4", false, false },
	{ "waitid", false, false },
	{ "waitpid", false, false },
	{ "write", false, false },
	{ "writev", false, false },
	/* clang-format on */
};

static int compare_call(const void *name, const void *call)
{
	return strcmp(name, ((const struct waiting_call *)call)->name);
}

static const char *without_prefix(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 ? name + len : name;
}

/*
 * libc exports one function under several names: __read, __libc_pread.  So do
 * sanitizers, whose allocator stands in between: ___interceptor_read; they
 * hold nothing while they wait in libc's.
 */
static const char *plain_name(const char *name)
{
	while (*name == '_')
		name++;
	return without_prefix(without_prefix(name, "libc_"), "interceptor_");
}

static const struct waiting_call *find_call(const char *name)
{
	return bsearch(plain_name(name), waiting_calls,
		       sizeof(waiting_calls) / sizeof(waiting_calls[0]),
		       sizeof(waiting_calls[0]), compare_call);
}

static enum host_module module_of(const struct host_lookup *lookup,
				  const struct unwind_frame *frame)
{
	return lookup->module(lookup->user, unwind_frame_at(frame));
}

/* --- Stretches --------------------------------------------------------- */

/*
 * Frames [begin, end) of a walk, without the frames of signal handlers'
 * returns and those of the thread's start.  The innermost stretch runs; each
 * other one was interrupted by the handler that the one before it begins with.
 */
struct stretch {
	size_t begin, end;
};

/*
 * Where the thread's start begins: clone3 and start_thread, both libc's; or
 * _start of the program, __libc_start_main and what it calls main from.  A
 * thread that libc started for itself has more frames of libc, which are then
 * not counted.  `begin` is that of the outermost stretch.
 */
static size_t find_start(const struct host_lookup *lookup,
			 const struct unwind_walk *walk, size_t begin)
{
	size_t first = walk->count;
	size_t libc_max = LIBC_START_FRAMES_MAX;

	if (first > begin &&
	    module_of(lookup, &walk->frames[first - 1]) == HOST_MODULE_MAIN)
		first--;
	while (first > begin && libc_max > 0 &&
	       module_of(lookup, &walk->frames[first - 1]) ==
		       HOST_MODULE_LIBC) {
		first--;
		libc_max--;
	}
	return first;
}

static struct stretch stretch_at(const struct host_lookup *lookup,
				 const struct unwind_walk *walk, size_t begin)
{
	struct stretch stretch = { begin, begin };

	while (stretch.end < walk->count &&
	       !walk->frames[stretch.end].is_signal_frame)
		stretch.end++;
	if (stretch.end == walk->count)
		stretch.end = find_start(lookup, walk, begin);
	return stretch;
}

/* --- The innermost call ------------------------------------------------ */

static bool is_library_call(enum host_module module)
{
	return module == HOST_MODULE_LIBC || module == HOST_MODULE_ALLOCATOR;
}

/* What is left of the stretch after its innermost call into libc. */
static size_t skip_library_call(const struct host_lookup *lookup,
				const struct unwind_walk *walk,
				const struct stretch *stretch)
{
	size_t i = stretch->begin;

	while (i < stretch->end &&
	       is_library_call(module_of(lookup, &walk->frames[i])))
		i++;
	return i;
}

static bool is_exported_at(const struct host_lookup *lookup, upatch_addr_t addr,
			   upatch_addr_t start, const char **ret_name)
{
	upatch_addr_t found;

	return lookup->symbol(lookup->user, addr, ret_name, &found) &&
	       found == start;
}

/* Does the exported function at `start` jump, as its end, to `target`? */
static bool ends_in(const struct host_lookup *lookup, upatch_addr_t start,
		    upatch_addr_t target)
{
	uint8_t code[CALL_CODE_MAX];
	size_t len = lookup->read(lookup->user, start, code, sizeof(code));
	size_t offset;
	const char *name;

	return arch_find_jump(code, len, start, target, &offset) &&
	       is_exported_at(lookup, start + offset, start, &name);
}

/*
 * pthread_join and sem_wait end in a jump to an internal function, which then
 * stands on the stack in their place; so do the wrappers of sanitizers.  Who
 * jumps so has nothing left to do, and so holds nothing.
 */
static const struct waiting_call *
find_call_that_ends_in(const struct host_lookup *lookup, upatch_addr_t target)
{
	size_t i;

	for (i = 0; i < sizeof(waiting_calls) / sizeof(waiting_calls[0]); i++) {
		upatch_addr_t start = lookup->exported(lookup->user, target,
						       waiting_calls[i].name);

		if (start != 0 && ends_in(lookup, start, target))
			return &waiting_calls[i];
	}
	return NULL;
}

/*
 * The call of libc that the frame is, if it is one that waits.  The unwind
 * table has to agree on where the function begins: a symbol can also stand in
 * front of an internal function that follows it.
 */
static const struct waiting_call *
find_waiting_call(const struct host_lookup *lookup,
		  const struct unwind_frame *frame)
{
	const char *name;

	if (is_exported_at(lookup, unwind_frame_at(frame), frame->code_start,
			   &name))
		return find_call(name);
	return find_call_that_ends_in(lookup, frame->code_start);
}

static enum host_fit judge_library_call(const struct host_lookup *lookup,
					const struct host_thread *thread,
					const struct unwind_frame *entry,
					struct host_verdict *verdict)
{
	const struct waiting_call *call = NULL;

	if (thread->in_syscall)
		call = find_waiting_call(lookup, entry);
	if (!call)
		return module_of(lookup, entry) == HOST_MODULE_ALLOCATOR
			       ? HOST_IN_ALLOCATOR
			       : HOST_IN_LIBC;
	if (call->frees_stack && !thread->in_shared_wait)
		return HOST_IN_LIBC;
	if (call->in_allocators && thread->main_has_allocator)
		return HOST_MAYBE_ALLOCATOR;
	verdict->call = call->name;
	return thread->is_main_thread ? HOST_IDLE_MAIN : HOST_IDLE;
}

/* --- What called it ---------------------------------------------------- */

static enum host_fit judge_caller(enum host_module module, size_t index)
{
	switch (module) {
	case HOST_MODULE_MAIN:
	case HOST_MODULE_OTHER:
		return HOST_RUNNING;
	case HOST_MODULE_LIBC:
		return index == 0 ? HOST_IN_LIBC : HOST_BELOW_LIBC;
	case HOST_MODULE_LOADER:
		return HOST_IN_LOADER;
	case HOST_MODULE_ALLOCATOR:
		return HOST_IN_ALLOCATOR;
	case HOST_MODULE_UNKNOWN:
		break;
	}
	return HOST_IN_UNKNOWN;
}

static enum host_fit judge_callers(const struct host_lookup *lookup,
				   const struct unwind_walk *walk, size_t from,
				   size_t to, size_t *ret_frame)
{
	enum host_fit fit;
	size_t i;

	for (i = from; i < to; i++) {
		fit = judge_caller(module_of(lookup, &walk->frames[i]), i);
		if (fit == HOST_RUNNING)
			continue;
		*ret_frame = i;
		return fit;
	}
	return HOST_RUNNING;
}

/* --- What runs --------------------------------------------------------- */

static bool has_room(const struct host_thread *thread)
{
	upatch_addr_t sp = thread->walk->frames[0].sp;
	uint64_t need = ARCH_RED_ZONE + ARCH_SIGNAL_FRAME_MAX;

	return sp >= thread->stack_floor && sp - thread->stack_floor >= need;
}

static enum host_fit judge_innermost(const struct host_lookup *lookup,
				     const struct host_thread *thread,
				     const struct stretch *stretch,
				     struct host_verdict *verdict)
{
	const struct unwind_walk *walk = thread->walk;
	size_t callers = skip_library_call(lookup, walk, stretch);
	enum host_fit call_fit = HOST_RUNNING, fit;

	/* Nothing but start frames: the thread begins or ends, inside libc. */
	if (stretch->begin == stretch->end)
		return HOST_IN_LIBC;
	if (callers > 0) {
		verdict->frame = callers - 1;
		call_fit =
			judge_library_call(lookup, thread,
					   &walk->frames[callers - 1], verdict);
		if (call_fit >= HOST_REFUSED)
			return call_fit;
	}
	fit = judge_callers(lookup, walk, callers, stretch->end,
			    &verdict->frame);
	if (fit >= HOST_REFUSED)
		return fit;
	if (call_fit == HOST_RUNNING && thread->main_has_allocator)
		return HOST_MAYBE_ALLOCATOR;
	return call_fit;
}

/* --- What signals interrupted ------------------------------------------ */

/*
 * A system call that a signal interrupts is left behind it, or before it if it
 * is to be made again.  In between libc does what it also does while it waits.
 */
static bool is_at_system_call(const struct host_lookup *lookup,
			      const struct unwind_frame *frame)
{
	upatch_addr_t offset = frame->pc - frame->code_start;
	uint8_t code[WAIT_CODE_MAX];
	size_t len;

	if (frame->code_start == 0 ||
	    offset > sizeof(code) - ARCH_SYSTEM_CALL_LEN)
		return false;
	len = lookup->read(lookup->user, frame->code_start, code,
			   offset + ARCH_SYSTEM_CALL_LEN);
	return len == offset + ARCH_SYSTEM_CALL_LEN &&
	       arch_is_at_system_call(code, len, offset);
}

/* Which of its calls a function makes that frees stacks is not known here. */
static bool may_stay_in_call(const struct host_lookup *lookup,
			     const struct host_thread *thread,
			     const struct unwind_frame *innermost,
			     const struct unwind_frame *entry)
{
	const struct waiting_call *call;

	if (module_of(lookup, innermost) != HOST_MODULE_LIBC ||
	    !is_at_system_call(lookup, innermost))
		return false;
	call = find_waiting_call(lookup, entry);
	return call && !call->frees_stack &&
	       !(call->in_allocators && thread->main_has_allocator);
}

/* Does it hold no lock?  *ret_frame is the frame that decides it. */
static bool may_stay_interrupted(const struct host_lookup *lookup,
				 const struct host_thread *thread,
				 const struct stretch *stretch,
				 size_t *ret_frame)
{
	const struct unwind_walk *walk = thread->walk;
	const struct unwind_frame *frames = walk->frames;
	size_t callers = skip_library_call(lookup, walk, stretch);
	bool may_stay = !thread->main_has_allocator;

	*ret_frame = stretch->begin;
	if (stretch->begin == stretch->end)
		return false;
	if (callers > stretch->begin)
		may_stay = may_stay_in_call(lookup, thread,
					    &frames[stretch->begin],
					    &frames[callers - 1]);
	return may_stay && judge_callers(lookup, walk, callers, stretch->end,
					 ret_frame) < HOST_REFUSED;
}

/* The frame that the handler returns through, in front of what it interrupted. */
static enum host_fit judge_signal_frame(const struct host_lookup *lookup,
					const struct unwind_frame *frame)
{
	upatch_addr_t addr = frame->sp - ARCH_SIGNAL_FRAME_POPPED;
	uint8_t head[ARCH_SIGNAL_FRAME_HEAD_LEN];
	struct arch_signal_frame signal_frame;

	if (lookup->read(lookup->user, addr, head, sizeof(head)) !=
		    sizeof(head) ||
	    !arch_signal_frame_read(head, &signal_frame) ||
	    signal_frame.sp != frame[1].sp)
		return HOST_IN_HANDLER;
	if (signal_frame.is_ours)
		return HOST_NOT_BACK;
	/* It can be an array on the thread's own stack, with little room. */
	if (addr - signal_frame.alternate_stack <
	    signal_frame.alternate_stack_len)
		return HOST_FOREIGN_STACK;
	return HOST_RUNNING;
}

/* HOST_RUNNING: nothing speaks against what was interrupted. */
static enum host_fit judge_interrupted(const struct host_lookup *lookup,
				       const struct host_thread *thread,
				       size_t *ret_frame)
{
	const struct unwind_walk *walk = thread->walk;
	size_t i;

	for (i = 0; i < walk->count; i++) {
		struct stretch stretch;
		enum host_fit fit;

		if (!walk->frames[i].is_signal_frame)
			continue;
		*ret_frame = i;
		if (i + 1 == walk->count)
			return HOST_IN_HANDLER;
		fit = judge_signal_frame(lookup, &walk->frames[i]);
		if (fit >= HOST_REFUSED)
			return fit;
		stretch = stretch_at(lookup, walk, i + 1);
		if (!may_stay_interrupted(lookup, thread, &stretch, ret_frame))
			return HOST_IN_HANDLER;
	}
	return HOST_RUNNING;
}

/* --- The rule ---------------------------------------------------------- */

static enum host_fit judge_frames(const struct host_lookup *lookup,
				  const struct host_thread *thread,
				  struct host_verdict *verdict)
{
	struct stretch innermost = stretch_at(lookup, thread->walk, 0);
	enum host_fit fit = judge_interrupted(lookup, thread, &verdict->frame);

	if (fit >= HOST_REFUSED)
		return fit;
	if (!has_room(thread))
		return HOST_NO_ROOM;
	verdict->frame = 0;
	return judge_innermost(lookup, thread, &innermost, verdict);
}

void host_rule_judge(const struct host_lookup *lookup,
		     const struct host_thread *thread,
		     struct host_verdict *ret_verdict)
{
	const struct unwind_walk *walk = thread->walk;

	*ret_verdict = (struct host_verdict){ 0 };
	if (walk->end != UNWIND_OUTERMOST) {
		ret_verdict->fit = HOST_NO_UNWIND;
		ret_verdict->frame = walk->count - 1;
	} else if (!thread->is_on_own_stack) {
		ret_verdict->fit = HOST_FOREIGN_STACK;
	} else {
		ret_verdict->fit = judge_frames(lookup, thread, ret_verdict);
	}
	if (ret_verdict->fit >= HOST_REFUSED)
		ret_verdict->call = NULL;
}

const char *host_fit_text(enum host_fit fit)
{
	switch (fit) {
	case HOST_IDLE_MAIN:
	case HOST_IDLE:
		return "waits in a system call";
	case HOST_RUNNING:
		return "runs code of the program";
	case HOST_NO_UNWIND:
		return "its stack cannot be unwound";
	case HOST_FOREIGN_STACK:
		return "it is on another stack than its own";
	case HOST_NO_ROOM:
		return "its stack is almost full";
	case HOST_IN_HANDLER:
		return "it runs a signal handler that interrupted what may hold a lock";
	case HOST_NOT_BACK:
		return "an earlier operation has borrowed it, and it is not back yet";
	case HOST_IN_LIBC:
		return "it is inside the C library";
	case HOST_BELOW_LIBC:
		return "the C library has called it back";
	case HOST_IN_LOADER:
		return "it is inside the dynamic loader";
	case HOST_IN_ALLOCATOR:
		return "it is inside the memory allocator";
	case HOST_MAYBE_ALLOCATOR:
		return "it can be inside the program's own memory allocator";
	case HOST_IN_UNKNOWN:
		return "it runs code of no loaded object";
	}
	return "unknown";
}
