/* SPDX-License-Identifier: MIT */
/*
 * The floor of every patcher that stops all threads: stops those of a process
 * once, does nothing, lets them go; prints how long that took.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 4096

static pid_t tids[THREADS_MAX];
static size_t count;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "stop_all: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void list_threads(const char *pid)
{
	char path[64];
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	folder = opendir(path);
	if (!folder)
		die(path);
	while ((entry = readdir(folder)) && count < THREADS_MAX) {
		if (entry->d_name[0] != '.')
			tids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(folder);
}

static void request_of_all(enum __ptrace_request request)
{
	for (size_t i = 0; i < count; i++) {
		if (ptrace(request, tids[i], NULL, NULL))
			die("ptrace");
	}
}

static void wait_for_all(void)
{
	for (size_t i = 0; i < count; i++) {
		if (waitpid(-1, NULL, __WALL) < 0)
			die("waitpid");
	}
}

int main(int argc, char **argv)
{
	uint64_t begin, stop, end;

	if (argc != 2)
		die("usage: stop_all PID");
	list_threads(argv[1]);
	begin = now_ns();
	request_of_all(PTRACE_SEIZE);
	stop = now_ns();
	request_of_all(PTRACE_INTERRUPT);
	wait_for_all();
	request_of_all(PTRACE_CONT);
	end = now_ns();
	printf("{\"seize_us\": %.1f, \"barrier_us\": %.1f}\n",
	       (double)(stop - begin) / 1e3, (double)(end - stop) / 1e3);
	/* The end of the tracer detaches what it traces (ptrace(2)). */
	return 0;
}
