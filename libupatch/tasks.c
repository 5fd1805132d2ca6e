/* SPDX-License-Identifier: MIT */
/* What /proc/PID/task says about the threads of a process. */
#include "tasks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch_thread.h"
#include "kernel_file.h"

/* include/linux/sched.h; field 9 of /proc/PID/stat */
#define PF_EXITING     0x00000004UL
#define PF_KTHREAD     0x00200000UL
#define PF_IO_WORKER   0x00000010UL
#define PF_USER_WORKER 0x00004000UL

/* include/linux/pid_namespace.h, MAX_PID_NS_LEVEL, and the first one */
#define NAMESPACES_MAX 33

/* Each time another thread has ended in the instant in which it was asked. */
#define READ_TRIES 16
#define LIST_TRIES 64

static bool read_task_file(pid_t pid, pid_t tid, const char *file, char *buf,
			   size_t size)
{
	return kernel_file_read(buf, size, "/proc/%d/task/%d/%s", pid, tid,
				file);
}

static int append_tid(pid_t **tids, size_t *count, size_t *capacity, pid_t tid)
{
	if (*count == *capacity) {
		size_t grown = *capacity ? 2 * *capacity : 64;
		pid_t *more = realloc(*tids, grown * sizeof(**tids));

		if (!more)
			return -ENOMEM;
		*tids = more;
		*capacity = grown;
	}
	(*tids)[(*count)++] = tid;
	return 0;
}

int tasks_list(pid_t pid, pid_t **ret_tids, size_t *ret_count,
	       struct upatch_error *err)
{
	size_t count = 0, capacity = 0;
	struct dirent *entry;
	pid_t *tids = NULL;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir && errno != ENOENT && errno != ESRCH)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot list the threads of process %d", pid);
	if (!dir)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "process %d ended", pid);
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (append_tid(&tids, &count, &capacity,
			       (pid_t)strtol(entry->d_name, NULL, 10))) {
			free(tids);
			closedir(dir);
			return error_set(
				err, UPATCH_ERROR_NO_MEMORY, 0,
				"out of memory for the threads of process %d",
				pid);
		}
	}
	closedir(dir);
	*ret_tids = tids;
	*ret_count = count;
	return 0;
}

/* Points behind "(comm) " of a stat line; the name may contain anything. */
static const char *stat_fields(const char *stat)
{
	const char *end = strrchr(stat, ')');

	return end && end[1] == ' ' ? end + 2 : NULL;
}

bool tasks_has_ended(char state)
{
	return state == 'Z' || state == 'X';
}

/* False: it is gone. */
static bool read_flags(pid_t pid, pid_t tid, char *ret_state,
		       unsigned long *ret_flags)
{
	const char *fields;
	char stat[1024];

	if (!read_task_file(pid, tid, "stat", stat, sizeof(stat)))
		return false;
	fields = stat_fields(stat);
	return fields && sscanf(fields, "%c %*d %*d %*d %*d %*d %lu", ret_state,
				ret_flags) == 2;
}

enum task_kind tasks_kind(pid_t pid, pid_t tid)
{
	unsigned long flags;
	char state;

	if (!read_flags(pid, tid, &state, &flags) || tasks_has_ended(state))
		return TASK_GONE;
	if (flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER))
		return TASK_KERNEL_WORKER;
	return TASK_THREAD;
}

static bool is_exiting(pid_t pid, pid_t tid)
{
	unsigned long flags;
	char state;

	return !read_flags(pid, tid, &state, &flags) ||
	       tasks_has_ended(state) || (flags & PF_EXITING);
}

/* A thread gives up its memory before it is a zombie. */
static pid_t find_living(pid_t pid, const pid_t *tids, size_t count,
			 bool *ret_is_complete)
{
	const unsigned long unfit =
		PF_EXITING | PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER;

	*ret_is_complete = true;
	for (size_t i = 0; i < count; i++) {
		unsigned long flags;
		char state;

		if (!read_flags(pid, tids[i], &state, &flags))
			*ret_is_complete = false;
		else if (!tasks_has_ended(state) && !(flags & unfit))
			return tids[i];
	}
	return 0;
}

