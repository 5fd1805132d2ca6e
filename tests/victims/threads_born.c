/* SPDX-License-Identifier: MIT */
/*
 * Threads are created and end all the time; each calls work() twice.
 * usage: threads_born N (that many creators)
 * phase: which pairs of results the threads saw that lived wholly within the
 * last phase.  A thread that goes to one side never comes back in it.
 */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_bool stopping;
static atomic_ulong current_phase;
/* [first result][second result], 0: old, 1: new */
static atomic_ulong pair_count[2][2];
static atomic_ulong other_count;

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static void *run_short_life(void *arg)
{
	unsigned long phase = current_phase;
	int first, second;

	first = work(1) - 2;
	sched_yield();
	second = work(1) - 2;
	if (phase != current_phase)
		return arg;
	if (first < 0 || first > 1 || second < 0 || second > 1)
		other_count++;
	else
		pair_count[first][second]++;
	return arg;
}

static void *run_creator(void *arg)
{
	while (!stopping) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, run_short_life, NULL) != 0)
			victim_die("pthread_create");
		/* Every other one outlives its creator's interest. */
		if (arg != NULL)
			pthread_detach(thread);
		else
			pthread_join(thread, NULL);
		if (arg != NULL)
			usleep(300);
	}
	return NULL;
}

static void report_phase(void)
{
	victim_say(
		"phase old_old=%lu old_new=%lu new_old=%lu new_new=%lu other=%lu",
		atomic_exchange(&pair_count[0][0], 0),
		atomic_exchange(&pair_count[0][1], 0),
		atomic_exchange(&pair_count[1][0], 0),
		atomic_exchange(&pair_count[1][1], 0), other_count);
}

int main(int argc, char **argv)
{
	static char detaches;
	pthread_t *creators;
	unsigned int count;
	char command[64];

	victim_init();
	if (argc != 2)
		victim_die("usage: threads_born N");
	count = (unsigned int)strtoul(argv[1], NULL, 10);
	creators = calloc(count, sizeof(*creators));
	for (unsigned int i = 0; i < count; i++)
		pthread_create(&creators[i], NULL, run_creator,
			       i % 2 ? &detaches : NULL);
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		current_phase++;
		report_phase();
	}
	stopping = true;
	for (unsigned int i = 0; i < count; i++)
		pthread_join(creators[i], NULL);
	free(creators);
	return 0;
}
