/* SPDX-License-Identifier: MIT */
/*
 * What cannot be patched is refused with its exit status and one line, and
 * nothing about the target has changed.
 */
#include "child.h"
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(bad_target, .timeout = 120);
TestSuite(bad_patch, .timeout = 120);
TestSuite(bad_usage, .timeout = 60);

/* --- Targets ---------------------------------------------------------- */

Test(bad_target, no_such_process)
{
	struct victim victim;
	char target[16];

	require_ptrace();
	VICTIM_START(&victim, "idle");
	snprintf(target, sizeof(target), "%s", victim.target);
	victim_stop(&victim);
	EXPECT_EXIT(EXIT_NOT_FOUND, "apply", target, path_of_patch("work"));
	EXPECT_EXIT(EXIT_NOT_FOUND, "revert", target, "work");
	EXPECT_EXIT(EXIT_NOT_FOUND, "status", target);
	EXPECT_EXIT(EXIT_NOT_FOUND, "log", target);
}

Test(bad_target, zombie)
{
	const char *const argv[] = { "true", NULL };
	siginfo_t end = { 0 };
	struct child child;
	char target[16];

	require_ptrace();
	child_start(&child, argv, 0);
	waitid(P_PID, (id_t)child.pid, &end, WEXITED | WNOWAIT);
	snprintf(target, sizeof(target), "%d", child.pid);
	EXPECT_EXIT(EXIT_NOT_FOUND, "apply", target, path_of_patch("work"));
	child_stop(&child, DEADLINE_MS);
}

Test(bad_target, kernel_thread)
{
	char name[64];

	require_ptrace();
	procfs_status_field(2, 2, "Name", name, sizeof(name));
	if (strcmp(name, "kthreadd") != 0)
		cr_skip("no kernel thread is visible here");
	EXPECT_EXIT(EXIT_REFUSED, "apply", "2", path_of_patch("work"));
}

static void expect_untouched(const char *victim_name, const char *part)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, victim_name);
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, part, "apply", victim.target,
		       path_of_patch("work"));
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	snapshot_free(&before);
	victim_stop(&victim);
}

Test(bad_target, thirty_two_bits)
{
	if (access(path_of_victim("idle_m32"), X_OK) != 0)
		cr_skip("no compiler for 32-bit programs here");
	expect_untouched("idle_m32", "64-bit");
}

Test(bad_target, static_program)
{
	expect_untouched("idle_static", "");
}

static void note_running(pid_t pid, int tid, void *arg)
{
	if (!procfs_is_in_state(pid, tid, "T"))
		*(bool *)arg = true;
}

/* Each thread stops by itself, as soon as it gets a processor. */
static bool is_stopped(void *arg)
{
	const struct victim *victim = arg;
	bool one_runs = false;

	procfs_for_each(victim->pid, "task", note_running, &one_runs);
	return !one_runs;
}

Test(bad_target, stopped_process_stays_stopped)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, "workers", "sleep", "4");
	kill(victim.pid, SIGSTOP);
	cr_assert(wait_until(is_stopped, &victim, DEADLINE_MS));
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, "stopped", "apply", victim.target,
		       path_of_patch("work"));
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	cr_assert(is_stopped(&victim));
	kill(victim.pid, SIGCONT);
	upatchctl_apply(victim.target, "work");
	cr_assert(victim_number(victim_ask(&victim, "round"), "old") == 0);
	snapshot_free(&before);
	victim_stop(&victim);
}

Test(bad_target, process_of_another_tracer)
{
	struct victim victim, tracer;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	VICTIM_START(&tracer, "tracer", victim.target);
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_BUSY, "trace", "apply", victim.target,
		       path_of_patch("work"));
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	victim_stop(&tracer);
	upatchctl_apply(victim.target, "work");
	snapshot_free(&before);
	victim_stop(&victim);
}

static bool is_traced(void *arg)
{
	const pid_t *pid = arg;

	return procfs_tracer(*pid) > 0;
}

Test(bad_target, process_under_gdb)
{
	struct victim victim;
	struct child gdb;
	const char *const argv[] = { "gdb", "-nx",	   "-q",
				     "-p",  victim.target, NULL };

	require_ptrace();
	if (access("/usr/bin/gdb", X_OK) != 0)
		cr_skip("gdb is not installed");
	VICTIM_START(&victim, "idle");
	child_start(&gdb, argv, CHILD_QUIET);
	cr_assert(wait_until(is_traced, &victim.pid, DEADLINE_MS));
	EXPECT_EXIT(EXIT_BUSY, "apply", victim.target, path_of_patch("work"));
	child_send(&gdb, "detach");
	child_send(&gdb, "quit");
	child_stop(&gdb, DEADLINE_MS);
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	victim_stop(&victim);
}

/* --- Patches ---------------------------------------------------------- */

struct row {
	char patch[24];
	/* what the message has to name */
	char part[32];
};

