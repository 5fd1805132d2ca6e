/* SPDX-License-Identifier: MIT */
/*
 * Threads that allocate and free all the time, whatever allocator is
 * preloaded, the main thread among them: nobody waits in a call where it could
 * be borrowed.  One that is borrowed inside the allocator can hang for good.
 */
#include "../victim.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 4
#define BLOCKS	256
/* Beyond what allocators keep for each thread: their locks are taken. */
#define LEN_MAX	   300000
#define ROUND_STEP 100

static volatile int step = 1;
static unsigned long rounds;
static volatile int ends;

REPLACED int work(int x)
{
	return x + step;
}

static void exchange(char **blocks, unsigned int *seed)
{
	for (int i = 0; i < ROUND_STEP; i++) {
		unsigned int index = (unsigned int)rand_r(seed) % BLOCKS;

		free(blocks[index]);
		blocks[index] = malloc((size_t)(rand_r(seed) % LEN_MAX) + 1);
		if (blocks[index] == NULL)
			victim_die("malloc");
		blocks[index][0] = 1;
	}
}

static void *run(void *number)
{
	unsigned int seed = (unsigned int)(unsigned long)number;
	char *blocks[BLOCKS] = { 0 };

	while (!ends) {
		exchange(blocks, &seed);
		(void)work(1);
		__atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
	}
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return NULL;
}

/* All of them have got on since the question. */
static void wait_for_rounds(void)
{
	unsigned long before = __atomic_load_n(&rounds, __ATOMIC_RELAXED);

	while (__atomic_load_n(&rounds, __ATOMIC_RELAXED) - before <
	       2 * THREADS)
		sched_yield();
}

static bool has_command(void)
{
	struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&ready, 1, 0) == 1;
}

/* The next command; false at the end. */
static bool allocate_until_command(char *command, size_t size)
{
	static char *blocks[BLOCKS];
	unsigned int seed = THREADS;

	while (!has_command())
		exchange(blocks, &seed);
	return victim_next_command(command, size);
}

int main(void)
{
	pthread_t threads[THREADS];
	char command[64];

	victim_init();
	for (unsigned long i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, run, (void *)i) != 0)
			victim_die("pthread_create");
	}
	victim_say("ready");
	while (allocate_until_command(command, sizeof(command))) {
		wait_for_rounds();
		victim_say("work=%d", work(1));
	}
	ends = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
