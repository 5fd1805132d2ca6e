/* SPDX-License-Identifier: MIT */
/*
 * Everything at once: threads that call functions which belong together, and
 * count the calls in which they do not agree; threads that are born and end;
 * a library that comes and goes; children that call the same functions.
 * usage: stress LIBRARY
 * report: what happened since the last one, and what was wrong (mixes).
 */
#include "pair_functions.h"
#include "victim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLER_COUNT 3
#define PACE_US	     60000

static atomic_bool stopping;
static atomic_ulong call_count, mix_count, birth_count, open_count, fork_count;
static const char *library;

static void yield(void)
{
	sched_yield();
}

/* Longer than a short time-out of a test. */
static void sit(void)
{
	usleep(3 * PACE_US);
}

static bool call_outer(void (*pause)(void))
{
	struct versions versions = { .pause = pause };

	outer(&versions);
	return versions.first == versions.outer &&
	       versions.second == versions.outer;
}

static void count_call(void (*pause)(void))
{
	bool is_right = call_outer(pause);

	call_count++;
	mix_count += !is_right;
}

static void *run_caller(void *arg)
{
	while (!stopping) {
		count_call(yield);
		usleep(200);
	}
	return arg;
}

static void *run_sitter(void *arg)
{
	while (!stopping) {
		count_call(sit);
		usleep(2 * PACE_US);
	}
	return arg;
}

static void *run_short_life(void *arg)
{
	count_call(yield);
	return arg;
}

static void *run_creator(void *arg)
{
	while (!stopping) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, run_short_life, NULL) != 0)
			victim_die("pthread_create");
		pthread_join(thread, NULL);
		birth_count++;
		usleep(1000);
	}
	return arg;
}

static void *run_opener(void *arg)
{
	while (!stopping) {
		void *handle = dlopen(library, RTLD_NOW);
		int (*target)(int wait_fd);

		if (handle == NULL)
			victim_die(dlerror());
		*(void **)&target = dlsym(handle, "target_a");
		if (target(-1) < 1)
			victim_die("target_a");
		usleep(PACE_US);
		dlclose(handle);
		open_count++;
		usleep(PACE_US);
	}
	return arg;
}

/* Only what is safe after a fork. */
static void *run_forker(void *arg)
{
	while (!stopping) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0) {
			bool is_right = true;

			for (int i = 0; i < 20; i++)
				is_right = call_outer(yield) && is_right;
			_exit(is_right ? 0 : 1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			victim_die("fork");
		mix_count += status != 0;
		fork_count++;
		usleep(PACE_US);
	}
	return arg;
}

int main(int argc, char **argv)
{
	void *(*const runs[])(void *) = { run_sitter, run_creator, run_opener,
					  run_forker };
	pthread_t threads[CALLER_COUNT + sizeof(runs) / sizeof(runs[0])];
	const size_t count = sizeof(threads) / sizeof(threads[0]);
	char command[64];

	victim_init();
	if (argc != 2)
		victim_die("usage: stress LIBRARY");
	library = argv[1];
	for (size_t i = 0; i < count; i++)
		pthread_create(&threads[i], NULL,
			       i < CALLER_COUNT ? run_caller
						: runs[i - CALLER_COUNT],
			       NULL);
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		victim_say(
			"report calls=%lu births=%lu opens=%lu forks=%lu mixes=%lu",
			atomic_exchange(&call_count, 0),
			atomic_exchange(&birth_count, 0),
			atomic_exchange(&open_count, 0),
			atomic_exchange(&fork_count, 0), mix_count);
	stopping = true;
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
