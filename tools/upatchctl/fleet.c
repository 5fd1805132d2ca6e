/* SPDX-License-Identifier: MIT */
/* One command on every process that a selector means. */
#include "fleet.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "interrupt.h"
#include "libupatch/clock.h"
#include "libupatch/error.h"
#include "pace.h"

/* Whoever waits for a thread of its process holds up no other process. */
#define MAX_WORKERS 64
#define SLOW_MS	    200
/* Processes that beget others for ever do not keep us for ever. */
#define MAX_ROUNDS 100
/* Another operation may be our own, on a child that its parent had forked. */
#define MAX_ATTEMPTS	   20
#define TRY_AGAIN_PAUSE_NS 50000000L

enum phase {
	PHASE_CHECK,
	PHASE_RUN,
};

/* The members [first, count) are gone through, by several threads. */
struct round {
	struct fleet *fleet;
	struct upatch_cache *cache;
	const struct arguments *arguments;
	struct console console;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum phase phase;
	size_t next, done, total;
	bool wants_retry;
};

/* What the library hands back to us. */
struct job {
	struct round *round;
	pid_t pid;
};

static int no_memory(struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0, "out of memory");
}

/* --- One process ------------------------------------------------------ */

static bool is_interrupted(void *user)
{
	(void)user;
	return interrupt_is_requested(NULL);
}

static void trace(const char *line, void *user)
{
	struct job *job = user;

	pthread_mutex_lock(&job->round->lock);
	console_trace_process(line, job->pid, &job->round->console);
	pthread_mutex_unlock(&job->round->lock);
}

static struct upatch_options options_of(struct round *round, struct job *job)
{
	const struct arguments *arguments = round->arguments;
	struct upatch_options options = UPATCH_OPTIONS_INIT;

	options.timeout_ms = arguments->timeout_ms;
	options.on_timeout = arguments->on_timeout;
	options.dry_run = arguments->dry_run || round->phase == PHASE_CHECK;
	arguments_set_trust(arguments, &options);
	options.interrupted = is_interrupted;
	if (round->console.shows_trace)
		options.trace = trace;
	options.user = job;
	return options;
}

static void set_failure(struct fleet_member *member,
			const struct upatch_error *failure)
{
	member->state = FLEET_FAILED;
	if (!member->failure)
		member->failure = malloc(sizeof(*member->failure));
	if (member->failure)
		*member->failure = *failure;
}

static void set_outcome(struct round *round, struct fleet_member *member,
			struct upatch_target *target, int code,
			const struct upatch_error *failure)
{
	const struct fleet_work *work = round->fleet->work;

	if (code == 0)
		member->state =
			round->phase == PHASE_RUN ? FLEET_DONE : FLEET_WAITS;
	else if (code == UPATCH_ERROR_NO_TARGET)
		member->state = FLEET_ENDED;
	else if (code == work->unchanged_code &&
		 (!work->is_unchanged ||
		  work->is_unchanged(target, work->user)))
		member->state = FLEET_UNCHANGED;
	else
		set_failure(member, failure);
}

static int act(struct round *round, struct fleet_member *member,
	       struct upatch_target *target, struct upatch_error *err)
{
	const struct fleet_work *work = round->fleet->work;
	struct job job = { round, member->process.pid };
	const struct upatch_options options = options_of(round, &job);

	if (round->phase == PHASE_CHECK)
		return work->check(target, &options, work->user, err);
	return work->run(target, &options, work->user, &member->product, err);
}

static void handle(struct round *round, struct fleet_member *member)
{
	struct upatch_target *target = NULL;
	struct upatch_error failure = { 0 };
	int code;

	code = upatch_target_open_cached(member->process.pid, round->cache,
					 &target, &failure);
	if (code == 0)
		code = act(round, member, target, &failure);
	set_outcome(round, member, target, code, &failure);
	upatch_target_close(target);
	if (round->phase == PHASE_RUN && code == UPATCH_ERROR_BUSY &&
	    ++member->attempts < MAX_ATTEMPTS && round->fleet->work->check)
		member->state = FLEET_WAITS;
}

/* --- All of them ------------------------------------------------------ */

static void show_progress(struct round *round)
{
	console_count(&round->console,
		      round->phase == PHASE_CHECK ? "checked" : "done",
		      round->done, round->total);
}

/* The lock is held.  NULL: none is left. */
static struct fleet_member *take_next(struct round *round)
{
	struct fleet *fleet = round->fleet;

	while (round->next < fleet->count) {
		struct fleet_member *member = &fleet->members[round->next++];

		if (member->state == FLEET_WAITS)
			return member;
	}
	return NULL;
}

