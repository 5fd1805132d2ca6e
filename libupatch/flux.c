/* SPDX-License-Identifier: MIT */
/* Operations that fail because libraries come and go meanwhile. */
#include "flux.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "tracer.h"

#define RETRY_PAUSE_NS 3000000L

static bool is_same(const struct module *a, const struct module *b)
{
	return a->link_map == b->link_map && a->bias == b->bias &&
	       a->dynamic == b->dynamic && strcmp(a->path, b->path) == 0;
}

/* Since they were read. */
static bool have_changed(const struct process *process)
{
	const struct modules *before = &process->modules;
	struct modules now;
	struct maps maps;
	bool changed;

	if (modules_read(&process->memory, &now, &maps, NULL))
		return true;
	changed = now.count != before->count;
	for (size_t i = 0; !changed && i < now.count; i++)
		changed = !is_same(&now.modules[i], &before->modules[i]);
	maps_free(&maps);
	modules_free(&now);
	return changed;
}

/*
 * A library that went and came again can lie where it was, so what failed
 * counts as well: memory that is not there any more, or code that is not what
 * it was when the plan was made.
 */
static bool explains(const struct operation *operation, int ret,
		     const struct upatch_error *err)
{
	struct process *process = operation->process;

	switch (ret) {
	case 0:
	case UPATCH_ERROR_ARGUMENT:
	case UPATCH_ERROR_PERMISSION:
	case UPATCH_ERROR_NO_PATCH:
	case UPATCH_ERROR_BAD_PATCH:
	case UPATCH_ERROR_CONFLICT:
	case UPATCH_ERROR_UNSUPPORTED:
	case UPATCH_ERROR_REFUSED:
	case UPATCH_ERROR_TIMED_OUT:
	case UPATCH_ERROR_NO_MEMORY:
	case UPATCH_ERROR_TARGET_DAMAGED:
	case UPATCH_ERROR_INTERRUPTED:
		return false;
	default:
		break;
	}
	if (!process || process_is_gone(process))
		return false;
	if (ret == UPATCH_ERROR_NO_TARGET || err->saved_errno == EIO ||
	    (ret == UPATCH_ERROR_BUSY && err->saved_errno == EAGAIN) ||
	    (ret == UPATCH_ERROR_MISMATCH && operation->is_begun))
		return true;
	return process->modules.count && have_changed(process);
}

/* There was no time left in which they stood still. */
static int report(const struct operation *operation, enum aim aim,
		  struct upatch_error *err)
{
	if (asked_to_stop(&operation->process->asked)) {
		asked_report(err);
		error_append(err, aim == AIM_ENDED
					  ? "the transition was left running"
					  : "nothing was changed");
		return err->code;
	}
	error_prefix(err, "libraries of process %d come and go all the time",
		     operation->process->pid);
	err->code = UPATCH_ERROR_BUSY;
	return err->code;
}

/*
 * *ret_retry: it failed for a reason that may be gone the next time.  *err is
 * that of the time before; twice the same, read from memory that was whole, is
 * none that passes.
 */
static int attempt(const struct flux_work *work, struct operation *operation,
		   struct upatch_target *target,
		   const struct upatch_options *options, uint64_t begin_ns,
		   bool *ret_retry, struct upatch_error *err)
{
	const struct upatch_error before = *err;
	int ret = operation_open(operation, target, options, err);

	operation->deadline_ns -= operation->begin_ns - begin_ns;
	operation->begin_ns = begin_ns;
	if (work->patch_name)
		snprintf(operation->result.patch,
			 sizeof(operation->result.patch), "%s",
			 work->patch_name);
	if (!ret)
		ret = work->run(operation, work->user, err);
	if (ret)
		ret = conclude(operation, work->aim, err->code, err);
	*ret_retry = explains(operation, ret, err) &&
		     (ret != UPATCH_ERROR_MISMATCH || operation->is_begun ||
		      strcmp(before.message, err->message) != 0);
	if (*ret_retry && operation_is_over(operation)) {
		operation->process->asked.is_ignored = false;
		ret = report(operation, work->aim, err);
		*ret_retry = false;
	}
	operation_close(operation);
	return ret;
}

int flux_run(const struct flux_work *work, struct upatch_target *target,
	     const struct upatch_options *options,
	     struct upatch_result *ret_result, struct upatch_error *err)
{
	const struct timespec pause = { .tv_nsec = RETRY_PAUSE_NS };
	const uint64_t begin_ns = clock_now_ns();
	struct upatch_error local = { 0 };
	struct operation operation;
	bool retry;
	int ret;

	for (;;) {
		ret = attempt(work, &operation, target, options, begin_ns,
			      &retry, &local);
		if (work->clear)
			work->clear(work->user);
		if (!retry)
			break;
		operation_trace(&operation, "libraries come and go: %s",
				local.message);
		nanosleep(&pause, NULL);
	}
	if (ret && err)
		*err = local;
	if (!ret && ret_result)
		*ret_result = operation.result;
	return ret;
}
