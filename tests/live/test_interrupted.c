/* SPDX-License-Identifier: MIT */
/*
 * Every blocking call ends as if nobody had stopped its thread, whether it is
 * examined or borrowed; what the kernel does not allow is in docs/limits.md,
 * call by call.  UPATCH_INTERRUPTIONS=100: that many operations for each call,
 * in place of one; each stops the thread three times or more.
 */
#include "deadline.h"
#include "paths.h"
#include "tried.h"
#include "upatchctl.h"
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define LASTS_MS 2000
/* Nothing is begun after this time, so that it takes effect in the call. */
#define DISTURBED_MS 1700
/* More than a sleeping thread beside it was late. */
#define TOLERANCE_MS 300
#define PRESET_COUNT 2
/* In one of so many operations, the victim with the threads has its turn. */
#define THREADS_TURN 4
#define MAX_PAUSE_US 10000

TestSuite(interrupted, .timeout = 3000);

/* getrandom(2): is busy; nobody knows whether libc holds a lock there. */
#define NEVER_BORROWED 1

enum effect {
	NONE,
	AGAIN, /* the time-out begins again */
	ERRNO, /* that, and another errno */
	PART,  /* moves a part, or returns before its time */
};

static const char *const effect_texts[] = {
	[AGAIN] = "begins again",
	[ERRNO] = "`EALREADY`",
	[PART] = "a part",
};

/* `documented`: the words in the first column of the table in limits.md. */
static const struct row {
	const char *name;
	enum effect effect;
	const char *documented;
} rows[] = {
	/* clang-format off */
	{ "read", NONE, NULL },
	{ "read_timed", AGAIN, "`read`" },
	{ "readv_timed", AGAIN, "`readv`" },
	{ "preadv2_timed", AGAIN, "`preadv2`" },
	{ "inotify", NONE, NULL },
	{ "recv", NONE, NULL },
	{ "recv_timed", AGAIN, "`recv`" },
	{ "recvmsg_timed", AGAIN, "`recvmsg`" },
	{ "recvmmsg_timed", AGAIN, "`recvmmsg`" },
	{ "recv_all", PART, "MSG_WAITALL" },
	{ "write", NONE, NULL },
	{ "write_timed", AGAIN, "`write`" },
	{ "writev_timed", AGAIN, "`writev`" },
	{ "send", NONE, NULL },
	{ "send_timed", AGAIN, "`send`" },
	{ "sendmsg_timed", AGAIN, "`sendmsg`" },
	{ "write_big", PART, "`write`" },
	{ "send_big", PART, "`send`" },
	{ "accept", NONE, NULL },
	{ "accept_timed", AGAIN, "`accept`" },
	{ "connect", NONE, NULL },
	{ "connect_timed", AGAIN, "`connect`" },
	{ "connect_tcp_timed", ERRNO, "`connect`" },
	{ "splice", NONE, NULL },
	{ "splice_timed", AGAIN, "`splice`" },
	{ "sendfile_timed", AGAIN, "`sendfile`" },
	{ "getrandom", PART, "`getrandom`" },
	{ "io_getevents", NONE, NULL },
	{ "io_getevents_two", PART, "`io_getevents`" },
	{ "io_getevents_timed", NONE, NULL },
	{ "io_uring", NONE, NULL },
	{ "io_uring_submit", PART, "`io_uring_enter`" },
	{ "io_uring_timed", AGAIN, "`io_uring_enter`" },
	{ "epoll", NONE, NULL },
	{ "epoll_wait", NONE, NULL },
	{ "epoll_pwait", NONE, NULL },
	{ "epoll_pwait2", NONE, NULL },
	{ "epoll_raw", AGAIN, "`epoll_wait`" },
	{ "poll", NONE, NULL },
	{ "ppoll", NONE, NULL },
	{ "select", NONE, NULL },
	{ "pselect", NONE, NULL },
	{ "nanosleep", NONE, NULL },
	{ "nanosleep_signal", NONE, NULL },
	{ "clock_nanosleep", NONE, NULL },
	{ "clock_nanosleep_abs", NONE, NULL },
	{ "futex", NONE, NULL },
	{ "futex_timed", NONE, NULL },
	{ "sem_timedwait", NONE, NULL },
	{ "pthread_cond_timedwait", NONE, NULL },
	{ "sigtimedwait", NONE, NULL },
	{ "sigwaitinfo", NONE, NULL },
	{ "sigsuspend", NONE, NULL },
	{ "pause", NONE, NULL },
	{ "msgrcv", NONE, NULL },
	{ "mq_timedreceive", NONE, NULL },
	{ "semop", NONE, NULL },
	{ "semtimedop", NONE, NULL },
	{ "flock", NONE, NULL },
	{ "fcntl", NONE, NULL },
	{ "wait4", NONE, NULL },
	/* clang-format on */
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* One victim for each call of the main thread, and one with a thread each. */
#define VICTIM_COUNT (ROW_COUNT + 1)
#define IN_THREADS   ROW_COUNT

struct subject {
	struct victim victim;
	size_t row_count;
	const struct row *rows;
	unsigned int count;    /* operations */
	unsigned int borrowed; /* how often the main thread was */
	bool is_applied;
	/* of an undisturbed run */
	char expected[ROW_COUNT][128];
};

static struct subject subjects[VICTIM_COUNT];
/* Where it has been seen that the effect is there. */
static bool was_seen[ROW_COUNT];
/* How late the machine was in the last run. */
static long lag_ms;

static unsigned int wanted_count(void)
{
	const char *text = getenv("UPATCH_INTERRUPTIONS");

	return text != NULL ? (unsigned int)strtoul(text, NULL, 10)
			    : PRESET_COUNT;
}

static void start_all(void)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		subjects[i].rows = &rows[i];
		subjects[i].row_count = 1;
		VICTIM_START(&subjects[i].victim, "interrupted", "main",
			     rows[i].name);
	}
	subjects[IN_THREADS].rows = rows;
	subjects[IN_THREADS].row_count = ROW_COUNT;
	VICTIM_START(&subjects[IN_THREADS].victim, "interrupted", "threads");
}

