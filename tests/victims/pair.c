/* SPDX-License-Identifier: MIT */
/*
 * outer() calls first() and second() and waits between them; the three belong
 * together, old or new.  Threads count the calls in which they do not agree.
 * usage: pair N [PAUSE_MS]
 * With PAUSE_MS one more thread waits so long in the middle of every call.
 * report: calls of the slowest thread and mixes of all, since the last one.
 */
#include "pair_functions.h"
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_bool stopping;

struct caller {
	pthread_t thread;
	void (*pause)(void);
	atomic_ulong call_count, old_count, new_count, mix_count;
};

static unsigned int pause_us;

static void yield(void)
{
	sched_yield();
}

static void sit(void)
{
	usleep(pause_us);
}

static void *call_all_the_time(void *arg)
{
	struct caller *caller = arg;

	while (!stopping) {
		struct versions versions = { .pause = caller->pause };

		outer(&versions);
		caller->call_count++;
		if (versions.first != versions.outer ||
		    versions.second != versions.outer)
			caller->mix_count++;
		else if (versions.outer == 1)
			caller->old_count++;
		else
			caller->new_count++;
	}
	return NULL;
}

static void report(struct caller *callers, unsigned int count)
{
	unsigned long least = (unsigned long)-1;
	unsigned long old_count = 0, new_count = 0, mix_count = 0;

	for (unsigned int i = 0; i < count; i++) {
		unsigned long calls =
			atomic_exchange(&callers[i].call_count, 0);

		if (calls < least)
			least = calls;
		old_count += atomic_exchange(&callers[i].old_count, 0);
		new_count += atomic_exchange(&callers[i].new_count, 0);
		mix_count += atomic_exchange(&callers[i].mix_count, 0);
	}
	victim_say("report least=%lu old=%lu new=%lu mixes=%lu", least,
		   old_count, new_count, mix_count);
}

int main(int argc, char **argv)
{
	struct caller *callers;
	unsigned int count;
	char command[64];

	victim_init();
	if (argc < 2)
		victim_die("usage: pair N [PAUSE_MS]");
	count = (unsigned int)strtoul(argv[1], NULL, 10);
	callers = calloc(count + 1, sizeof(*callers));
	for (unsigned int i = 0; i < count; i++)
		callers[i].pause = yield;
	if (argc > 2) {
		pause_us = (unsigned int)strtoul(argv[2], NULL, 10) * 1000;
		callers[count++].pause = sit;
	}
	for (unsigned int i = 0; i < count; i++) {
		if (pthread_create(&callers[i].thread, NULL, call_all_the_time,
				   &callers[i]) != 0)
			victim_die("pthread_create");
	}
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		report(callers, count);
	stopping = true;
	for (unsigned int i = 0; i < count; i++)
		pthread_join(callers[i].thread, NULL);
	return 0;
}
