/* SPDX-License-Identifier: MIT */
/*
 * N threads wait in epoll_pwait for a signal that its mask alone lets through,
 * and answer each by EINTR; a partner each sends the next one at once.
 * alive: how many answer within five seconds.
 */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_WAITERS 16
#define ALIVE_NS    5000000000ul

struct waiter {
	pthread_t thread, sender;
	sem_t answered;
	atomic_ulong answers;
};

static struct waiter waiters[MAX_WAITERS];
static unsigned int waiter_count;
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static void on_signal(int signal)
{
	(void)signal;
}

static void *run_waiter(void *arg)
{
	struct waiter *waiter = arg;
	struct epoll_event event;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	sigset_t mask;

	sigfillset(&mask);
	sigdelset(&mask, SIGUSR1);
	for (;;) {
		if (epoll_pwait(epoll_fd, &event, 1, -1, &mask) != -1 ||
		    errno != EINTR)
			victim_die("epoll_pwait");
		work(1);
		atomic_fetch_add(&waiter->answers, 1);
		sem_post(&waiter->answered);
	}
	return NULL;
}

static void *run_sender(void *arg)
{
	struct waiter *waiter = arg;

	for (;;) {
		pthread_kill(waiter->thread, SIGUSR1);
		sem_wait(&waiter->answered);
		usleep(100);
	}
	return NULL;
}

static bool is_alive(struct waiter *waiter)
{
	unsigned long answers = waiter->answers;
	unsigned long end = victim_now_ns() + ALIVE_NS;

	while (waiter->answers == answers) {
		if (victim_now_ns() >= end)
			return false;
		usleep(500);
	}
	return true;
}

static void report(void)
{
	unsigned int alive = 0;

	for (unsigned int i = 0; i < waiter_count; i++)
		alive += is_alive(&waiters[i]);
	victim_say("alive=%u", alive);
}

static void start(struct waiter *waiter)
{
	sem_init(&waiter->answered, 0, 0);
	if (pthread_create(&waiter->thread, NULL, run_waiter, waiter) != 0 ||
	    pthread_create(&waiter->sender, NULL, run_sender, waiter) != 0)
		victim_die("pthread_create");
}

int main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = on_signal };
	char command[64];
	sigset_t all;

	victim_init();
	sigaction(SIGUSR1, &action, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	waiter_count = argc > 1 ? (unsigned int)atoi(argv[1]) : 1;
	if (waiter_count > MAX_WAITERS)
		waiter_count = MAX_WAITERS;
	for (unsigned int i = 0; i < waiter_count; i++)
		start(&waiters[i]);
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		report();
	return 0;
}
