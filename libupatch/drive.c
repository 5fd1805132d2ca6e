/* SPDX-License-Identifier: MIT */
/* Drives a transition to its end. */
#include "drive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "clock.h"
#include "cross.h"
#include "leave.h"
#include "mover.h"
#include "sought.h"
#include "traced.h"

#define PROGRESS_NS 50000000UL

struct driver {
	struct operation *operation;
	const struct drive *drive;
	struct tracer *tracer;
	struct mover *mover; /* while it moves */
	struct sought sought;
	uint64_t last_progress_ns;
	bool was_crowded;  /* see struct mover */
	bool was_reversed; /* by us, as the time was over */
	bool was_asked;	   /* by us, as the caller asked to stop */
	bool ends_reversed;
	bool was_left;
	bool is_settled;
	/* why, when it did not end as it was meant to */
	struct upatch_error cause;
};

/* To whoever asks for the status meanwhile. */
static void publish_progress(struct driver *driver, const struct mover *mover)
{
	struct operation *operation = driver->operation;
	struct rt_request request = {
		.type = RT_PROGRESS,
		.progress.thread_count = (uint32_t)mover->thread_count,
		.progress.moved_count = (uint32_t)mover->moved_count,
	};
	struct rt_reply reply;

	(void)!channel_request(&operation->channel, &request, -1,
			       clock_now_ns() + 1000000000UL, &reply,
			       "report progress", NULL);
}

/* To the caller. */
static void tell_progress(struct driver *driver, const struct mover *mover)
{
	struct operation *operation = driver->operation;
	const struct blocking_thread *last = &mover->last_blocking;
	const struct upatch_progress progress = {
		.step = UPATCH_STEP_MOVE,
		.thread_count = (unsigned int)mover->thread_count,
		.moved_count = (unsigned int)mover->moved_count,
		.blocking_tid = last->tid,
		.blocking_function = last->function,
	};

	operation->result.thread_count = (unsigned int)mover->thread_count;
	if (operation->options.progress)
		operation->options.progress(&progress, operation->options.user);
}

static bool stop_moving(struct mover *mover, void *user)
{
	struct driver *driver = user;
	uint64_t now = clock_now_ns();

	if (now - driver->last_progress_ns >= PROGRESS_NS) {
		driver->last_progress_ns = now;
		publish_progress(driver, mover);
		tell_progress(driver, mover);
	}
	return asked_to_stop(&driver->operation->process->asked);
}

static bool send_sought(struct driver *driver, const struct rt_range *ranges,
			size_t count, bool first, bool last)
{
	struct rt_request request = {
		.type = RT_SOUGHT,
		.sought.count = (uint32_t)count,
		.sought.first = first,
		.sought.last = last,
	};
	struct rt_reply reply;

	memcpy(request.sought.ranges, ranges, count * sizeof(*ranges));
	return !channel_request(&driver->operation->channel, &request, -1,
				clock_now_ns() + 1000000000UL, &reply,
				"tell what is sought", NULL);
}

/*
 * Functions; gates, as a signal can have interrupted a thread in one; and the
 * end of signal handlers: from inside a handler nobody moves himself, as it
 * may run on a stack inside the thread's own.
 */
static struct rt_range *list_sought(const struct mover *mover,
				    const struct view *view, size_t *ret_count)
{
	const struct sought *sought = mover->sought;
	size_t count = 0;
	struct rt_range *ranges =
		calloc(sought->function_count + sought->gate_count + 1,
		       sizeof(*ranges));

	if (!ranges)
		return NULL;
	for (size_t i = 0; i < sought->function_count; i++) {
		ranges[count].start = sought->functions[i].start;
		ranges[count++].end = sought->functions[i].end;
	}
	for (size_t i = 0; i < sought->gate_count; i++) {
		ranges[count].start = sought->gates[i].start;
		ranges[count++].end = sought->gates[i].end;
	}
	ranges[count].start = view->state.sigreturn;
	ranges[count++].end = view->state.sigreturn + 1;
	*ret_count = count;
	return ranges;
}

static bool publish_sought(struct mover *mover, void *user)
{
	struct driver *driver = user;
	size_t count;
	struct rt_range *ranges =
		list_sought(mover, &driver->operation->view, &count);
	bool sent = ranges;

	for (size_t done = 0; sent && done < count; done += RT_SOUGHT_MAX) {
		size_t left = count - done;
		size_t now = left < RT_SOUGHT_MAX ? left : RT_SOUGHT_MAX;

		sent = send_sought(driver, ranges + done, now, done == 0,
				   now == left);
	}
	free(ranges);
	return sent;
}

static bool is_sought_stale(const struct mover *mover, void *user)
{
	const struct operation *operation =
		((const struct driver *)user)->operation;
	const upatch_addr_t addr =
		operation->process->state_addr + offsetof(struct rt_state, seq);
	uint32_t seq;

	(void)mover;
	return memory_read_some(&operation->process->memory, addr, &seq,
				sizeof(seq)) != sizeof(seq) ||
	       seq != operation->view.state.seq;
}

