/* SPDX-License-Identifier: MIT */
/*
 * The main thread creates threads all the time; another one keeps the loader
 * from loading anything for longer than newborn threads are held.  The third
 * one is borrowed.
 */
#include "victim.h"

#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define LOADER_HELD_US 50000
#define GAP_US	       1000
#define COUNT_READY    20

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

static int create_for_ever(const void *a, const void *b)
{
	pthread_t thread;

	for (unsigned int count = 0;; count++) {
		if (count == COUNT_READY)
			victim_say("ready");
		if (pthread_create(&thread, NULL, do_nothing, NULL) != 0)
			victim_die("pthread_create");
		pthread_join(thread, NULL);
		usleep(GAP_US);
	}
	return a < b;
}

static int hold_loader(struct dl_phdr_info *object, size_t size, void *arg)
{
	(void)object;
	(void)size;
	(void)arg;
	usleep(LOADER_HELD_US);
	return 1;
}

static int hold_for_ever(const void *a, const void *b)
{
	for (;;) {
		dl_iterate_phdr(hold_loader, NULL);
		usleep(GAP_US);
	}
	return a < b;
}

/* Below qsort a thread is not borrowed. */
static void sort(int (*compare)(const void *a, const void *b))
{
	int numbers[2] = { 0 };

	qsort(numbers, 2, sizeof(numbers[0]), compare);
}

static void *run_holder(void *arg)
{
	sort(hold_for_ever);
	return arg;
}

static void *run_commands(void *arg)
{
	char command[64];

	while (victim_next_command(command, sizeof(command)))
		victim_say("work=%d", work(1));
	_exit(0);
	return arg;
}

int main(void)
{
	pthread_t thread;

	victim_init();
	if (pthread_create(&thread, NULL, run_holder, NULL) != 0 ||
	    pthread_create(&thread, NULL, run_commands, NULL) != 0)
		victim_die("pthread_create");
	sort(create_for_ever);
	return 0;
}
