/* SPDX-License-Identifier: MIT */
/*
 * Facts about a process from /proc, for tests.
 */
#ifndef SUPPORT_PROCFS_H
#define SUPPORT_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* TracerPid, 0: none; -1: no such process. */
pid_t procfs_tracer(pid_t pid);
/* False as well while the process is gone. */
bool procfs_no_thread_is_stopped(pid_t pid);
/* True when the state of thread `tid` is one of the letters in `states`. */
bool procfs_is_in_state(pid_t pid, pid_t tid, const char *states);
/* The main thread or, when that has ended, one that has not. */
pid_t procfs_first_living(pid_t pid);
/* One field of /proc/PID/task/TID/status, "" if it is not there. */
void procfs_status_field(pid_t pid, pid_t tid, const char *field, char *text,
			 size_t size);

/* Calls `visit` for the numbers that stand in /proc/PID/`dir`. */
void procfs_for_each(pid_t pid, const char *dir,
		     void (*visit)(pid_t pid, int number, void *arg),
		     void *arg);
/* Calls `visit` with `pid` 0 and each process number. */
void procfs_for_each_process(void (*visit)(pid_t pid, int number, void *arg),
			     void *arg);

#endif
