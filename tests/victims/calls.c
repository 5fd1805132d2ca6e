/* SPDX-License-Identifier: MIT */
/*
 * Threads that make system calls without pause and notice one that was made
 * twice, not at all, or failed.
 * usage: calls MODE N (the main thread is one of the N)
 * report: how many calls since the last report, how many of them were wrong,
 *         the lowest free descriptor, and the result of work(1).
 */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CALLS_PER_LOOK 256

struct caller {
	pthread_t thread;
	int fds[2];
	/* the next byte, or how many calls the counter does not show yet */
	uint64_t sequence;
	atomic_ulong calls, wrong;
};

static atomic_bool stopping;

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static void expect(struct caller *caller, bool is_right)
{
	caller->calls++;
	caller->wrong += !is_right || errno != 0;
	errno = 0;
}

static void open_counter(struct caller *caller)
{
	caller->fds[0] = eventfd(0, EFD_CLOEXEC);
}

/* The kernel counts as well. */
static void call_write(struct caller *caller)
{
	uint64_t one = 1;
	uint64_t sum;

	expect(caller, write(caller->fds[0], &one, sizeof(one)) == sizeof(one));
	if (++caller->sequence < CALLS_PER_LOOK)
		return;
	expect(caller, read(caller->fds[0], &sum, sizeof(sum)) == sizeof(sum) &&
			       sum == caller->sequence);
	caller->sequence = 0;
}

static void open_pipe(struct caller *caller)
{
	if (pipe(caller->fds) != 0)
		victim_die("pipe");
}

/* A byte too many or too few, and all that follow are wrong. */
static void call_pipe(struct caller *caller)
{
	unsigned char sent = (unsigned char)caller->sequence++;
	unsigned char received;

	expect(caller, write(caller->fds[1], &sent, 1) == 1);
	expect(caller,
	       read(caller->fds[0], &received, 1) == 1 && received == sent);
}

static void open_duplicate(struct caller *caller)
{
	caller->fds[0] = eventfd(0, EFD_CLOEXEC);
}

/* A close that is made twice fails; a dup that is made twice leaks. */
static void call_dup(struct caller *caller)
{
	int fd = dup(caller->fds[0]);

	expect(caller, fd >= 0);
	expect(caller, close(fd) == 0);
}

static const struct mode {
	const char *name;
	void (*open)(struct caller *caller);
	void (*call)(struct caller *caller);
} modes[] = {
	{ "write", open_counter, call_write },
	{ "pipe", open_pipe, call_pipe },
	{ "dup", open_duplicate, call_dup },
};

static const struct mode *mode;

static void call_many(struct caller *caller)
{
	for (int i = 0; i < CALLS_PER_LOOK; i++)
		mode->call(caller);
}

static void *run_caller(void *arg)
{
	while (!stopping)
		call_many(arg);
	return NULL;
}

static void report(struct caller *callers, unsigned int count)
{
	unsigned long calls = 0, wrong = 0;
	int free_fd = dup(STDIN_FILENO);

	close(free_fd);
	for (unsigned int i = 0; i < count; i++) {
		calls += atomic_exchange(&callers[i].calls, 0);
		wrong += atomic_exchange(&callers[i].wrong, 0);
	}
	victim_say("report calls=%lu wrong=%lu free_fd=%d work=%d", calls,
		   wrong, free_fd, work(1));
}

/* The main thread calls, too, and looks for a command in between. */
static void call_and_obey(struct caller *callers, unsigned int count)
{
	struct pollfd command = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[64];

	for (;;) {
		call_many(&callers[0]);
		if (poll(&command, 1, 0) == 0)
			continue;
		if (!victim_next_command(line, sizeof(line)))
			return;
		report(callers, count);
	}
}

int main(int argc, char **argv)
{
	struct caller *callers;
	unsigned int count;

	victim_init();
	if (argc != 3)
		victim_die("usage: calls MODE N");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, argv[1]) == 0)
			mode = &modes[i];
	}
	if (mode == NULL)
		victim_die("unknown mode");
	count = (unsigned int)strtoul(argv[2], NULL, 10);
	callers = calloc(count, sizeof(*callers));
	for (unsigned int i = 0; i < count; i++)
		mode->open(&callers[i]);
	for (unsigned int i = 1; i < count; i++) {
		pthread_create(&callers[i].thread, NULL, run_caller,
			       &callers[i]);
		/* A thread begins with its signals blocked. */
		while (callers[i].calls == 0)
			usleep(200);
	}
	victim_say("ready");
	errno = 0;
	call_and_obey(callers, count);
	stopping = true;
	for (unsigned int i = 1; i < count; i++)
		pthread_join(callers[i].thread, NULL);
	free(callers);
	return 0;
}
