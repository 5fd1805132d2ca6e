/* SPDX-License-Identifier: MIT */
/*
 * A thread waits in epoll_wait, for a millisecond each time; when it has been
 * stopped there, it computes without a pause until nobody traces it.  turns:
 * how often it did so, stops: the most that it was stopped in one of them.
 */
#include "victim.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOOK_NS 100000ul

static atomic_uint turns;
static atomic_ulong most_stops;
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

/* A stop is one, a wait in the kernel as well; to be preempted is none. */
static unsigned long own_switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (unsigned long)usage.ru_nvcsw;
}

static bool is_traced(int status_fd)
{
	char text[2048];
	const char *tracer;
	ssize_t len = pread(status_fd, text, sizeof(text) - 1, 0);

	if (len < 0)
		victim_die("status");
	text[len] = '\0';
	tracer = strstr(text, "TracerPid:\t");
	return tracer && tracer[strlen("TracerPid:\t")] != '0';
}

static void compute_until_released(int status_fd)
{
	unsigned long begin = own_switches(), stops;

	do {
		unsigned long end_ns = victim_now_ns() + LOOK_NS;

		while (victim_now_ns() < end_ns)
			work(1);
	} while (is_traced(status_fd));
	stops = own_switches() - begin;
	if (stops > most_stops)
		most_stops = stops;
	turns++;
}

static void *run(void *arg)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int status_fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
	struct epoll_event event;

	if (epoll_fd < 0 || status_fd < 0)
		victim_die("open");
	for (;;) {
		unsigned long before = own_switches();

		if (epoll_wait(epoll_fd, &event, 1, 1) != 0)
			victim_die("epoll_wait");
		/* It waited, was stopped and waited on. */
		if (own_switches() - before > 1 && is_traced(status_fd))
			compute_until_released(status_fd);
	}
	return arg;
}

int main(void)
{
	pthread_t thread;
	char command[64];

	victim_init();
	if (pthread_create(&thread, NULL, run, NULL) != 0)
		victim_die("pthread_create");
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		victim_say("turns=%u stops=%lu", turns, most_stops);
	return 0;
}
