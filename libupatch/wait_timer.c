/* SPDX-License-Identifier: MIT */
/* Ends a blocking system call of the thread that made the timer, in time. */
#include "wait_timer.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* One that comes between the look and the wait is followed by another. */
#define AGAIN_NS 500000L
#define TRIES	 8

/*
 * libc hands out real-time signals to libraries that need one of their own
 * (its headers do not declare this); SIGRTMIN and SIGRTMAX then leave it out.
 */
int __libc_allocate_rtsig(int high);

/* A signal belongs to the process, so there is one for all its tracers. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int wait_signal = -1;

static void do_nothing(int signal)
{
	(void)signal;
}

/* Whoever uses a signal without asking libc for it keeps it. */
static void take_signal(void)
{
	struct sigaction action = { .sa_handler = do_nothing }, before;

	for (int i = 0; i < TRIES && wait_signal < 0; i++) {
		int signal = __libc_allocate_rtsig(0);

		if (signal < 0)
			return;
		if (sigaction(signal, NULL, &before) ||
		    before.sa_handler != SIG_DFL)
			continue;
		if (!sigaction(signal, &action, NULL))
			wait_signal = signal;
	}
}

void wait_timer_init(struct wait_timer *timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID };
	sigset_t own;

	timer->is_there = false;
	pthread_once(&once, take_signal);
	if (wait_signal < 0)
		return;
	event.sigev_signo = wait_signal;
	event.sigev_notify_thread_id = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer->timer))
		return;
	sigemptyset(&own);
	sigaddset(&own, wait_signal);
	pthread_sigmask(SIG_UNBLOCK, &own, NULL);
	timer->is_there = true;
}

void wait_timer_fini(struct wait_timer *timer)
{
	if (timer->is_there)
		timer_delete(timer->timer);
	timer->is_there = false;
}

void wait_timer_start(const struct wait_timer *timer, uint64_t deadline_ns)
{
	const struct itimerspec when = {
		.it_value.tv_sec = (time_t)(deadline_ns / 1000000000u),
		.it_value.tv_nsec = (long)(deadline_ns % 1000000000u) | 1,
		.it_interval.tv_nsec = AGAIN_NS,
	};

	if (timer->is_there)
		timer_settime(timer->timer, TIMER_ABSTIME, &when, NULL);
}

void wait_timer_stop(const struct wait_timer *timer)
{
	const struct itimerspec never = { 0 };

	if (timer->is_there)
		timer_settime(timer->timer, 0, &never, NULL);
}
