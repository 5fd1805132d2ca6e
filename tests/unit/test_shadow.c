/* SPDX-License-Identifier: MIT */
/*
 * Shadow variables as patches use them: the rules for constructors and
 * destructors, threads that race, and processes that fork.
 */
#include "log_ring.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define THREAD_COUNT 8
#define MANY	     10000
#define EVENTS_EACH  12

/* The table is not where a leak checker looks for pointers. */
static void free_everything(void)
{
	for (unsigned long id = 0; id < 100; id++)
		upatch_shadow_free_all(id, NULL);
	upatch_shadow_free_all(-1UL, NULL);
}

TestSuite(shadow, .timeout = 60, .fini = free_everything);

struct rt_state upatch_runtime_state = { .log_next = RT_LOG_NEXT(1, 0) };

static char objects[MANY];
static int ctor_count, dtor_count;

static int fill(void *obj, void *shadow_data, void *ctor_data)
{
	(void)obj;
	ctor_count++;
	memcpy(shadow_data, ctor_data, sizeof(int));
	return 0;
}

static int fail(void *obj, void *shadow_data, void *ctor_data)
{
	(void)obj;
	(void)ctor_data;
	ctor_count++;
	memset(shadow_data, 0xff, sizeof(int));
	return -ENODEV;
}

static void count_dtor(void *obj, void *shadow_data)
{
	(void)obj;
	(void)shadow_data;
	dtor_count++;
}

static struct log_event events[LOG_RING_EVENTS_MAX];

/* All that the log has. */
static size_t read_events(void)
{
	uint64_t lost_count;
	size_t count =
		log_ring_read(upatch_runtime_log, upatch_runtime_state.log_next,
			      upatch_runtime_state.log_next, events,
			      &lost_count);

	cr_assert(lost_count == 0);
	return count;
}

static const struct log_event *last_event(void)
{
	size_t count = read_events();

	cr_assert(count > 0);
	return &events[count - 1];
}

static uint64_t event_count(void)
{
	return RT_LOG_SEQ(upatch_runtime_state.log_next) - 1;
}

/* --- One thread ------------------------------------------------------- */

Test(shadow, get_finds_nothing_before_alloc)
{
	cr_assert(upatch_shadow_get(&objects[0], 1) == NULL);
}

Test(shadow, alloc_attaches_zeroed_bytes)
{
	char zero[1000] = { 0 };
	char *value = upatch_shadow_alloc(&objects[0], 1, 1000, NULL, NULL);

	cr_assert(value != NULL);
	cr_assert(memcmp(value, zero, 1000) == 0);
	cr_assert(upatch_shadow_get(&objects[0], 1) == value);
	cr_assert(upatch_shadow_get(&objects[0], 2) == NULL);
	cr_assert(upatch_shadow_get(&objects[1], 1) == NULL);
}

Test(shadow, any_pointer_and_any_id_will_do)
{
	void *first = upatch_shadow_alloc(NULL, 0, 0, NULL, NULL);
	void *second = upatch_shadow_alloc(NULL, -1UL, 8, NULL, NULL);

	cr_assert(first != NULL);
	cr_assert(second != NULL);
	cr_assert(upatch_shadow_get(NULL, 0) == first);
	cr_assert(upatch_shadow_get(NULL, -1UL) == second);
}

Test(shadow, ctor_runs_once_and_gets_its_argument)
{
	int wanted = 42;
	int *value =
		upatch_shadow_alloc(&objects[0], 1, sizeof(int), fill, &wanted);

	cr_assert(value != NULL);
	cr_assert(value[0] == 42);
	cr_assert(ctor_count == 1);
}

Test(shadow, failed_ctor_leaves_nothing)
{
	int wanted = 7;
	int *value;

	cr_assert(upatch_shadow_alloc(&objects[0], 1, sizeof(int), fail,
				      NULL) == NULL);
	cr_assert(upatch_shadow_get_or_alloc(&objects[0], 1, sizeof(int), fail,
					     NULL) == NULL);
	cr_assert(upatch_shadow_get(&objects[0], 1) == NULL);
	cr_assert(event_count() == 0);
	value = upatch_shadow_alloc(&objects[0], 1, sizeof(int), fill, &wanted);
	cr_assert(value != NULL);
	cr_assert(value[0] == 7);
}

