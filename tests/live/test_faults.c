/* SPDX-License-Identifier: MIT */
/*
 * The n-th allocation or system call fails: the target is as it was before,
 * or the operation is complete, or exit status 8 says what is left.
 */
#include "deadline.h"
#include "faults.h"
#include "paths.h"
#include "procfs.h"
#include "snapshot.h"
#include "tried.h"
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define EXIT_DAMAGED 8
/* Places per operation and kind; UPATCH_FAULTS=all is the run through all. */
#define PLACES 3
/* The runtime's own memory: an arena of the agent, some records per patch. */
#define GROWTH_KB 4096

TestSuite(faults, .timeout = 7200);

struct operation {
	const char *name;
	/* before it; NULL: nothing is */
	const char *applied;
	const char *words[2];
	bool on_new_process;
	bool reads_only;
};

static const struct operation first_apply = {
	.name = "first apply",
	.words = { "apply", "work" },
	.on_new_process = true,
};
static const struct operation later_apply = {
	.name = "later apply",
	.words = { "apply", "work" },
};
static const struct operation revert = {
	.name = "revert",
	.applied = "work",
	.words = { "revert", "work" },
};
static const struct operation replace = {
	.name = "replace",
	.applied = "work",
	.words = { "apply", "work_replace" },
};
static const struct operation status = {
	.name = "status",
	.applied = "work",
	.words = { "status" },
	.reads_only = true,
};
static const struct operation wait_for_none = {
	.name = "wait",
	.applied = "work",
	.words = { "wait" },
	.reads_only = true,
};

static struct victim victim;
static struct snapshot original;
static struct {
	unsigned int tried, done, undone, damaged;
} counts;

/* --- The victim ---------------------------------------------------------- */

static void start_victim(void)
{
	faults_start_victim(&victim,
			    (const char *const[]){ "workers", "nanosleep", "3",
						   NULL });
	snapshot_take(victim.pid, &original);
}

static void stop_victim(void)
{
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
	snapshot_free(&original);
}

static long data_size_kb(void)
{
	char text[64];

	procfs_status_field(victim.pid, victim.pid, "VmData", text,
			    sizeof(text));
	return strtol(text, NULL, 10);
}

/* All threads call: not one result may be of the other side. */
static void expect_side(bool is_new, const char *when)
{
	const char *answer = victim_ask(&victim, "round");

	if (victim_number(answer, is_new ? "old" : "new") != 0 ||
	    victim_number(answer, "other") != 0)
		cr_fatal("%s: %s", when, answer);
}

