/* SPDX-License-Identifier: MIT */
/*
 * A process in hostile surroundings is patched, or refused with the reason
 * before anything about it has changed.
 */
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
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
	/* of apply; if it is not EXIT_DONE, what is said has this part */
	int exit_status;
	const char *part;
	/* `check` and `apply --dry-run` say it, too */
	bool is_foreseen;
};

#define WORKS	      EXIT_DONE, NULL, false
#define REFUSED(part) EXIT_REFUSED, (part), false
/* Seen by reading alone. */
#define FORESEEN(part) EXIT_REFUSED, (part), true
/* Seen only when it is tried, and undone. */
#define FAILS(part) EXIT_FAILED, (part), false

/* clang-format off */
static const struct row rows[] = {
	{ { "plain" }, WORKS },

	{ { "strict" }, FORESEEN("strict mode") },
	{ { "strict_thread" }, WORKS },
	{ { "filter_mdwe" }, WORKS },
	{ KILLING(ptrace), WORKS },
	{ FAILING(socket), WORKS },
	{ FAILING(rseq), REFUSED("rseq: Operation not permitted") },
	{ FAILING(memfd_create), REFUSED("memfd_create: Operation not permitted") },
	{ FAILING(clone3), REFUSED("clone3: Operation not permitted") },
	{ { "filter_missing", STRING(SYS_clone3) }, WORKS },
	{ KILLING(rt_sigreturn), REFUSED("rt_sigreturn: death") },
	{ KILLING(exit), REFUSED("exit: death") },
	{ { "filter_trap", STRING(SYS_socketpair) }, REFUSED("socketpair: SIGSYS") },
	/* what gates are changed with: so they are not */
	{ KILLING(pwrite64), WORKS },
	{ FAILING(mremap), WORKS },

	{ { "address_space", "1000" }, FORESEEN("RLIMIT_AS") },
	{ { "address_space", "8000" }, WORKS },
	{ { "descriptors", "2" }, FORESEEN("RLIMIT_NOFILE") },
	{ { "descriptors", "3" }, WORKS },
	{ { "file_size", "16" }, FORESEEN("RLIMIT_FSIZE") },
	{ { "group_tasks" }, FORESEEN("pids.max") },
	{ { "group_memory", "600" }, FORESEEN("memory left in its control group") },
	{ { "group_memory", "1600" }, WORKS },
	{ { "processes" }, FAILS("cannot start the agent") },
	{ { "locked_memory", "64" }, FAILS("cannot map memory") },
	{ { "stack_limit", "unlimited" }, WORKS },
	{ { "stack_limit", "64" }, WORKS },

	{ { "no_new_privs" }, WORKS },
	{ { "undumpable" }, WORKS },
	{ { "undumpable", "user" }, WORKS },
	{ { "mdwe" }, WORKS },

	{ { "locked" }, WORKS },
	{ { "huge_pages" }, WORKS },
	{ { "copied_text" }, WORKS },
	{ { "copied_text", "huge" }, WORKS },
	{ { "protected_stack", "3" }, WORKS },

	{ { "other_tmp" }, WORKS },
	{ { "other_tmp", "full" }, WORKS },
	{ { "other_tmp", "read-only" }, WORKS },
	{ { "read_only" }, WORKS },
	{ { "chroot" }, FORESEEN("has no /proc in which it sees itself") },
	{ { "chroot", "proc" }, WORKS },
	{ { "pid_namespace" }, WORKS },
	{ { "user_namespace" }, WORKS },
	{ { "closed_descriptors" }, WORKS },

	{ { "real_time" }, WORKS },
	{ { "crowd", "16" }, WORKS },
	{ { "spinning" }, WORKS },
	{ { "io_uring" }, WORKS },
	{ { "uninterruptible" }, EXIT_TIMED_OUT, "waits for a vfork child", false },
};
/* clang-format on */

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

static void expect_problem(const char *target, const char *part)
{
	struct run run = UPATCHCTL("check", path_of_patch("work"), target);

	if (run.exit_status != EXIT_REFUSED || strstr(run.out, part) == NULL)
		cr_fatal("check: exit status %d, '%s'", run.exit_status,
			 run.out);
	run_free(&run);
}