Test(shadow, alloc_of_an_existing_one_warns_and_changes_nothing)
{
	int first = 1, second = 2;
	int *value =
		upatch_shadow_alloc(&objects[0], 5, sizeof(int), fill, &first);
	char expected[RT_DETAIL_SIZE];

	cr_assert(upatch_shadow_alloc(&objects[0], 5, sizeof(int), fill,
				      &second) == NULL);
	cr_assert(ctor_count == 1);
	cr_assert(value[0] == 1);
	snprintf(expected, sizeof(expected),
		 "shadow variable (%p, 5) exists already", (void *)&objects[0]);
	cr_assert(event_count() == 1);
	cr_assert(last_event()->rt.event == UPATCH_EVENT_WARNING);
	cr_assert(last_event()->patch[0] == '\0');
	cr_assert(strcmp(last_event()->detail, expected) == 0);
}

Test(shadow, get_or_alloc_returns_the_existing_one_without_ctor)
{
	int first = 1, second = 2;
	int *value = upatch_shadow_get_or_alloc(&objects[0], 5, sizeof(int),
						fill, &first);

	cr_assert(upatch_shadow_get_or_alloc(&objects[0], 5, sizeof(int), fill,
					     &second) == value);
	cr_assert(ctor_count == 1);
	cr_assert(value[0] == 1);
	cr_assert(event_count() == 0);
}

Test(shadow, free_runs_dtor_once_and_ignores_what_is_absent)
{
	upatch_shadow_free(&objects[0], 1, count_dtor);
	cr_assert(upatch_shadow_alloc(&objects[0], 1, 1, NULL, NULL) != NULL);
	upatch_shadow_free(&objects[0], 2, count_dtor);
	upatch_shadow_free(&objects[1], 1, count_dtor);
	cr_assert(dtor_count == 0);
	upatch_shadow_free(&objects[0], 1, count_dtor);
	upatch_shadow_free(&objects[0], 1, count_dtor);
	cr_assert(dtor_count == 1);
	cr_assert(upatch_shadow_get(&objects[0], 1) == NULL);
	cr_assert(upatch_shadow_alloc(&objects[0], 1, 1, NULL, NULL) != NULL);
	upatch_shadow_free(&objects[0], 1, NULL);
	cr_assert(upatch_shadow_get(&objects[0], 1) == NULL);
}

Test(shadow, free_all_takes_every_object_of_one_id)
{
	for (size_t i = 0; i < MANY; i++) {
		upatch_shadow_alloc(&objects[i], 1, 1, NULL, NULL);
		upatch_shadow_alloc(&objects[i], 2, 1, NULL, NULL);
	}
	upatch_shadow_free_all(1, count_dtor);
	cr_assert(dtor_count == MANY);
	for (size_t i = 0; i < MANY; i++) {
		cr_assert(upatch_shadow_get(&objects[i], 1) == NULL);
		cr_assert(upatch_shadow_get(&objects[i], 2) != NULL);
	}
	upatch_shadow_free_all(2, NULL);
	upatch_shadow_free_all(2, count_dtor);
	cr_assert(dtor_count == MANY);
	cr_assert(upatch_shadow_get(&objects[0], 2) == NULL);
}

Test(shadow, warnings_do_not_flood_the_log)
{
	upatch_shadow_alloc(&objects[0], 1, 1, NULL, NULL);
	for (int i = 0; i < 100000; i++)
		upatch_shadow_alloc(&objects[0], 1, 1, NULL, NULL);
	cr_assert(event_count() >= 16);
	cr_assert(event_count() < 32);
}

static int use_others(void *obj, void *shadow_data, void *ctor_data)
{
	(void)shadow_data;
	(void)ctor_data;
	for (unsigned long id = 2; id < 100; id++) {
		if (!upatch_shadow_alloc(obj, id, 8, NULL, NULL))
			return -ENOMEM;
	}
	upatch_shadow_free(obj, 50, NULL);
	upatch_shadow_free_all(51, NULL);
	return upatch_shadow_get(obj, 1) ? -EEXIST : 0;
}