static struct row rows[] = {
	{ "no_descriptor", "descriptor" },
	{ "future_version", "version" },
	{ "missing_symbol", "wrok" },
	{ "missing_variable", "no_such_variable" },
	{ "ambiguous", "twin" },
	{ "twin_3", "twin" },
	{ "too_short", "tiny" },
	{ "wrong_build_id", "build id" },
	{ "same_address", "work" },
	{ "bad_name", "name" },
	{ "no_new_func", "work" },
};

ParameterizedTestParameters(bad_patch, does_not_fit)
{
	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

/* `path` is refused by apply and by check, and the victim notices nothing. */
static void expect_refused_patch(const char *path, const char *part)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, part, "apply", victim.target, path);
	EXPECT_REFUSAL(EXIT_REFUSED, part, "apply", "--dry-run", victim.target,
		       path);
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, path);
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	snapshot_free(&before);
	victim_stop(&victim);
}

ParameterizedTest(struct row *row, bad_patch, does_not_fit)
{
	cr_log_info("%s", row->patch);
	expect_refused_patch(path_of_patch(row->patch), row->part);
}

/* A changed copy of the patch `work` in a temporary file. */
static char *copy_of_work(char *path, size_t keep, size_t change_at,
			  unsigned char value)
{
	static unsigned char image[1024 * 1024];
	int fd = open(path_of_patch("work"), O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, image, sizeof(image));

	close(fd);
	if (len <= 0 || (size_t)len == sizeof(image))
		cr_fatal("cannot read the patch 'work'");
	if (keep > (size_t)len)
		keep = (size_t)len;
	image[change_at] = value;
	fd = mkstemp(path);
	if (fd < 0 || write(fd, image, keep) != (ssize_t)keep)
		cr_fatal("cannot write %s: %s", path, strerror(errno));
	close(fd);
	return path;
}

Test(bad_patch, wrong_machine)
{
	char path[] = "/tmp/upatch-test-XXXXXX";

	copy_of_work(path, (size_t)-1, offsetof(Elf64_Ehdr, e_machine),
		     EM_AARCH64);
	expect_refused_patch(path, "");
	unlink(path);
}

Test(bad_patch, no_elf)
{
	char path[] = "/tmp/upatch-test-XXXXXX";

	copy_of_work(path, (size_t)-1, 0, 'x');
	expect_refused_patch(path, "ELF");
	unlink(path);
}

Test(bad_patch, truncated)
{
	static const size_t lengths[] = { 0,	  16,	  63,	  64,	 100,
					  0x1000, 0x2000, 0x3000, 0x3800 };
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char path[] = "/tmp/upatch-test-XXXXXX";

		copy_of_work(path, lengths[i], sizeof(Elf64_Ehdr) - 1, 0);
		EXPECT_EXIT(EXIT_REFUSED, "apply", victim.target, path);
		unlink(path);
	}
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	victim_stop(&victim);
}

Test(bad_patch, is_a_directory)
{
	struct victim victim;
	struct run run;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	run = UPATCHCTL("apply", victim.target, "/tmp");
	cr_assert(run.exit_status > 0);
	run_free(&run);
	run = UPATCHCTL("apply", victim.target, "/nonexistent/fix.so");
	cr_assert(run.exit_status > 0);
	run_free(&run);
	victim_stop(&victim);
}

Test(bad_patch, fifo_does_not_hang)
{
	char path[] = "/tmp/upatch-test-XXXXXX";
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	close(mkstemp(path));
	unlink(path);
	cr_assert(mkfifo(path, 0600) == 0);
	EXPECT_EXIT(EXIT_REFUSED, "apply", victim.target, path);
	unlink(path);
	victim_stop(&victim);
}

Test(bad_patch, duplicate_name)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	upatchctl_apply(victim.target, "work");
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, "work", "apply", victim.target,
		       path_of_patch("work"));
	EXPECT_REFUSAL(EXIT_REFUSED, "work", "apply", victim.target,
		       path_of_patch("same_name"));
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	victim_expect(&victim, "call", "work=3 twin=2,11 tiny=0");
	snapshot_free(&before);
	victim_stop(&victim);
}

/* Only the target's loader can know; it has to be undone then. */
Test(bad_patch, undefined_symbol_is_undone)
{
	struct victim victim;
	struct snapshot before;
	struct run run;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	snapshot_take(victim.pid, &before);
	run = UPATCHCTL("apply", victim.target, path_of_patch("undefined"));
	cr_assert(run.exit_status == EXIT_FAILED ||
		  run.exit_status == EXIT_REFUSED);
	cr_assert(strstr(run.err, "upatch_test_nobody_has_this") != NULL);
	snapshot_expect_kept(victim.pid, &before,
			     SNAPSHOT_CODE | SNAPSHOT_PROCESS, "refused");
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	run_free(&run);
	snapshot_free(&before);
	victim_stop(&victim);
}

