/* SPDX-License-Identifier: MIT */
/*
 * Signals of every kind, thousands in a second, while patches come and go:
 * none is lost, doubled or out of order.
 */
#include "deadline.h"
#include "paths.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>

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
	double seconds = text != NULL ? strtod(text, NULL) : 8;

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
	snapshot_take(victim.pid, &before);
	first = expect_all(&victim, row, 2, 0);
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