Test(shadow, ctor_may_use_other_variables)
{
	cr_assert(upatch_shadow_alloc(&objects[0], 1, 8, use_others, NULL) !=
		  NULL);
	cr_assert(upatch_shadow_get(&objects[0], 99) != NULL);
	cr_assert(upatch_shadow_get(&objects[0], 50) == NULL);
	cr_assert(upatch_shadow_get(&objects[0], 51) == NULL);
}

static int ask_for_itself(void *obj, void *shadow_data, void *ctor_data)
{
	(void)shadow_data;
	(void)ctor_data;
	return upatch_shadow_get_or_alloc(obj, 1, 8, NULL, NULL) ? -EEXIST : 0;
}

Test(shadow, ctor_that_asks_for_its_own_value_gets_none)
{
	cr_assert(upatch_shadow_alloc(&objects[0], 1, 8, ask_for_itself,
				      NULL) != NULL);
	cr_assert(event_count() == 1);
	cr_assert(last_event()->rt.event == UPATCH_EVENT_WARNING);
}

static void use_table(void *obj, void *shadow_data)
{
	(void)shadow_data;
	cr_assert(upatch_shadow_get(obj, 1) == NULL);
	cr_assert(upatch_shadow_alloc(obj, 1, 8, NULL, NULL) != NULL);
}

Test(shadow, dtor_may_attach_a_new_value)
{
	upatch_shadow_alloc(&objects[0], 1, 8, NULL, NULL);
	upatch_shadow_free(&objects[0], 1, use_table);
	cr_assert(upatch_shadow_get(&objects[0], 1) != NULL);
}

/* --- Threads ---------------------------------------------------------- */

static pthread_barrier_t barrier;

static void run_threads(void *(*run)(void *))
{
	pthread_t threads[THREAD_COUNT];
	bool created = true;

	pthread_barrier_init(&barrier, NULL, THREAD_COUNT);
	for (uintptr_t i = 0; i < THREAD_COUNT; i++)
		created &= !pthread_create(&threads[i], NULL, run, (void *)i);
	cr_assert(created);
	for (int i = 0; i < THREAD_COUNT; i++)
		pthread_join(threads[i], NULL);
}

static atomic_int race_ctor_count;
static void *race_values[THREAD_COUNT][2000];

static int count_race(void *obj, void *shadow_data, void *ctor_data)
{
	(void)obj;
	(void)ctor_data;
	*(int *)shadow_data = 1;
	atomic_fetch_add(&race_ctor_count, 1);
	return 0;
}

static void *race_for_each(void *arg)
{
	void **got = race_values[(uintptr_t)arg];

	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < 2000; i++) {
		got[i] = upatch_shadow_get_or_alloc(&objects[i], 1, sizeof(int),
						    count_race, NULL);
		/* Whoever gets it sees what the constructor wrote. */
		if (got[i] && *(int *)got[i] != 1)
			got[i] = NULL;
	}
	return NULL;
}

Test(shadow, racing_threads_get_the_same_value)
{
	run_threads(race_for_each);
	cr_assert(atomic_load(&race_ctor_count) == 2000);
	for (size_t i = 0; i < 2000; i++) {
		cr_assert(race_values[0][i] != NULL);
		for (int j = 1; j < THREAD_COUNT; j++)
			cr_assert(race_values[j][i] == race_values[0][i],
				  "object %zu, thread %d", i, j);
	}
}

/* A constructor that waits until the test lets it go. */
static int entered[2], leave[2];
static atomic_int slow_result;

static int wait_in_ctor(void *obj, void *shadow_data, void *ctor_data)
{
	char byte = 0;

	(void)obj;
	(void)shadow_data;
	(void)ctor_data;
	if (write(entered[1], &byte, 1) != 1 || read(leave[0], &byte, 1) != 1)
		return -EIO;
	return atomic_load(&slow_result);
}

