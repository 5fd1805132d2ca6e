/* SPDX-License-Identifier: MIT */
/*
 * A process in hostile surroundings is patched, or refused with the reason
 * before anything about it has changed.
 */
#include "paths.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(surroundings, .timeout = 120);

#define STRING(number)	  STRING_OF(number)
#define STRING_OF(number) #number
/* A filter that answers this system call in that way, and permits others. */
#define FAILING(name)                                                          \
	{                                                                      \
		"filter_error", STRING(SYS_##name)                             \
	}
#define KILLING(name)                                                          \
	{                                                                      \
		"filter_kill", STRING(SYS_##name)                              \
	}

struct row {
	/* arguments of the victim `surroundings` */
	const char *args[2];
	/* what is said when it is refused, or WORKS */
	const char *part;
};

#define WORKS NULL

static const struct row rows[] = {
	{ { "plain" }, WORKS },

	{ { "strict" }, "strict mode" },
	{ { "strict_thread" }, WORKS },
	{ { "filter_mdwe" }, WORKS },
	{ KILLING(ptrace), WORKS },
	{ FAILING(socket), WORKS },
	{ FAILING(rseq), "rseq: Operation not permitted" },
	{ FAILING(memfd_create), "memfd_create: Operation not permitted" },
	{ FAILING(clone3), "clone3: Operation not permitted" },
	{ { "filter_missing", STRING(SYS_clone3) }, WORKS },
	{ KILLING(rt_sigreturn), "rt_sigreturn: death" },
	{ KILLING(exit), "exit: death" },
	{ { "filter_trap", STRING(SYS_socketpair) }, "socketpair: SIGSYS" },
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static void start(struct victim *victim, const struct row *row)
{
	const char *lack;

	require_ptrace();
	if (geteuid() != 0)
		cr_skip("needs root");
	VICTIM_START(victim, "surroundings", row->args[0],
		     row->args[1] ? row->args[1] : "");
	lack = victim_ask(victim, "lacks");
	if (strcmp(lack, "nothing") != 0)
		cr_skip("not on this machine: %s", lack);
}

static void expect_patched(struct victim *victim, const char *target)
{
	struct snapshot before;

	snapshot_take(victim->pid, &before);
	for (int i = 0; i < 2; i++) {
		upatchctl_apply(target, "work");
		victim_expect(victim, "call", "work=3");
		upatchctl_revert(target, "work");
		victim_expect(victim, "call", "work=2");
	}
	snapshot_expect_kept(victim->pid, &before,
			     SNAPSHOT_CODE | SNAPSHOT_FDS | SNAPSHOT_THREADS |
				     SNAPSHOT_PROCESS,
			     "reverted");
	snapshot_free(&before);
}

static void expect_refused(struct victim *victim, const char *target,
			   const char *part)
{
	struct snapshot before;

	snapshot_take(victim->pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, part, "apply", target,
		       path_of_patch("work"));
	snapshot_expect_equal(victim->pid, &before, SNAPSHOT_ALL, "refused");
	victim_expect(victim, "call", "work=2");
	snapshot_free(&before);
}

ParameterizedTestParameters(surroundings, of_a_process)
{
	static size_t indices[ROW_COUNT];

	for (size_t i = 0; i < ROW_COUNT; i++)
		indices[i] = i;
	return cr_make_param_array(size_t, indices, ROW_COUNT);
}

/* Each runs in a process of its own, which has the table elsewhere. */
ParameterizedTest(size_t *index, surroundings, of_a_process)
{
	const struct row *row = &rows[*index];
	struct victim victim;

	cr_log_info("%s %s", row->args[0], row->args[1] ? row->args[1] : "");
	start(&victim, row);
	if (row->part)
		expect_refused(&victim, victim.target, row->part);
	else
		expect_patched(&victim, victim.target);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}
