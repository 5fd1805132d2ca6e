/* SPDX-License-Identifier: MIT */
/*
 * Shadow variables: what a look-up costs, alone and while others write, and
 * what an entry takes in memory.  usage: shadow [ENTRIES [THREADS]]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../libupatch/runtime/runtime.h"

#define LOOK_UPS 4000000UL
#define VALUE_ID 1

struct rt_state upatch_runtime_state = { .log_next = RT_LOG_NEXT(1, 0) };

/* As objects of a program: 64 bytes apart. */
struct object {
	char bytes[64];
};

static struct object *objects;
static unsigned long object_count = 1000000;
static unsigned int thread_count = 8;
static pthread_barrier_t barrier;
static atomic_bool stopping;

static void die(const char *what)
{
	fprintf(stderr, "shadow: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		die("/proc/self/statm");
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

struct reader {
	pthread_t thread;
	uint64_t seed;
	unsigned long span, id;
	bool chained; /* the next look-up waits for the result of the last */
	unsigned long found;
	double cpu_ns;
};

static void *look_up(void *arg)
{
	struct reader *reader = arg;
	uint64_t seed = reader->seed;
	double begin;

	pthread_barrier_wait(&barrier);
	begin = now_of(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned long i = 0; i < LOOK_UPS; i++) {
		unsigned long index = next_random(&seed) % reader->span;
		void *value = upatch_shadow_get(&objects[index], reader->id);

		reader->found += value != NULL;
		if (reader->chained)
			seed += (uintptr_t)value & 1;
	}
	reader->cpu_ns = now_of(CLOCK_THREAD_CPUTIME_ID) - begin;
	return NULL;
}

static void measure(const char *name, unsigned int threads, unsigned long span,
		    unsigned long id, bool chained)
{
	struct reader readers[64];
	double cpu_ns = 0, begin, wall_ns;
	unsigned long found = 0;

	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (unsigned int i = 0; i < threads; i++) {
		readers[i] = (struct reader){ .seed = i + 88172645463325252UL,
					      .span = span,
					      .id = id,
					      .chained = chained };
		if (pthread_create(&readers[i].thread, NULL, look_up,
				   &readers[i]))
			die("pthread_create");
	}
	pthread_barrier_wait(&barrier);
	begin = now_of(CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(readers[i].thread, NULL);
		cpu_ns += readers[i].cpu_ns;
		found += readers[i].found;
	}
	wall_ns = now_of(CLOCK_MONOTONIC) - begin;
	pthread_barrier_destroy(&barrier);
	printf("%-38s %2u threads: %6.1f ns of CPU per get, %6.1f million/s, %3.0f %% found\n",
	       name, threads, cpu_ns / threads / LOOK_UPS,
	       threads * LOOK_UPS / wall_ns * 1e3,
	       100.0 * (double)found / threads / LOOK_UPS);
}

static void *write_all_the_time(void *unused)
{
	uint64_t seed = 1;

	(void)unused;
	while (!atomic_load(&stopping)) {
		void *obj = &objects[next_random(&seed) % object_count];

		upatch_shadow_free(obj, VALUE_ID, NULL);
		upatch_shadow_alloc(obj, VALUE_ID, 8, NULL, NULL);
	}
	return NULL;
}

static void measure_beside_writer(void)
{
	pthread_t writer;

	if (pthread_create(&writer, NULL, write_all_the_time, NULL))
		die("pthread_create");
	measure("all, another thread writes", thread_count, object_count,
		VALUE_ID, false);
	atomic_store(&stopping, true);
	pthread_join(writer, NULL);
}

static void attach(unsigned long index)
{
	if (!upatch_shadow_alloc(&objects[index], VALUE_ID, 8, NULL, NULL))
		die("upatch_shadow_alloc");
}

static void fill(void)
{
	double before = resident_bytes();
	double begin = now_of(CLOCK_THREAD_CPUTIME_ID), total;

	for (unsigned long i = 0; i < object_count; i++)
		attach(i);
	total = now_of(CLOCK_THREAD_CPUTIME_ID) - begin;
	printf("alloc: %.0f ns of CPU each\n", total / (double)object_count);
	printf("memory per entry with a value of 8 bytes: %.1f bytes\n",
	       (resident_bytes() - before) / (double)object_count);
}

/* Once more, as reading the clock takes as long as the rest. */
static void fill_again(void)
{
	double longest = 0;

	upatch_shadow_free_all(VALUE_ID, NULL);
	for (unsigned long i = 0; i < object_count; i++) {
		double begin = now_of(CLOCK_THREAD_CPUTIME_ID), took;

		attach(i);
		took = now_of(CLOCK_THREAD_CPUTIME_ID) - begin;
		longest = took > longest ? took : longest;
	}
	printf("longest alloc: %.1f ms of CPU (a part of the table grows)\n",
	       longest / 1e6);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		object_count = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		thread_count = (unsigned int)strtoul(argv[2], NULL, 10);
	if (object_count < 1000 || thread_count < 1 || thread_count > 64) {
		fprintf(stderr, "usage: shadow [ENTRIES [THREADS]]\n");
		return 2;
	}
	objects = calloc(object_count, sizeof(*objects));
	if (!objects)
		die("calloc");
	measure("empty table", 1, object_count, VALUE_ID, false);
	fill();
	fill_again();
	measure("1000 of the entries", 1, 1000, VALUE_ID, false);
	measure("1000 of the entries", thread_count, 1000, VALUE_ID, false);
	measure("all", 1, object_count, VALUE_ID, false);
	measure("all, each waits for the last", 1, object_count, VALUE_ID,
		true);
	measure("all", thread_count, object_count, VALUE_ID, false);
	measure("none is there", thread_count, object_count, 2, false);
	measure_beside_writer();
	return 0;
}
