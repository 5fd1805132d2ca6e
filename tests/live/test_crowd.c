/* SPDX-License-Identifier: MIT */
/*
 * Many more threads than processors that always compute inside the function
 * that is replaced: all move, those that have moved leave the processors to the
 * others, none is left stopped or with another priority.
 * UPATCH_CROWD_KILLS=200: so many kills.
 */
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "tried.h"
#include "upatchctl.h"
#include "victim.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(crowd, .timeout = 3600);

/* For each processor; nice values decide who computes, not who wants to. */
#define CROWD_FACTOR 32
#define SMALL_FACTOR 8
#define HIGHEST	     (-20)

static struct victim victim;

static void start_crowd(unsigned int factor, const char *nice_value)
{
	char path[4096], count[16];

	require_ptrace();
	snprintf(path, sizeof(path), "%s", path_of_victim("crowd"));
	snprintf(count, sizeof(count), "%ld",
		 factor * sysconf(_SC_NPROCESSORS_ONLN));
	if (nice_value == NULL)
		VICTIM_START(&victim, "crowd", count);
	else
		VICTIM_START(&victim, "/usr/bin/nice", "-n", nice_value, path,
			     count);
}

static void expect_all(const char *side)
{
	const char *other = strcmp(side, "old") == 0 ? "new" : "old";
	const char *line = victim_ask(&victim, "round");

	victim_check_undisturbed(&victim);
	cr_assert(victim_number(line, other) == 0, "%s", line);
}

/* --- Moving ---------------------------------------------------------------- */

Test(crowd, all_threads_move_and_none_stays_stopped)
{
	start_crowd(CROWD_FACTOR, NULL);
	upatchctl_apply(victim.target, "crowd");
	victim_check_undisturbed(&victim);
	expect_all("new");
	upatchctl_revert(victim.target, "crowd");
	victim_check_undisturbed(&victim);
	expect_all("old");
	victim_stop(&victim);
}

/* --- Time-out -------------------------------------------------------------- */

#define STEPS  10
#define ENOUGH 3

/* How long an operation takes. */
static int last_ms(void)
{
	int64_t begin_ms = deadline_now_ms();

	upatchctl_apply(victim.target, "crowd");
	upatchctl_revert(victim.target, "crowd");
	return (int)(deadline_now_ms() - begin_ms) / 2;
}

/* True: it was turned around. */
static bool apply_in_time(int timeout_ms)
{
	struct run run;
	bool is_applied, is_reversed;
	char timeout[16];

	snprintf(timeout, sizeof(timeout), "%.3f", timeout_ms / 1000.0);
	run = UPATCHCTL("apply", "--timeout", timeout, victim.target,
			path_of_patch("crowd"));
	is_applied = run.exit_status == EXIT_DONE;
	if (!is_applied && run.exit_status != EXIT_TIMED_OUT)
		cr_fatal("apply: %s", run.err);
	is_reversed = strstr(run.err, "turned around") != NULL;
	run_free(&run);
	victim_check_undisturbed(&victim);
	expect_all(is_applied ? "new" : "old");
	if (is_applied)
		upatchctl_revert(victim.target, "crowd");
	return is_reversed;
}

/* From before the first one moves to behind the last one. */
Test(crowd, those_that_have_moved_go_back_after_the_time_out)
{
	unsigned int reversed = 0;
	int lasts_ms;

	start_crowd(CROWD_FACTOR, NULL);
	lasts_ms = last_ms();
	for (int i = 1; i <= STEPS && reversed < ENOUGH; i++)
		reversed += apply_in_time(lasts_ms * i / STEPS);
	cr_assert(reversed > 0, "no transition was turned around");
	victim_stop(&victim);
}

/* --- Death ----------------------------------------------------------------- */

#define PRESET_KILLS 20
/* Some hit the start of the command, or come after its end. */
#define TRIES_MAX 500

static unsigned int wanted_kills(void)
{
	const char *text = getenv("UPATCH_CROWD_KILLS");

	return text != NULL ? (unsigned int)strtoul(text, NULL, 10)
			    : PRESET_KILLS;
}

