/* SPDX-License-Identifier: MIT */
/* Timers that fire thousands of times in a second. */
#include "signals.h"

#include "victim.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define INTERVAL_NS	   400000l
#define THREAD_INTERVAL_NS 2000000l
#define LIMIT_NS	   20000000000ul

struct ticking {
	unsigned long begin_ns;
	/* expirations that signals have told of */
	atomic_long told;
};

static struct ticking ticking[SIGNALS_WORKERS];
static _Thread_local struct ticking *own;
static atomic_long alarms, profs, notified;
static unsigned long notify_begin_ns;

static void arm(timer_t timer, unsigned long begin_ns, long interval_ns)
{
	const struct itimerspec when = {
		.it_value.tv_sec = (time_t)(begin_ns / 1000000000),
		.it_value.tv_nsec = (long)(begin_ns % 1000000000),
		.it_interval.tv_nsec = interval_ns,
	};

	if (timer_settime(timer, TIMER_ABSTIME, &when, NULL) != 0)
		victim_die("timer_settime");
}

static long expired(unsigned long begin_ns, long interval_ns)
{
	unsigned long now = victim_now_ns();

	return now < begin_ns ? 0 : (long)(now - begin_ns) / interval_ns + 1;
}

/* --- One for each thread, every expiration is accounted for ------------- */

static void on_tick(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	(void)context;
	signals_expect("signal", signal, SIGPROF);
	signals_expect("code", info->si_code, SI_TIMER);
	signals_expect("value", info->si_value.sival_ptr == own, true);
	own->told += 1 + info->si_overrun;
	signals_expect("too many",
		       own->told > expired(own->begin_ns, INTERVAL_NS), false);
	signals_flow->deliveries++;
	errno = saved_errno;
}

static void handle_ticks(void)
{
	signals_handle(SIGPROF, SA_RESTART, on_tick);
	signals_block(SIGPROF);
}

static void start_ticking(int index, clockid_t clock)
{
	struct sigevent event;
	timer_t timer;

	own = &ticking[index];
	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGPROF;
	event.sigev_value.sival_ptr = own;
	event.sigev_notify_thread_id = gettid();
	if (timer_create(clock, &event, &timer) != 0)
		victim_die("timer_create");
	signals_unblock(SIGPROF);
	own->begin_ns = victim_now_ns() + 1000000;
	arm(timer, own->begin_ns, INTERVAL_NS);
}

static void tick(int index)
{
	start_ticking(index, CLOCK_MONOTONIC);
	for (;;)
		signals_work(index);
}

/* A signal that is lost leaves the count behind for good. */
static void settle_ticks(void)
{
	unsigned long end_ns = victim_now_ns() + LIMIT_NS;

	signals_flow->sent = signals_flow->seen = 0;
	for (int i = 0; i < SIGNALS_WORKERS; i++) {
		long due;

		do {
			due = expired(ticking[i].begin_ns, INTERVAL_NS);
		} while (ticking[i].told < due && victim_now_ns() < end_ns);
		signals_flow->sent += due;
		signals_flow->seen +=
			ticking[i].told < due ? ticking[i].told : due;
	}
}

/* --- For the process ----------------------------------------------------- */

static void on_alarm(int signal, siginfo_t *info, void *context)
{
	(void)context;
	signals_expect("code", info->si_code, SI_KERNEL);
	if (signal == SIGALRM)
		alarms++;
	else
		profs++;
	signals_flow->deliveries++;
}

static void start_itimers(void)
{
	const struct itimerval when = {
		.it_value.tv_usec = 500,
		.it_interval.tv_usec = 500,
	};

	signals_handle(SIGALRM, SA_RESTART, on_alarm);
	signals_handle(SIGPROF, SA_RESTART, on_alarm);
	if (setitimer(ITIMER_REAL, &when, NULL) != 0 ||
	    setitimer(ITIMER_PROF, &when, NULL) != 0)
		victim_die("setitimer");
}

static void call_work(int index)
{
	for (;;)
		signals_work(index);
}

static void wait_for_more(atomic_long *count)
{
	unsigned long end_ns = victim_now_ns() + LIMIT_NS;
	long before = *count;

	while (*count == before && victim_now_ns() < end_ns)
		usleep(100);
	signals_expect("comes no more", *count == before, false);
}

static void settle_itimers(void)
{
	wait_for_more(&alarms);
	wait_for_more(&profs);
}

/* --- Threads that the C library starts ----------------------------------- */

static void on_notification(union sigval value)
{
	signals_expect("value", value.sival_ptr == &notified, true);
	notified++;
	signals_expect("too many",
		       notified > expired(notify_begin_ns, THREAD_INTERVAL_NS),
		       false);
	signals_work(0);
	signals_flow->deliveries++;
}

static void start_notifications(void)
{
	struct sigevent event;
	timer_t timer;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD;
	event.sigev_notify_function = on_notification;
	event.sigev_value.sival_ptr = &notified;
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		victim_die("timer_create");
	notify_begin_ns = victim_now_ns() + 1000000;
	arm(timer, notify_begin_ns, THREAD_INTERVAL_NS);
}

static void settle_notifications(void)
{
	wait_for_more(&notified);
}

const struct signals_kind signals_timers[] = {
	{ "timer", handle_ticks, tick, NULL, settle_ticks, NULL },
	{ "itimer", NULL, call_work, start_itimers, settle_itimers, NULL },
	{ "sigev_thread", NULL, NULL, start_notifications, settle_notifications,
	  NULL },
	{ 0 },
};