static void run_all(const char *how)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		victim_expect(&subjects[i].victim, "run", "running");
	victim_expect(&subjects[IN_THREADS].victim, how, "running");
}

static const char *next_line(struct subject *subject)
{
	const char *line = child_read_line(&subject->victim.child, DEADLINE_MS);

	if (line == NULL)
		cr_fatal("%s: the call does not return",
			 subject->row_count == 1 ? subject->rows[0].name
						 : "threads");
	return line;
}

/* All that has to be equal: up to the times. */
static size_t equal_len(const char *line)
{
	const char *end = strstr(line, " early=");

	if (end == NULL)
		cr_fatal("the victim says '%s'", line);
	return (size_t)(end - line);
}

static void note_expected(struct subject *subject)
{
	for (size_t i = 0; i < subject->row_count; i++) {
		const char *line = next_line(subject);

		if (strncmp(line, subject->rows[i].name,
			    strlen(subject->rows[i].name)) != 0)
			cr_fatal("'%s' in place of %s", line,
				 subject->rows[i].name);
		if (victim_number(line, "early") != 0)
			cr_fatal("undisturbed: %s", line);
		snprintf(subject->expected[i], sizeof(subject->expected[i]),
			 "%.*s", (int)equal_len(line), line);
	}
	next_line(subject);
}

static bool is_as_expected(const struct row *row, const char *line,
			   const char *expected)
{
	bool is_equal = strncmp(line, expected, strlen(expected)) == 0;
	bool is_early = victim_number(line, "early") != 0;
	bool is_late;

	lag_ms = victim_number(line, "lag_ms");
	is_late = victim_number(line, "late_ms") > TOLERANCE_MS + lag_ms;
	switch (row->effect) {
	case NONE:
		return is_equal && !is_late && !is_early;
	case AGAIN:
		was_seen[row - rows] |= is_late;
		return is_equal && !is_early;
	case ERRNO:
		was_seen[row - rows] |= !is_equal;
		return !is_early;
	case PART:
		was_seen[row - rows] |= !is_equal || is_early;
		return victim_number(line, "errno") == 0;
	}
	return false;
}

static void check_results(struct subject *subject, unsigned int *wrong)
{
	for (size_t i = 0; i < subject->row_count; i++) {
		const char *line = next_line(subject);

		if (is_as_expected(&subject->rows[i], line,
				   subject->expected[i]))
			continue;
		(*wrong)++;
		cr_log_error("%s, %u operations: '%s', undisturbed '%s'",
			     subject->row_count == 1 ? "main thread" : "thread",
			     subject->count, line, subject->expected[i]);
	}
	next_line(subject);
}

static void note_borrowed(struct subject *subject, const char *trace)
{
	const char *text = strstr(trace, "entered through thread ");

	if (text == NULL)
		cr_fatal("apply does not say whom it borrowed: %s", trace);
	subject->borrowed += strtol(text + 23, NULL, 10) == subject->victim.pid;
}

static void operate(struct subject *subject)
{
	const char *target = subject->victim.target;
	struct run run =
		subject->is_applied
			? UPATCHCTL("revert", "--verbose", target, "work")
			: UPATCHCTL("apply", "--verbose", target,
				    path_of_patch("work"));

	if (run.exit_status != 0)
		cr_fatal("%s: %s",
			 subject->row_count == 1 ? subject->rows[0].name
						 : "threads",
			 run.err);
	note_borrowed(subject, run.err);
	run_free(&run);
	subject->is_applied = !subject->is_applied;
	subject->count++;
	tried(subject->row_count, "calls interrupted");
}