static void start_operation(struct child *operator, bool is_applied)
{
	const char *const apply[] = { path_of_upatchctl(), "apply",
				      victim.target, path_of_patch("crowd"),
				      NULL };
	const char *const revert[] = { path_of_upatchctl(), "revert",
				       victim.target, "crowd", NULL };

	child_start(operator, is_applied ? revert : apply, CHILD_QUIET);
}

static void kill_operation(bool is_applied, int after_ms)
{
	struct child operator;
	int status;

	start_operation(&operator, is_applied);
	if (!child_wait(&operator, after_ms, &status)) {
		kill(operator.pid, SIGKILL);
		cr_assert(child_wait(&operator, DEADLINE_MS, &status));
		tried(1, "kills");
	}
	victim_check_undisturbed(&victim);
}

/* What it was at, if it was: then it is brought to its end. */
static const char *finish(json_t *status)
{
	const char *direction = json_string_value(
		json_object_get(json_object_get(status, "transition"),
				"direction"));

	if (direction == NULL)
		return NULL;
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	victim_check_undisturbed(&victim);
	return direction;
}

Test(crowd, none_stays_stopped_when_upatchctl_is_killed)
{
	unsigned int in_transition = 0;
	bool is_applied = false;
	int lasts_ms;

	start_crowd(CROWD_FACTOR, NULL);
	lasts_ms = last_ms();
	for (unsigned int i = 0; i < wanted_kills() || in_transition == 0;
	     i++) {
		const char *direction;
		json_t *status;

		cr_assert(lt(uint, i, TRIES_MAX + wanted_kills()),
			  "no kill hit a transition");
		kill_operation(is_applied, (int)random() % (lasts_ms + 1));
		status = upatchctl_status(victim.target);
		direction = finish(status);
		in_transition += direction != NULL;
		if (direction != NULL)
			is_applied = strcmp(direction, "patching") == 0;
		else
			is_applied =
				json_array_size(
					json_object_get(status, "patches")) > 0;
		json_decref(status);
	}
	expect_all(is_applied ? "new" : "old");
	victim_stop(&victim);
}

/* --- Processors for those that have not moved -------------------------------- */

/* Calls of a thread on the new side while others are on the old one. */
#define CALLS_EACH 2
#define TRIES	   10

/* How many calls began in new code until the last one ended in old code. */
static long calls_before_old(void)
{
	long before;

	victim_ask(&victim, "count");
	upatchctl_apply(victim.target, "crowd");
	before = victim_number(victim_ask(&victim, "count"), "before");
	upatchctl_revert(victim.target, "crowd");
	return before;
}

Test(crowd, those_that_have_moved_leave_the_processors_to_the_others)
{
	long limit = CALLS_EACH * CROWD_FACTOR * sysconf(_SC_NPROCESSORS_ONLN);
	long least = -1;

	start_crowd(CROWD_FACTOR, NULL);
	for (int i = 0; i < TRIES && (least < 0 || least > limit); i++) {
		long before = calls_before_old();

		if (least < 0 || before < least)
			least = before;
	}
	cr_assert(least <= limit, "%ld calls on the new side, limit %ld", least,
		  limit);
	victim_stop(&victim);
}

/*
 * For so long a message to the agent waits for its answer; more than a thread
 * is kept stopped, and than its turns come apart.
 */
#define ANSWER_MS 1000

/*
 * The runtime's lock is held while a library comes.  Who holds it has left the
 * function, while another one computes in it on and on.
 */
Test(crowd, one_with_the_runtimes_lock_is_not_stopped_while_the_agent_waits)
{
	char command[4096];
	long gap_ms;

	start_crowd(SMALL_FACTOR, NULL);
	upatchctl_apply(victim.target, "crowd_library");
	snprintf(command, sizeof(command), "load %s",
		 path_of_victim("libtarget_a.so"));
	victim_expect(&victim, command, "loading");
	upatchctl_apply(victim.target, "crowd");
	gap_ms = victim_number(victim_ask(&victim, "gap"), "ms");
	cr_assert(gap_ms > 0 && gap_ms < ANSWER_MS, "stopped for %ld ms",
		  gap_ms);
	victim_stop(&victim);
}

/* --- Priorities -------------------------------------------------------------- */

#define MAX_THREADS 4096

