/* SPDX-License-Identifier: MIT */
/*
 * Four threads that call setegid() all the time: libc sends each thread a
 * signal of its own then, and waits until all have answered, under a lock that
 * pthread_create takes as well.  Two that create threads, with stacks that libc
 * has kept: for the beginning of such a thread setegid() waits, too.  And one
 * that waits as setegid() does then, but in a word of the program's own.
 * round: the result of work(), once each of the six has got on.
 */
#include "victim.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLERS	 4
#define CREATORS 2
#define WORKERS	 (CALLERS + CREATORS)

static atomic_ulong turn_count[WORKERS];

/* setxid_mark_thread, nptl/nptl_setxid.c */
#define AWAITED (uint32_t) - 2
static atomic_uint own_word = AWAITED;

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

static void *run_created(void *arg)
{
	work(1);
	return arg;
}

static void *run_creator(void *arg)
{
	atomic_ulong *count = arg;
	pthread_t thread;

	for (;;) {
		if (pthread_create(&thread, NULL, run_created, NULL) ||
		    pthread_join(thread, NULL))
			victim_die("pthread_create");
		(*count)++;
	}
	return NULL;
}

static void *run_waiter(void *arg)
{
	while (own_word == AWAITED)
		syscall(SYS_futex, &own_word, FUTEX_WAIT_PRIVATE, AWAITED, NULL,
			NULL, 0);
	victim_die("the word was written to");
	return arg;
}

static void await_round(void)
{
	for (int i = 0; i < WORKERS; i++) {
		const unsigned long before = turn_count[i];

		while (turn_count[i] == before)
			usleep(1000);
	}
}

int main(void)
{
	pthread_t thread;
	char command[64];

	victim_init();
	if (pthread_create(&thread, NULL, run_waiter, NULL))
		victim_die("pthread_create");
	for (int i = 0; i < WORKERS; i++) {
		if (pthread_create(&thread, NULL,
				   i < CALLERS ? run_caller : run_creator,
				   &turn_count[i]))
			victim_die("pthread_create");
	}
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		await_round();
		victim_say("work=%d", work(1));
	}
	return 0;
}
