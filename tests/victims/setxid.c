/* SPDX-License-Identifier: MIT */
/*
 * Four threads that call setegid() all the time: libc sends each thread a
 * signal of its own then, and waits until all have answered, under a lock that
 * pthread_create takes as well.
 * round: the result of work(), once each of them has come back from a call.
 */
#include "victim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define CALLERS 4

static atomic_ulong call_count[CALLERS];

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static void *run_caller(void *arg)
{
	atomic_ulong *count = arg;

	for (;;) {
		if (setegid(getegid()) != 0)
			victim_die("setegid");
		work(1);
		(*count)++;
	}
	return NULL;
}

static void await_round(void)
{
	for (int i = 0; i < CALLERS; i++) {
		const unsigned long before = call_count[i];

		while (call_count[i] == before)
			usleep(1000);
	}
}

int main(void)
{
	pthread_t thread;
	char command[64];

	victim_init();
	for (int i = 0; i < CALLERS; i++) {
		if (pthread_create(&thread, NULL, run_caller, &call_count[i]))
			victim_die("pthread_create");
	}
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		await_round();
		victim_say("work=%d", work(1));
	}
	return 0;
}
