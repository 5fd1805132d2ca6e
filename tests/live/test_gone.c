/* SPDX-License-Identifier: MIT */
/*
 * The target goes while a thread that can be borrowed is looked for: said at
 * once, not when the time is over.
 */
#include "deadline.h"
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define SOON_MS 10000

TestSuite(gone, .timeout = 60);

static void run_gone(const char *how, const char *message)
{
	int64_t begin_ms = deadline_now_ms();
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "leaver", how);
	EXPECT_REFUSAL(EXIT_NOT_FOUND, message, "apply", victim.target,
		       path_of_patch("work"));
	cr_assert(deadline_now_ms() - begin_ms < SOON_MS);
	victim_stop(&victim);
}

Test(gone, ends_while_no_thread_fits)
{
	run_gone("exit", "ended");
}

Test(gone, executes_while_no_thread_fits)
{
	run_gone("exec", "has called execve");
}