/* As sched_setattr(2) has them; its header cannot stand beside libc's. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns, deadline_ns, period_ns;
};

static struct thread_priority {
	pid_t tid;
	struct attributes attributes;
	/* proc(5), stat: priority, nice, rt_priority, policy */
	long stat[4];
} priorities[MAX_THREADS];
static size_t priority_count;

static void read_priority(pid_t pid, int tid, struct thread_priority *ret)
{
	char path[64], line[1024] = "";
	FILE *file;

	*ret = (struct thread_priority){ .tid = tid };
	cr_assert(syscall(SYS_sched_getattr, tid, &ret->attributes,
			  sizeof(ret->attributes), 0) == 0);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	file = fopen(path, "r");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		cr_fatal("cannot read %s", path);
	fclose(file);
	cr_assert(sscanf(strrchr(line, ')') + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u"
			 " %*d %*d %ld %ld %*d %*d %*u %*u %*d %*u %*u %*u %*u"
			 " %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %*d %ld %ld",
			 &ret->stat[0], &ret->stat[1], &ret->stat[2],
			 &ret->stat[3]) == 4);
}

static void note_priority(pid_t pid, int tid, void *arg)
{
	(void)arg;
	cr_assert(priority_count < MAX_THREADS);
	read_priority(pid, tid, &priorities[priority_count++]);
}

static void check_priorities(const char *when)
{
	for (size_t i = 0; i < priority_count; i++) {
		const struct thread_priority *before = &priorities[i];
		struct thread_priority now;

		read_priority(victim.pid, before->tid, &now);
		if (memcmp(&now, before, sizeof(now)) != 0)
			cr_fatal(
				"%s thread %d has policy %u, nice %d, flags %lu, slice %lu; before %u, %d, %lu, %lu",
				when, now.tid, now.attributes.policy,
				now.attributes.nice, now.attributes.flags,
				now.attributes.slice_ns,
				before->attributes.policy,
				before->attributes.nice,
				before->attributes.flags,
				before->attributes.slice_ns);
	}
}

static bool may_raise(void)
{
	bool may = setpriority(PRIO_PROCESS, 0, HIGHEST) == 0;

	if (may)
		setpriority(PRIO_PROCESS, 0, 0);
	return may;
}

/* `agent` "POLICY,NICE"; what it creates has the target's. */
static void check_seen(const char *agent, int nice_value)
{
	char expected[128];

	snprintf(expected, sizeof(expected),
		 "seen agent=%s thread=%d,%d process=%d,%d", agent, SCHED_OTHER,
		 nice_value, SCHED_OTHER, nice_value);
	victim_expect(&victim, "seen", expected);
}

static void operate_on_crowd(const char *nice_value)
{
	char agent[32];
	int value = (int)strtol(nice_value, NULL, 10);

	start_crowd(SMALL_FACTOR, nice_value);
	/* All have begun, and chosen. */
	victim_ask(&victim, "round");
	priority_count = 0;
	procfs_for_each(victim.pid, "task", note_priority, NULL);
	upatchctl_apply(victim.target, "crowd_callback");
	check_priorities("after apply,");
	if (value == 0 && may_raise())
		snprintf(agent, sizeof(agent), "%d,%d",
			 SCHED_OTHER | SCHED_RESET_ON_FORK, HIGHEST);
	else
		snprintf(agent, sizeof(agent), "%d,%d", SCHED_OTHER, value);
	check_seen(agent, value);
	upatchctl_revert(victim.target, "crowd_callback");
	check_priorities("after revert,");
	victim_stop(&victim);
}

Test(crowd, priorities_are_the_targets_own)
{
	operate_on_crowd("0");
	operate_on_crowd("5");
	if (may_raise())
		operate_on_crowd("-20");
}

static bool is_left_alone(void *arg)
{
	(void)arg;
	upatchctl_apply(victim.target, "crowd_callback");
	upatchctl_revert(victim.target, "crowd_callback");
	return strncmp(victim_ask(&victim, "seen"), "seen agent=0,0 ", 15) == 0;
}

/* Other processes can be a crowd, but not for ever. */
Test(crowd, agent_has_the_targets_priority_where_there_is_none)
{
	require_ptrace();
	VICTIM_START(&victim, "crowd", "1");
	cr_assert(wait_until(is_left_alone, NULL, DEADLINE_MS));
	check_seen("0,0", 0);
	victim_stop(&victim);
}
