/* SPDX-License-Identifier: MIT */
/*
 * A telephone exchange: one thread begins calls, the other says once a second,
 * or every ARGUMENT milliseconds, how many there are.  Calls should be cut off
 * after a day; the exchange forgets to say so.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct call {
	struct call *next;
	int limit_s; /* 0: none */
};

static pthread_mutex_t calls_lock = PTHREAD_MUTEX_INITIALIZER;
static struct call *calls;
static int interval_ms;

__attribute__((noinline, noclone)) static void begin_call(void)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return;
	pthread_mutex_lock(&calls_lock);
	call->next = calls;
	calls = call;
	pthread_mutex_unlock(&calls_lock);
}

static void *begin_calls(void *unused)
{
	for (;;) {
		begin_call();
		poll(NULL, 0, interval_ms);
	}
	return unused;
}

static void report(void)
{
	unsigned int count = 0, unlimited_count = 0;

	pthread_mutex_lock(&calls_lock);
	for (const struct call *call = calls; call; call = call->next) {
		count++;
		unlimited_count += call->limit_s == 0;
	}
	pthread_mutex_unlock(&calls_lock);
	printf("%u calls, %u without a limit\n", count, unlimited_count);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	interval_ms = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pthread_create(&thread, NULL, begin_calls, NULL))
		return 1;
	for (;;) {
		poll(NULL, 0, interval_ms);
		report();
	}
}
