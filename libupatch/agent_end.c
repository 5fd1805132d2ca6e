/* SPDX-License-Identifier: MIT */
/* Waits for the end of an agent that is not ours. */
#include "agent_end.h"

#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "clock.h"
#include "fetch.h"
#include "tasks.h"
#include "tracer.h"

/*
 * One whose controller was killed before it said hello is there for nearly as
 * long.
 */
#define END_NS	 1000000000UL
#define PAUSE_NS 1000000L

/*
 * The other end of the agent's socket is closed: it will end when it looks
 * there again.
 */
static bool has_no_controller(const struct process *process)
{
	const upatch_addr_t addr =
		process->state_addr + offsetof(struct rt_state, agent_fd);
	struct pollfd end = { .events = POLLRDHUP };
	int32_t agent_fd;
	bool is_closed;
	int pidfd;

	if (memory_read_some(&process->memory, addr, &agent_fd,
			     sizeof(agent_fd)) != sizeof(agent_fd))
		return false;
	pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (pidfd < 0)
		return false;
	end.fd = fetch_descriptor(process->pid, pidfd, agent_fd);
	is_closed = end.fd >= 0 && poll(&end, 1, 0) == 1 &&
		    end.revents & (POLLHUP | POLLRDHUP);
	if (end.fd >= 0)
		close(end.fd);
	close(pidfd);
	return is_closed;
}

/* What an agent without a controller is busy with; false: nothing known. */
static bool describe_call(const struct process *process, char *buf, size_t size)
{
	struct running_call calls[RT_CALLS];
	struct view view;
	bool found;

	if (view_read(&process->memory, process->state_addr, &view, NULL))
		return false;
	found = calls_find(process, &view, calls) > 0;
	if (found)
		calls_describe(&calls[0], buf, size);
	view_free(&view);
	return found;
}

static int report(const struct process *process, struct upatch_error *err)
{
	char call[512];

	if (!describe_call(process, call, sizeof(call)))
		return error_set(err, UPATCH_ERROR_BUSY, 0,
				 "another operation is at work in process %d",
				 process->pid);
	return error_set(
		err, UPATCH_ERROR_BUSY, 0,
		"a callback is running in process %d and has not returned: %s",
		process->pid, call);
}

pid_t agent_end_find(const struct process *process)
{
	const upatch_addr_t addr =
		process->state_addr + offsetof(struct rt_state, agent_tid);
	uint32_t tid;

	if (!process->state_addr)
		return tasks_find_comm(process->pid, RT_AGENT_COMM);
	if (memory_read_some(&process->memory, addr, &tid, sizeof(tid)) !=
		    sizeof(tid) ||
	    tid == 0)
		return 0;
	return tasks_find_inner(process->pid, (pid_t)tid);
}

/* While it ends it has no number any more. */
static bool is_there(const struct process *process, pid_t agent)
{
	return agent && tasks_kind(process->pid, agent) != TASK_GONE;
}

int agent_end_wait(const struct process *process, uint64_t deadline_ns,
		   struct upatch_error *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	const uint64_t begin = clock_now_ns();
	pid_t agent = agent_end_find(process);

	/* It may be at its very beginning, or its end. */
	if (!agent)
		nanosleep(&pause, NULL);
	while (is_there(process, agent)) {
		const uint64_t now = clock_now_ns();

		if (asked_to_stop(&process->asked))
			return asked_report(err);
		if (now >= begin + END_NS &&
		    (now >= deadline_ns || !has_no_controller(process)))
			return report(process, err);
		nanosleep(&pause, NULL);
	}
	return 0;
}