/* At random moments, first who has had the fewest. */
static void disturb_all(int64_t until_ms)
{
	while (deadline_now_ms() < until_ms) {
		size_t at = (size_t)random() % ROW_COUNT;

		for (size_t i = 0; i < ROW_COUNT; i++) {
			if (subjects[i].count < subjects[at].count)
				at = i;
		}
		operate(&subjects[at]);
		if (random() % THREADS_TURN == 0)
			operate(&subjects[IN_THREADS]);
		usleep((useconds_t)random() % MAX_PAUSE_US);
	}
}

static bool is_enough(void)
{
	for (size_t i = 0; i < VICTIM_COUNT; i++) {
		if (subjects[i].count < wanted_count())
			return false;
	}
	return true;
}

/* --- docs/limits.md --------------------------------------------------------- */

/* Does a line of a table have the call in its first column, and the effect? */
static bool is_line_of(const char *line, const struct row *row)
{
	const char *second = line[0] == '|' ? strchr(line + 1, '|') : NULL;
	const char *call = strstr(line, row->documented);

	return second != NULL && call != NULL && call < second &&
	       strstr(second, effect_texts[row->effect]) != NULL;
}

Test(interrupted, what_differs_is_documented)
{
	bool is_documented[ROW_COUNT] = { false };
	FILE *file = fopen(LIMITS, "r");
	char line[1024];

	if (file == NULL)
		cr_fatal("cannot open %s", LIMITS);
	while (fgets(line, sizeof(line), file) != NULL) {
		for (size_t i = 0; i < ROW_COUNT; i++)
			is_documented[i] |= rows[i].effect != NONE &&
					    is_line_of(line, &rows[i]);
	}
	fclose(file);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (is_documented[i] != (rows[i].effect != NONE))
			cr_fatal("%s: no line in %s", rows[i].name, LIMITS);
	}
}

/* --- Calls ------------------------------------------------------------------ */

Test(interrupted, calls_end_as_if_nothing_had_been)
{
	unsigned int wrong = 0, rounds = 0, was_borrowed = 0;

	require_ptrace();
	start_all();
	/* The first one loads the runtime. */
	for (size_t i = 0; i < VICTIM_COUNT; i++)
		operate(&subjects[i]);
	run_all("run");
	for (size_t i = 0; i < VICTIM_COUNT; i++)
		note_expected(&subjects[i]);
	while (!is_enough() || rounds < 2) {
		int64_t until_ms = deadline_now_ms() + DISTURBED_MS;

		run_all(rounds % 2 == 0 ? "run" : "noise");
		disturb_all(until_ms);
		for (size_t i = 0; i < VICTIM_COUNT; i++)
			check_results(&subjects[i], &wrong);
		rounds++;
	}
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].effect != NONE && !was_seen[i])
			cr_log_error("%s is better than the table says",
				     rows[i].name);
		wrong += rows[i].effect != NONE && !was_seen[i];
		was_borrowed += subjects[i].borrowed != 0;
	}
	for (size_t i = 0; i < VICTIM_COUNT; i++) {
		victim_check_undisturbed(&subjects[i].victim);
		victim_stop(&subjects[i].victim);
	}
	cr_assert(was_borrowed >= ROW_COUNT - NEVER_BORROWED,
		  "the main thread was borrowed in %u of %zu calls only",
		  was_borrowed, ROW_COUNT);
	cr_assert(wrong == 0, "%u results differ", wrong);
}

/* --- Processors that somebody keeps to himself ---------------------------- */

#define BURST_MS   200
#define BREAK_MS   300
#define HOGS_MAX   64
#define HOG_ROUNDS 2

static atomic_bool hogs_stop;

/* Not in step with each other. */
static void *take_bursts(void *arg)
{
	const int cpu = (int)(intptr_t)arg;

	usleep((useconds_t)(cpu * BREAK_MS * 1000 * 4 / 5));
	while (!hogs_stop) {
		int64_t end_ms = deadline_now_ms() + BURST_MS;

		while (deadline_now_ms() < end_ms)
			;
		usleep((BREAK_MS + 10 * cpu) * 1000);
	}
	return NULL;
}

static bool start_hog(int cpu, pthread_t *ret_thread)
{
	const struct sched_param priority = { .sched_priority = 50 };
	pthread_attr_t attr;
	cpu_set_t set;
	bool is_started;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &priority);
	is_started = pthread_create(ret_thread, &attr, take_bursts,
				    (void *)(intptr_t)cpu) == 0;
	pthread_attr_destroy(&attr);
	return is_started;
}

