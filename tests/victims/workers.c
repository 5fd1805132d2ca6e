/* SPDX-License-Identifier: MIT */
/*
 * N threads that call work(), each time after waiting in one of several ways.
 * usage: workers MODE N
 * round: every thread calls at least once more; old/new/other results of the
 *        calls that began since.
 * report: system calls cut short, too early or late, and the longest gap
 *         between two calls of one thread.
 */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define NAP_NS	       20000000ul
#define STACK_SIZE     (64 * 1024)
#define CALLS_PER_LOOP 100

struct worker {
	pthread_t thread;
	unsigned int index;
	int event_fd;
	int epoll_fd;
	/* written by the worker, read by main after `done_round` */
	atomic_ulong round, done_round;
	atomic_ulong old_count, new_count, other_count;
	atomic_ulong disturbed, early_ns, longest_gap_ns;
	unsigned long last_call_ns;
};

static atomic_ulong current_round;
static atomic_bool stopping;
static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake_cond = PTHREAD_COND_INITIALIZER;
static unsigned long wake_generation;

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

/* Replaced by one that adds 2. */
static REPLACED int work(int x)
{
	return x + step;
}

static void call_once(struct worker *worker)
{
	unsigned long round = atomic_load(&current_round);
	unsigned long now;
	int result;

	if (round != worker->round) {
		worker->old_count = worker->new_count = 0;
		worker->other_count = 0;
		worker->round = round;
	}
	now = victim_now_ns();
	if (worker->last_call_ns != 0 &&
	    now - worker->last_call_ns > worker->longest_gap_ns)
		worker->longest_gap_ns = now - worker->last_call_ns;
	worker->last_call_ns = now;
	result = work((int)worker->index);
	if (result == (int)worker->index + 1)
		worker->old_count++;
	else if (result == (int)worker->index + 2)
		worker->new_count++;
	else
		worker->other_count++;
	atomic_store(&worker->done_round, round);
}

static void wait_spin(struct worker *worker)
{
	for (int i = 0; i < CALLS_PER_LOOP; i++)
		call_once(worker);
	/* With more threads than processors the others get their turn. */
	sched_yield();
}

/* 1-5 ms, different for each thread. */
static void wait_sleep(struct worker *worker)
{
	struct timespec nap = { 0, (1 + worker->index % 5) * 1000000l };

	if (clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL) != 0)
		worker->disturbed++;
}

static void drain(struct worker *worker)
{
	uint64_t value;

	if (read(worker->event_fd, &value, sizeof(value)) != sizeof(value))
		worker->disturbed++;
}

static void wait_epoll(struct worker *worker)
{
	struct epoll_event event;

	if (epoll_wait(worker->epoll_fd, &event, 1, -1) != 1)
		worker->disturbed++;
	else
		drain(worker);
}

static void wait_poll(struct worker *worker)
{
	struct pollfd ready = { .fd = worker->event_fd, .events = POLLIN };

	if (poll(&ready, 1, -1) != 1)
		worker->disturbed++;
	else
		drain(worker);
}

static void wait_read(struct worker *worker)
{
	drain(worker);
}

static void wait_futex(struct worker *worker)
{
	unsigned long seen;

	(void)worker;
	pthread_mutex_lock(&wake_lock);
	seen = wake_generation;
	while (seen == wake_generation && !stopping)
		pthread_cond_wait(&wake_cond, &wake_lock);
	pthread_mutex_unlock(&wake_lock);
}

static void check_slept(struct worker *worker, unsigned long begin)
{
	const unsigned long slept_ns = victim_now_ns() - begin;

	if (slept_ns >= NAP_NS)
		return;
	worker->disturbed++;
	worker->early_ns += NAP_NS - slept_ns;
}

/* Neither cut short nor, by the kernel's own restart, begun anew. */
static void wait_nanosleep(struct worker *worker)
{
	struct timespec nap = { 0, NAP_NS };
	unsigned long begin = victim_now_ns();

	if (nanosleep(&nap, NULL) != 0)
		worker->disturbed++;
	else
		check_slept(worker, begin);
}

static void wait_epoll_timeout(struct worker *worker)
{
	unsigned long begin = victim_now_ns();
	struct epoll_event event;

	if (epoll_wait(worker->epoll_fd, &event, 1, NAP_NS / 1000000) < 0)
		worker->disturbed++;
	else if (!stopping)
		check_slept(worker, begin);
}

