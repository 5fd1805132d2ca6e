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
	/* as many are to come at least in a second; 0: it is no storm */
	long per_second;
};

static struct row rows[] = {
	{ "spin", 1000 },	   { "one_of_all", 1000 },
	{ "any", 1000 },	   { "altstack", 1000 },
	{ "restart", 1000 },	   { "interrupt", 1000 },
	{ "sigsuspend", 1000 },	   { "ppoll", 1000 },
	{ "pselect", 1000 },	   { "epoll_pwait", 1000 },
	{ "sigwaitinfo", 1000 },   { "sigtimedwait", 1000 },
	{ "signalfd", 1000 },	   { "main_read", 1000 },
	{ "main_epoll", 1000 },	   { "main_ppoll", 1000 },
	{ "main_signalfd", 1000 }, { "timer", 1000 },
	{ "itimer", 500 },	   { "sigev_thread", 100 },
	{ "trap", 1000 },	   { "fault", 1000 },
	{ "pending", 0 },
};

/* UPATCH_SIGNAL_SECONDS: of the whole table. */
static int row_limit_ms(void)
{
	const char *text = getenv("UPATCH_SIGNAL_SECONDS");
	double seconds = text != NULL ? strtod(text, NULL) : 8;

	return (int)(seconds * 1000 / (sizeof(rows) / sizeof(rows[0])));
}

/* Returns how many have come. */
static long expect_all(struct victim *victim, const struct row *row, long work,
		       unsigned int cycle)
{
	const char *answer = victim_ask(victim, "report");

	if (victim_number(answer, "wrong") != 0 ||
	    victim_number(answer, "sent") != victim_number(answer, "seen") ||
	    victim_number(answer, "work") != work)
		cr_fatal("%s, cycle %u: %s", row->kind, cycle, answer);
	return victim_number(answer, "deliveries");
}

ParameterizedTestParameters(signals, all_arrive)
{
	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, signals, all_arrive)
{
	int64_t begin_ms, now_ms;
	struct victim victim;
	struct snapshot before;
	unsigned int cycle = 0;
	long first, count;

	require_ptrace();
	VICTIM_START(&victim, "signals", row->kind);
	first = expect_all(&victim, row, 2, 0);
	snapshot_take(victim.pid, &before);
	begin_ms = deadline_now_ms();
	do {
		cycle++;
		upatchctl_apply(victim.target, "work");
		expect_all(&victim, row, 3, cycle);
		upatchctl_revert(victim.target, "work");
		count = expect_all(&victim, row, 2, cycle) - first;
		now_ms = deadline_now_ms();
	} while (now_ms < begin_ms + row_limit_ms());
	cr_log_info("%s: %u cycles, %ld signals in %ld ms", row->kind, cycle,
		    count, (long)(now_ms - begin_ms));
	if (count * 1000 < row->per_second * (now_ms - begin_ms))
		cr_fatal("%s: %ld signals in %ld ms are no storm", row->kind,
			 count, (long)(now_ms - begin_ms));
	snapshot_expect_equal(victim.pid, &before,
			      SNAPSHOT_PROCESS | SNAPSHOT_FDS, "reverted");
	victim_check_undisturbed(&victim);
	snapshot_free(&before);
	victim_stop(&victim);
}
