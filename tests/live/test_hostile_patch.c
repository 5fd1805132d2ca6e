/* SPDX-License-Identifier: MIT */
/*
 * Patches that are well-formed and do harm: what the operator is told, and
 * what becomes of the process.
 */
#include "child.h"
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(hostile_patch, .timeout = 120);

/* --- Callbacks that do not return --------------------------------------- */

struct hanging {
	struct victim victim;
	char file
		[64]; /* as long as it is there, the callback does not return */
	struct child operator;
};

struct row {
	char patch[32];
	char callback[16];
	char before[32],
		after[32]; /* what the victim answers meanwhile, then */
	size_t patches;	   /* that are there in the end */
	/* a command that goes on, and its operand, or an option in its place */
	char goes_on[8], operand[32];
	/* what the callback is for can still be cancelled */
	bool ends_at_first_signal;
};

static struct row rows[] = {
	{ "hanging_pre_patch", "pre_patch", "work=2 twin=2,11 tiny=0",
	  "work=2 twin=2,11 tiny=0", 0, "wait", "--json", true },
	{ "hanging_post_patch", "post_patch", "work=3 twin=2,11 tiny=0",
	  "work=3 twin=2,11 tiny=0", 1, "revert", "hanging_post_patch", false },
};

static void release(const struct hanging *hanging)
{
	unlink(hanging->file);
}

static bool is_in_callback(void *arg)
{
	const struct hanging *hanging = arg;
	json_t *status = upatchctl_status(hanging->victim.target);
	bool is_running = json_object_get(status, "callbacks") != NULL;

	json_decref(status);
	return is_running;
}

/* Returns when the callback runs. */
static void start(struct hanging *hanging, const struct row *row)
{
	const char *const argv[] = { path_of_upatchctl(), "apply",
				     hanging->victim.target,
				     path_of_patch(row->patch), NULL };
	int fd;

	require_ptrace();
	VICTIM_START(&hanging->victim, "idle");
	snprintf(hanging->file, sizeof(hanging->file), "/tmp/upatch-hanging.%d",
		 hanging->victim.pid);
	fd = open(hanging->file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		cr_fatal("cannot create %s", hanging->file);
	close(fd);
	child_start(&hanging->operator, argv, CHILD_QUIET);
	if (!wait_until(is_in_callback, hanging, DEADLINE_MS)) {
		release(hanging);
		cr_fatal("no callback runs");
	}
}

static void expect_in_status(const struct hanging *hanging,
			     const struct row *row)
{
	json_t *status = upatchctl_status(hanging->victim.target);
	const json_t *call =
		json_array_get(json_object_get(status, "callbacks"), 0);
	const char *callback =
		json_string_value(json_object_get(call, "callback"));
	const json_int_t tid = json_integer_value(json_object_get(call, "tid"));

	cr_assert(callback && strcmp(callback, row->callback) == 0);
	cr_assert(upatchctl_has(call, "object", JSON_NULL));
	if (!procfs_is_in_state(hanging->victim.pid, (pid_t)tid, "SR"))
		cr_fatal("thread %d is not there", (int)tid);
	json_decref(status);
}

/* Ctrl-C once, or twice, while the callback runs. */
static void interrupt(struct hanging *hanging, const struct row *row)
{
	int status;

	kill(hanging->operator.pid, SIGINT);
	if (row->ends_at_first_signal) {
		cr_assert(child_wait(&hanging->operator, DEADLINE_MS, &status));
		if (!WIFEXITED(status))
			cr_fatal("ended with status 0x%x",
				 (unsigned int)status);
		cr_assert(eq(int, WEXITSTATUS(status), EXIT_FAILED));
		return;
	}
	/* Signals do not queue: the second may come too early to count. */
	while (!child_wait(&hanging->operator, 50, &status))
		kill(hanging->operator.pid, SIGINT);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGINT)
		cr_fatal("ended with status 0x%x", (unsigned int)status);
}

static void count(pid_t pid, int number, void *arg)
{
	(void)pid;
	(void)number;
	(*(size_t *)arg)++;
}

static bool has_no_agent(void *arg)
{
	const struct hanging *hanging = arg;
	size_t threads = 0;

	procfs_for_each(hanging->victim.pid, "task", count, &threads);
	return threads == 1;
}

ParameterizedTestParameters(hostile_patch, callback_that_does_not_return)
{
	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, hostile_patch, callback_that_does_not_return)
{
	struct hanging hanging;
	struct victim *victim = &hanging.victim;

	start(&hanging, row);
	expect_in_status(&hanging, row);
	victim_expect(victim, "call", row->before);
	EXPECT_EXIT(EXIT_BUSY, "apply", victim->target,
		    path_of_patch("work_immediate"), "--timeout", "1");
	interrupt(&hanging, row);
	victim_check_undisturbed(victim);
	victim_expect(victim, "call", row->before);
	expect_in_status(&hanging, row);
	EXPECT_REFUSAL(EXIT_BUSY, "has not returned", row->goes_on,
		       victim->target, row->operand, "--timeout", "1");
	release(&hanging);
	EXPECT_EXIT(EXIT_DONE, "wait", victim->target);
	cr_assert(wait_until(has_no_agent, &hanging, DEADLINE_MS));
	cr_assert(eq(sz, upatchctl_patch_count(victim->target), row->patches));
	victim_expect(victim, "call", row->after);
	if (row->patches)
		upatchctl_revert(victim->target, row->patch);
	upatchctl_apply(victim->target, "work");
	victim_expect(victim, "call", "work=3 twin=2,11 tiny=0");
	upatchctl_revert(victim->target, "work");
	victim_expect(victim, "call", "work=2 twin=2,11 tiny=0");
	victim_stop(victim);
}

/* --- Files that the loader meets --------------------------------------- */

/* Code of the patch runs in the process before it can be judged. */
Test(hostile_patch, constructor_that_crashes_ends_the_process)
{
	struct victim victim;
	siginfo_t end = { 0 };

	require_ptrace();
	VICTIM_START(&victim, "idle");
	EXPECT_REFUSAL(EXIT_NOT_FOUND, "ended", "apply", victim.target,
		       path_of_patch("crashing"));
	waitid(P_PID, (id_t)victim.pid, &end, WEXITED | WNOWAIT);
	cr_assert(eq(int, end.si_status, SIGABRT));
}

Test(hostile_patch, missing_dependency_is_undone)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, "libupatch-test-absent.so", "apply",
		       victim.target, path_of_patch("dependent"));
	snapshot_expect_kept(victim.pid, &before,
			     SNAPSHOT_CODE | SNAPSHOT_PROCESS, "refused");
	cr_assert(eq(sz, upatchctl_patch_count(victim.target), 0));
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	snapshot_free(&before);
	victim_stop(&victim);
}
