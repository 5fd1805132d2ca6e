/* SPDX-License-Identifier: MIT */
/*
 * One program that is built in many ways.  Two threads call its functions all
 * the time and judge each answer; "values" answers with what the functions
 * return and how often the threads were surprised.  By macro: THREADS, how
 * many; THREAD_LOCALS, so many bytes of variables in each; PROFILED, it ends
 * without writing what -pg has counted.
 */
#include "../victim.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if !defined(THREADS)
#define THREADS 2
#endif

/* What compilers may rely on is theirs to decide, as in any program. */
#if defined(__clang__)
#define KEPT __attribute__((noinline, used))
#else
#define KEPT __attribute__((noinline, noclone, used))
#endif

int built_leaf(int x);
int built_caller(int x);
int built_switch(int x);
long built_use(int a, int b, int c);

#if defined(THREAD_LOCALS)
static __thread volatile char thread_locals[THREAD_LOCALS] = { 1 };
#endif

static volatile int limit = 7;
static unsigned long rounds, surprises, started;
static volatile int ends;

/* A leaf: gcc keeps what the caller has in other registers. */
KEPT int built_leaf(int x)
{
	return x * limit;
}

/* Calls something that the compiler knows nothing of. */
KEPT int built_caller(int x)
{
	char *text = malloc((size_t)x + 16);
	int length;

	if (text == NULL)
		return -1;
	memset(text, 'a', (size_t)x);
	text[x] = '\0';
	length = (int)strlen(text);
	free(text);
	return length + limit;
}

/* Begins with a comparison and a jump through a table. */
KEPT int built_switch(int x)
{
	switch (x) {
	case 0:
		return limit + 3;
	case 1:
		return limit * 5;
	case 2:
		return limit - 70;
	case 3:
		return limit ^ 9;
	case 4:
		return built_leaf(limit);
	case 5:
		return limit << 3;
	default:
		return limit;
	}
}

KEPT long built_use(int a, int b, int c)
{
	int got = built_leaf(a);

	return a + 10l * b + 100l * c + 1000l * got;
}

/* Old and new of each: what tests/patches/built.c makes of them. */
static bool is_expected(void)
{
	long used = built_use(1, 2, 3);
	int called = built_caller(5);
	int chosen = built_switch(2);

	return (used == 7321 || used == 8321) &&
	       (called == 12 || called == 112) &&
	       (chosen == -63 || chosen == -64);
}

static void *work(void *unused)
{
	(void)unused;
#if defined(THREAD_LOCALS)
	thread_locals[0]++;
#endif
	/* What libc makes for a thread, it has made then. */
	(void)is_expected();
	__atomic_add_fetch(&started, 1, __ATOMIC_RELAXED);
	while (!ends) {
		if (!is_expected())
			__atomic_add_fetch(&surprises, 1, __ATOMIC_RELAXED);
		if (__atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED) % 64 == 0)
			usleep(100);
	}
	return NULL;
}

static unsigned long round_count(void)
{
	return __atomic_load_n(&rounds, __ATOMIC_RELAXED);
}

static void answer(void)
{
	unsigned long before = round_count();

	/* What the threads call has to be what they call now. */
	while (THREADS > 0 && round_count() - before < 4 * THREADS)
		sched_yield();
	victim_say("use=%ld caller=%d switch=%d surprises=%lu",
		   built_use(1, 2, 3), built_caller(5), built_switch(2),
		   __atomic_load_n(&surprises, __ATOMIC_RELAXED));
}

int main(void)
{
	pthread_t threads[THREADS + 1];
	char command[64];

	victim_init();
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			victim_die("pthread_create");
	}
	while (__atomic_load_n(&started, __ATOMIC_RELAXED) < THREADS)
		sched_yield();
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		answer();
	ends = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
#if defined(PROFILED)
	_exit(0);
#endif
	return 0;
}