static void *alloc_slowly(void *arg)
{
	return upatch_shadow_alloc(arg, 1, 8, wait_in_ctor, NULL);
}

static pthread_t start_slow_ctor(int result)
{
	pthread_t thread;
	char byte;
	bool started;

	atomic_store(&slow_result, result);
	started = !pipe(entered) && !pipe(leave) &&
		  !pthread_create(&thread, NULL, alloc_slowly, &objects[0]) &&
		  read(entered[0], &byte, 1) == 1;
	cr_assert(started);
	return thread;
}

static void *end_slow_ctor(pthread_t thread)
{
	void *value;
	bool told = write(leave[1], "", 1) == 1;

	cr_assert(told);
	pthread_join(thread, &value);
	return value;
}

Test(shadow, nobody_waits_for_a_constructor_who_does_not_want_its_value)
{
	pthread_t slow = start_slow_ctor(0);
	void *value;

	cr_assert(upatch_shadow_get(&objects[0], 1) == NULL);
	upatch_shadow_free(&objects[0], 1, count_dtor);
	for (size_t i = 1; i < MANY; i++)
		cr_assert(upatch_shadow_alloc(&objects[i], 1, 8, NULL, NULL) !=
			  NULL);
	upatch_shadow_free_all(1, count_dtor);
	cr_assert(dtor_count == MANY - 1);
	value = end_slow_ctor(slow);
	cr_assert(value != NULL);
	cr_assert(upatch_shadow_get(&objects[0], 1) == value);
}

static void *get_or_alloc_first(void *arg)
{
	return upatch_shadow_get_or_alloc(arg, 1, 8, NULL, NULL);
}

Test(shadow, who_waited_for_a_failed_constructor_attaches_its_own)
{
	pthread_t slow = start_slow_ctor(-EIO);
	pthread_t waiter;
	bool created;
	void *value;

	created =
		!pthread_create(&waiter, NULL, get_or_alloc_first, &objects[0]);
	cr_assert(created);
	cr_assert(end_slow_ctor(slow) == NULL);
	pthread_join(waiter, &value);
	cr_assert(value != NULL);
	cr_assert(upatch_shadow_get(&objects[0], 1) == value);
}

static void *cancel_me(void *arg)
{
	void *value = upatch_shadow_alloc(arg, 1, 8, wait_in_ctor, NULL);

	pthread_testcancel();
	return value;
}

Test(shadow, cancelled_thread_finishes_its_constructor)
{
	pthread_t thread;
	char byte;
	bool done;
	void *result;

	done = !pipe(entered) && !pipe(leave) &&
	       !pthread_create(&thread, NULL, cancel_me, &objects[0]) &&
	       read(entered[0], &byte, 1) == 1 && !pthread_cancel(thread) &&
	       write(leave[1], "", 1) == 1 && !pthread_join(thread, &result);
	cr_assert(done);
	cr_assert(result == PTHREAD_CANCELED);
	cr_assert(upatch_shadow_get(&objects[0], 1) != NULL);
}

static void *attach_and_free(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 20000; i++) {
		void *obj = &objects[rand_r(&seed) % 500];

		if (rand_r(&seed) % 2)
			upatch_shadow_get_or_alloc(obj, 1, 8, NULL, NULL);
		else
			upatch_shadow_free(obj, 1, NULL);
		if (i % 5000 == 0)
			upatch_shadow_free_all(1, NULL);
	}
	return NULL;
}

/* Under a sanitizer: nothing is freed twice, nothing leaks. */
Test(shadow, threads_that_attach_and_free_the_same_objects)
{
	run_threads(attach_and_free);
	upatch_shadow_free_all(1, NULL);
	for (size_t i = 0; i < 500; i++)
		cr_assert(upatch_shadow_get(&objects[i], 1) == NULL);
}

static void *log_often(void *arg)
{
	char text[RT_DETAIL_SIZE];

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < EVENTS_EACH; i++) {
		snprintf(text, sizeof(text), "thread %d event %d",
			 (int)(uintptr_t)arg, i);
		log_warning(text);
	}
	return NULL;
}

