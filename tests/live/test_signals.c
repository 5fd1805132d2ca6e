/* SPDX-License-Identifier: MIT */
/*
 * Signals of every kind, thousands in a second, while patches come and go:
 * none is lost, doubled or out of order.
 */
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "snapshot.h"
#include "tried.h"
#include "upatchctl.h"
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(signals, .timeout = 3600);

struct row {
	char kind[16];
	/* as many are to come at least in a second, or in a cycle */
	long per_second, per_cycle;
};

static struct row rows[] = {
	{ "spin", 0, 100 },	     { "one_of_all", 0, 100 },
	{ "any", 0, 100 },	     { "altstack", 0, 100 },
	{ "restart", 0, 100 },	     { "interrupt", 0, 100 },
	{ "sigsuspend", 0, 100 },    { "ppoll", 0, 100 },
	{ "pselect", 0, 100 },	     { "epoll_pwait", 0, 100 },
	{ "sigwaitinfo", 0, 100 },   { "sigtimedwait", 0, 100 },
	{ "signalfd", 0, 100 },	     { "main_read", 0, 100 },
	{ "main_epoll", 0, 100 },    { "main_ppoll", 0, 100 },
	{ "main_signalfd", 0, 100 }, { "timer", 1000, 0 },
	{ "itimer", 0, 10 },	     { "sigev_thread", 0, 1 },
	{ "trap", 0, 100 },	     { "fault", 0, 100 },
	{ "pending", 0, 100 },
};

/* UPATCH_SIGNAL_SECONDS: of the whole table. */
static int row_limit_ms(void)
{
	const char *text = getenv("UPATCH_SIGNAL_SECONDS");
	double seconds = text != NULL ? strtod(text, NULL) : 5;

	return (int)(seconds * 1000 / (sizeof(rows) / sizeof(rows[0])));
}

struct count {
	/* expirations of timers that came late count, too */
	long signals;
	long deliveries;
};

static struct count expect_all(struct victim *victim, const struct row *row,
			       long work, unsigned int cycle)
{
	struct count count;
	const char *answer = victim_ask(victim, "report");

	if (victim_number(answer, "wrong") != 0 ||
	    victim_number(answer, "sent") != victim_number(answer, "seen") ||
	    victim_number(answer, "work") != work)
		cr_fatal("%s, cycle %u: %s", row->kind, cycle, answer);
	count.signals = victim_number(answer, "seen");
	count.deliveries = victim_number(answer, "deliveries");
	return count;
}

