/* SPDX-License-Identifier: MIT */
/*
 * Makes system calls that block for LASTS_MS, and tells what came of them.
 * usage: interrupted main ROW | interrupted threads [ROW...] (none: all)
 * run: "running" when all calls begin; then a line per row, and "done".
 * noise: the same, and for NOISE_MS signals come that are ignored.
 * inside: as run, but the calls are made inside work(); with threads only.
 * The main thread makes the call, or waits for threads that make one each.
 */
#include "interrupted.h"

#include "victim.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORKS 96
#define NOISE_MS  1000ul
#define STEP_MS	  20l
/* What work() does besides. */
#define NOISE (-1)
#define CALL  (-2)

static struct work works[MAX_WORKS];
static unsigned int work_count;
static sem_t opened;
/* How late a sleeping thread was, all in all. */
static long lag_ms;
static volatile int step = 1;
static bool is_inside;
static __thread struct work *inside;

atomic_int handled;

struct timespec lasts(void)
{
	return (struct timespec){ LASTS_MS / 1000, LASTS_MS % 1000 * 1000000 };
}

struct timespec lasts_until(clockid_t clock)
{
	struct timespec until;

	clock_gettime(clock, &until);
	until.tv_sec += LASTS_MS / 1000;
	until.tv_nsec += LASTS_MS % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return until;
}

struct timeval lasts_timeval(void)
{
	return (struct timeval){ LASTS_MS / 1000, LASTS_MS % 1000 * 1000 };
}

void wake_by_signal(struct work *work)
{
	pthread_kill(work->thread, SIGUSR1);
}

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

static void open_work(struct work *work)
{
	const struct row *row = work->row;

	*work = (struct work){ .row = row, .thread = pthread_self() };
	for (int i = 0; i < 4; i++)
		work->fds[i] = -1;
	if (row->open)
		row->open(work);
}

static void call_work(struct work *work)
{
	work->begin_ns = victim_now_ns();
	errno = 0;
	work->result = work->row->call(work);
	work->error = work->result == -1 ? errno : 0;
	work->ns = victim_now_ns() - work->begin_ns;
	work->done = true;
}

static void close_work(struct work *work)
{
	if (work->row->close)
		work->row->close(work);
	for (int i = 0; i < 4; i++) {
		if (work->fds[i] >= 0)
			close(work->fds[i]);
	}
	if (work->child > 0) {
		kill(work->child, SIGKILL);
		waitpid(work->child, NULL, 0);
	}
	free(work->memory);
}

/*
 * Nobody handles SIGWINCH, so the kernel drops it; but while a thread is
 * traced it is queued first and interrupts calls.
 */
static void make_noise(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	unsigned long end = victim_now_ns() + NOISE_MS * 1000000;

	while (victim_now_ns() < end) {
		for (unsigned int i = 0; i < work_count; i++) {
			if (!works[i].done)
				pthread_kill(works[i].thread, SIGWINCH);
		}
		nanosleep(&pause, NULL);
	}
}

/*
 * As long as it runs in here, nobody gets a transition to its end: threads are
 * traced all the time.
 */
static REPLACED int work(int x)
{
	if (x == NOISE)
		make_noise();
	if (x == CALL) {
		sem_post(&opened);
		call_work(inside);
	}
	return x + step;
}

static void call_inside(struct work *todo)
{
	inside = todo;
	work(CALL);
}

static void *run_work(void *arg)
{
	struct work *work = arg;

	open_work(work);
	if (is_inside) {
		call_inside(work);
	} else {
		sem_post(&opened);
		call_work(work);
	}
	return NULL;
}

/* Sleeps for LASTS_MS in short steps, to see how late the machine is. */
static void sleep_and_measure(void)
{
	const struct timespec short_time = { .tv_nsec = STEP_MS * 1000000 };
	unsigned long begin = victim_now_ns(), end = begin, late_ns = 0;

	while (end < begin + LASTS_MS * 1000000) {
		unsigned long last = end;

		nanosleep(&short_time, NULL);
		end = victim_now_ns();
		late_ns += end - last - STEP_MS * 1000000;
	}
	lag_ms = (long)(late_ns / 1000000);
}

static void *run_waker(void *arg)
{
	(void)arg;
	sleep_and_measure();
	for (unsigned int i = 0; i < work_count; i++) {
		struct work *work = &works[i];

		if (!work->row->wake)
			continue;
		work->is_early = work->done;
		work->wake_ns = victim_now_ns();
		if (!work->done)
			work->row->wake(work);
	}
	return NULL;
}

static void *run_noise(void *arg)
{
	(void)arg;
	work(NOISE);
	return NULL;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	if (pthread_create(thread, NULL, run, arg) != 0)
		victim_die("pthread_create");
}

static void report(struct work *work)
{
	long late_ms = (long)(work->ns / 1000000) - LASTS_MS;

	if (work->row->wake)
		late_ms = (long)(work->begin_ns + work->ns - work->wake_ns) /
			  1000000;
	else
		work->is_early = work->ns < LASTS_MS * 1000000;
	victim_say(
		"%s result=%ld errno=%d detail=%ld early=%d late_ms=%ld lag_ms=%ld",
		work->row->name, work->result, work->error, work->detail,
		work->is_early, late_ms, lag_ms);
	close_work(work);
}

static void run_in_main(void)
{
	pthread_t waker;

	open_work(&works[0]);
	start_thread(&waker, run_waker, NULL);
	victim_say("running");
	call_work(&works[0]);
	pthread_join(waker, NULL);
}

static void run_in_threads(bool with_noise)
{
	pthread_t threads[MAX_WORKS], waker, noise;

	for (unsigned int i = 0; i < work_count; i++) {
		start_thread(&threads[i], run_work, &works[i]);
		sem_wait(&opened);
	}
	start_thread(&waker, run_waker, NULL);
	if (with_noise)
		start_thread(&noise, run_noise, NULL);
	victim_say("running");
	if (with_noise)
		pthread_join(noise, NULL);
	for (unsigned int i = 0; i < work_count; i++)
		pthread_join(threads[i], NULL);
	pthread_join(waker, NULL);
}

/* All rows if `name` is NULL. */
static void add_rows(const struct row *table, const char *name)
{
	for (const struct row *row = table; row->name; row++) {
		if (!name || strcmp(row->name, name) == 0)
			works[work_count++].row = row;
	}
}

int main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = on_signal };
	bool in_main = argc > 1 && strcmp(argv[1], "main") == 0;
	char command[64];
	sigset_t waited;

	victim_init();
	sigaction(SIGUSR1, &action, NULL);
	/* Waited for in sigtimedwait(2). */
	sigemptyset(&waited);
	sigaddset(&waited, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &waited, NULL);
	sem_init(&opened, 0, 0);
	for (int i = 2; i < argc || i == 2; i++) {
		add_rows(transfer_rows, argv[i]);
		add_rows(wait_rows, argv[i]);
	}
	if (work_count == 0)
		victim_die("no such row");
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		is_inside = strcmp(command, "inside") == 0;
		if (in_main)
			run_in_main();
		else
			run_in_threads(strcmp(command, "noise") == 0);
		for (unsigned int i = 0; i < work_count; i++)
			report(&works[i]);
		victim_say("done work=%d", work(1));
	}
	return 0;
}
