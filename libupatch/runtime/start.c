/* SPDX-License-Identifier: MIT */
/* Where a borrowed thread enters: it starts the agent and goes back. */
#include "runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGENT_STACK_LEN (512UL * 1024)

RT_EXPORT int upatch_runtime_start(void);

static struct {
	pthread_t thread;
	bool joinable;
	void *stack;
	int fds[2]; /* the agent's end, the controller's end */
} agent;

static void *agent_main(void *unused)
{
	(void)unused;
	state_init();
	pthread_setname_np(pthread_self(), "upatch-agent");
	upatch_runtime_state.agent_tid = (uint32_t)gettid();
	agent_run(agent.fds[0], agent.fds[1]);
	upatch_runtime_state.agent_tid = 0;
	return NULL;
}

static int create_thread(void)
{
	pthread_attr_t attr;
	int ret;

	ret = pthread_attr_init(&attr);
	if (ret)
		return -ret;
	ret = pthread_attr_setstack(&attr, agent.stack, AGENT_STACK_LEN);
	if (!ret)
		ret = pthread_create(&agent.thread, &attr, agent_main, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

/*
 * The stack is ours and stays: glibc would keep one of its own in a cache of
 * the process, and the target would see a mapping come and not go.
 */
static int prepare(void)
{
	if (agent.joinable) {
		if (pthread_tryjoin_np(agent.thread, NULL))
			return -EBUSY;
		agent.joinable = false;
	}
	if (!agent.stack) {
		void *stack =
			mmap(NULL, AGENT_STACK_LEN, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK |
				     MAP_NORESERVE,
			     -1, 0);
		if (stack == MAP_FAILED)
			return -errno;
		agent.stack = stack;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent.fds))
		return -errno;
	return 0;
}

/*
 * Runs in the borrowed thread with its signals blocked, which the agent
 * inherits.  Leaves the number of the controller's end of the socket, or
 * -errno, in the state.
 */
int upatch_runtime_start(void)
{
	int saved_errno = errno;
	int ret = prepare();

	if (!ret) {
		ret = create_thread();
		if (ret) {
			close(agent.fds[0]);
			close(agent.fds[1]);
		}
	}
	if (!ret) {
		agent.joinable = true;
		ret = agent.fds[1];
	}
	upatch_runtime_state.start_result = ret;
	errno = saved_errno;
	return ret;
}
