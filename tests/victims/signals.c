/* SPDX-License-Identifier: MIT */
/*
 * Signals of one kind without pause; whoever takes one checks that it is the
 * next.
 * usage: signals KIND
 * report: lets all that are under way arrive and says how many were sent,
 *         seen and wrong, what was the first that was wrong, and work(1).
 */
#include "signals.h"

#include "victim.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SETTLE_NS 20000000000ul

struct signals_flow *signals_flow;

static const struct signals_kind *kind;
static atomic_int worker_tids[SIGNALS_WORKERS];

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

int signals_work(int x)
{
	return work(x);
}

void signals_expect(const char *what, long got, long expected)
{
	if (got == expected)
		return;
	if (signals_flow->wrong++ == 0) {
		signals_flow->what = what;
		signals_flow->got = got;
		signals_flow->expected = expected;
	}
}

static void change_mask(int how, int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	if (pthread_sigmask(how, &set, NULL) != 0)
		victim_die("pthread_sigmask");
}

void signals_block(int signal)
{
	change_mask(SIG_BLOCK, signal);
}

void signals_unblock(int signal)
{
	change_mask(SIG_UNBLOCK, signal);
}

void signals_handle(int signal, int flags,
		    void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | flags };

	action.sa_sigaction = handler;
	sigfillset(&action.sa_mask);
	if (sigaction(signal, &action, NULL) != 0)
		victim_die("sigaction");
}

void signals_heed_pause(void)
{
	if (!signals_flow->is_paused)
		return;
	signals_flow->idle++;
	while (signals_flow->is_paused)
		usleep(100);
	signals_flow->idle--;
}

pid_t signals_worker(int index)
{
	while (worker_tids[index] == 0)
		usleep(100);
	return worker_tids[index];
}

static void *run_worker(void *arg)
{
	int index = (int)(long)arg;

	worker_tids[index] = (int)syscall(SYS_gettid);
	if (kind->work == NULL) {
		for (;;)
			pause();
	}
	kind->work(index);
	return NULL;
}

static void start(void)
{
	signals_flow = mmap(NULL, sizeof(*signals_flow), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (signals_flow == MAP_FAILED)
		victim_die("mmap");
	if (kind->prepare != NULL)
		kind->prepare();
	for (long i = 0; i < SIGNALS_WORKERS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, run_worker, (void *)i) != 0)
			victim_die("pthread_create");
		signals_worker((int)i);
	}
	if (kind->start != NULL)
		kind->start();
}

static void report(void)
{
	unsigned long end_ns = victim_now_ns() + SETTLE_NS;
	struct signals_flow *flow = signals_flow;
	long sent, seen;

	flow->is_paused = true;
	while (flow->idle < flow->makers && victim_now_ns() < end_ns)
		usleep(100);
	if (kind->settle != NULL)
		kind->settle();
	while (flow->seen < flow->sent && victim_now_ns() < end_ns)
		usleep(100);
	sent = flow->sent;
	seen = flow->seen;
	victim_say(
		"report sent=%ld seen=%ld wrong=%ld deliveries=%ld work=%d first=%s,%ld,%ld",
		sent, seen, (long)flow->wrong, (long)flow->deliveries, work(1),
		flow->what != NULL ? flow->what : "-", flow->got,
		flow->expected);
	flow->is_paused = false;
	while (flow->idle && victim_now_ns() < end_ns)
		usleep(100);
}

static bool find_kind(const char *name)
{
	const struct signals_kind *const tables[] = {
		signals_queued,
		signals_timers,
		signals_faults,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (kind = tables[i]; kind->name != NULL; kind++) {
			if (strcmp(kind->name, name) == 0)
				return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	char command[64];

	victim_init();
	if (argc != 2 || !find_kind(argv[1]))
		victim_die("usage: signals KIND");
	start();
	victim_say("ready");
	for (;;) {
		if (kind->wait_for_command != NULL)
			kind->wait_for_command();
		if (!victim_next_command(command, sizeof(command)))
			return 0;
		report();
	}
}
