/* SPDX-License-Identifier: MIT */
/* Where a borrowed thread enters: it starts the agent and goes back. */
#include "descriptor.h"
#include "runtime.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../arch/arch_elf.h"
#include "../host_report.h"

#define AGENT_STACK_LEN (512UL * 1024)
/* Of what is given back: the frames of the call that does it. */
#define STACK_MARGIN 512

RT_EXPORT int upatch_runtime_start(struct host_report *report);
RT_EXPORT void upatch_runtime_enter(struct host_report *report);

static struct {
	pthread_t thread;
	bool joinable;
	pid_t pid; /* of the process that the rest belongs to */
	void *stack;
	size_t stack_len;
	struct descriptor agent_end, controller_end;
	uint32_t runs; /* the thread, since it was created */
} agent;

/*
 * What the agent has needed below this frame.  The rest of its stack is the C
 * library's until the thread has been joined.
 */
static __attribute__((noinline)) void give_back_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0) - STACK_MARGIN;
	uintptr_t start = (uintptr_t)agent.stack;

	here &= ~(uintptr_t)(ARCH_PAGE_LEN - 1);
	if (here > start)
		(void)madvise(agent.stack, here - start, MADV_DONTNEED);
}

static void *agent_main(void *unused)
{
	(void)unused;
	__atomic_store_n(&agent.runs, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &agent.runs, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL,
		0);
	upatch_runtime_state.agent_stack.start = rt_addr(agent.stack);
	upatch_runtime_state.agent_stack.end =
		rt_addr(agent.stack) + agent.stack_len;
	pthread_setname_np(pthread_self(), RT_AGENT_COMM);
	upatch_runtime_state.agent_fd = agent.agent_end.fd;
	upatch_runtime_state.agent_tid = (uint32_t)syscall(SYS_gettid);
	agent_run(&agent.agent_end, &agent.controller_end);
	give_back_stack();
	upatch_runtime_state.agent_tid = 0;
	return NULL;
}

static int create_thread(void)
{
	pthread_attr_t attr;
	int ret;

	agent.runs = 0;
	ret = pthread_attr_init(&attr);
	if (ret)
		return -ret;
	ret = pthread_attr_setstack(&attr, agent.stack, agent.stack_len);
	if (!ret)
		ret = pthread_create(&agent.thread, &attr, agent_main, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

/* A child that was forked during an operation has no agent, only its ends. */
static void forget_agent_of_parent(void)
{
	if (agent.pid == getpid())
		return;
	if (agent.joinable && upatch_runtime_state.agent_tid) {
		descriptor_close(&agent.agent_end);
		descriptor_close(&agent.controller_end);
	}
	agent.joinable = false;
	agent.pid = getpid();
	state_end_change_of_parent();
	upatch_runtime_state.agent_tid = 0;
}

static int add_thread_locals(struct dl_phdr_info *object, size_t size,
			     void *total)
{
	size_t *len = total;

	(void)size;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];

		if (header->p_type == PT_TLS)
			*len += header->p_memsz + header->p_align;
	}
	return 0;
}

/*
 * glibc lays thread-local variables on a thread's stack, and there are
 * programs with megabytes of them.
 */
static size_t stack_len(void)
{
	size_t len = AGENT_STACK_LEN;

	(void)dl_iterate_phdr(add_thread_locals, &len);
	return (len + ARCH_PAGE_LEN - 1) & ~(ARCH_PAGE_LEN - 1);
}

/*
 * The stack is ours and stays: glibc would keep one of its own in a cache of
 * the process, and the target would see a mapping come and not go.
 */
static int get_stack(void)
{
	size_t len;
	void *stack;

	if (agent.stack)
		return 0;
	len = stack_len();
	stack = mmap(NULL, len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE,
		     -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	agent.stack = stack;
	agent.stack_len = len;
	return 0;
}

static int start_agent(void)
{
	int fds[2];
	int ret;

	/*
	 * A child can be forked before the agent runs: it needs the state.  And
	 * where no agent can be started the next command tries again.
	 */
	state_init();
	forget_agent_of_parent();
	if (agent.joinable && pthread_tryjoin_np(agent.thread, NULL))
		return -EBUSY;
	agent.joinable = false;
	ret = get_stack();
	if (ret)
		return ret;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	ret = descriptor_note(&agent.agent_end, fds[0]);
	if (!ret)
		ret = descriptor_note(&agent.controller_end, fds[1]);
	if (!ret)
		ret = create_thread();
	if (ret) {
		close(fds[0]);
		close(fds[1]);
		return ret;
	}
	agent.joinable = true;
	return fds[1];
}

/*
 * Here a controller takes the thread back.  The agent does not run before that,
 * unless the controller is dead.  Without a time-out, as the kernel remembers
 * one interrupted call with a time-out, and that is the program's own.
 */
static void await_controller(struct host_report *report, int fd)
{
	report->value = fd;
	__atomic_store_n(&report->state, HOST_STARTED, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&agent.runs, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &agent.runs, FUTEX_WAIT_PRIVATE, 0, NULL,
			NULL, 0);
	__atomic_store_n(&report->state, HOST_LEAVES, __ATOMIC_RELEASE);
}

/*
 * Runs in the borrowed thread.  Its signals are blocked, which the agent
 * inherits; the frame it returns through has its own mask.  Leaves the number
 * of the controller's end of the socket, or -errno, in the state.
 */
int upatch_runtime_start(struct host_report *report)
{
	const uint64_t blocked = RT_BLOCKED_SIGNALS;
	int saved_errno = errno;
	int ret;

	/* pthread_sigmask would leave out the C library's own signals. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL,
		sizeof(blocked));
	ret = start_agent();
	upatch_runtime_state.start_result = ret;
	errno = saved_errno;
	if (ret >= 0)
		await_controller(report, ret);
	errno = saved_errno;
	return ret;
}

/* Where a thread enters if the runtime is there. */
void upatch_runtime_enter(struct host_report *report)
{
	int ret = upatch_runtime_start(report);

	if (ret >= 0)
		return;
	report->value = ret;
	__atomic_store_n(&report->state, HOST_FAILED, __ATOMIC_RELEASE);
	for (volatile int left = 16 * HOST_FAILED_ROUNDS; left > 0; left--)
		;
	__atomic_store_n(&report->state, HOST_LEAVES, __ATOMIC_RELEASE);
}