/* The names of what is sought point into the view: both change together. */
static int look_again(struct driver *driver, struct upatch_error *err)
{
	struct operation *operation = driver->operation;
	int ret;

	sought_free(&driver->sought);
	ret = operation_look(operation, err);
	if (!ret)
		ret = sought_for_transition(operation->process,
					    &operation->view, &driver->sought,
					    err);
	return ret;
}

static int refresh_sought(struct mover *mover, void *user,
			  struct upatch_error *err)
{
	struct driver *driver = user;

	if (!is_sought_stale(mover, user))
		return 0;
	mover->is_published = false;
	return look_again(driver, err);
}

static int move(struct driver *driver, uint64_t deadline_ns,
		struct upatch_error *err)
{
	struct operation *operation = driver->operation;
	struct mover mover = {
		.process = operation->process,
		.tracer = driver->tracer,
		.sought = &driver->sought,
		.thread_count = tracer_count(driver->tracer),
		.was_crowded = driver->was_crowded,
		.refresh = refresh_sought,
		.is_stale = is_sought_stale,
		.publish = publish_sought,
		.stop = stop_moving,
		.user = driver,
	};
	int ret = look_again(driver, err);

	if (ret)
		return ret;
	mover.thread_offset = operation->view.state.thread_offset;
	mover.transition_id = operation->view.state.transition.id;
	mover.reversed = operation->view.state.transition.reversed;
	driver->ends_reversed = mover.reversed;
	/* A patch without functions concerns no thread. */
	driver->mover = &mover;
	if (driver->sought.function_count)
		ret = mover_run(&mover, deadline_ns, err);
	driver->mover = NULL;
	/* Else it is over, and there is nothing to be asked for. */
	if (ret)
		publish_progress(driver, &mover);
	tell_progress(driver, &mover);
	sought_free(&driver->sought);
	return ret;
}

static int reverse_after(struct driver *driver, struct upatch_error *err)
{
	struct operation *operation = driver->operation;
	int ret;

	driver->was_reversed = true;
	operation_trace(operation, "%s; reversing", driver->cause.message);
	ret = operation_tell(operation, RT_REVERSE, 0, "reverse the transition",
			     err);
	if (ret)
		return ret;
	ret = move(driver,
		   clock_now_ns() + operation->options.timeout_ms * 1000000UL +
			   1000000000UL,
		   err);
	if (ret != UPATCH_ERROR_TIMED_OUT)
		return ret;
	driver->was_left = true;
	error_prefix(err, "%s; it was turned around, but",
		     driver->cause.message);
	if (!asked_to_stop(&operation->process->asked) && !driver->was_asked)
		return ret;
	if (!driver->was_asked)
		error_prefix(err, "interrupted");
	if (err)
		err->code = UPATCH_ERROR_INTERRUPTED;
	return UPATCH_ERROR_INTERRUPTED;
}

static int force(struct driver *driver, struct upatch_error *err)
{
	return operation_tell(driver->operation, RT_FORCE, 0,
			      "force the transition", err);
}

static int after_timeout(struct driver *driver, struct upatch_error *err)
{
	enum upatch_on_timeout on_timeout =
		driver->operation->options.on_timeout;

	driver->was_asked = asked_to_stop(&driver->operation->process->asked);
	if (err)
		driver->cause = *err;
	/* Nobody who is interrupted wants threads to be forced. */
	if (driver->was_asked) {
		operation_ignore_asked(driver->operation);
		asked_report(&driver->cause);
		if (on_timeout == UPATCH_ON_TIMEOUT_FORCE)
			on_timeout = UPATCH_ON_TIMEOUT_REVERSE;
	}
	switch (on_timeout) {
	case UPATCH_ON_TIMEOUT_FORCE:
		return force(driver, err);
	case UPATCH_ON_TIMEOUT_LEAVE:
		driver->was_left = true;
		if (err)
			*err = driver->cause;
		return driver->cause.code;
	case UPATCH_ON_TIMEOUT_REVERSE:
	default:
		return reverse_after(driver, err);
	}
}

static int install(struct driver *driver, struct upatch_error *err)
{
	struct operation *operation = driver->operation;
	int ret;

	operation_progress(operation, UPATCH_STEP_INSTALL);
	ret = cross_barrier(operation, driver->tracer, BARRIER_INSTALL,
			    operation->deadline_ns,
			    &operation->result.barrier_ns, err);
	if (!ret)
		ret = operation_tell(operation, RT_INSTALLED, 0,
				     "note that jumps are written", err);
	return ret;
}

static int remove_idle(struct driver *driver, struct upatch_error *err)
{
	struct operation *operation = driver->operation;
	uint64_t ns = 0;
	int ret =
		cross_barrier(operation, driver->tracer, BARRIER_REMOVE,
			      operation->deadline_ns + 1000000000UL, &ns, err);

	if (!ret)
		ret = operation_tell(operation, RT_REMOVED, 0,
				     "note that jumps are removed", err);
	if (ns)
		operation->result.barrier_ns = ns;
	return ret;
}

