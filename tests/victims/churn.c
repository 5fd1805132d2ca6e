/* SPDX-License-Identifier: MIT */
/*
 * Fifteen threads that malloc, free, dlopen and dlclose without pause, one
 * that creates and joins threads, and one that calls work().
 * usage: churn idle|busy|turns LIBRARY
 * busy: the main thread waits for commands inside stdio, where it holds a
 * lock of libc, so that no thread is idle but the caller between its calls.
 * turns: only one at a time has the library open, so that it comes and goes.
 * round: results of calls that began since; `loops` of the slowest thread.
 * hold, free: one more thread is inside held().
 */
#include "victim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHURNER_COUNT 15
#define BLOCK_COUNT   32

static atomic_bool stopping;
static atomic_ulong loop_count[CHURNER_COUNT + 1];
static atomic_ulong current_round, done_round, old_count, new_count;
static const char *library;
static bool takes_turns;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static int held_fds[2], free_fds[2];

static void pass_token(int fd)
{
	if (write(fd, "", 1) != 1)
		victim_die("write");
}

static void take_token(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		victim_die("read");
}

static REPLACED int held(void)
{
	pass_token(held_fds[1]);
	take_token(free_fds[0]);
	return step;
}

static void *run_held(void *arg)
{
	held();
	return arg;
}

static void churn_memory(unsigned int seed)
{
	void *blocks[BLOCK_COUNT];

	for (int i = 0; i < BLOCK_COUNT; i++) {
		seed = seed * 1103515245u + 12345u;
		blocks[i] = malloc(seed % 100000 + 1);
		memset(blocks[i], 0, 1);
	}
	for (int i = 0; i < BLOCK_COUNT; i++)
		free(blocks[i]);
}

static void *run_churner(void *arg)
{
	atomic_ulong *loops = arg;

	while (!stopping) {
		void *handle;

		if (takes_turns)
			pthread_mutex_lock(&turn);
		handle = dlopen(library, RTLD_NOW);
		if (handle == NULL || dlsym(handle, "target_a") == NULL)
			victim_die(dlerror());
		if (!takes_turns)
			churn_memory((unsigned int)*loops);
		dlclose(handle);
		if (takes_turns)
			pthread_mutex_unlock(&turn);
		if (takes_turns)
			churn_memory((unsigned int)*loops);
		(*loops)++;
	}
	return NULL;
}

static void *do_nothing(void *arg)
{
	return arg;
}

static void *run_creator(void *arg)
{
	atomic_ulong *loops = arg;

	while (!stopping) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, do_nothing, NULL) != 0)
			victim_die("pthread_create");
		pthread_join(thread, NULL);
		(*loops)++;
	}
	return NULL;
}

static void *run_caller(void *arg)
{
	while (!stopping) {
		unsigned long round = current_round;
		int result = work(1);

		if (round == current_round) {
			old_count += result == 2;
			new_count += result == 3;
			done_round = round;
		}
		usleep(1000);
	}
	return arg;
}

static void report_round(void)
{
	unsigned long least = (unsigned long)-1;
	unsigned long round;

	old_count = new_count = 0;
	round = ++current_round;
	while (done_round != round)
		usleep(1000);
	for (int i = 0; i <= CHURNER_COUNT; i++) {
		unsigned long loops = atomic_exchange(&loop_count[i], 0);

		if (loops < least)
			least = loops;
	}
	victim_say("round old=%d new=%d loops=%lu", old_count != 0,
		   new_count != 0, least);
}

static bool next_command(bool busy, char *line, size_t size)
{
	if (busy)
		return fgets(line, (int)size, stdin) != NULL;
	return victim_next_command(line, size);
}

static void obey(const char *command)
{
	static pthread_t holder;

	if (strcmp(command, "hold") == 0) {
		if (pthread_create(&holder, NULL, run_held, NULL) != 0)
			victim_die("pthread_create");
		take_token(held_fds[0]);
		victim_say("held");
	} else if (strcmp(command, "free") == 0) {
		pass_token(free_fds[1]);
		pthread_join(holder, NULL);
		victim_say("free");
	} else {
		report_round();
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[CHURNER_COUNT + 2];
	char command[64];
	bool busy;

	victim_init();
	if (argc != 3)
		victim_die("usage: churn idle|busy|turns LIBRARY");
	busy = strcmp(argv[1], "busy") == 0;
	takes_turns = strcmp(argv[1], "turns") == 0;
	library = argv[2];
	if (pipe(held_fds) != 0 || pipe(free_fds) != 0)
		victim_die("pipe");
	for (int i = 0; i < CHURNER_COUNT; i++)
		pthread_create(&threads[i], NULL, run_churner, &loop_count[i]);
	pthread_create(&threads[CHURNER_COUNT], NULL, run_creator,
		       &loop_count[CHURNER_COUNT]);
	pthread_create(&threads[CHURNER_COUNT + 1], NULL, run_caller, NULL);
	victim_say("ready");
	while (next_command(busy, command, sizeof(command)))
		obey(command);
	stopping = true;
	for (int i = 0; i < CHURNER_COUNT + 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
