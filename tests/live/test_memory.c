/* SPDX-License-Identifier: MIT */
/*
 * What stays in the memory of a process that is patched, and of an operator
 * that goes on: so much, and not more each time.
 */
#include "paths.h"
#include "procfs.h"
#include "tried.h"
#include "upatchctl.h"
#include "victim.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <upatch/upatch.h>

/* Runtime, full log, gates, and a patch of one function. */
#define PRIVATE_MAX_KIB 128
/*
 * Of a patch with many functions, without its file.  Here each takes 184 for
 * gate, original, words and shield, and 112 for what is known about it.
 */
#define FURTHER_MAX_BYTES 320
/* A long run is UPATCH_CYCLES=10000: some minutes. */
#define CYCLES	     200
#define CYCLES_FIRST 50
/* 1, 10, 100 … */
#define MARKS 6

TestSuite(memory, .timeout = 900);

struct usage {
	long rss_kib, private_kib, maps, fds;
	/* of malloc: this process alone */
	long heap_bytes;
};

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	cr_assert(file != NULL);
	return file;
}

static void count_one(pid_t pid, int number, void *arg)
{
	(void)pid;
	(void)number;
	++*(long *)arg;
}

static struct usage usage_of(pid_t pid)
{
	struct usage usage = { 0 };
	char line[4096];
	FILE *file;

	file = open_proc(pid, "smaps_rollup");
	while (fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "Rss: %ld", &usage.rss_kib);
		(void)sscanf(line, "Private_Dirty: %ld", &usage.private_kib);
	}
	fclose(file);
	file = open_proc(pid, "maps");
	while (fgets(line, sizeof(line), file))
		usage.maps++;
	fclose(file);
	procfs_for_each(pid, "fd", count_one, &usage.fds);
	return usage;
}

static long larger(long one, long other)
{
	return one > other ? one : other;
}

static void take_largest(struct usage *largest, const struct usage *now)
{
	largest->rss_kib = larger(largest->rss_kib, now->rss_kib);
	largest->private_kib = larger(largest->private_kib, now->private_kib);
	largest->maps = larger(largest->maps, now->maps);
	largest->fds = larger(largest->fds, now->fds);
	largest->heap_bytes = larger(largest->heap_bytes, now->heap_bytes);
}

/* What is told at the end, as telling takes memory. */
struct samples {
	struct usage before, early, late, at[MARKS];
	unsigned int mark_count;
};

static void take_sample(struct samples *samples, unsigned int cycle,
			const struct usage *now)
{
	unsigned int mark = 1;

	take_largest(cycle <= CYCLES_FIRST ? &samples->early : &samples->late,
		     now);
	while (mark < cycle)
		mark *= 10;
	if (mark == cycle && samples->mark_count < MARKS)
		samples->at[samples->mark_count++] = *now;
}

static void tell(const char *when, unsigned int cycle, const struct usage *now,
		 const struct usage *before)
{
	cr_log_info("%s %u: RSS %+ld KiB, private dirty %+ld KiB, maps %+ld, "
		    "descriptors %+ld, heap %+ld bytes",
		    when, cycle, now->rss_kib - before->rss_kib,
		    now->private_kib - before->private_kib,
		    now->maps - before->maps, now->fds - before->fds,
		    now->heap_bytes - before->heap_bytes);
}

static void tell_samples(const struct samples *samples)
{
	unsigned int mark = 1;

	for (unsigned int i = 0; i < samples->mark_count; i++, mark *= 10)
		tell("after cycle", mark, &samples->at[i], &samples->before);
	tell("at most, after cycle", CYCLES_FIRST, &samples->late,
	     &samples->before);
}

/* --- The target --------------------------------------------------------- */

static void check_target(const char *const args[])
{
	const unsigned int count = cycle_count(CYCLES);
	struct samples samples = { 0 };
	struct victim victim;
	struct usage now;

	victim_start(&victim, args);
	samples.before = usage_of(victim.pid);
	for (unsigned int i = 1; i <= count; i++) {
		upatchctl_apply(victim.target, "work");
		upatchctl_revert(victim.target, "work");
		now = usage_of(victim.pid);
		take_sample(&samples, i, &now);
		tried(1, "cycles whose memory was looked at");
	}
	upatchctl_apply(victim.target, "work");
	now = usage_of(victim.pid);
	tell_samples(&samples);
	tell("patched, after cycle", count, &now, &samples.before);
	cr_expect(le(long, now.private_kib - samples.before.private_kib,
		     PRIVATE_MAX_KIB));
	cr_expect(now.fds == samples.before.fds);
	cr_expect(le(long, samples.late.rss_kib, samples.early.rss_kib));
	cr_expect(
		le(long, samples.late.private_kib, samples.early.private_kib));
	cr_expect(le(long, samples.late.maps, samples.early.maps));
	cr_expect(le(long, samples.late.fds, samples.early.fds));
	victim_stop(&victim);
}

