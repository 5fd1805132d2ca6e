/* SPDX-License-Identifier: MIT */
/*
 * N threads that always compute, 1 ms a call of work(), and are outside of it
 * for a microsecond.  They have several priorities.
 * usage: crowd N
 * round: every thread calls at least once more; old/new results of the calls
 *        that began since.
 * count: see struct crowd_words; begins anew.
 * load PATH: two threads more are in work().  One leaves it when others are in
 *        new code for a while, and loads that library; then the other one.
 * gap: when both have left, the longest pause of a callback of the library.
 * seen: policy and nice value of the agent in pre_patch, and of what it has
 *       created.
 */
#include "crowd.h"

#include "victim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define OUTSIDE_NS 1000l
#define STACK_SIZE (64 * 1024)
/* One in so many has another nice value, another one another policy. */
#define VARIETY 8
/* What ends a call, besides its time. */
#define UNTIL_MOVED  1
#define MOVED_CALLS  300
#define UNTIL_LOADED 2

struct worker {
	pthread_t thread;
	unsigned int index;
	/* written by the worker, read by main after `done_round` */
	atomic_ulong round, done_round;
	atomic_ulong old_count, new_count;
};

/* Found by its name. */
struct crowd_words words;

static struct worker *workers;
static unsigned int worker_count;
static atomic_ulong current_round;
static volatile int step = 1;
static char library[4096];
static pthread_t loader, keeper;
static atomic_bool is_loaded;

static REPLACED int work(int x)
{
	do
		crowd_compute(CALL_NS);
	while ((x == UNTIL_MOVED && words.new_count < MOVED_CALLS) ||
	       (x == UNTIL_LOADED && !is_loaded));
	words.old_count++;
	words.new_before_old = words.new_count;
	return x + step;
}

static void choose_priority(unsigned int index)
{
	const struct sched_param none = { 0 };

	if (index % VARIETY == 1)
		(void)!setpriority(PRIO_PROCESS, (id_t)gettid(),
				   getpriority(PRIO_PROCESS, 0) + 1);
	if (index % VARIETY == 2)
		(void)!sched_setscheduler(0, SCHED_BATCH, &none);
	if (index % VARIETY == 3)
		(void)!sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK,
					  &none);
}

__attribute__((noreturn)) static void *run_worker(void *arg)
{
	struct worker *worker = arg;

	choose_priority(worker->index);
	for (;;) {
		unsigned long round = current_round;

		if (round != worker->round) {
			worker->old_count = worker->new_count = 0;
			worker->round = round;
		}
		if (work(0) == 1)
			worker->old_count++;
		else
			worker->new_count++;
		worker->done_round = round;
		crowd_compute(OUTSIDE_NS);
	}
}

static void report_round(void)
{
	unsigned long round = atomic_fetch_add(&current_round, 1) + 1;
	unsigned long old_count = 0, new_count = 0;

	for (unsigned int i = 0; i < worker_count; i++) {
		while (workers[i].done_round != round)
			usleep(200);
		old_count += workers[i].old_count;
		new_count += workers[i].new_count;
	}
	victim_say("round old=%lu new=%lu", old_count, new_count);
}

static void report_count(void)
{
	victim_say("count old=%lu new=%lu before=%lu", words.old_count,
		   words.new_count, words.new_before_old);
	words.old_count = words.new_count = words.new_before_old = 0;
}

static void report_seen(void)
{
	victim_say("seen agent=%d,%d thread=%d,%d process=%d,%d",
		   words.agent.policy, words.agent.nice, words.thread.policy,
		   words.thread.nice, words.process.policy, words.process.nice);
}

static void *run_loader(void *arg)
{
	work(UNTIL_MOVED);
	if (dlopen(library, RTLD_NOW) == NULL)
		victim_die("dlopen");
	is_loaded = true;
	return arg;
}

static void *run_keeper(void *arg)
{
	work(UNTIL_LOADED);
	return arg;
}

static void load(const char *path)
{
	snprintf(library, sizeof(library), "%s", path);
	if (pthread_create(&loader, NULL, run_loader, NULL) != 0 ||
	    pthread_create(&keeper, NULL, run_keeper, NULL) != 0)
		victim_die("pthread_create");
	victim_say("loading");
}

static void report_gap(void)
{
	pthread_join(loader, NULL);
	pthread_join(keeper, NULL);
	victim_say("gap ms=%ld", words.longest_gap_ns / 1000000);
}

static void start_all(unsigned int count)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	workers = calloc(count, sizeof(*workers));
	worker_count = count;
	for (unsigned int i = 0; i < count; i++) {
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, &attr, run_worker,
				   &workers[i]) != 0)
			victim_die("pthread_create");
	}
	pthread_attr_destroy(&attr);
}

int main(int argc, char *argv[])
{
	char command[4096];

	if (argc != 2)
		victim_die("usage: crowd N");
	victim_init();
	start_all((unsigned int)strtoul(argv[1], NULL, 10));
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		if (strcmp(command, "round") == 0)
			report_round();
		else if (strcmp(command, "count") == 0)
			report_count();
		else if (strncmp(command, "load ", 5) == 0)
			load(command + 5);
		else if (strcmp(command, "gap") == 0)
			report_gap();
		else if (strcmp(command, "seen") == 0)
			report_seen();
	}
	return 0;
}
