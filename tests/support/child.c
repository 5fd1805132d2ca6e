/* SPDX-License-Identifier: MIT */
/*
 * Starting and ending programs.  posix_spawn, as a test must not continue C
 * code after fork.
 */
#include "child.h"

#include "deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

extern char **environ;

static void make_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC) != 0)
		cr_fatal("cannot make a pipe: %s", strerror(errno));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#define MAX_ARGS 32

/* `argv` behind setpriv(1), which becomes it. */
static const char *const *with_death_signal(const char *const argv[])
{
	static const char *words[MAX_ARGS + 4] = { "setpriv", "--pdeathsig",
						   "TERM" };
	size_t i;

	for (i = 0; argv[i] != NULL && i < MAX_ARGS; i++)
		words[i + 3] = argv[i];
	words[i + 3] = NULL;
	return words;
}

static void spawn(struct child *child, const char *const argv[],
		  posix_spawn_file_actions_t *actions)
{
	posix_spawnattr_t attr;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	error = posix_spawnp(&child->pid, argv[0], actions, &attr,
			     (char *const *)(const void *)argv, environ);
	posix_spawnattr_destroy(&attr);
	if (error != 0)
		cr_fatal("cannot start %s: %s", argv[0], strerror(error));
}

void child_start(struct child *child, const char *const argv[],
		 unsigned int flags)
{
	posix_spawn_file_actions_t actions;
	int in[2], out[2], err[2] = { -1, -1 };

	*child = (struct child){ .pid = -1, .stderr_fd = -1 };
	/* A program that is gone shows as a failed write, not as a signal. */
	signal(SIGPIPE, SIG_IGN);
	make_pipe(in);
	make_pipe(out);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	if (flags & CHILD_QUIET) {
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO,
						 "/dev/null", O_WRONLY, 0);
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO,
						 "/dev/null", O_WRONLY, 0);
	} else {
		posix_spawn_file_actions_adddup2(&actions, out[1],
						 STDOUT_FILENO);
	}
	if (flags & CHILD_CATCH_STDERR) {
		make_pipe(err);
		posix_spawn_file_actions_adddup2(&actions, err[1],
						 STDERR_FILENO);
	}
	if (flags & CHILD_DIES_WITH_TEST)
		argv = with_death_signal(argv);
	spawn(child, argv, &actions);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	close_fd(&err[1]);
	child->stdin_fd = in[1];
	child->stdout_fd = out[0];
	child->stderr_fd = err[0];
}

bool child_send(struct child *child, const char *line)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	return write(child->stdin_fd, text, (size_t)len) == len;
}

/* Takes the first line out of `pending`, if there is a whole one. */
static const char *take_line(struct child *child)
{
	static char line[sizeof(child->pending)];
	char *end = memchr(child->pending, '\n', child->pending_len);
	size_t len;

	if (end == NULL)
		return NULL;
	len = (size_t)(end - child->pending);
	memcpy(line, child->pending, len);
	line[len] = '\0';
	child->pending_len -= len + 1;
	memmove(child->pending, end + 1, child->pending_len);
	return line;
}

/* False: end of file, or nothing came in time. */
static bool receive(struct child *child, int64_t deadline_ms)
{
	struct pollfd ready = { .fd = child->stdout_fd, .events = POLLIN };
	size_t space = sizeof(child->pending) - child->pending_len;
	ssize_t len;

	if (poll(&ready, 1, deadline_left_ms(deadline_ms)) != 1)
		return false;
	len = read(child->stdout_fd, child->pending + child->pending_len,
		   space);
	if (len <= 0)
		return false;
	child->pending_len += (size_t)len;
	return true;
}

const char *child_read_line(struct child *child, int limit_ms)
{
	int64_t deadline_ms = deadline_now_ms() + limit_ms;

	for (;;) {
		const char *line = take_line(child);

		if (line != NULL)
			return line;
		if (!receive(child, deadline_ms))
			return NULL;
	}
}

struct wait_request {
	pid_t pid;
	int status;
};

static bool has_ended(void *arg)
{
	struct wait_request *request = arg;

	return waitpid(request->pid, &request->status, WNOHANG) != 0;
}

static void release(struct child *child)
{
	close_fd(&child->stdin_fd);
	close_fd(&child->stdout_fd);
	close_fd(&child->stderr_fd);
	child->pid = -1;
}

bool child_wait(struct child *child, int limit_ms, int *ret_status)
{
	struct wait_request request = { child->pid, 0 };

	if (!wait_until(has_ended, &request, limit_ms))
		return false;
	if (ret_status != NULL)
		*ret_status = request.status;
	release(child);
	return true;
}

int child_stop(struct child *child, int limit_ms)
{
	int status = 0;

	if (child->pid <= 0)
		return 0;
	close_fd(&child->stdin_fd);
	if (child_wait(child, limit_ms, &status))
		return status;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, &status, 0);
	release(child);
	return status;
}

int child_terminate(struct child *child, int limit_ms)
{
	if (child->pid > 0)
		kill(child->pid, SIGTERM);
	return child_stop(child, limit_ms);
}