static void *work_on(void *argument)
{
	struct round *round = argument;
	struct fleet_member *member;

	pthread_mutex_lock(&round->lock);
	while (!interrupt_is_requested(NULL) && (member = take_next(round))) {
		pthread_mutex_unlock(&round->lock);
		handle(round, member);
		pthread_mutex_lock(&round->lock);
		round->done++;
		round->wants_retry |= round->phase == PHASE_RUN &&
				      member->state == FLEET_WAITS;
		show_progress(round);
		pthread_cond_signal(&round->changed);
	}
	pthread_cond_signal(&round->changed);
	pthread_mutex_unlock(&round->lock);
	return NULL;
}

static bool start_worker(struct round *round, pthread_t *ret_worker)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(ret_worker, NULL, work_on, round);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret == 0;
}

/* False: nothing has come to its end for a while. */
static bool wait_for_one(struct round *round, size_t done)
{
	struct timespec limit;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_nsec += SLOW_MS * 1000000L;
	limit.tv_sec += limit.tv_nsec / 1000000000L;
	limit.tv_nsec %= 1000000000L;
	while (ret == 0 && round->done == done &&
	       round->next < round->fleet->count &&
	       !interrupt_is_requested(NULL))
		ret = pthread_cond_timedwait(&round->changed, &round->lock,
					     &limit);
	return ret == 0;
}

/* One worker for each core that is idle; more while all of them wait. */
static size_t start_workers(struct round *round, pthread_t *workers)
{
	size_t wanted = pace_worker_count();
	size_t count = 0;

	pace_be_patient();
	pthread_mutex_lock(&round->lock);
	for (;;) {
		size_t done = round->done;

		while (count < wanted && count < MAX_WORKERS &&
		       start_worker(round, &workers[count]))
			count++;
		if (count < wanted || count == MAX_WORKERS)
			break;
		if (!wait_for_one(round, done))
			wanted = count + 1;
		if (round->next == round->fleet->count ||
		    interrupt_is_requested(NULL))
			break;
	}
	pthread_mutex_unlock(&round->lock);
	return count;
}

static int go_through(struct round *round, enum phase phase, size_t first,
		      struct upatch_error *err)
{
	pthread_t workers[MAX_WORKERS];
	size_t count;

	round->phase = phase;
	round->next = first;
	round->done = 0;
	round->total = round->fleet->count - first;
	round->wants_retry = false;
	count = start_workers(round, workers);
	for (size_t i = 0; i < count; i++)
		pthread_join(workers[i], NULL);
	return count > 0 ? 0
			 : error_set(err, UPATCH_ERROR_SYSTEM, 0,
				     "cannot create a thread");
}

static int go_through_until_idle(struct round *round, size_t first,
				 struct upatch_error *err)
{
	const struct timespec pause = { .tv_nsec = TRY_AGAIN_PAUSE_NS };
	int code = go_through(round, PHASE_RUN, first, err);

	while (code == 0 && round->wants_retry &&
	       !interrupt_is_requested(NULL)) {
		nanosleep(&pause, NULL);
		code = go_through(round, PHASE_RUN, first, err);
	}
	return code;
}

/* --- Who they are ----------------------------------------------------- */

static int compare_processes(const void *a, const void *b)
{
	const struct upatch_process *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	if (left->started != right->started)
		return left->started < right->started ? -1 : 1;
	return (left->image > right->image) - (left->image < right->image);
}

/* Sorts `known`; moves what is not in there to the front of `found`. */
static size_t keep_new(struct upatch_process *found, size_t count,
		       struct upatch_process *known, size_t known_count)
{
	size_t kept = 0;

	qsort(known, known_count, sizeof(*known), compare_processes);
	for (size_t i = 0; i < count; i++) {
		if (!bsearch(&found[i], known, known_count, sizeof(*known),
			     compare_processes))
			found[kept++] = found[i];
	}
	return kept;
}

static int add_members(struct fleet *fleet, struct upatch_process *found,
		       size_t count, struct upatch_error *err)
{
	struct upatch_process *known = calloc(fleet->count + 1, sizeof(*known));
	struct fleet_member *members;

	if (!known)
		return no_memory(err);
	for (size_t i = 0; i < fleet->count; i++)
		known[i] = fleet->members[i].process;
	count = keep_new(found, count, known, fleet->count);
	free(known);
	members = reallocarray(fleet->members, fleet->count + count + 1,
			       sizeof(*members));
	if (!members)
		return no_memory(err);
	fleet->members = members;
	for (size_t i = 0; i < count; i++)
		members[fleet->count++] =
			(struct fleet_member){ .process = found[i] };
	return 0;
}