static void expect_clash(const char *patch, const char *symbol)
{
	struct victim victim;
	struct snapshot before;
	char part[64];

	require_ptrace();
	VICTIM_START(&victim, "exporter");
	snprintf(part, sizeof(part), "defines '%s' too", symbol);
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, part, "apply", victim.target,
		       path_of_patch(patch));
	snapshot_expect_kept(victim.pid, &before,
			     SNAPSHOT_CODE | SNAPSHOT_PROCESS, "refused");
	victim_expect(&victim, "call", "work=70");
	snapshot_free(&before);
	victim_stop(&victim);
}

/* The loader would let the code of the patch have the program's. */
Test(bad_patch, name_that_the_program_exports_too)
{
	expect_clash("clash_variable", "limit");
	expect_clash("clash_pointer", "limit");
	expect_clash("clash_function", "weigh_more");
	expect_clash("clash_thread_local", "depth");
}

Test(bad_patch, weak_names_are_shared_and_pointers_may_change)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "exporter");
	upatchctl_apply(victim.target, "clash_shared");
	victim_expect(&victim, "call", "work=4");
	upatchctl_apply(victim.target, "clash_none");
	victim_expect(&victim, "call", "work=8");
	victim_stop(&victim);
}

Test(bad_patch, revert_of_what_is_not_applied)
{
	struct victim victim;
	struct snapshot before;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	snapshot_take(victim.pid, &before);
	EXPECT_EXIT(EXIT_NOT_FOUND, "revert", victim.target, "work");
	EXPECT_EXIT(EXIT_DONE, "status", victim.target);
	cr_assert(upatchctl_patch_count(victim.target) == 0);
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	EXPECT_EXIT(EXIT_REFUSED, "force", victim.target);
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "refused");
	upatchctl_apply(victim.target, "work");
	EXPECT_EXIT(EXIT_NOT_FOUND, "revert", victim.target, "chain_1");
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	EXPECT_EXIT(EXIT_REFUSED, "force", victim.target);
	snapshot_free(&before);
	victim_stop(&victim);
}

/* With MALLOC_PERTURB_, libc overwrites what is freed. */
Test(bad_patch, what_a_check_found_outlives_the_patch_file)
{
	struct run run;

	setenv("MALLOC_PERTURB_", "165", 1);
	run = UPATCHCTL("check", path_of_patch("work"), path_of_victim("idle"));
	unsetenv("MALLOC_PERTURB_");
	cr_assert(eq(int, run.exit_status, EXIT_DONE));
	cr_assert(strncmp(run.out, "work in main executable: ", 25) == 0, "%s",
		  run.out);
	run_free(&run);
}

Test(bad_patch, check_finds_every_problem)
{
	struct victim victim;
	struct run run;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	run = UPATCHCTL("check", path_of_patch("objects_main"), victim.target);
	cr_assert(run.exit_status == EXIT_REFUSED);
	cr_assert(strstr(run.out, "main_value") != NULL ||
		  strstr(run.err, "main_value") != NULL);
	cr_assert(strstr(run.out, "main_other") != NULL ||
		  strstr(run.err, "main_other") != NULL);
	run_free(&run);
	EXPECT_EXIT(EXIT_DONE, "check", path_of_patch("work"), victim.target);
	EXPECT_EXIT(EXIT_DONE, "check", path_of_patch("work"),
		    path_of_victim("idle"));
	EXPECT_EXIT(EXIT_DONE, "info", path_of_patch("work"));
	EXPECT_EXIT(EXIT_REFUSED, "info", path_of_patch("no_descriptor"));
	victim_stop(&victim);
}

/* --- Usage ------------------------------------------------------------ */

/* A pid above every limit: what is wrong is found before it is looked up. */
#define NOBODY "999999999"

Test(bad_usage, is_answered_with_one_line)
{
	EXPECT_EXIT(EXIT_USAGE, "aply", NOBODY, "fix.so");
	EXPECT_EXIT(EXIT_USAGE, "apply");
	EXPECT_EXIT(EXIT_USAGE, "apply", NOBODY);
	EXPECT_EXIT(EXIT_USAGE, "apply", "nonsense", path_of_patch("work"));
	EXPECT_EXIT(EXIT_USAGE, "apply", "-1", path_of_patch("work"));
	EXPECT_EXIT(EXIT_USAGE, "apply", "--no-such-option", NOBODY, "fix.so");
	EXPECT_EXIT(EXIT_USAGE, "apply", "--timeout", "soon", NOBODY, "fix.so");
	EXPECT_EXIT(EXIT_USAGE, "apply", "--on-timeout", "pray", NOBODY,
		    "fix.so");
	EXPECT_EXIT(EXIT_DONE, "--help");
	EXPECT_EXIT(EXIT_DONE, "apply", "--help");
}
