/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/task/TID/sched: se.exec_start is the clock of the processor when
 * the thread was last accounted for, which a sleeping one was as it went to
 * sleep.  What that clock shows now, a thread of ours on that processor says.
 */
#include "sched_clock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "kernel_file.h"
#include "priority.h"

static const char *find_value(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	line = line ? strchr(line, ':') : NULL;
	return line ? line + 1 : NULL;
}

/* "key : 1234.567890", in milliseconds. */
static bool parse_ns(const char *text, const char *key, uint64_t *ret_ns)
{
	const char *value = find_value(text, key);
	unsigned long ms, ns;

	if (!value || sscanf(value, "%lu.%6lu", &ms, &ns) != 2)
		return false;
	*ret_ns = ms * 1000000 + ns;
	return true;
}

static bool read_sched(const char *folder, struct sched_sleep *sleep)
{
	const char *count;
	char text[4096];

	if (!kernel_file_read(text, sizeof(text), "%s/sched", folder))
		return false;
	count = find_value(text, "nr_voluntary_switches");
	if (!count || !parse_ns(text, "se.exec_start", &sleep->last_ran_ns) ||
	    !parse_ns(text, "se.sum_exec_runtime", &sleep->ran_ns))
		return false;
	sleep->count = strtoull(count, NULL, 10);
	return true;
}

/* Field 39 of proc(5), stat; the name in field 2 may contain anything. */
static bool read_cpu(const char *folder, int *ret_cpu)
{
	const unsigned int fields_before = 37;
	const char *at;
	char text[1024];

	if (!kernel_file_read(text, sizeof(text), "%s/stat", folder))
		return false;
	at = strrchr(text, ')');
	for (unsigned int i = 0; at && i < fields_before; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*ret_cpu = (int)strtol(at, NULL, 10);
	return true;
}

bool sched_clock_read(pid_t tid, struct sched_sleep *ret_sleep)
{
	struct sched_sleep sleep;
	char folder[48];

	snprintf(folder, sizeof(folder), "/proc/%d/task/%d", tid, tid);
	if (!read_sched(folder, &sleep) || !read_cpu(folder, &sleep.cpu))
		return false;
	*ret_sleep = sleep;
	return true;
}

/* --- What a processor's clock shows ---------------------------------------- */

/*
 * The longer ago, the more of what the clock does not count can have come to
 * it: a sleep would seem to have begun too early.
 */
#define FRESH_NS 20000000UL

/* Whoever comes last frees it: the thread may get its processor much later. */
struct question {
	atomic_int users;
	sem_t answered;
	bool is_known;
	struct sched_reading reading;
};

static void drop_question(struct question *question)
{
	if (atomic_fetch_sub(&question->users, 1) != 1)
		return;
	sem_destroy(&question->answered);
	free(question);
}

static void *answer(void *arg)
{
	struct question *question = arg;
	struct sched_sleep own;

	/* Accounts for this thread; that is the time that `sched` tells. */
	sched_yield();
	question->is_known = read_sched("/proc/thread-self", &own);
	/* Later than that: a sleep seems to have begun later, never earlier. */
	question->reading.at_ns = clock_now_ns();
	if (question->is_known)
		question->reading.offset_ns = (int64_t)question->reading.at_ns -
					      (int64_t)own.last_ran_ns;
	sem_post(&question->answered);
	drop_question(question);
	return NULL;
}

static bool start_on(int cpu, struct question *question)
{
	cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
	size_t size = CPU_ALLOC_SIZE((size_t)cpu + 1);
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (!set)
		return false;
	CPU_ZERO_S(size, set);
	CPU_SET_S((size_t)cpu, size, set);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_attr_setaffinity_np(&attr, size, set);
	/* It takes microseconds, once per operation. */
	priority_first_from_birth(&attr);
	if (!ret)
		ret = pthread_create(&thread, &attr, answer, question);
	/* Where that is not permitted. */
	pthread_attr_setinheritsched(&attr, PTHREAD_INHERIT_SCHED);
	if (ret == EPERM)
		ret = pthread_create(&thread, &attr, answer, question);
	pthread_attr_destroy(&attr);
	CPU_FREE(set);
	return !ret;
}

static bool ask(int cpu, struct sched_offset *ret_offset)
{
	struct question *question = calloc(1, sizeof(*question));

	if (!question)
		return false;
	question->users = 2;
	sem_init(&question->answered, 0, 0);
	if (!start_on(cpu, question)) {
		question->users = 1;
		drop_question(question);
		return false;
	}
	*ret_offset = (struct sched_offset){ .cpu = cpu, .question = question };
	return true;
}

static void note_reading(struct sched_offset *offset,
			 const struct sched_reading *reading)
{
	if (!offset->is_known || reading->offset_ns < offset->least.offset_ns ||
	    reading->at_ns - offset->least.at_ns >= FRESH_NS)
		offset->least = *reading;
	offset->last = *reading;
	offset->is_known = true;
}

/* It may have been given long ago, and something learned since. */
static void take_answer(struct sched_offset *offset)
{
	const struct question *question = offset->question;

	if (question->is_known &&
	    (!offset->is_known || offset->last.at_ns < question->reading.at_ns))
		note_reading(offset, &question->reading);
	drop_question(offset->question);
	offset->question = NULL;
}

static void ask_all(struct sched_clock *clock)
{
	cpu_set_t set;
	int count;

	clock->was_asked = true;
	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	count = CPU_COUNT(&set);
	clock->offsets = calloc((size_t)count, sizeof(*clock->offsets));
	for (int cpu = 0; clock->offsets && cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set) &&
		    ask(cpu, &clock->offsets[clock->count]))
			clock->count++;
	}
}