ParameterizedTestParameters(signals, all_arrive)
{
	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

static void expect_storm(const struct row *row, const struct count *first,
			 const struct count *last, unsigned int cycles,
			 long passed_ms)
{
	long signals = last->signals - first->signals;
	long deliveries = last->deliveries - first->deliveries;

	tried((unsigned long)signals, "signals");
	cr_log_info("%s: %u cycles, %ld signals, %ld deliveries in %ld ms",
		    row->kind, cycles, signals, deliveries, passed_ms);
	if (signals * 1000 < row->per_second * passed_ms ||
	    deliveries < row->per_cycle * cycles)
		cr_fatal("%s: %ld signals, %ld deliveries are no storm",
			 row->kind, signals, deliveries);
}

ParameterizedTest(struct row *row, signals, all_arrive)
{
	int64_t begin_ms, now_ms;
	struct victim victim;
	struct snapshot before;
	struct count first, last;
	unsigned int cycle = 0;

	require_ptrace();
	VICTIM_START(&victim, "signals", row->kind);
	/* Once it has answered, it has all that it waits with. */
	first = expect_all(&victim, row, 2, 0);
	snapshot_take(victim.pid, &before);
	begin_ms = deadline_now_ms();
	do {
		cycle++;
		upatchctl_apply(victim.target, "work");
		expect_all(&victim, row, 3, cycle);
		upatchctl_revert(victim.target, "work");
		last = expect_all(&victim, row, 2, cycle);
		now_ms = deadline_now_ms();
	} while (now_ms < begin_ms + row_limit_ms());
	expect_storm(row, &first, &last, cycle, (long)(now_ms - begin_ms));
	snapshot_expect_equal(victim.pid, &before,
			      SNAPSHOT_PROCESS | SNAPSHOT_FDS, "reverted");
	victim_check_undisturbed(&victim);
	snapshot_free(&before);
	victim_stop(&victim);
}

/* --- A killed operator ------------------------------------------------------ */

static void clear_away(struct victim *victim);

/* At system call stops, which is where a signal would be in his hands. */
Test(signals, operator_is_killed)
{
	const struct row row = { .kind = "spin" };
	unsigned int seed = (unsigned int)getpid();
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "signals", row.kind);
	for (unsigned int i = 1; i <= cycle_count(12); i++) {
		char place[16];
		const char *const argv[] = { path_of_kill_at(),
					     place,
					     path_of_upatchctl(),
					     "apply",
					     victim.target,
					     path_of_patch("work"),
					     NULL };
		struct child child;

		snprintf(place, sizeof(place), "%d",
			 800 + rand_r(&seed) % 4000);
		child_start(&child, argv, CHILD_QUIET);
		cr_assert(child_wait(&child, DEADLINE_MS, NULL));
		clear_away(&victim);
		expect_all(&victim, &row, 2, i);
	}
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* --- Job control ----------------------------------------------------------- */

#define MOMENT_MAX_US 25000

static bool is_all_stopped(void *arg)
{
	const struct victim *victim = arg;

	return procfs_is_in_state(victim->pid, victim->pid, "T");
}

static void *stop_and_go(void *arg)
{
	const struct victim *victim = arg;
	unsigned int seed = 1;

	for (;;) {
		kill(victim->pid, SIGSTOP);
		usleep((unsigned int)rand_r(&seed) % 5000);
		kill(victim->pid, SIGCONT);
		usleep((unsigned int)rand_r(&seed) % 20000);
	}
	return NULL;
}

/* Refused only where it was stopped at the very beginning. */
static void run_until_done(const char *command, const char *target,
			   const char *operand)
{
	int64_t end_ms = deadline_now_ms() + DEADLINE_MS;

	for (;;) {
		struct run run = UPATCHCTL(command, target, operand);
		bool is_stopped = strstr(run.err, "is stopped") != NULL;

		if (run.exit_status == EXIT_DONE) {
			run_free(&run);
			return;
		}
		if (run.exit_status != EXIT_REFUSED || !is_stopped ||
		    deadline_now_ms() > end_ms)
			cr_fatal("%s: exit status %d, %s", command,
				 run.exit_status, run.err);
		run_free(&run);
	}
}

Test(signals, stopped_and_continued_again_and_again)
{
	const struct row row = { .kind = "main_read" };
	struct victim victim;
	pthread_t second;

	require_ptrace();
	VICTIM_START(&victim, "signals", row.kind);
	cr_assert(pthread_create(&second, NULL, stop_and_go, &victim) == 0);
	for (unsigned int i = 1; i <= cycle_count(10); i++) {
		run_until_done("apply", victim.target, path_of_patch("work"));
		expect_all(&victim, &row, 3, i);
		run_until_done("revert", victim.target, "work");
		expect_all(&victim, &row, 2, i);
	}
	pthread_cancel(second);
	pthread_join(second, NULL);
	kill(victim.pid, SIGCONT);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* Whatever was begun is undone, or goes on and is brought to its end. */
static void clear_away(struct victim *victim)
{
	int64_t end_ms = deadline_now_ms() + DEADLINE_MS;

	for (;;) {
		struct run wait = UPATCHCTL("wait", victim->target);
		struct run run = UPATCHCTL("revert", victim->target, "work");
		int status = run.exit_status;

		if (status != EXIT_DONE && status != EXIT_NOT_FOUND &&
		    (status != EXIT_BUSY || deadline_now_ms() > end_ms))
			cr_fatal("revert: exit status %d, %s%s", status,
				 wait.err, run.err);
		run_free(&wait);
		run_free(&run);
		if (status != EXIT_BUSY)
			return;
	}
}

/* Returns the exit status. */
static int stop_amid_apply(struct victim *victim, unsigned int moment_us)
{
	const char *const argv[] = { path_of_upatchctl(),
				     "apply",
				     "--timeout",
				     "0.3",
				     victim->target,
				     path_of_patch("work"),
				     NULL };
	struct child child;
	char text[1024] = "";
	int status = 0;

	child_start(&child, argv, CHILD_CATCH_STDERR);
	usleep(moment_us);
	kill(victim->pid, SIGSTOP);
	(void)!read(child.stderr_fd, text, sizeof(text) - 1);
	if (!child_wait(&child, 5000, &status) || !WIFEXITED(status))
		cr_fatal("stopped after %u us: it does not end", moment_us);
	status = WEXITSTATUS(status);
	if (status != EXIT_DONE && status != EXIT_REFUSED &&
	    status != EXIT_TIMED_OUT)
		cr_fatal("stopped after %u us: exit status %d, %s", moment_us,
			 status, text);
	if (status != EXIT_DONE && strstr(text, "SIGCONT") == NULL)
		cr_fatal("stopped after %u us: %s", moment_us, text);
	return status;
}

Test(signals, stopped_at_random_moments)
{
	const struct row row = { .kind = "main_read" };
	unsigned int seed = (unsigned int)getpid(),
		     ends[EXIT_TIMED_OUT + 1] = { 0 };
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "signals", row.kind);
	for (unsigned int i = 1; i <= cycle_count(20); i++) {
		unsigned int moment =
			(unsigned int)rand_r(&seed) % MOMENT_MAX_US;

		ends[stop_amid_apply(&victim, moment)]++;
		if (!wait_until(is_all_stopped, &victim, DEADLINE_MS))
			cr_fatal("it was stopped after %u us and runs", moment);
		kill(victim.pid, SIGCONT);
		clear_away(&victim);
		expect_all(&victim, &row, 2, i);
	}
	cr_log_info("done %u, refused %u, timed out %u", ends[EXIT_DONE],
		    ends[EXIT_REFUSED], ends[EXIT_TIMED_OUT]);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}
