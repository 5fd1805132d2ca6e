/* SPDX-License-Identifier: MIT */
/*
 * A plugin whose thread waits for jobs in the very function that the patch
 * replaces.  It is not made to be closed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static sem_t jobs;
/* volatile: or a compiler puts the constant into the caller. */
static const char *volatile version = "1.0";

void post_job(void);

void post_job(void)
{
	sem_post(&jobs);
}

__attribute__((noinline, noclone)) static const char *take_job(void)
{
	while (sem_wait(&jobs))
		;
	return version;
}

static void *work(void *unused)
{
	for (;;)
		printf("busy %s: a job is done\n", take_job());
	return unused;
}

__attribute__((constructor)) static void begin(void)
{
	pthread_t thread;

	sem_init(&jobs, 0, 0);
	if (!pthread_create(&thread, NULL, work, NULL)) {
		pthread_setname_np(thread, "busy");
		pthread_detach(thread);
	}
}