Test(memory, of_a_target_is_small_and_does_not_grow)
{
	require_ptrace();
	check_target((const char *const[]){ "idle", NULL });
}

Test(memory, of_a_target_with_threads_is_small_and_does_not_grow)
{
	require_ptrace();
	check_target((const char *const[]){ "workers", "futex", "8", NULL });
}

/* Private pages that no file stands behind: gates, and malloc's. */
static long anonymous_kib(pid_t pid)
{
	FILE *file = open_proc(pid, "smaps");
	bool is_anonymous = false;
	long kib, sum = 0;
	char line[4096];

	while (fgets(line, sizeof(line), file)) {
		unsigned long inode;
		char path[8];
		int count = sscanf(line, "%*x-%*x %*4s %*x %*x:%*x %lu %7s",
				   &inode, path);

		if (count >= 1)
			is_anonymous = inode == 0 &&
				       (count == 1 || !strcmp(path, "[heap]"));
		else if (is_anonymous &&
			 sscanf(line, "Private_Dirty: %ld", &kib) == 1)
			sum += kib;
	}
	fclose(file);
	return sum;
}

static long anonymous_kib_of(const char *patch, const char *answer)
{
	struct victim victim;
	long kib;

	VICTIM_START(&victim, "many");
	kib = anonymous_kib(victim.pid);
	upatchctl_apply(victim.target, patch);
	victim_expect(&victim, "call", answer);
	kib = anonymous_kib(victim.pid) - kib;
	victim_stop(&victim);
	return kib;
}

Test(memory, of_a_further_function_is_small)
{
	long few, many, bytes;

	require_ptrace();
	few = anonymous_kib_of("many10", "sum 2010");
	many = anonymous_kib_of("many1000", "sum 3000");
	bytes = (many - few) * 1024 / (1000 - 10);
	cr_log_info("10 functions: %ld KiB, 1,000: %ld KiB, a further one: "
		    "%ld bytes",
		    few, many, bytes);
	cr_expect(le(long, bytes, FURTHER_MAX_BYTES));
}

/* --- An operator that goes on ------------------------------------------- */

struct operation {
	pid_t pid;
	const char *path;
	struct upatch_error err;
};

static void apply_and_revert(struct operation *operation)
{
	const struct upatch_options options = UPATCH_OPTIONS_INIT;
	struct upatch_patch_file *file = NULL;
	struct upatch_target *target = NULL;
	struct upatch_status *status = NULL;
	struct upatch_log *log = NULL;
	struct upatch_result result;
	struct upatch_error *err = &operation->err;

	(void)(upatch_patch_file_open(operation->path, &file, err) ||
	       upatch_target_open(operation->pid, &target, err) ||
	       upatch_apply(target, file, &options, &result, err) ||
	       upatch_log(target, &log, err) ||
	       upatch_status(target, &status, err) ||
	       upatch_revert(target, "work", &options, &result, err));
	upatch_log_free(log);
	upatch_status_free(status);
	upatch_target_close(target);
	upatch_patch_file_close(file);
}

static void *run_operation(void *arg)
{
	apply_and_revert(arg);
	return NULL;
}

/* In a thread of its own, as its end empties malloc's caches of it. */
static struct usage usage_after(struct operation *operation)
{
	struct usage usage;
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_operation, operation) ||
	    pthread_join(thread, NULL) || operation->err.code)
		cr_fatal("%s", operation->err.message);
	usage = usage_of(getpid());
	usage.heap_bytes = (long)mallinfo2().uordblks;
	return usage;
}

Test(memory, of_an_operator_does_not_grow)
{
	const unsigned int count = cycle_count(CYCLES);
	struct operation operation = { .path = path_of_patch("work") };
	struct samples samples = { 0 };
	struct victim victim;
	struct usage now;

	require_ptrace();
	setenv("UPATCH_RUNTIME", path_of_runtime(), 1);
	VICTIM_START(&victim, "idle");
	operation.pid = victim.pid;
	samples.before = usage_of(getpid());
	for (unsigned int i = 1; i <= count; i++) {
		now = usage_after(&operation);
		take_sample(&samples, i, &now);
		tried(1, "cycles in one process");
	}
	tell_samples(&samples);
	/* RSS is also what malloc keeps for later; it is only told. */
	cr_expect(le(long, samples.late.heap_bytes, samples.early.heap_bytes));
	cr_expect(le(long, samples.late.maps, samples.early.maps));
	cr_expect(le(long, samples.late.fds, samples.early.fds));
	victim_stop(&victim);
}
