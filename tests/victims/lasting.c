/* SPDX-License-Identifier: MIT */
/*
 * Makes phases of an operation last.
 * hold, free: one more thread is inside held().
 * sort, out: the main thread is inside qsort, as the other one always is:
 * there is no thread that could be borrowed.
 * vfork: a thread waits for its vfork child, which never ends.
 * call: what work() and other() return.
 */
#include "victim.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int held_fds[2], free_fds[2];
static atomic_int forking_tid;

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static REPLACED int held(void)
{
	char byte = 0;

	if (write(held_fds[1], &byte, 1) != 1 ||
	    read(free_fds[0], &byte, 1) != 1)
		victim_die("held");
	return step;
}

static int compare_held(const void *a, const void *b)
{
	(void)a;
	(void)b;
	return held() - 1;
}

static void *run_held(void *arg)
{
	int numbers[2] = { 0 };

	qsort(numbers, 2, sizeof(numbers[0]), compare_held);
	return arg;
}

/* Until the next line comes, whatever it says. */
static int compare_late(const void *a, const void *b)
{
	char command[64];

	(void)a;
	(void)b;
	victim_say("sorting");
	if (!victim_next_command(command, sizeof(command)))
		_exit(0);
	return 0;
}

static void *run_vfork(void *arg)
{
	forking_tid = gettid();
	if (vfork() == 0) {
		/* It has the parent's memory: system calls and no more. */
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			syscall(SYS_pause);
	}
	return arg;
}

static bool waits_for_child(void)
{
	char path[64], text[128] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", forking_tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strstr(text, ") D ");
}

static void obey(const char *command)
{
	static pthread_t holder, forker;
	int numbers[2] = { 0 };
	char byte = 0;

	if (strcmp(command, "hold") == 0) {
		pthread_create(&holder, NULL, run_held, NULL);
		if (read(held_fds[0], &byte, 1) != 1)
			victim_die("read");
		victim_say("held");
	} else if (strcmp(command, "free") == 0) {
		if (write(free_fds[1], &byte, 1) != 1)
			victim_die("write");
		pthread_join(holder, NULL);
		victim_say("free");
	} else if (strcmp(command, "sort") == 0) {
		qsort(numbers, 2, sizeof(numbers[0]), compare_late);
		victim_say("out");
	} else if (strcmp(command, "vfork") == 0) {
		pthread_create(&forker, NULL, run_vfork, NULL);
		while (!waits_for_child())
			usleep(1000);
		victim_say("forked");
	} else {
		victim_say("work=%d", work(1));
	}
}

int main(void)
{
	char command[64];

	victim_init();
	if (pipe(held_fds) != 0 || pipe(free_fds) != 0)
		victim_die("pipe");
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		obey(command);
	_exit(0);
}