Test(shadow, events_of_several_threads_all_arrive_whole)
{
	bool seen[THREAD_COUNT][EVENTS_EACH] = { { false } };
	int total = 0;

	run_threads(log_often);
	cr_assert(event_count() == EVENTS_EACH * THREAD_COUNT);
	cr_assert(read_events() == event_count());
	for (size_t i = 0; i < event_count(); i++) {
		int thread, number;

		cr_assert(events[i].rt.seq == i + 1);
		cr_assert(sscanf(events[i].detail, "thread %d event %d",
				 &thread, &number) == 2);
		total += !seen[thread][number];
		seen[thread][number] = true;
	}
	cr_assert(total == EVENTS_EACH * THREAD_COUNT);
}

/* --- Fork ------------------------------------------------------------- */

/* 0 if the child finds and changes what it should. */
static int use_in_child(size_t stable)
{
	alarm(20);
	for (size_t i = 0; i < stable; i++) {
		if (!upatch_shadow_get(&objects[i], 9))
			return 1;
	}
	for (size_t i = 0; i < 300; i++) {
		if (!upatch_shadow_get_or_alloc(&objects[i], 1, 8, NULL, NULL))
			return 2;
	}
	upatch_shadow_free_all(1, NULL);
	for (size_t i = 0; i < MANY; i++) {
		if (upatch_shadow_get(&objects[i], 1))
			return 3;
	}
	return 0;
}

static int fork_and_use(size_t stable)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(use_in_child(stable));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

Test(shadow, child_does_not_wait_for_a_constructor_in_the_parent)
{
	pthread_t slow = start_slow_ctor(0);

	cr_assert(fork_and_use(0) == 0);
	cr_assert(end_slow_ctor(slow) != NULL);
}

/* A sanitizer's own allocator does not survive a fork at any moment. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER true
#elif defined(__has_feature)
#define HAS_SANITIZER                                                          \
	(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define HAS_SANITIZER false
#endif

static atomic_bool stopping;

static void *write_until_stopped(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!atomic_load(&stopping)) {
		size_t start = (size_t)rand_r(&seed) % (MANY - 600);

		for (size_t i = start; i < start + 600; i++)
			upatch_shadow_get_or_alloc(&objects[i], 1, 8, NULL,
						   NULL);
		for (size_t i = start; i < start + 600; i++)
			upatch_shadow_free(&objects[i], 1, NULL);
	}
	return NULL;
}

Test(shadow, children_forked_at_any_moment_have_a_whole_table,
     .disabled = HAS_SANITIZER)
{
	pthread_t writers[3];
	bool created = true;

	for (size_t i = 0; i < 1000; i++)
		upatch_shadow_alloc(&objects[i], 9, 8, NULL, NULL);
	for (uintptr_t i = 0; i < 3; i++)
		created &= !pthread_create(&writers[i], NULL,
					   write_until_stopped, (void *)i);
	cr_assert(created);
	for (int i = 0; i < 300; i++)
		cr_assert(fork_and_use(1000) == 0, "fork %d", i);
	atomic_store(&stopping, true);
	for (int i = 0; i < 3; i++)
		pthread_join(writers[i], NULL);
}

static pid_t ctor_child;

static int fork_in_ctor(void *obj, void *shadow_data, void *ctor_data)
{
	(void)shadow_data;
	(void)ctor_data;
	ctor_child = fork();
	/* In the child, nobody knows of this constructor any more. */
	if (ctor_child == 0)
		upatch_shadow_alloc(obj, 1, 8, NULL, NULL);
	return ctor_child < 0 ? -errno : 0;
}

Test(shadow, fork_in_a_constructor)
{
	void *value =
		upatch_shadow_alloc(&objects[0], 1, 8, fork_in_ctor, NULL);
	int status = -1;

	if (ctor_child == 0)
		_exit(value && upatch_shadow_get(&objects[0], 1) == value &&
				      !use_in_child(0)
			      ? 0
			      : 1);
	cr_assert(value != NULL);
	cr_assert(waitpid(ctor_child, &status, 0) == ctor_child);
	cr_assert(status == 0);
}