static bool is_mapped(const char *name)
{
	char path[64], line[512];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", victim.pid);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		found = found || strstr(line, name) != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

/* --- The next commands --------------------------------------------------- */

static void expect_original(const char *when)
{
	EXPECT_DONE(when, "apply", victim.target, path_of_patch("work"));
	expect_side(true, when);
	EXPECT_DONE(when, "revert", victim.target, "work");
	expect_side(false, when);
	snapshot_expect_reverted(victim.pid, &original, when);
}

/* --- One fault ----------------------------------------------------------- */

static bool is_documented(const struct run *run)
{
	const char *end = strchr(run->err, '\n');

	if (run->exit_status == EXIT_DONE)
		return run->err[0] == '\0';
	return run->exit_status > EXIT_DONE &&
	       run->exit_status <= EXIT_DAMAGED && end != NULL &&
	       end[1] == '\0' &&
	       strncmp(run->err, "upatchctl: ", strlen("upatchctl: ")) == 0 &&
	       strstr(run->err, "Success") == NULL;
}

/* What it would have said could not be written. */
static bool is_done(const struct run *run)
{
	return run->exit_status == EXIT_DONE ||
	       strstr(run->err, "upatchctl: done, but") == run->err;
}

static void expect_unchanged(const struct operation *operation,
			     const struct snapshot *before, const char *when)
{
	char patch[96];

	expect_side(operation->applied != NULL, when);
	if (!operation->on_new_process) {
		snapshot_expect_equal(victim.pid, before, SNAPSHOT_ALL, when);
		return;
	}
	/* The runtime may be there and wait for the next command. */
	snapshot_expect_reverted(victim.pid, before, when);
	snprintf(patch, sizeof(patch), "/memfd:%s.so", operation->words[1]);
	if (is_mapped(patch))
		cr_fatal("%s: the patch is still mapped", when);
}

/* The one message that there is no way to see. */
static bool is_stderr(const char *what)
{
	return strncmp(what, "write(2,", strlen("write(2,")) == 0;
}

static void judge(const struct operation *operation,
		  const struct faulty_run *faulty,
		  const struct snapshot *before, const char *when)
{
	const struct run *run = &faulty->run;

	counts.tried++;
	if (!is_documented(run) && !is_stderr(faulty->what))
		cr_fatal("%s: exit status %d, '%s'", when, run->exit_status,
			 run->err);
	if (run->exit_status == EXIT_DAMAGED) {
		counts.damaged++;
	} else if (is_done(run)) {
		counts.done++;
		if (!operation->reads_only)
			expect_side(strcmp(operation->words[0], "apply") == 0,
				    when);
	} else {
		counts.undone++;
		expect_unchanged(operation, before, when);
	}
}

static void make_when(const struct operation *operation,
		      const struct fault *fault, const struct faulty_run *run,
		      char *when, size_t size)
{
	static const char *const kinds[] = { "allocation",
					     "allocation and all later ones",
					     "system call",
					     "short transfer",
					     "system call of the host",
					     "call of the agent" };

	snprintf(when, size, "%s, %s %u of %u (%s), %s", operation->name,
		 kinds[fault->kind], fault->at, run->count, run->what,
		 run->run.err);
}

static struct faulty_run run_operation(const struct operation *operation,
				       const struct fault *fault)
{
	const bool is_apply = strcmp(operation->words[0], "apply") == 0;
	const char *args[8] = { operation->words[0] };
	size_t count = 1;

	if (!operation->reads_only) {
		args[count++] = "--timeout";
		args[count++] = "5";
	}
	args[count++] = victim.target;
	if (operation->words[1] != NULL)
		args[count++] = is_apply ? path_of_patch(operation->words[1])
					 : operation->words[1];
	return faults_run(fault, args);
}

/* How many places there are; 0 if this one was there. */
static unsigned int try_fault(const struct operation *operation,
			      const struct fault *fault)
{
	struct snapshot before;
	struct faulty_run run;
	unsigned int count;
	char when[1024];

	if (operation->on_new_process)
		start_victim();
	if (operation->applied != NULL)
		upatchctl_apply(victim.target, operation->applied);
	snapshot_take(victim.pid, &before);
	run = run_operation(operation, fault);
	make_when(operation, fault, &run, when, sizeof(when));
	if (run.what[0] != '\0')
		judge(operation, &run, &before, when);
	else if (run.run.exit_status != EXIT_DONE)
		cr_fatal("%s: exit status %d", when, run.run.exit_status);
	count = run.what[0] != '\0' ? 0 : run.count;
	EXPECT_DONE(when, "wait", victim.target);
	upatchctl_revert_all(victim.target, when);
	expect_original(when);
	run_free(&run.run);
	snapshot_free(&before);
	if (operation->on_new_process)
		stop_victim();
	return count;
}

/* --- Many ---------------------------------------------------------------- */

static void try_all(const struct operation *operation, enum fault_kind kind)
{
	struct fault fault = { .kind = kind };
	unsigned int tried = counts.tried;

	/* Their number differs a little from run to run. */
	do {
		fault.at++;
		fault.variant = fault.at / 2;
		tried = counts.tried;
		try_fault(operation, &fault);
	} while (counts.tried != tried);
}

static void try_some(const struct operation *operation, enum fault_kind kind)
{
	struct fault fault = { .kind = kind };
	/* faulty.c does not count: about so many */
	const unsigned int host_count = operation->on_new_process ? 20 : 4;
	unsigned int count = kind == FAULT_HOST ? host_count : 0;

	if (count == 0)
		count = try_fault(operation, &fault);
	for (unsigned int i = 0; i < PLACES; i++) {
		unsigned int stride = count / PLACES + 1;

		fault.at = 1 + i * stride + (unsigned int)rand() % stride;
		fault.variant = (unsigned int)rand();
		try_fault(operation, &fault);
	}
}

static void run_kind(const struct operation *const operations[],
		     enum fault_kind kind)
{
	const char *wanted = getenv("UPATCH_FAULTS");
	bool all = wanted != NULL && strcmp(wanted, "all") == 0;
	long size_kb;

	for (; *operations != NULL; operations++) {
		if (!(*operations)->on_new_process)
			start_victim();
		if (!(*operations)->on_new_process)
			expect_original("before");
		size_kb = data_size_kb();
		if (all)
			try_all(*operations, kind);
		else
			try_some(*operations, kind);
		if ((*operations)->on_new_process)
			continue;
		if (data_size_kb() - size_kb > GROWTH_KB)
			cr_fatal("%s: grown by %ld KiB", (*operations)->name,
				 data_size_kb() - size_kb);
		stop_victim();
	}
}

static void run_test(const struct operation *const operations[],
		     enum fault_kind kind)
{
	const char *wanted = getenv("UPATCH_FAULTS_SEED");
	unsigned int seed = wanted != NULL
				    ? (unsigned int)strtoul(wanted, NULL, 10)
				    : (unsigned int)time(NULL);

	require_ptrace();
	/* Also where a failure hides what is logged at the end. */
	fprintf(stderr, "UPATCH_FAULTS_SEED=%u\n", seed);
	srand(seed);
	faults_open();
	run_kind(operations, kind);
	faults_close();
	tried(counts.tried, "faults");
	cr_log_info("%u tried: %u done, %u undone, %u with exit status 8",
		    counts.tried, counts.done, counts.undone, counts.damaged);
}

static const struct operation *const all_operations[] = {
	&first_apply, &later_apply,   &revert, &replace,
	&status,      &wait_for_none, NULL
};
static const struct operation *const changing_operations[] = {
	&first_apply, &later_apply, &revert, &replace, NULL
};

Test(faults, allocation)
{
	run_test(all_operations, FAULT_ALLOC);
}

Test(faults, allocation_and_all_later_ones)
{
	static const struct operation *const operations[] = { &later_apply,
							      &revert, NULL };

	run_test(operations, FAULT_ALLOC_ON);
}

Test(faults, system_call)
{
	run_test(all_operations, FAULT_CALL);
}

Test(faults, short_transfer)
{
	run_test(changing_operations, FAULT_SHORT);
}

Test(faults, system_call_of_the_borrowed_thread)
{
	run_test(changing_operations, FAULT_HOST);
}

Test(faults, call_of_the_agent)
{
	run_test(changing_operations, FAULT_AGENT);
}