/* What is refused beforehand leaves nothing; else memory of ours may stay. */
static void expect_refused(struct victim *victim, const char *target,
			   const struct row *row)
{
	struct snapshot before;

	snapshot_take(victim->pid, &before);
	for (int i = 0; i < 2; i++)
		EXPECT_REFUSAL(row->exit_status, row->part, "apply",
			       "--timeout", "1", target, path_of_patch("work"));
	if (row->is_foreseen) {
		EXPECT_REFUSAL(EXIT_REFUSED, row->part, "apply", "--dry-run",
			       target, path_of_patch("work"));
		expect_problem(target, row->part);
	}
	if (row->exit_status != EXIT_FAILED)
		snapshot_expect_equal(victim->pid, &before, SNAPSHOT_ALL,
				      "refused");
	else
		snapshot_expect_kept(victim->pid, &before,
				     SNAPSHOT_ALL & ~SNAPSHOT_MAPS, "undone");
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
	char target[16];

	cr_log_info("%s %s", row->args[0], row->args[1] ? row->args[1] : "");
	start(&victim, row);
	snprintf(target, sizeof(target), "%ld",
		 victim_number(victim_ask(&victim, "pid"), "pid"));
	if (row->part)
		expect_refused(&victim, target, row);
	else
		expect_patched(&victim, target);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* Memory runs out in malloc, which says so in errno: the borrowed thread's. */
Test(surroundings, failed_load_keeps_errno)
{
	static const struct row row = { { "locked_memory", "650" }, WORKS };
	struct victim victim;

	start(&victim, &row);
	EXPECT_REFUSAL(EXIT_REFUSED, "cannot load the runtime", "apply",
		       victim.target, path_of_patch("work"));
	victim_expect(&victim, "call", "work=2");
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* --- The main thread has ended ------------------------------------------ */

static bool main_thread_has_ended(void *arg)
{
	const struct victim *victim = arg;

	return procfs_is_in_state(victim->pid, victim->pid, "Z");
}

static void await_end_of_main_thread(struct victim *victim)
{
	if (!wait_until(main_thread_has_ended, victim, DEADLINE_MS))
		cr_fatal("the main thread has not ended");
}

Test(surroundings, ended_main_thread)
{
	static const struct row row = { { "ended_leader" }, WORKS };
	struct victim victim;
	char selector[512];

	start(&victim, &row);
	await_end_of_main_thread(&victim);
	expect_patched(&victim, victim.target);
	snprintf(selector, sizeof(selector), "exe:%s",
		 path_of_victim("surroundings"));
	EXPECT_EXIT(EXIT_DONE, "apply", selector, path_of_patch("work"));
	victim_expect(&victim, "call", "work=3");
	EXPECT_EXIT(EXIT_DONE, "revert", selector, "work");
	victim_expect(&victim, "call", "work=2");
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

Test(surroundings, ended_main_thread_and_old_kernel)
{
	static const struct row row = { { "ended_leader" }, WORKS };
	const char *const old_kernel[] = { path_of_victim("surroundings"),
					   "filter_thread_pidfds", "", NULL };
	struct snapshot before;
	struct victim victim;

	start(&victim, &row);
	await_end_of_main_thread(&victim);
	snapshot_take(victim.pid, &before);
	upatchctl_run_under(old_kernel);
	EXPECT_REFUSAL(EXIT_REFUSED, "the main thread of process", "apply",
		       victim.target, path_of_patch("work"));
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	snapshot_free(&before);
	victim_expect(&victim, "call", "work=2");
	victim_stop(&victim);
}

static void start_objects_with(struct victim *victim, const char *preloaded)
{
	char preload[512];

	require_ptrace();
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
		 path_of_victim(preloaded));
	VICTIM_START(victim, "/usr/bin/env", preload, path_of_victim("objects"),
		     path_of_victim("libtarget_a.so"),
		     path_of_victim("libtarget_b.so"));
}

/* The runtime writes code by itself, from whichever thread loads. */
Test(surroundings, ended_main_thread_and_libraries)
{
	struct victim victim;

	start_objects_with(&victim, "leaderless.so");
	await_end_of_main_thread(&victim);
	victim_expect(&victim, "open a", "opened");
	upatchctl_apply(victim.target, "objects_main_a");
	victim_expect(&victim, "call", "main=2 other=2 a=2 b=-");
	victim_expect(&victim, "close a", "closed");
	victim_expect(&victim, "open a", "opened");
	victim_expect(&victim, "call", "main=2 other=2 a=2 b=-");
	upatchctl_revert(victim.target, "objects_main_a");
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=-");
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* The thread under whose number the rest is read ends all the time. */
Test(surroundings, ended_main_thread_and_no_lasting_one)
{
	static const struct row row = { { "relay" }, WORKS };
	struct victim victim;

	start(&victim, &row);
	await_end_of_main_thread(&victim);
	for (int i = 0; i < 20; i++) {
		upatchctl_apply(victim.target, "work");
		victim_expect(&victim, "call", "work=3");
		upatchctl_revert(victim.target, "work");
		victim_expect(&victim, "call", "work=2");
	}
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* What comes and goes cannot be watched then; what is there can be patched. */
Test(surroundings, unreadable_loader)
{
	struct victim victim;

	start_objects_with(&victim, "no_memory_file.so");
	victim_expect(&victim, "open a", "opened");
	upatchctl_apply(victim.target, "objects_main_a");
	victim_expect(&victim, "call", "main=2 other=2 a=2 b=-");
	upatchctl_revert(victim.target, "objects_main_a");
	victim_expect(&victim, "call", "main=1 other=1 a=1 b=-");
	victim_stop(&victim);
}

Test(surroundings, descriptors_are_used_up_when_the_patch_is_sent)
{
	struct victim victim;

	start_objects_with(&victim, "no_descriptor_left.so");
	EXPECT_REFUSAL(EXIT_FAILED, "has no descriptor left (RLIMIT_NOFILE)",
		       "apply", victim.target, path_of_patch("objects_main_a"));
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* --- Seccomp ------------------------------------------------------------ */

/* The hooks of a patch that names a library run in the thread that loads. */
static void start_loader(struct victim *victim, const struct row *row)
{
	require_ptrace();
	if (geteuid() != 0)
		cr_skip("needs root");
	VICTIM_START(victim, "surroundings", row->args[0], row->args[1],
		     path_of_victim("objects"),
		     path_of_victim("libtarget_a.so"),
		     path_of_victim("libtarget_b.so"));
}

Test(surroundings, filter_permits_hooks)
{
	static const struct row row = { KILLING(ptrace), WORKS };
	struct victim victim;

	start_loader(&victim, &row);
	upatchctl_apply(victim.target, "objects_main_a");
	victim_expect(&victim, "open a", "opened");
	victim_expect(&victim, "call", "main=2 other=2 a=2 b=-");
	victim_expect(&victim, "close a", "closed");
	upatchctl_revert(victim.target, "objects_main_a");
	victim_stop(&victim);
}

Test(surroundings, filter_forbids_hooks)
{
	static const struct row row = { KILLING(pwrite64), WORKS };
	struct victim victim;
	struct snapshot before;

	start_loader(&victim, &row);
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, "pwrite64: death", "apply", victim.target,
		       path_of_patch("objects_main_a"));
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	/* Without libraries there are no hooks. */
	upatchctl_apply(victim.target, "objects_main");
	victim_expect(&victim, "open a", "opened");
	victim_expect(&victim, "call", "main=2 other=2 a=1 b=-");
	snapshot_free(&before);
	victim_stop(&victim);
}

/*
 * The gates are direct, and what it takes to have them led by their slots again
 * is forbidden meanwhile.
 */
Test(surroundings, filter_that_came_later_forbids_to_change_gates)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	if (geteuid() != 0)
		cr_skip("needs root");
	VICTIM_START(&victim, "surroundings", "plain");
	upatchctl_apply(victim.target, "work");
	victim_expect(&victim, "enter filter_kill " STRING(SYS_pwrite64),
		      "entered");
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, "pwrite64: death", "revert", victim.target,
		       "work");
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	cr_assert(upatchctl_patch_count(victim.target) == 1);
	victim_expect(&victim, "call", "work=3");
	snapshot_free(&before);
	victim_stop(&victim);
}

/*
 * The gates are direct, and the program may not open its own memory any more,
 * as a daemon that gives up being root.
 */
Test(surroundings, gates_can_be_changed_without_privileges)
{
	struct victim victim;

	require_ptrace();
	if (geteuid() != 0)
		cr_skip("needs root");
	VICTIM_START(&victim, "surroundings", "plain");
	for (int i = 0; i < 2; i++) {
		upatchctl_apply(victim.target, "work");
		if (i == 0)
			victim_expect(&victim, "enter undumpable user",
				      "entered");
		victim_expect(&victim, "call", "work=3");
		upatchctl_revert(victim.target, "work");
	}
	victim_stop(&victim);
}

/* They never were direct: then nothing is to be changed. */
Test(surroundings, filter_that_was_there_before_forbids_nothing)
{
	struct victim victim;

	require_ptrace();
	if (geteuid() != 0)
		cr_skip("needs root");
	VICTIM_START(&victim, "surroundings", "filter_kill",
		     STRING(SYS_pwrite64));
	upatchctl_apply(victim.target, "work");
	victim_expect(&victim, "call", "work=3");
	upatchctl_revert(victim.target, "work");
	victim_stop(&victim);
}

/*
 * After a stop such a thread would go on with restart_syscall, and be killed
 * for that.
 */
Test(surroundings, filter_forbids_restarted_calls)
{
	struct victim victim;

	require_ptrace();
	if (geteuid() != 0)
		cr_skip("needs root");
	VICTIM_START(&victim, "surroundings", "filter_kill",
		     STRING(SYS_restart_syscall), path_of_victim("workers"),
		     "nanosleep", "3");
	for (int i = 0; i < 3; i++) {
		upatchctl_apply(victim.target, "work");
		upatchctl_revert(victim.target, "work");
	}
	cr_assert(victim_number(victim_ask(&victim, "report"), "disturbed") ==
		  0);
	victim_stop(&victim);
}