void sched_clock_ask(struct sched_clock *clock, uint64_t patience_ns)
{
	struct timespec until;

	if (clock->was_asked)
		return;
	ask_all(clock);
	clock_gettime(CLOCK_REALTIME, &until);
	patience_ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(patience_ns / 1000000000);
	until.tv_nsec = (long)(patience_ns % 1000000000);
	for (size_t i = 0; i < clock->count; i++) {
		struct sched_offset *offset = &clock->offsets[i];

		if (!sem_timedwait(&offset->question->answered, &until))
			take_answer(offset);
	}
}

static struct sched_offset *find_offset(struct sched_clock *clock, int cpu)
{
	for (size_t i = 0; i < clock->count; i++) {
		struct sched_offset *offset = &clock->offsets[i];

		if (offset->cpu != cpu)
			continue;
		if (offset->question &&
		    !sem_trywait(&offset->question->answered))
			take_answer(offset);
		return offset;
	}
	return NULL;
}

/* Of a processor that only the target may use. */
static struct sched_offset *add_offset(struct sched_clock *clock, int cpu)
{
	struct sched_offset *offsets =
		realloc(clock->offsets, (clock->count + 1) * sizeof(*offsets));

	if (!offsets)
		return NULL;
	clock->offsets = offsets;
	offsets[clock->count] = (struct sched_offset){ .cpu = cpu };
	return &offsets[clock->count++];
}

/*
 * The moment between the stop and now makes a sleep seem to have begun later:
 * with many that stop together, the first of them tell best.
 */
void sched_clock_learn(struct sched_clock *clock,
		       const struct sched_sleep *stop)
{
	const uint64_t now = clock_now_ns();
	const struct sched_reading reading = {
		.offset_ns = (int64_t)now - (int64_t)stop->last_ran_ns,
		.at_ns = now,
	};
	struct sched_offset *offset = find_offset(clock, stop->cpu);

	if (!offset)
		offset = add_offset(clock, stop->cpu);
	if (offset && stop->last_ran_ns)
		note_reading(offset, &reading);
}

static uint64_t begin_by(const struct sched_reading *reading,
			 const struct sched_sleep *sleep)
{
	return (uint64_t)((int64_t)sleep->last_ran_ns + reading->offset_ns);
}

static const struct sched_offset *known_offset(struct sched_clock *clock,
					       const struct sched_sleep *sleep)
{
	const struct sched_offset *offset = find_offset(clock, sleep->cpu);

	/* 0: it was moved to another processor as it slept */
	return offset && offset->is_known && sleep->last_ran_ns ? offset : NULL;
}

/*
 * The reading was made before the sleep began.  The clock may have stood still
 * since, and the sleep seem to have begun too early.
 */
static bool precedes(const struct sched_reading *reading,
		     const struct sched_sleep *sleep)
{
	return reading->at_ns <= begin_by(reading, sleep);
}

bool sched_clock_begin(struct sched_clock *clock,
		       const struct sched_sleep *sleep, uint64_t *ret_ns)
{
	const struct sched_offset *offset = known_offset(clock, sleep);
	const struct sched_reading *reading;

	if (!offset)
		return false;
	reading = precedes(&offset->least, sleep) ? &offset->last
						  : &offset->least;
	if (precedes(reading, sleep))
		return false;
	*ret_ns = begin_by(reading, sleep);
	return true;
}

bool sched_clock_lasted(struct sched_clock *clock,
			const struct sched_sleep *sleep,
			const struct sched_sleep *next, uint64_t *ret_ns)
{
	const struct sched_offset *offset = known_offset(clock, sleep);
	const struct sched_offset *next_offset = known_offset(clock, next);
	uint64_t begin_ns, end_ns;

	if (!offset || !next_offset)
		return false;
	begin_ns = begin_by(&offset->least, sleep);
	end_ns = begin_by(&next_offset->least, next) -
		 (next->ran_ns - sleep->ran_ns);
	*ret_ns = end_ns > begin_ns ? end_ns - begin_ns : 0;
	return true;
}

void sched_clock_fini(struct sched_clock *clock)
{
	for (size_t i = 0; i < clock->count; i++) {
		if (clock->offsets[i].question)
			drop_question(clock->offsets[i].question);
	}
	free(clock->offsets);
	*clock = (struct sched_clock){ 0 };
}