/*
 * Where a thread goes while it is listed, the list ends with it (next_tid,
 * fs/proc/base.c): those that it has created may be missing.
 */
pid_t tasks_first_living(pid_t pid)
{
	bool is_complete = false;
	pid_t found = 0;

	if (!is_exiting(pid, pid))
		return pid;
	for (int i = 0; i < LIST_TRIES && !found && !is_complete; i++) {
		size_t count;
		pid_t *tids;

		if (tasks_list(pid, &tids, &count, NULL))
			break;
		found = find_living(pid, tids, count, &is_complete);
		free(tids);
	}
	return found ? found : pid;
}

void tasks_path(pid_t pid, const char *file, char *buf, size_t size)
{
	snprintf(buf, size, "/proc/%d/%s", tasks_first_living(pid), file);
}

static int open_of(pid_t number, const char *file, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", number, file);
	return open(path, flags);
}

int tasks_open(pid_t pid, const char *file, int flags)
{
	pid_t number = tasks_first_living(pid);
	int fd = open_of(number, file, flags);

	for (int i = 0; i < READ_TRIES; i++) {
		int saved_errno = errno;
		pid_t before = number;

		if (fd >= 0 && number == pid)
			break;
		/* A file of one that has just ended may open, and be empty. */
		number = tasks_first_living(pid);
		errno = saved_errno;
		if (number == before)
			break;
		if (fd >= 0)
			close(fd);
		fd = open_of(number, file, flags);
	}
	return fd;
}

ssize_t tasks_readlink(pid_t pid, const char *file, char *buf, size_t size)
{
	ssize_t len = -1;

	for (int i = 0; len < 0 && i < READ_TRIES; i++) {
		pid_t number = tasks_first_living(pid);
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/%s", number, file);
		len = readlink(path, buf, size - 1);
		if (number == pid)
			break;
	}
	if (len >= 0)
		buf[len] = '\0';
	return len;
}

/* What stands behind "KEY:" in a status file; "": nothing. */
static const char *status_field(const char *status, const char *key)
{
	const char *line = strstr(status, key);

	return line ? line + strlen(key) : "";
}

bool tasks_is_ending(pid_t tid)
{
	char status[4096];
	uint64_t pending;

	if (!read_task_file(tid, tid, "status", status, sizeof(status)) ||
	    is_exiting(tid, tid))
		return true;
	pending = strtoull(status_field(status, "\nSigPnd:"), NULL, 16) |
		  strtoull(status_field(status, "\nShdPnd:"), NULL, 16);
	return pending >> (SIGKILL - 1) & 1;
}

char tasks_state(pid_t pid, pid_t tid)
{
	const char *fields;
	char stat[1024];

	if (!read_task_file(pid, tid, "stat", stat, sizeof(stat)))
		return 0;
	fields = stat_fields(stat);
	return fields ? fields[0] : 0;
}

pid_t tasks_find(pid_t pid, bool (*fits)(pid_t pid, pid_t tid, const void *arg),
		 const void *arg)
{
	pid_t found = 0;
	size_t count;
	pid_t *tids;

	if (tasks_list(pid, &tids, &count, NULL))
		return 0;
	for (size_t i = 0; i < count && !found; i++) {
		if (fits(pid, tids[i], arg))
			found = tids[i];
	}
	free(tids);
	return found;
}

static bool is_stopped(pid_t pid, pid_t tid, const void *arg)
{
	(void)arg;
	return tasks_state(pid, tid) == 'T';
}

bool tasks_is_stopped(pid_t pid)
{
	return tasks_find(pid, is_stopped, NULL) != 0;
}

void tasks_comm(pid_t pid, pid_t tid, char *ret_comm, size_t size)
{
	if (!read_task_file(pid, tid, "comm", ret_comm, size))
		snprintf(ret_comm, size, "?");
	ret_comm[strcspn(ret_comm, "\n")] = '\0';
}