static const struct mode {
	const char *name;
	void (*wait)(struct worker *worker);
	/* blocks until woken: each wake-up is one round */
	bool needs_wake;
} modes[] = {
	{ "spin", wait_spin, false },
	{ "sleep", wait_sleep, false },
	{ "epoll", wait_epoll, true },
	{ "poll", wait_poll, true },
	{ "read", wait_read, true },
	{ "futex", wait_futex, true },
	{ "nanosleep", wait_nanosleep, false },
	{ "epoll_timeout", wait_epoll_timeout, false },
};

static const struct mode *mode;
static struct worker *workers;
static unsigned int worker_count;

static void *run_worker(void *arg)
{
	struct worker *worker = arg;

	while (!stopping) {
		call_once(worker);
		mode->wait(worker);
	}
	return NULL;
}

static void wake_all(void)
{
	uint64_t one = 1;

	for (unsigned int i = 0; i < worker_count; i++) {
		if (write(workers[i].event_fd, &one, sizeof(one)) !=
		    sizeof(one))
			victim_die("eventfd");
	}
	pthread_mutex_lock(&wake_lock);
	wake_generation++;
	pthread_cond_broadcast(&wake_cond);
	pthread_mutex_unlock(&wake_lock);
}

static void report_round(void)
{
	unsigned long round = atomic_fetch_add(&current_round, 1) + 1;
	unsigned long old_count = 0, new_count = 0, other_count = 0;

	if (mode->needs_wake)
		wake_all();
	for (unsigned int i = 0; i < worker_count; i++) {
		while (atomic_load(&workers[i].done_round) != round)
			usleep(200);
		old_count += workers[i].old_count;
		new_count += workers[i].new_count;
		other_count += workers[i].other_count;
	}
	victim_say("round threads=%u old=%lu new=%lu other=%lu", worker_count,
		   old_count, new_count, other_count);
}

static void report_disturbance(void)
{
	unsigned long disturbed = 0, early_ns = 0, longest_ns = 0;

	for (unsigned int i = 0; i < worker_count; i++) {
		unsigned long gap_ns =
			atomic_exchange(&workers[i].longest_gap_ns, 0);

		disturbed += atomic_exchange(&workers[i].disturbed, 0);
		early_ns += atomic_exchange(&workers[i].early_ns, 0);
		if (gap_ns > longest_ns)
			longest_ns = gap_ns;
	}
	victim_say("report disturbed=%lu early_ns=%lu gap_us=%lu", disturbed,
		   early_ns, longest_ns / 1000);
}

static void start_worker(struct worker *worker, unsigned int index)
{
	struct epoll_event event = { .events = EPOLLIN };
	pthread_attr_t attr;

	worker->index = index;
	worker->event_fd = eventfd(0, EFD_CLOEXEC);
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->event_fd,
		      &event) != 0)
		victim_die("epoll");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (pthread_create(&worker->thread, &attr, run_worker, worker) != 0)
		victim_die("pthread_create");
	pthread_attr_destroy(&attr);
}

static void start_all(const char *mode_name, unsigned int count)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, mode_name) == 0)
			mode = &modes[i];
	}
	if (mode == NULL)
		victim_die("unknown mode");
	worker_count = count;
	workers = calloc(count, sizeof(*workers));
	for (unsigned int i = 0; i < count; i++)
		start_worker(&workers[i], i);
	for (unsigned int i = 0; i < count; i++) {
		while (workers[i].old_count == 0)
			usleep(200);
	}
}

static void stop_all(void)
{
	stopping = true;
	wake_all();
	for (unsigned int i = 0; i < worker_count; i++)
		pthread_join(workers[i].thread, NULL);
}

int main(int argc, char **argv)
{
	char command[64];

	victim_init();
	if (argc != 3)
		victim_die("usage: workers MODE N");
	start_all(argv[1], (unsigned int)strtoul(argv[2], NULL, 10));
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		if (strcmp(command, "round") == 0)
			report_round();
		else if (strcmp(command, "report") == 0)
			report_disturbance();
		else
			victim_say("unknown command");
	}
	stop_all();
	return 0;
}
