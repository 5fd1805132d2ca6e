/* SPDX-License-Identifier: MIT */
/* The state that controllers read, and the word that says where a thread is. */
#include "runtime.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Compared by the gates as %fs:offset, so its offset must be one constant for
 * all threads: initial-exec, which the loader serves from its static reserve.
 * In .tdata, not .tbss, so that there is an image that new threads start with.
 */
__thread struct rt_thread state_thread
	__attribute__((tls_model("initial-exec"), section(".tdata"))) = { 0 };

extern void upatch_runtime_enter(void *report);
extern const char upatch_self_move[];
extern const char upatch_shield_common[];
extern const char upatch_shield_common_end[];

RT_EXPORT struct rt_state upatch_runtime_state;

static struct rt_state *const state = &upatch_runtime_state;

static int find_own_segments(struct dl_phdr_info *info, size_t size,
			     void *unused)
{
	const ElfW(Phdr) *tls = NULL;
	uint64_t here = rt_addr(&upatch_runtime_state);
	bool own = false;

	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + phdr->p_vaddr;

		if (phdr->p_type == PT_TLS)
			tls = phdr;
		if (phdr->p_type == PT_LOAD && here >= start &&
		    here < start + phdr->p_memsz)
			own = true;
	}
	if (!own)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];

		if (phdr->p_type != PT_LOAD || !(phdr->p_flags & PF_X))
			continue;
		state->text.start = info->dlpi_addr + phdr->p_vaddr;
		state->text.end = state->text.start + phdr->p_memsz;
	}
	/*
	 * It is the only variable there.  dlpi_tls_data would tell where it is,
	 * but is NULL in a thread that was there before this library.
	 */
	if (tls && tls->p_memsz == sizeof(state_thread))
		state->thread_image = info->dlpi_addr + tls->p_vaddr;
	return 1;
}

void state_init(void)
{
	char *own_thread = (char *)&state_thread;

	if (state->magic == RT_MAGIC)
		return;
	dl_iterate_phdr(find_own_segments, NULL);
	state->version = RT_VERSION;
	state->size = sizeof(*state);
	state->thread_offset = own_thread - (char *)__builtin_thread_pointer();
	state->self_move = rt_addr(upatch_self_move);
	state->start = rt_addr((void *)(uintptr_t)upatch_runtime_enter);
	state->shield_entry = rt_addr(upatch_shield_common);
	state->shield_text.start = rt_addr(upatch_shield_common);
	state->shield_text.end = rt_addr(upatch_shield_common_end);
	state->log = rt_addr(upatch_runtime_log);
	state->log_next = RT_LOG_NEXT(1, 0);
	atomic_thread_fence(memory_order_release);
	state->magic = RT_MAGIC;
}

/*
 * A child that was forked while a thread of the parent held the lock has no
 * such thread.
 */
static struct {
	pthread_mutex_t mutex;
	pid_t pid;
	/* the thread that holds it, or 0 */
	_Atomic long owner;
} lock = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void state_lock(void)
{
	pid_t pid = getpid();

	if (lock.pid != pid) {
		pthread_mutex_init(&lock.mutex, NULL);
		lock.pid = pid;
		lock.owner = 0;
	}
	pthread_mutex_lock(&lock.mutex);
	lock.owner = syscall(SYS_gettid);
}

bool state_is_locked_by_me(void)
{
	return lock.pid == getpid() && lock.owner == syscall(SYS_gettid);
}

void state_unlock(void)
{
	lock.owner = 0;
	pthread_mutex_unlock(&lock.mutex);
}

static bool is_agent(void)
{
	return state->agent_tid == (uint32_t)syscall(SYS_gettid);
}

static struct rt_call *my_call(void)
{
	return &state->calls[is_agent() ? RT_CALL_AGENT : RT_CALL_LOADER];
}

void state_leave_for_callback(const struct rt_object *object,
			      enum rt_callback callback,
			      struct rt_call *ret_outer)
{
	struct rt_call *call = my_call();

	*ret_outer = *call;
	*call = (struct rt_call){
		.object = rt_addr(object),
		.callback = callback,
		.tid = (uint32_t)syscall(SYS_gettid),
	};
	if (is_agent())
		state_unlock();
}

void state_return_from_callback(const struct rt_call *outer)
{
	if (is_agent())
		state_lock();
	*my_call() = *outer;
}

void state_change_begin(void)
{
	state->seq++;
	atomic_thread_fence(memory_order_release);
}

void state_change_end(void)
{
	atomic_thread_fence(memory_order_release);
	state->seq++;
}

/*
 * The image lies in pages that the loader made read-only after relocation;
 * they are data and stay writable only for the store.
 */
void state_set_moved_image(uint32_t id)
{
	long page_size = sysconf(_SC_PAGESIZE);
	uintptr_t page = state->thread_image & ~((uintptr_t)page_size - 1);
	struct rt_thread *image = rt_ptr(state->thread_image);

	if (!image)
		return;
	if (mprotect((void *)page, (size_t)page_size, PROT_READ | PROT_WRITE))
		return;
	*(volatile uint32_t *)&image->moved = id;
	(void)mprotect((void *)page, (size_t)page_size, PROT_READ);
}

/*
 * The parent's thread that was changing the state is not in this child.  What
 * it had in hand is linked, and what follows from it is computed again with
 * the next change.
 */
void state_end_change_of_parent(void)
{
	memset(state->calls, 0, sizeof(state->calls));
	if (state->seq & 1)
		state_change_end();
}

/*
 * Threads that move themselves read the ranges at any time.  While the
 * generation is odd, or when it has changed meanwhile, they do not move.
 */
void state_drop_sought(void)
{
	state->sought_generation |= 1;
	atomic_thread_fence(memory_order_release);
	state->sought_count = 0;
}

static void end_sought(void)
{
	atomic_thread_fence(memory_order_release);
	state->sought_generation++;
}

/* What was there before is not freed: a thread may still be reading it. */
static int reserve_sought(uint32_t count)
{
	uint32_t capacity = 2 * (state->sought_count + count);
	struct rt_range *grown;

	if (state->sought_count + count <= state->sought_capacity)
		return 0;
	grown = calloc(capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	if (state->sought_count)
		memcpy(grown, rt_ptr(state->sought),
		       state->sought_count * sizeof(*grown));
	state->sought = rt_addr(grown);
	state->sought_capacity = capacity;
	return 0;
}

int state_set_sought(const struct rt_range *ranges, uint32_t count, bool first,
		     bool last)
{
	struct rt_range *sought;
	int ret;

	if (first)
		state_drop_sought();
	ret = reserve_sought(count);
	if (ret)
		return ret;
	sought = rt_ptr(state->sought);
	if (count)
		memcpy(sought + state->sought_count, ranges,
		       count * sizeof(*ranges));
	state->sought_count += count;
	if (last)
		end_sought();
	return 0;
}