/* signal(7): those whose default action is to be ignored, or to continue. */
static uint64_t ignored_signals(const char *status)
{
	const uint64_t by_default = 1UL << (SIGCHLD - 1) | 1UL << (SIGURG - 1) |
				    1UL << (SIGWINCH - 1) |
				    1UL << (SIGCONT - 1);
	uint64_t ignored =
		strtoull(status_field(status, "\nSigIgn:"), NULL, 16);
	uint64_t caught = strtoull(status_field(status, "\nSigCgt:"), NULL, 16);

	return ignored | (by_default & ~caught);
}

static bool line_has(const char *line, const char *word)
{
	const char *found = strstr(line, word);

	return found && found < line + strcspn(line, "\n");
}

void tasks_parse_status(const char *text, struct task_status *ret_status)
{
	*ret_status = (struct task_status){
		.state = status_field(text, "\nState:\t")[0],
		.tracer = (pid_t)strtol(status_field(text, "\nTracerPid:"),
					NULL, 10),
		.seccomp =
			(int)strtol(status_field(text, "\nSeccomp:"), NULL, 10),
		.capabilities =
			strtoull(status_field(text, "\nCapEff:"), NULL, 16),
		.has_shadow_stack =
			line_has(status_field(text, ARCH_STATUS_FEATURES),
				 ARCH_STATUS_SHADOW_STACK),
		.blocked = strtoull(status_field(text, "\nSigBlk:"), NULL, 16),
		.ignored = ignored_signals(text),
	};
}

bool tasks_status(pid_t pid, pid_t tid, struct task_status *ret_status)
{
	char status[4096];

	if (!read_task_file(pid, tid, "status", status, sizeof(status)))
		return false;
	tasks_parse_status(status, ret_status);
	return true;
}

bool tasks_owner(pid_t pid, uid_t *ret_owner)
{
	char status[4096];
	uid_t real, effective, saved;

	if (!read_task_file(pid, pid, "status", status, sizeof(status)) ||
	    sscanf(status_field(status, "\nUid:"), "%u %u %u", &real,
		   &effective, &saved) != 3)
		return false;
	*ret_owner = real == effective && real == saved ? real : 0;
	return true;
}

pid_t tasks_tracer(pid_t pid, pid_t tid, char *ret_name, size_t size)
{
	struct task_status status;

	if (!tasks_status(pid, tid, &status))
		return 0;
	if (status.tracer > 0)
		tasks_comm(status.tracer, status.tracer, ret_name, size);
	return status.tracer;
}

long tasks_syscall(pid_t pid, pid_t tid)
{
	char line[256];

	if (!read_task_file(pid, tid, "syscall", line, sizeof(line)) ||
	    !isdigit((unsigned char)line[0]))
		return -1;
	return strtol(line, NULL, 10);
}

bool tasks_call(pid_t pid, pid_t tid, struct task_call *ret_call)
{
	struct task_call call;
	uint64_t *arguments = call.arguments;
	char line[256];

	if (!read_task_file(pid, tid, "syscall", line, sizeof(line)) ||
	    sscanf(line, "%lu %lx %lx %lx %lx %lx %lx %lx %lx", &call.number,
		   &arguments[0], &arguments[1], &arguments[2], &arguments[3],
		   &arguments[4], &arguments[5], &call.sp, &call.pc) != 9)
		return false;
	*ret_call = call;
	return true;
}

bool tasks_waits_at(pid_t pid, pid_t tid, struct task_place *ret_place)
{
	struct task_call call;

	if (!tasks_call(pid, tid, &call))
		return false;
	*ret_place = (struct task_place){ .sp = call.sp, .pc = call.pc };
	return true;
}

bool tasks_waits_for_futex(pid_t pid, pid_t tid, struct task_futex *ret_wait)
{
	struct task_call call;

	if (!tasks_call(pid, tid, &call) || call.number != SYS_futex ||
	    call.arguments[1] != FUTEX_WAIT_PRIVATE)
		return false;
	*ret_wait = (struct task_futex){
		.addr = call.arguments[0],
		.value = (uint32_t)call.arguments[2],
		.pc = call.pc,
	};
	return true;
}

