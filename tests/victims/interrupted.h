/* SPDX-License-Identifier: MIT */
/* The system calls of tests/victims/interrupted.c, one row each. */
#ifndef VICTIMS_INTERRUPTED_H
#define VICTIMS_INTERRUPTED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How long each call takes: by its time-out, or until `wake`. */
#define LASTS_MS 2000L

struct work {
	const struct row *row;
	/* who makes the call */
	pthread_t thread;
	/* -1: none; those that are open are closed after the call */
	int fds[4];
	pid_t child;
	int queue;
	void *memory;
	unsigned long begin_ns;

	long result;
	int error;
	/* what the call has stored, or done, besides */
	long detail;
	unsigned long ns;
	unsigned long wake_ns;
	atomic_bool done;
	/* it returned before its time */
	bool is_early;
};

struct row {
	const char *name;
	/* by the thread that makes the call, before */
	void (*open)(struct work *work);
	/* the result, and errno if that is -1 */
	long (*call)(struct work *work);
	/* by another thread, after LASTS_MS */
	void (*wake)(struct work *work);
	void (*close)(struct work *work);
};

/* Both end with a row without a name. */
extern const struct row transfer_rows[], wait_rows[];

struct timespec lasts(void);
struct timespec lasts_until(clockid_t clock);
struct timeval lasts_timeval(void);
/* Whoever makes the call gets it. */
void wake_by_signal(struct work *work);
/* How many of those have been handled. */
extern atomic_int handled;

#endif
