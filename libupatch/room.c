/* SPDX-License-Identifier: MIT */
/* Limits of the target, its /proc and vfork, looked at before it is entered. */
#include "room.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch_thread.h"
#include "clock.h"
#include "fetch.h"
#include "group.h"
#include "tasks.h"
#include "tracer.h"

/* The agent's end of the socket, the patch, and the loader's view of it. */
#define DESCRIPTORS 3
/* The runtime, two stacks of 512 KiB, what the loader and malloc add. */
#define FIRST_LEN (4UL << 20)
/* A patch, and pages for gates. */
#define LATER_LEN (1UL << 20)
/*
 * What of these is written to: the kernel charged 160 to 410 KiB for the first,
 * in steps of 256 KiB, and nothing for a small patch.
 */
#define FIRST_TOUCHED_LEN (1UL << 20)
#define LATER_TOUCHED_LEN (256UL << 10)

static rlim_t limit_of(pid_t pid, __rlimit_resource_t resource)
{
	struct rlimit limit;

	return prlimit(pid, resource, NULL, &limit) ? RLIM_INFINITY
						    : limit.rlim_cur;
}

/* Numbers below `limit` that are in use, as far as `limit` itself. */
static rlim_t count_descriptors(pid_t pid, rlim_t limit)
{
	const struct dirent *entry;
	rlim_t count = 0;
	int fd = tasks_open(pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir && fd >= 0)
		close(fd);
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    strtoul(entry->d_name, NULL, 10) < limit)
			count++;
	}
	closedir(dir);
	return count;
}

static int check_descriptors(pid_t pid, struct upatch_error *err)
{
	rlim_t limit = limit_of(pid, RLIMIT_NOFILE);

	if (limit == RLIM_INFINITY ||
	    count_descriptors(pid, limit) + DESCRIPTORS <= limit)
		return 0;
	return error_set(
		err, UPATCH_ERROR_UNSUPPORTED, 0,
		"process %d has less than %d descriptors left of its limit of %lu (RLIMIT_NOFILE)",
		pid, DESCRIPTORS, limit);
}

/* The kernel compares the same numbers in mm/mmap.c, may_expand_vm. */
static int check_memory(pid_t pid, size_t len, struct upatch_error *err)
{
	unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
	unsigned long total = 0, private = 0;
	rlim_t all = limit_of(pid, RLIMIT_AS);
	rlim_t data = limit_of(pid, RLIMIT_DATA);
	const char *name = NULL;

	if (all == RLIM_INFINITY && data == RLIM_INFINITY)
		return 0;
	if (!tasks_memory(pid, &total, &private))
		return 0;
	if (all != RLIM_INFINITY && total * page + len > all)
		name = "RLIMIT_AS";
	else if (data != RLIM_INFINITY && private * page + len > data)
		name = "RLIMIT_DATA";
	if (!name)
		return 0;
	return error_set(
		err, UPATCH_ERROR_UNSUPPORTED, 0,
		"process %d has less than %zu KiB of memory left to its limit (%s)",
		pid, len / 1024, name);
}

/*
 * Beyond a group's limit of memory the kernel kills, and beyond that of tasks
 * the runtime would be loaded in vain.
 */
static int check_groups(pid_t pid, size_t memory_len, struct upatch_error *err)
{
	char name[128];

	if (group_lacks(pid, GROUP_MEMORY, memory_len, name, sizeof(name)))
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"process %d has less than %zu KiB of memory left in its control group '%s'",
			pid, memory_len / 1024, name);
	if (group_lacks(pid, GROUP_TASKS, 1, name, sizeof(name)))
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"process %d may have no more threads in its control group '%s' (pids.max)",
			pid, name);
	return 0;
}

/* A write beyond it would send SIGXFSZ, also to a memory file. */
static int check_file_size(pid_t pid, size_t runtime_len,
			   struct upatch_error *err)
{
	if (runtime_len <= limit_of(pid, RLIMIT_FSIZE))
		return 0;
	return error_set(
		err, UPATCH_ERROR_UNSUPPORTED, 0,
		"process %d may not write a file of %zu bytes (RLIMIT_FSIZE), which the runtime is loaded from",
		pid, runtime_len);
}

static int check_fetching(pid_t pid, struct upatch_error *err)
{
	if (fetch_is_possible(pid))
		return 0;
	return error_set(
		err, UPATCH_ERROR_UNSUPPORTED, 0,
		"the main thread of process %d has ended, and this kernel hands out no descriptors of the others (Linux 6.9 does)",
		pid);
}

/* The loader is given paths in it. */
static int check_proc(pid_t pid, struct upatch_error *err)
{
	pid_t number;

	if (tasks_number_inside(pid, pid, &number))
		return 0;
	return error_set(
		err, UPATCH_ERROR_UNSUPPORTED, 0,
		"process %d cannot load the runtime: its root has no /proc in which it sees itself",
		pid);
}

static bool is_in_vfork(pid_t pid, pid_t tid, const void *arg)
{
	(void)arg;
	/* Uninterruptible, as such a thread is. */
	return tasks_state(pid, tid) == 'D' &&
	       arch_can_be_vfork(tasks_syscall(pid, tid));
}

int room_wait_for_vfork(const struct process *process, uint64_t deadline_ns,
			struct upatch_error *err)
{
	const pid_t pid = process->pid;
	const struct timespec pause = { .tv_nsec = 1000000 };
	pid_t tid;

	while ((tid = tasks_find(pid, is_in_vfork, NULL))) {
		if (asked_to_stop(&process->asked))
			return asked_report(err);
		if (clock_now_ns() >= deadline_ns)
			return error_set(
				err, UPATCH_ERROR_TIMED_OUT, 0,
				"thread %d of process %d does not stop: it waits for a vfork child",
				tid, pid);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int room_check(pid_t pid, size_t runtime_len, struct upatch_error *err)
{
	int ret = check_fetching(pid, err);

	if (!ret)
		ret = check_proc(pid, err);
	if (!ret)
		ret = check_file_size(pid, runtime_len, err);
	if (!ret)
		ret = check_descriptors(pid, err);
	if (!ret)
		ret = check_memory(pid, runtime_len ? FIRST_LEN : LATER_LEN,
				   err);
	if (!ret)
		ret = check_groups(pid,
				   runtime_len ? FIRST_TOUCHED_LEN
					       : LATER_TOUCHED_LEN,
				   err);
	return ret;
}