bool tasks_sleep_count(pid_t pid, pid_t tid, uint64_t *ret_count)
{
	char status[4096];
	const char *count;

	if (!read_task_file(pid, tid, "status", status, sizeof(status)))
		return false;
	count = status_field(status, "\nvoluntary_ctxt_switches:");
	*ret_count = strtoull(count, NULL, 10);
	return *count;
}

static bool has_comm(pid_t pid, pid_t tid, const void *comm)
{
	char name[32];

	tasks_comm(pid, tid, name, sizeof(name));
	return !strcmp(name, comm);
}

pid_t tasks_find_comm(pid_t pid, const char *comm)
{
	return tasks_find(pid, has_comm, comm);
}

/*
 * "NSpid:" lists the numbers from the reader's namespace inwards.  Returns how
 * many.
 */
static size_t read_numbers(pid_t pid, pid_t tid, pid_t *numbers, size_t max)
{
	char status[4096];
	const char *at;
	size_t count = 0;

	if (!read_task_file(pid, tid, "status", status, sizeof(status)))
		return 0;
	at = status_field(status, "\nNSpid:");
	while (*at == '\t' && count < max) {
		char *end;

		numbers[count++] = (pid_t)strtol(at + 1, &end, 10);
		at = end;
	}
	return count;
}

pid_t tasks_inner_tid(pid_t pid, pid_t tid)
{
	pid_t numbers[NAMESPACES_MAX];
	size_t count = read_numbers(pid, tid, numbers, NAMESPACES_MAX);

	return count ? numbers[count - 1] : tid;
}

static bool has_inner_tid(pid_t pid, pid_t tid, const void *inner_tid)
{
	return tasks_inner_tid(pid, tid) == *(const pid_t *)inner_tid;
}

pid_t tasks_find_inner(pid_t pid, pid_t inner_tid)
{
	/* Mostly it is in our namespace. */
	if (tasks_kind(pid, inner_tid) == TASK_THREAD &&
	    tasks_inner_tid(pid, inner_tid) == inner_tid)
		return inner_tid;
	return tasks_find(pid, has_inner_tid, &inner_tid);
}

/*
 * When the process of that number began, field 22, in the /proc of a root, or
 * in ours (AT_FDCWD); 0: it is not there.
 */
static unsigned long read_start(int root_fd, pid_t number)
{
	const char *root = root_fd == AT_FDCWD ? "/" : "";
	unsigned long start = 0;
	const char *fields;
	char path[32], stat[1024];

	snprintf(path, sizeof(path), "%sproc/%d/stat", root, number);
	if (!kernel_file_take(openat(root_fd, path, O_RDONLY | O_CLOEXEC), stat,
			      sizeof(stat)))
		return 0;
	fields = stat_fields(stat);
	if (!fields ||
	    sscanf(fields,
		   "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lu",
		   &start) != 1)
		return 0;
	return start;
}

bool tasks_number_inside(pid_t pid, pid_t tid, pid_t *ret_number)
{
	pid_t pids[NAMESPACES_MAX], tids[NAMESPACES_MAX];
	size_t count = read_numbers(pid, pid, pids, NAMESPACES_MAX);
	unsigned long start = read_start(AT_FDCWD, pid);
	bool found = false;
	int root_fd;

	if (!start || read_numbers(pid, tid, tids, NAMESPACES_MAX) != count)
		return false;
	root_fd = tasks_open(pid, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (root_fd >= 0 && !found && count--) {
		found = read_start(root_fd, pids[count]) == start;
		if (found)
			*ret_number = tids[count];
	}
	if (root_fd >= 0)
		close(root_fd);
	return found;
}

bool tasks_memory(pid_t pid, unsigned long *ret_total,
		  unsigned long *ret_private)
{
	unsigned long total, private;
	char statm[256];

	if (!kernel_file_take(tasks_open(pid, "statm", O_RDONLY | O_CLOEXEC),
			      statm, sizeof(statm)) ||
	    sscanf(statm, "%lu %*u %*u %*u %*u %lu", &total, &private) != 2)
		return false;
	*ret_total = total;
	*ret_private = private;
	return true;
}
