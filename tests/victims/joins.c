/* SPDX-License-Identifier: MIT */
/*
 * The main thread, which is borrowed first, creates and joins threads without
 * pause, more than libc keeps the stacks of: pthread_join unmaps some.
 * calls: how often it has called work() since, waits for one.
 */
#include "victim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* libc keeps 40 MiB of stacks; these have 8 MiB each. */
#define CREATED_COUNT 12
#define STACK_LEN     (8UL << 20)

static atomic_bool stopping;
static atomic_ulong call_count;

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static void *do_nothing(void *arg)
{
	return arg;
}

static void *run_commands(void *arg)
{
	char command[64];

	while (victim_next_command(command, sizeof(command))) {
		call_count = 0;
		while (call_count == 0)
			usleep(100);
		victim_say("calls");
	}
	stopping = true;
	return arg;
}

static void create_and_join(const pthread_attr_t *attr)
{
	pthread_t threads[CREATED_COUNT];

	for (int i = 0; i < CREATED_COUNT; i++) {
		if (pthread_create(&threads[i], attr, do_nothing, NULL) != 0)
			victim_die("pthread_create");
	}
	for (int i = 0; i < CREATED_COUNT; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	pthread_attr_t attr;
	pthread_t commands;

	victim_init();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_LEN);
	if (pthread_create(&commands, NULL, run_commands, NULL) != 0)
		victim_die("pthread_create");
	victim_say("ready");
	while (!stopping) {
		create_and_join(&attr);
		(void)work(1);
		call_count++;
	}
	pthread_join(commands, NULL);
	return 0;
}
