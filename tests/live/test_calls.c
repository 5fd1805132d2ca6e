/* SPDX-License-Identifier: MIT */
/*
 * Threads that are borrowed or examined amid system calls: none is made
 * twice, lost, or made to fail.
 */
#include "paths.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(calls, .timeout = 600);

struct row {
	char mode[8];
	char threads[4];
	unsigned int cycles;
};

static struct row rows[] = {
	{ "write", "1", 200 }, { "pipe", "1", 200 }, { "dup", "1", 200 },
	{ "write", "4", 20 },  { "pipe", "4", 20 },  { "dup", "4", 20 },
};

/* Other threads have descriptors open at any time. */
static bool is_free_fd_known(const struct row *row)
{
	return strcmp(row->threads, "1") == 0;
}

/* Returns the lowest free descriptor. */
static long expect_report(struct victim *victim, const struct row *row,
			  long work, unsigned int cycle)
{
	const char *answer = victim_ask(victim, "report");

	if (victim_number(answer, "wrong") != 0 ||
	    victim_number(answer, "work") != work)
		cr_fatal("%s, %s threads, cycle %u: %s", row->mode,
			 row->threads, cycle, answer);
	return victim_number(answer, "free_fd");
}

ParameterizedTestParameters(calls, are_made_once)
{
	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, calls, are_made_once)
{
	struct victim victim;
	struct snapshot before;
	long free_fd;

	require_ptrace();
	VICTIM_START(&victim, "calls", row->mode, row->threads);
	free_fd = expect_report(&victim, row, 2, 0);
	snapshot_take(victim.pid, &before);
	for (unsigned int i = 1; i <= cycle_count(row->cycles); i++) {
		upatchctl_apply(victim.target, "work");
		expect_report(&victim, row, 3, i);
		upatchctl_revert(victim.target, "work");
		expect_report(&victim, row, 2, i);
	}
	snapshot_expect_equal(victim.pid, &before,
			      SNAPSHOT_THREADS | SNAPSHOT_PROCESS, "reverted");
	if (is_free_fd_known(row))
		cr_assert(expect_report(&victim, row, 2, 0) == free_fd);
	victim_check_undisturbed(&victim);
	snapshot_free(&before);
	victim_stop(&victim);
}
