/* SPDX-License-Identifier: MIT */
/* Descriptors of the target. */
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tasks.h"

/* pidfd_open(2): a thread in place of its process, since Linux 6.9. */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static int open_thread(pid_t tid)
{
	return (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
}

static int fetch(int pidfd, int target_fd)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, target_fd, 0);
}

int fetch_descriptor(pid_t pid, int pidfd, int target_fd)
{
	int fd = fetch(pidfd, target_fd);
	int saved_errno = errno;

	/* Or EBADF, in older kernels: an ended main thread has none. */
	while (fd < 0 && (saved_errno == ESRCH || saved_errno == EBADF)) {
		pid_t tid = tasks_first_living(pid);
		int thread_fd = tid == pid ? -1 : open_thread(tid);

		if (thread_fd >= 0) {
			fd = fetch(thread_fd, target_fd);
			saved_errno = errno;
			close(thread_fd);
		}
		/* If that one has ended as well, there may be others. */
		if (tasks_first_living(pid) == tid)
			break;
	}
	errno = saved_errno;
	return fd;
}

bool fetch_is_possible(pid_t pid)
{
	pid_t tid = tasks_first_living(pid);
	int fd = tid == pid ? -1 : open_thread(tid);

	if (fd >= 0)
		close(fd);
	return tid == pid || fd >= 0 || errno != EINVAL;
}