/* coming_was_missed in the runtime: what was planned lacks a library. */
static int start(struct driver *driver, struct upatch_error *err)
{
	struct upatch_error local = { 0 };
	int ret = operation_tell(driver->operation, RT_START, 0,
				 "start the transition", &local);

	if (ret && local.saved_errno == EAGAIN)
		return error_set(
			err, UPATCH_ERROR_BUSY, EAGAIN,
			"a library that the patch names was loaded meanwhile; try again");
	if (ret && err)
		*err = local;
	return ret;
}

static int begin(struct driver *driver, struct upatch_error *err)
{
	struct operation *operation = driver->operation;
	int ret = 0;

	if (!driver->drive->is_running) {
		ret = install(driver, err);
		if (!ret)
			ret = start(driver, err);
	}
	if (!ret && driver->drive->reverse)
		ret = operation_tell(operation, RT_REVERSE, 0,
				     "reverse the transition", err);
	return ret;
}

static void serve_tracees(void *user)
{
	struct driver *driver = user;

	if (driver->mover)
		mover_serve(driver->mover);
	else
		tracer_serve(driver->tracer, 0);
}

/*
 * From the seizing to the settling every thread stays traced: one that is
 * born in between is caught before its first instruction.
 */
static int drive_traced(struct tracer *tracer, struct driver *driver,
			struct upatch_error *err)
{
	struct operation *operation = driver->operation;
	int ret = operation_look(operation, err);

	driver->ends_reversed = operation->view.state.transition.reversed;
	tracer->deadlines.thread_offset = operation->view.state.thread_offset;
	driver->was_crowded = !ret && priority_stays_crowded();
	if (!ret)
		ret = tracer_seize_all(tracer, operation->agent_tid, true, err);
	if (!ret)
		ret = begin(driver, err);
	if (ret)
		return ret;
	operation_progress(operation, UPATCH_STEP_MOVE);
	operation->result.thread_count = (unsigned int)tracer_count(tracer);
	if (driver->drive->force)
		ret = force(driver, err);
	else
		ret = move(driver, operation->deadline_ns, err);
	if (ret == UPATCH_ERROR_TIMED_OUT)
		ret = after_timeout(driver, err);
	if (ret)
		return ret;
	/* Nobody is on the other side any more. */
	operation_ignore_asked(operation);
	ret = operation_tell(operation, RT_SETTLE, 0, "settle the transition",
			     err);
	if (ret)
		return ret;
	driver->is_settled = true;
	return remove_idle(driver, err);
}

/* Also those of a first try that has failed. */
static void take_children(struct operation *operation, struct tracer *tracer)
{
	size_t count = operation->child_count + tracer->child_count;
	pid_t *children;

	if (!tracer->child_count)
		return;
	children = realloc(operation->children, count * sizeof(*children));
	if (!children)
		return; /* as note_child in tracer.c */
	memcpy(children + operation->child_count, tracer->children,
	       tracer->child_count * sizeof(*children));
	operation->children = children;
	operation->child_count = count;
}

static int run_traced(struct tracer *tracer, void *user,
		      struct upatch_error *err)
{
	struct driver *driver = user;
	struct channel *channel = &driver->operation->channel;
	int ret;

	tracer->note_children = true;
	driver->tracer = tracer;
	channel->meanwhile = serve_tracees;
	channel->user = driver;
	ret = drive_traced(tracer, driver, err);
	/* A child that was forked before the end may not be noted yet. */
	tracer_serve(tracer, 0);
	channel->meanwhile = NULL;
	take_children(driver->operation, tracer);
	return ret;
}

int drive_transition(struct operation *operation, const struct drive *drive,
		     struct upatch_error *err)
{
	struct upatch_error local = { 0 };
	struct driver driver = { .operation = operation, .drive = drive };
	int ret = traced_run(operation->process->pid,
			     operation->process->under_seccomp, run_traced,
			     &driver, &local);

	/* The callbacks run; the jumps are left to the next operation. */
	if (ret && driver.is_settled)
		(void)!operation_tell(operation, RT_FINISH, 0,
				      "finish the transition", NULL);
	if (!ret) {
		operation_progress(operation, UPATCH_STEP_FINISH);
		ret = operation_tell(operation, RT_FINISH, 0,
				     "finish the transition", &local);
		if (ret == UPATCH_ERROR_TIMED_OUT && operation->channel.fd >= 0)
			error_append(
				&local,
				"a callback has not returned; the transition itself is complete");
	}
	if (!ret)
		ret = operation_look(operation, &local);
	if (!ret)
		ret = leave_unload_leftovers(operation, &local);
	operation->is_cut_off = ret;
	operation->is_final = !ret || driver.was_left;
	if (!ret)
		ret = adopt_children(operation, driver.ends_reversed, &local);
	if (!ret && driver.was_reversed) {
		local = driver.cause;
		ret = local.code;
		error_append(&local,
			     "the transition was turned around and undone");
	} else if (ret && driver.was_left) {
		error_append(&local, "the transition was left running");
	}
	if (ret && err)
		*err = local;
	return ret;
}
