/* SPDX-License-Identifier: MIT */
/* The end of an operation that failed. */
#include "conclude.h"

#include "clock.h"
#include "drive.h"
#include "tracer.h"

#define TRIES 3
/* What is left of the time for the operation may be nothing. */
#define LIMIT_NS 5000000000UL

static bool is_running(const struct operation *operation)
{
	return view_find_patch_addr(&operation->view,
				    operation->view.state.transition.patch);
}

static bool is_reached(const struct operation *operation, enum aim aim)
{
	const struct view_patch *patch =
		view_find_patch(&operation->view, operation->result.patch);

	if (aim == AIM_ENDED)
		return !is_running(operation);
	return aim == AIM_APPLIED ? patch && !is_running(operation) : !patch;
}

/* The agent that enters has first cancelled what had not been started. */
static int try_to_end(struct operation *operation, enum aim aim,
		      struct upatch_error *err)
{
	const struct drive drive = { .is_running = true };
	uint64_t limit = clock_now_ns() + LIMIT_NS;
	int ret;

	operation_leave(operation);
	if (operation->deadline_ns < limit)
		operation->deadline_ns = limit;
	ret = operation_enter(operation, err);
	/* What `wait`, `reverse` and `force` began with is left to them. */
	if (!ret && is_running(operation) && aim != AIM_ENDED)
		ret = drive_transition(operation, &drive, err);
	return ret ? ret : operation_look(operation, err);
}

static const char *describe_rest(const struct view_patch *patch)
{
	switch (patch->rt.state) {
	case RT_PATCH_PATCHING:
	case RT_PATCH_UNPATCHING:
		return "its transition is left running: wait, reverse or force ends it";
	case RT_PATCH_ENABLED:
		return "it is applied";
	case RT_PATCH_PARKED:
		return "nothing leads into it, but it must stay in memory; the log tells why";
	default:
		return "nothing leads into it; a later command unloads it";
	}
}

static int report_rest(struct operation *operation, struct upatch_error *err)
{
	const struct view_patch *patch = NULL;

	if (operation_look(operation, NULL))
		error_append(err, "what is left in process %d is not known",
			     operation->process->pid);
	else
		patch = view_find_patch_addr(&operation->view,
					     operation->patch);
	if (patch)
		error_append(err, "patch '%s': %s", patch->rt.name,
			     describe_rest(patch));
	err->code = UPATCH_ERROR_TARGET_DAMAGED;
	return err->code;
}

static int recover(struct operation *operation, enum aim aim, int ret,
		   struct upatch_error *err)
{
	struct upatch_error problem = { 0 };
	const struct view_patch *patch;
	int end_ret = -1;

	operation_ignore_asked(operation);
	operation_trace(operation, "%s; bringing it to an end", err->message);
	for (int i = 0; end_ret && i < TRIES; i++) {
		end_ret = try_to_end(operation, aim, &problem);
		if (process_is_gone(operation->process))
			return process_explain(operation->process, ret, err);
		if (operation->is_final)
			break;
	}
	if (end_ret) {
		error_append(err, "and it could not be undone: %s",
			     problem.message);
		return report_rest(operation, err);
	}
	if (is_reached(operation, aim))
		return 0;
	patch = view_find_patch_addr(&operation->view, operation->patch);
	if (aim == AIM_APPLIED && patch)
		return report_rest(operation, err);
	if (aim == AIM_APPLIED)
		error_append(err, "nothing is left of it");
	return ret;
}

/* True as well where an agent that does not answer will see to it. */
static bool is_at_rest(struct operation *operation)
{
	const struct view_patch *patch;

	if (!operation->is_begun || operation->is_final ||
	    operation->channel.unanswered)
		return true;
	if (operation->is_cut_off || operation->channel.fd < 0 ||
	    operation_look(operation, NULL) || is_running(operation))
		return false;
	patch = view_find_patch_addr(&operation->view, operation->patch);
	return !patch || patch->rt.state == RT_PATCH_ENABLED ||
	       patch->rt.state == RT_PATCH_PARKED;
}

/* What has become of it where nothing was in the way. */
static int report_asked(const struct operation *operation,
			struct upatch_error *err)
{
	if (operation->channel.unanswered || operation->is_final)
		return err->code; /* said already */
	if (is_running(operation))
		error_append(err, "the transition was left running");
	else
		error_append(err, operation->is_begun ? "it was undone"
						      : "nothing was changed");
	return err->code;
}

int conclude(struct operation *operation, enum aim aim, int ret,
	     struct upatch_error *err)
{
	int gone;

	if (!ret || !operation->process)
		return ret;
	gone = process_explain(operation->process, ret, err);
	if (gone != ret || process_is_gone(operation->process))
		return gone;
	if (!is_at_rest(operation))
		return recover(operation, aim, ret, err);
	return ret == UPATCH_ERROR_INTERRUPTED ? report_asked(operation, err)
					       : ret;
}
