/* SPDX-License-Identifier: MIT */
/* The end of an operation that failed. */
#include "conclude.h"

#include "drive.h"

#define TRIES 3

static bool is_running(const struct operation *operation)
{
	return view_find_patch_addr(&operation->view,
				    operation->view.state.transition.patch);
}

static bool is_reached(const struct operation *operation, enum aim aim)
{
	const struct view_patch *patch =
		view_find_patch(&operation->view, operation->result.patch);

	return aim == AIM_APPLIED ? patch && !is_running(operation) : !patch;
}

/* The agent that enters has first cancelled what had not been started. */
static int try_to_end(struct operation *operation, struct upatch_error *err)
{
	const struct drive drive = { .is_running = true };
	int ret;

	operation_leave(operation);
	ret = operation_enter(operation, err);
	if (!ret && is_running(operation))
		ret = drive_transition(operation, &drive, err);
	return ret;
}

static int recover(struct operation *operation, enum aim aim, int ret,
		   struct upatch_error *err)
{
	struct upatch_error problem = { 0 };
	int end_ret = 0;

	for (int i = 0; i < TRIES; i++) {
		end_ret = try_to_end(operation, &problem);
		if (!operation->channel.is_lost)
			break;
	}
	if (!end_ret)
		end_ret = operation_look(operation, &problem);
	if (end_ret) {
		error_append(err, "and it could not be undone: %s",
			     problem.message);
		err->code = UPATCH_ERROR_TARGET_DAMAGED;
		return err->code;
	}
	if (is_reached(operation, aim))
		return 0;
	error_append(err, "nothing is left of it");
	return ret;
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
	if (operation->channel.is_lost && aim != AIM_OTHER)
		return recover(operation, aim, ret, err);
	return ret;
}