static int find_members(struct fleet *fleet, struct upatch_error *err)
{
	struct upatch_process *found;
	size_t count;
	int code;

	code = upatch_select(fleet->selector, &found, &count, err);
	if (code != 0)
		return code;
	code = add_members(fleet, found, count, err);
	free(found);
	return code;
}

size_t fleet_count(const struct fleet *fleet, enum fleet_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < fleet->count; i++)
		count += fleet->members[i].state == state;
	return count;
}

/* A check that fails for one process keeps all from being touched. */
static int check_first_round(struct round *round, struct upatch_error *err)
{
	struct fleet *fleet = round->fleet;
	int code;

	if (!fleet->work->check || round->arguments->dry_run)
		return 0;
	code = go_through(round, PHASE_CHECK, 0, err);
	fleet->is_refused = fleet_count(fleet, FLEET_FAILED) > 0;
	return code;
}

/*
 * Whoever matches the selector is looked for again until there is nobody new:
 * a process that was forked by one that had not been reached yet.
 */
static int run_rounds(struct round *round, struct upatch_error *err)
{
	struct fleet *fleet = round->fleet;
	size_t first = 0;
	int code = check_first_round(round, err);

	for (int i = 0; code == 0 && i < MAX_ROUNDS; i++) {
		if (fleet->is_refused || interrupt_is_requested(NULL))
			break;
		code = go_through_until_idle(round, first, err);
		first = fleet->count;
		if (code == 0 && !fleet->work->is_once)
			code = find_members(fleet, err);
		if (fleet->count == first)
			break;
	}
	return code;
}

static int run_all(struct fleet *fleet, const struct arguments *arguments,
		   struct upatch_error *err)
{
	struct round round = {
		.fleet = fleet,
		.arguments = arguments,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	int code = upatch_cache_open(&round.cache, err);

	if (code != 0)
		return code;
	console_init(&round.console, arguments->verbose);
	interrupt_init();
	code = run_rounds(&round, err);
	interrupt_fini();
	console_fini(&round.console);
	upatch_cache_close(round.cache);
	return code;
}

int fleet_run(struct fleet *fleet, const char *selector,
	      const struct fleet_work *work, const struct arguments *arguments,
	      struct upatch_error *err)
{
	uint64_t begin_ns = clock_now_ns();
	int code;

	*fleet = (struct fleet){ .selector = selector, .work = work };
	code = find_members(fleet, err);
	if (code == 0 && fleet->count == 0)
		code = error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "no process matches '%s'", selector);
	if (code == 0)
		code = run_all(fleet, arguments, err);
	fleet->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return code;
}

void fleet_free(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++) {
		struct fleet_member *member = &fleet->members[i];

		free(member->failure);
		if (member->product)
			fleet->work->free_product(member->product);
	}
	free(fleet->members);
	*fleet = (struct fleet){ 0 };
}

/* --- The end ---------------------------------------------------------- */

static const struct upatch_error *find_worst(const struct fleet *fleet)
{
	const struct upatch_error *worst = NULL;

	for (size_t i = 0; i < fleet->count; i++) {
		const struct upatch_error *failure = fleet->members[i].failure;

		if (fleet->members[i].state != FLEET_FAILED || !failure)
			continue;
		if (!worst || upatch_error_exit_status(failure->code) >
				      upatch_error_exit_status(worst->code))
			worst = failure;
	}
	return worst;
}

int fleet_judge(const struct fleet *fleet, const char *what,
		struct upatch_error *err)
{
	const struct upatch_error *worst = find_worst(fleet);
	size_t failed = fleet_count(fleet, FLEET_FAILED);
	size_t waiting = fleet_count(fleet, FLEET_WAITS);

	if (failed > 0)
		return error_set(
			err, worst ? worst->code : UPATCH_ERROR_NO_MEMORY, 0,
			"cannot %s in %zu of %zu processes of '%s'%s: %s", what,
			failed, fleet->count, fleet->selector,
			fleet->is_refused ? ", so none was touched" : "",
			worst ? worst->message : "out of memory");
	if (waiting > 0)
		return error_set(
			err, UPATCH_ERROR_INTERRUPTED, 0,
			"interrupted before %zu of %zu processes of '%s'",
			waiting, fleet->count, fleet->selector);
	if (fleet_count(fleet, FLEET_ENDED) == fleet->count)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "every process of '%s' has ended",
				 fleet->selector);
	if (fleet->work->missing && fleet_count(fleet, FLEET_DONE) == 0)
		return error_set(err, fleet->work->unchanged_code, 0,
				 "none of %zu processes of '%s' has %s",
				 fleet->count, fleet->selector,
				 fleet->work->missing);
	return 0;
}
