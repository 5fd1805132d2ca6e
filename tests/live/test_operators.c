/* SPDX-License-Identifier: MIT */
/*
 * Several operators, debuggers and profilers on one process: one works, the
 * others are told who does, and the state is that of some order.
 */
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "upatchctl.h"
#include "victim.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(operators, .timeout = 3600);

#define CROWD 4

/* --- upatchctl against itself -------------------------------------------- */

static void begin(struct child *child, const char *const words[])
{
	const char *argv[8] = { path_of_upatchctl() };

	for (size_t i = 0; words[i] != NULL; i++)
		argv[i + 1] = words[i];
	child_start(child, argv, CHILD_QUIET);
}

static int end_of(struct child *child)
{
	int status = 0;

	if (!child_wait(child, DEADLINE_MS, &status)) {
		kill(child->pid, SIGKILL);
		cr_fatal("upatchctl does not end");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* All at once; returns how many did it.  The others find it done, or busy. */
static unsigned int run_crowd(const char *const words[], int is_done_status)
{
	struct child crowd[CROWD];
	unsigned int done = 0;

	for (int i = 0; i < CROWD; i++)
		begin(&crowd[i], words);
	for (int i = 0; i < CROWD; i++) {
		int status = end_of(&crowd[i]);

		done += status == EXIT_DONE;
		if (status != EXIT_DONE && status != EXIT_BUSY &&
		    status != is_done_status)
			cr_fatal("%s: exit status %d", words[0], status);
	}
	return done;
}

static void expect_side(struct victim *victim, size_t patches)
{
	const char *answer = victim_ask(victim, "round");

	cr_assert(upatchctl_patch_count(victim->target) == patches);
	cr_assert(victim_number(answer, patches ? "old" : "new") == 0);
	cr_assert(victim_number(answer, "other") == 0);
}

static void run_crowds(struct victim *victim)
{
	const char *const apply[] = { "apply", victim->target,
				      path_of_patch("work"), NULL };
	const char *const revert[] = { "revert", victim->target, "work", NULL };

	cr_assert(run_crowd(apply, EXIT_REFUSED) == 1);
	expect_side(victim, 1);
	cr_assert(run_crowd(revert, EXIT_NOT_FOUND) == 1);
	expect_side(victim, 0);
	victim_check_undisturbed(victim);
}

/* Of a new process each time: to load the runtime twice is the worst. */
Test(operators, one_of_many_works)
{
	require_ptrace();
	for (unsigned int i = 0; i < cycle_count(12); i++) {
		struct victim victim;

		VICTIM_START(&victim, "workers", "sleep", "8");
		run_crowds(&victim);
		run_crowds(&victim);
		victim_stop(&victim);
	}
}

static int apply_until_done(const char *target, const char *patch)
{
	int64_t end_ms = deadline_now_ms() + DEADLINE_MS;
	struct run run;
	int status;

	do {
		run = UPATCHCTL("apply", target, path_of_patch(patch));
		status = run.exit_status;
		run_free(&run);
	} while (status == EXIT_BUSY && deadline_now_ms() < end_ms);
	return status;
}

Test(operators, two_patches_by_two_operators)
{
	const unsigned int rounds = cycle_count(10);
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	for (unsigned int i = 0; i < rounds; i++) {
		const char *const names[] = { "work", "chain_1" };
		struct child operators[2];
		size_t done = 0;

		for (int j = 0; j < 2; j++) {
			const char *const words[] = { "apply", victim.target,
						      path_of_patch(names[j]),
						      NULL };

			begin(&operators[j], words);
		}
		for (int j = 0; j < 2; j++) {
			int status = end_of(&operators[j]);

			cr_assert(status == EXIT_DONE || status == EXIT_BUSY);
			done += status == EXIT_DONE;
		}
		cr_assert(upatchctl_patch_count(victim.target) == done);
		for (int j = 0; j < 2; j++) {
			int status = apply_until_done(victim.target, names[j]);

			cr_assert(status == EXIT_DONE ||
				  status == EXIT_REFUSED);
		}
		cr_assert(upatchctl_patch_count(victim.target) == 2);
		upatchctl_revert(victim.target, "work");
		upatchctl_revert(victim.target, "chain_1");
		victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	}
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* Everything that there is, in any order, and the state is one of two. */
Test(operators, all_commands_at_once)
{
	const unsigned int rounds = cycle_count(20);
	struct victim victim;
	unsigned int seed = 1;

	require_ptrace();
	VICTIM_START(&victim, "workers", "sleep", "4");
	for (unsigned int i = 0; i < rounds; i++) {
		const char *const commands[][5] = {
			{ "apply", victim.target, path_of_patch("work") },
			{ "revert", victim.target, "work" },
			{ "status", victim.target },
			{ "wait", victim.target },
			{ "reverse", victim.target },
		};
		struct child crowd[CROWD];
		const char *answer;
		size_t patches;

		for (int j = 0; j < CROWD; j++)
			begin(&crowd[j], commands[(size_t)rand_r(&seed) %
						  (sizeof(commands) /
						   sizeof(commands[0]))]);
		for (int j = 0; j < CROWD; j++) {
			int status = end_of(&crowd[j]);

			/* 7: another one has turned it around. */
			if (status == -1 || status == EXIT_FAILED ||
			    status == EXIT_USAGE || status > EXIT_TIMED_OUT)
				cr_fatal("round %u: exit status %d", i, status);
		}
		EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
		patches = upatchctl_patch_count(victim.target);
		answer = victim_ask(&victim, "round");
		if (victim_number(answer, patches ? "old" : "new") != 0 ||
		    victim_number(answer, "other") != 0)
			cr_fatal("round %u: %zu patches, %s", i, patches,
				 answer);
		victim_check_undisturbed(&victim);
	}
	victim_stop(&victim);
}

/* --- Debuggers ------------------------------------------------------------ */

static bool is_traced(void *arg)
{
	const pid_t *pid = arg;

	return procfs_tracer(*pid) > 0;
}

Test(operators, strace_came_first)
{
	struct victim victim;
	struct child strace;
	const char *const argv[] = { "strace", "-f", "-p", victim.target,
				     NULL };

	require_ptrace();
	VICTIM_START(&victim, "idle");
	child_start(&strace, argv, CHILD_QUIET);
	cr_assert(wait_until(is_traced, &victim.pid, DEADLINE_MS));
	EXPECT_REFUSAL(EXIT_BUSY, "(strace)", "apply", victim.target,
		       path_of_patch("work"));
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	child_terminate(&strace, DEADLINE_MS);
	upatchctl_apply(victim.target, "work");
	victim_expect(&victim, "call", "work=3 twin=2,11 tiny=0");
	victim_stop(&victim);
}

static void expect_failure(const char *const argv[], const char *part)
{
	char *text = NULL;
	size_t size = 0;
	FILE *all = open_memstream(&text, &size);
	struct child child;
	const char *line;

	child_start(&child, argv, 0);
	while ((line = child_read_line(&child, DEADLINE_MS)) != NULL)
		fprintf(all, "%s\n", line);
	child_stop(&child, DEADLINE_MS);
	fclose(all);
	if (strstr(text, part) == NULL)
		cr_fatal("%s says '%s', no '%s'", argv[0], text, part);
	free(text);
}

/* While a thread holds the transition up, all are traced by upatchctl. */
Test(operators, debuggers_come_too_late)
{
	struct victim victim;
	struct child apply;
	const char *const words[] = { "apply", victim.target,
				      path_of_patch("guarded"), NULL };
	const char *const gdb[] = { "sh", "-c",
				    "gdb -nx -q -batch -p \"$0\" 2>&1",
				    victim.target, NULL };
	const char *const strace[] = { "sh", "-c", "strace -p \"$0\" 2>&1",
				       victim.target, NULL };

	require_ptrace();
	VICTIM_START(&victim, "blocker");
	victim_expect(&victim, "enter", "entered");
	begin(&apply, words);
	cr_assert(wait_until(is_traced, &victim.pid, DEADLINE_MS));
	while (upatchctl_patch_count(victim.target) == 0)
		;
	cr_assert(ptrace(PTRACE_SEIZE, victim.pid, NULL, NULL) == -1 &&
		  errno == EPERM);
	expect_failure(gdb, "Operation not permitted");
	expect_failure(strace, "Operation not permitted");
	victim_expect(&victim, "leave", "left 1");
	cr_assert(end_of(&apply) == EXIT_DONE);
	victim_expect(&victim, "call", "guarded=2 plain=2 wrapper=21");
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* Its new function's address, as status tells it. */
static void find_new(struct victim *victim, const char *name, char *text,
		     size_t size)
{
	json_t *status = upatchctl_status(victim->target);
	json_t *patch = json_array_get(json_object_get(status, "patches"), 0);
	json_t *object = json_array_get(json_object_get(patch, "objects"), 0);
	json_t *func;
	size_t i;

	text[0] = '\0';
	json_array_foreach(json_object_get(object, "funcs"), i, func)
	{
		if (strcmp(json_string_value(json_object_get(func, "name")),
			   name) == 0)
			snprintf(text, size, "%s",
				 json_string_value(
					 json_object_get(func, "new_addr")));
	}
	json_decref(status);
	cr_assert(text[0] != '\0');
}

/*
 * What gdb shows when the new `function` is called.  It does not know the
 * patch, which is no file that it could open.
 */
static char *backtrace_in(struct victim *victim, const char *function)
{
	char address[32];
	char place[64];
	const char *const argv[] = { "gdb", "-nx",	    "-q",  "-batch",
				     "-p",  victim->target, "-ex", place,
				     "-ex", "continue",	    "-ex", "bt",
				     "-ex", "delete",	    "-ex", "detach",
				     NULL };
	char *text = NULL;
	size_t size = 0;
	FILE *all = open_memstream(&text, &size);
	struct child gdb;
	const char *line;

	find_new(victim, function, address, sizeof(address));
	snprintf(place, sizeof(place), "break *%s", address);
	child_start(&gdb, argv, 0);
	cr_assert(wait_until(is_traced, &victim->pid, DEADLINE_MS));
	child_send(&victim->child, "call");
	while ((line = child_read_line(&gdb, DEADLINE_MS)) != NULL)
		fprintf(all, "%s\n", line);
	child_stop(&gdb, DEADLINE_MS);
	fclose(all);
	return text;
}

/* Each in a line of its own, one below the other. */
static void expect_in_order(const char *text, const char *const parts[])
{
	const char *at = text;

	for (size_t i = 0; parts[i] != NULL; i++) {
		const char *found = strstr(at, parts[i]);

		if (found == NULL)
			cr_fatal("no '%s' in its place in '%s'", parts[i],
				 text);
		at = strchr(found, '\n');
		if (at == NULL)
			cr_fatal("'%s' is the end of '%s'", parts[i], text);
	}
}

Test(operators, gdb_sees_through_gates)
{
	const char *const parts[] = { "#0 ", "in main", NULL };
	struct victim victim;
	char *text;

	require_ptrace();
	VICTIM_START(&victim, "idle");
	upatchctl_apply(victim.target, "work");
	text = backtrace_in(&victim, "work");
	expect_in_order(text, parts);
	victim_expect_line(&victim, "work=3 twin=2,11 tiny=0");
	upatchctl_revert(victim.target, "work");
	victim_expect(&victim, "call", "work=2 twin=2,11 tiny=0");
	free(text);
	victim_stop(&victim);
}

/* Of a shield gdb knows no frame: docs/limits.md.  It does no harm. */
Test(operators, gdb_stops_below_a_shield)
{
	const char *const parts[] = { "#0 ", "#1 ", NULL };
	struct victim victim;
	char *text;

	require_ptrace();
	VICTIM_START(&victim, "caller_regs");
	upatchctl_apply(victim.target, "caller_regs");
	text = backtrace_in(&victim, "get_limit");
	expect_in_order(text, parts);
	cr_assert(child_read_line(&victim.child, DEADLINE_MS) != NULL);
	upatchctl_revert(victim.target, "caller_regs");
	free(text);
	victim_stop(&victim);
}

/* --- Profilers ------------------------------------------------------------ */

/* As perf record -p does it: a sample 4,000 times in a second. */
static int start_sampling(pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.freq = 1,
		.sample_freq = 4000,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID |
			       PERF_SAMPLE_CALLCHAIN,
		.mmap = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1,
			    PERF_FLAG_FD_CLOEXEC);
}

Test(operators, perf_does_no_harm)
{
	const size_t len = 17 * 4096;
	struct victim victim;
	uint64_t count = 0;
	void *ring;
	int fd;

	require_ptrace();
	VICTIM_START(&victim, "workers", "spin", "2");
	fd = start_sampling(victim.pid);
	if (fd < 0)
		cr_skip("perf_event_open: %s", strerror(errno));
	ring = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(ring != MAP_FAILED);
	for (unsigned int i = 0; i < cycle_count(5); i++) {
		upatchctl_apply(victim.target, "work");
		cr_assert(victim_number(victim_ask(&victim, "round"), "old") ==
			  0);
		upatchctl_revert(victim.target, "work");
		cr_assert(victim_number(victim_ask(&victim, "round"), "new") ==
			  0);
	}
	cr_assert(read(fd, &count, sizeof(count)) == sizeof(count) &&
		  count > 0);
	munmap(ring, len);
	close(fd);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}