static size_t start_hogs(pthread_t hogs[HOGS_MAX])
{
	cpu_set_t allowed;
	size_t count = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return 0;
	for (int cpu = 0; cpu < CPU_SETSIZE && count < HOGS_MAX; cpu++) {
		if (CPU_ISSET(cpu, &allowed) && start_hog(cpu, &hogs[count]))
			count++;
	}
	return count;
}

/*
 * What the clock of a processor shows is not known if nobody gets a turn there,
 * so neither since when a call sleeps that went to sleep there.
 */
Test(interrupted, real_time_threads_on_every_processor_make_no_call_longer)
{
	struct subject *subject = &subjects[IN_THREADS];
	unsigned int wrong = 0;
	pthread_t hogs[HOGS_MAX];
	size_t hog_count;

	require_ptrace();
	subject->rows = rows;
	subject->row_count = ROW_COUNT;
	VICTIM_START(&subject->victim, "interrupted", "threads");
	operate(subject);
	victim_expect(&subject->victim, "run", "running");
	note_expected(subject);
	hog_count = start_hogs(hogs);
	if (hog_count == 0)
		cr_skip("real-time threads are not permitted");
	for (unsigned int i = 0; i < HOG_ROUNDS; i++) {
		int64_t until_ms = deadline_now_ms() + DISTURBED_MS;

		victim_expect(&subject->victim, "run", "running");
		while (deadline_now_ms() < until_ms)
			operate(subject);
		check_results(subject, &wrong);
	}
	hogs_stop = true;
	for (size_t i = 0; i < hog_count; i++)
		pthread_join(hogs[i], NULL);
	victim_check_undisturbed(&subject->victim);
	victim_stop(&subject->victim);
	cr_assert(wrong == 0, "%u results differ", wrong);
}

/* --- Calls inside the function that is replaced ------------------------------ */

static struct row inside_rows[ROW_COUNT];

static void start_inside(struct subject *subject)
{
	const char *args[ROW_COUNT + 3] = { "interrupted", "threads" };

	subject->rows = inside_rows;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].effect != NONE)
			continue;
		inside_rows[subject->row_count] = rows[i];
		args[2 + subject->row_count++] = rows[i].name;
	}
	victim_start(&subject->victim, args);
}

static void start_apply(struct child *operator, const struct subject * subject,
			const char *timeout)
{
	const char *const argv[] = { path_of_upatchctl(),
				     "apply",
				     "--timeout",
				     timeout,
				     subject->victim.target,
				     path_of_patch("work"),
				     NULL };

	child_start(operator, argv, CHILD_QUIET);
}

static int exit_status_of(struct child *operator)
{
	int status;

	if (!child_wait(operator, DEADLINE_MS, &status))
		cr_fatal("apply does not end");
	return WEXITSTATUS(status);
}

/*
 * It is at it until the calls have returned, and no longer.  The victim says
 * so only then.
 */
static void apply_during_calls(struct subject *subject, unsigned int *wrong)
{
	struct child operator;
	int64_t done_ms;
	long late_ms;
	int status;

	victim_expect(&subject->victim, "inside", "running");
	start_apply(&operator, subject, "20");
	if (child_wait(&operator, DISTURBED_MS, &status))
		cr_fatal("apply has ended while calls in the function last");
	check_results(subject, wrong);
	done_ms = deadline_now_ms();
	cr_assert(exit_status_of(&operator) == EXIT_DONE);
	late_ms = (long)(deadline_now_ms() - done_ms);
	cr_assert(late_ms <= TOLERANCE_MS + lag_ms,
		  "apply goes on for %ld ms after the last call", late_ms);
}

static void reverse_during_calls(struct subject *subject, unsigned int *wrong)
{
	const int64_t begin_ms = deadline_now_ms();
	struct child operator;

	victim_expect(&subject->victim, "inside", "running");
	start_apply(&operator, subject, "0.7");
	cr_assert(exit_status_of(&operator) == EXIT_TIMED_OUT);
	cr_assert(deadline_now_ms() - begin_ms < LASTS_MS,
		  "the way back waits for calls in the function");
	check_results(subject, wrong);
}

Test(interrupted, calls_inside_the_function_end_as_if_nothing_had_been)
{
	struct subject *subject = &subjects[IN_THREADS];
	unsigned int wrong = 0;

	require_ptrace();
	start_inside(subject);
	victim_expect(&subject->victim, "inside", "running");
	note_expected(subject);
	apply_during_calls(subject, &wrong);
	upatchctl_revert(subject->victim.target, "work");
	reverse_during_calls(subject, &wrong);
	cr_assert(upatchctl_patch_count(subject->victim.target) == 0);
	victim_check_undisturbed(&subject->victim);
	victim_stop(&subject->victim);
	cr_assert(wrong == 0, "%u results differ", wrong);
}
