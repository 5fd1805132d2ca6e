/* SPDX-License-Identifier: MIT */
/*
 * A program that a test starts: pipes to its stdin and from its stdout, lines
 * with deadlines, its end.
 */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	/* -1 when closed */
	int stdin_fd;
	int stdout_fd;
	/* -1 unless asked for; else stderr goes where the test's goes */
	int stderr_fd;
	/* received from stdout, not yet taken as lines */
	char pending[8192];
	size_t pending_len;
};

enum child_flags {
	CHILD_CATCH_STDERR = 1,
	/* stdout and stderr go to /dev/null */
	CHILD_QUIET = 2,
	/* for programs of the system: SIGTERM when the test dies */
	CHILD_DIES_WITH_TEST = 4
};

/*
 * Starts argv[0] (searched in PATH) with default signal dispositions and an
 * empty signal mask.  Fails the test if that is not possible.
 */
void child_start(struct child *child, const char *const argv[],
		 unsigned int flags);

/* Sends `line` and a newline.  False if the program no longer reads. */
bool child_send(struct child *child, const char *line);

/*
 * The next line of stdout without its newline, in storage of the child that
 * the next call overwrites.  NULL: end of file, or `limit_ms` went by.
 */
const char *child_read_line(struct child *child, int limit_ms);

/*
 * Closes stdin, which ends every program of ours, and waits.  Kills it when
 * `limit_ms` goes by.  The status is waitpid's.  Does nothing, and returns 0,
 * for a child that was never started or has been stopped.
 */
int child_stop(struct child *child, int limit_ms);

/* As child_stop, but begins with SIGTERM. */
int child_terminate(struct child *child, int limit_ms);

/* Waits for the end without asking for it.  False: it still runs. */
bool child_wait(struct child *child, int limit_ms, int *ret_status);

#endif
