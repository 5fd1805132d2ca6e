/* SPDX-License-Identifier: MIT */
/* What /proc/PID/task says about the threads of a process. */
#ifndef UPATCH_TASKS_H
#define UPATCH_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/call_timeout.h"
#include "error.h"

/* All thread ids; *ret_tids is freed with free(). */
UPATCH_MUST_CHECK int tasks_list(pid_t pid, pid_t **ret_tids, size_t *ret_count,
				 struct upatch_error *err);

/* The first thread that fits, or 0. */
pid_t tasks_find(pid_t pid, bool (*fits)(pid_t pid, pid_t tid, const void *arg),
		 const void *arg);

enum task_kind {
	TASK_THREAD,
	/* a thread that the kernel made for itself (io_uring): no user code */
	TASK_KERNEL_WORKER,
	/* ended, a zombie, or no thread of this process */
	TASK_GONE,
};
enum task_kind tasks_kind(pid_t pid, pid_t tid);

/*
 * The main thread or, once that has ended, the first one that has not; `pid`
 * if there is none.  Under the number of a thread that has ended, /proc and
 * process_vm_readv(2) show nothing of what the others still share: memory,
 * descriptors, root.  It can end at any time, too: to be asked for anew.
 */
pid_t tasks_first_living(pid_t pid);
/* "/proc/N/FILE", where N is that thread. */
void tasks_path(pid_t pid, const char *file, char *buf, size_t size);
/* Opens that; -1 and errno. */
int tasks_open(pid_t pid, const char *file, int flags);
/* Reads that link, and ends it with a NUL; -1 and errno. */
ssize_t tasks_readlink(pid_t pid, const char *file, char *buf, size_t size);

struct task_status {
	char state;	       /* letter of proc(5) */
	pid_t tracer;	       /* or 0 */
	int seccomp;	       /* enum seccomp_mode */
	uint64_t capabilities; /* effective ones */
	/* returns are checked against a shadow stack (Linux 6.6) */
	bool has_shadow_stack;
	uint64_t blocked; /* signals, bit 0: signal 1 */
	uint64_t ignored; /* also those whose default is to be ignored */
};
/* What the text of /proc/PID/status says. */
void tasks_parse_status(const char *text, struct task_status *ret_status);
/* Everything from one look; false: it is gone. */
bool tasks_status(pid_t pid, pid_t tid, struct task_status *ret_status);
/*
 * The user whose process it is; 0 where its user ids differ, as it can be
 * root again.  False: it is gone.
 */
bool tasks_owner(pid_t pid, uid_t *ret_owner);
/* Who traces the thread: its pid and name, or 0. */
pid_t tasks_tracer(pid_t pid, pid_t tid, char *ret_name, size_t size);
/* Whether it is ending: SIGKILL has been sent to it, and the like. */
bool tasks_is_ending(pid_t tid);
/* State letter of proc(5), or 0. */
char tasks_state(pid_t pid, pid_t tid);
/* Stopped by a signal; threads that are traced do not show it. */
bool tasks_is_stopped(pid_t pid);
/* Such a letter: of a thread that is there in name only. */
bool tasks_has_ended(char state);
/* Its name; "?" if it is gone. */
void tasks_comm(pid_t pid, pid_t tid, char *ret_comm, size_t size);
/* The number that the thread has in the innermost pid namespace it is in. */
pid_t tasks_inner_tid(pid_t pid, pid_t tid);
/*
 * The number that the thread has in the /proc that the process sees; false:
 * there is none, or the process is not in it.
 */
bool tasks_number_inside(pid_t pid, pid_t tid, pid_t *ret_number);
/* Pages mapped, and those among them that are private and writable. */
bool tasks_memory(pid_t pid, unsigned long *ret_total,
		  unsigned long *ret_private);
/* The thread with that number in its innermost pid namespace, or 0. */
pid_t tasks_find_inner(pid_t pid, pid_t inner_tid);
/* The thread of that name, or 0. */
pid_t tasks_find_comm(pid_t pid, const char *comm);
/* The system call it waits in, -1 if it runs or that is not known. */
long tasks_syscall(pid_t pid, pid_t tid);
/* The system call that a thread is in. */
struct task_call {
	uint64_t number, arguments[ARCH_CALL_ARGUMENTS];
	uint64_t sp, pc;
};
/*
 * False: it is in none, or runs.  Where it is stopped inside a call, that is
 * shown as well.
 */
bool tasks_call(pid_t pid, pid_t tid, struct task_call *ret_call);
/* Where the program waits. */
struct task_place {
	uint64_t sp, pc;
};
/* False: it waits in no system call, or that is not known. */
bool tasks_waits_at(pid_t pid, pid_t tid, struct task_place *ret_place);
/* A wait until a word of memory is changed, without a time-out (futex(2)). */
struct task_futex {
	uint64_t addr;	/* of the word */
	uint32_t value; /* that it waits to see changed */
	uint64_t pc;
};
/* FUTEX_WAIT_PRIVATE, as locks of the C library do it. */
bool tasks_waits_for_futex(pid_t pid, pid_t tid, struct task_futex *ret_wait);
/* How often it has gone to sleep; false: that is not known. */
bool tasks_sleep_count(pid_t pid, pid_t tid, uint64_t *ret_count);

#endif
