/* SPDX-License-Identifier: MIT */
/*
 * Threads that are nearly always inside the function that is replaced.
 * usage: waiter THREADS busy|CALL_MS
 * busy: they compute there, 1 ms a call, and are outside for a microsecond.
 * Else each call sleeps so long; every return is a line: CLOCK_MONOTONIC, ns.
 * "ready" is a line, too: all threads are there.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define BUSY_NS	   1000000UL
#define OUTSIDE_NS 1000UL

static bool is_busy;
static long call_ms;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void compute(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

__attribute__((noipa, used)) static int work(int x)
{
	const struct timespec nap = { .tv_sec = call_ms / 1000,
				      .tv_nsec = call_ms % 1000 * 1000000 };

	if (is_busy)
		compute(BUSY_NS);
	else
		nanosleep(&nap, NULL);
	return x + 1;
}

static void *run(void *unused)
{
	for (int x = 0;;) {
		x = work(x);
		if (is_busy)
			compute(OUTSIDE_NS);
		else
			printf("%lu\n", (unsigned long)now_ns());
	}
	return unused;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	is_busy = strcmp(argv[2], "busy") == 0;
	call_ms = strtol(argv[2], NULL, 10);
	for (long i = strtol(argv[1], NULL, 10); i > 0; i--) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, run, NULL))
			return 1;
	}
	puts("ready");
	for (;;)
		pause();
}
