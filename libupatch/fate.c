/* SPDX-License-Identifier: MIT */
/* Whether a target is still the process, and the program, that was opened. */
#include "fate.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "loader.h"
#include "tasks.h"

/*
 * ptrace(2) knows of a fatal signal before the process has ended, and of an
 * execve before the program is another one.
 */
#define PATIENCE_TRIES 500
#define PAUSE_NS       1000000L

int fate_open(struct fate *fate, pid_t pid, struct upatch_error *err)
{
	*fate = (struct fate){
		.pid = pid,
		.pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
	};
	if (fate->pidfd < 0 && errno == ESRCH)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "no process %d", pid);
	/* EINVAL until Linux 6.14 */
	if (fate->pidfd < 0 && (errno == EINVAL || errno == ENOENT))
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "%d is a thread, and no process", pid);
	if (fate->pidfd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot open process %d", pid);
	fate->headers = loader_find_headers(pid);
	return 0;
}

void fate_close(struct fate *fate)
{
	if (fate->pidfd >= 0)
		close(fate->pidfd);
	fate->pidfd = -1;
}

static bool has_ended(const struct fate *fate)
{
	struct pollfd end = { .fd = fate->pidfd, .events = POLLIN };

	return poll(&end, 1, 0) > 0;
}

/* The memory of a program that is gone reads as empty. */
static bool is_program_gone(const struct fate *fate,
			    const struct memory *memory)
{
	char probe;

	return fate->headers && memory->mem_fd >= 0 &&
	       memory_read_some(memory, fate->headers, &probe, sizeof(probe)) ==
		       0;
}

/*
 * execve takes the old memory away after it has set the new one, which shows
 * what it executes; at the end of a process there is no new one.
 */
static bool executes_another(const struct fate *fate)
{
	char path[32], exe[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/exe", fate->pid);
	return readlink(path, exe, sizeof(exe)) > 0 && !has_ended(fate);
}

bool fate_is_gone(const struct fate *fate, const struct memory *memory)
{
	return has_ended(fate) || is_program_gone(fate, memory);
}

static int report(const struct fate *fate, struct upatch_error *err)
{
	if (executes_another(fate))
		return error_set(
			err, UPATCH_ERROR_NO_TARGET, 0,
			"process %d has called execve: the patches are gone with the old program",
			fate->pid);
	return error_set(err, UPATCH_ERROR_NO_TARGET, 0, "process %d ended",
			 fate->pid);
}

/*
 * A thread is; the others follow, or it is execve that ends them.  A main
 * thread that has ended stays for as long as there are others.
 */
static bool is_ending(pid_t pid)
{
	bool found = false;
	size_t count;
	pid_t *tids;

	if (tasks_list(pid, &tids, &count, NULL))
		return true;
	for (size_t i = 0; i < count && !found; i++)
		found = !tasks_has_ended(tasks_state(pid, tids[i])) &&
			tasks_is_ending(tids[i]);
	free(tids);
	return found;
}

int fate_explain(const struct fate *fate, const struct memory *memory, int ret,
		 struct upatch_error *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	bool is_hinted = ret == UPATCH_ERROR_NO_TARGET ||
			 (err && err->saved_errno == ESRCH);

	if (!ret)
		return 0;
	for (int i = 0; i < PATIENCE_TRIES; i++) {
		if (fate_is_gone(fate, memory))
			return report(fate, err);
		if (!is_hinted && !is_ending(fate->pid))
			break;
		nanosleep(&pause, NULL);
	}
	return ret;
}
