/* SPDX-License-Identifier: MIT */
/* upatch_wait, upatch_reverse, upatch_force: a transition that runs already. */
#include <stdio.h>

#include "conclude.h"
#include "drive.h"
#include "operation.h"

static const struct view_patch *find_moving(const struct operation *operation)
{
	return view_find_patch_addr(&operation->view,
				    operation->view.state.transition.patch);
}

static int resume(struct operation *operation, const struct drive *drive,
		  struct upatch_error *err)
{
	const bool is_wait = !drive->reverse && !drive->force;
	int ret = operation_enter(operation, err);

	if (!ret && !find_moving(operation) && is_wait) {
		operation->result.patch[0] = '\0';
		return 0;
	}
	if (!ret && !find_moving(operation))
		return error_set(err, UPATCH_ERROR_NO_TRANSITION, 0,
				 "the transition in process %d ended meanwhile",
				 operation->process->pid);
	if (ret)
		return ret;
	operation->is_begun = true;
	operation->patch = operation->view.state.transition.patch;
	return drive_transition(operation, drive, err);
}

/* `needs_one`: that none is running is a failure. */
static int run(struct upatch_target *target,
	       const struct upatch_options *options, const struct drive *drive,
	       bool needs_one, struct upatch_result *ret_result,
	       struct upatch_error *err)
{
	const struct view_patch *moving = NULL;
	struct upatch_error local = { 0 };
	struct operation operation;
	int ret = operation_open(&operation, target, options, &local);

	if (!ret)
		moving = find_moving(&operation);
	if (moving)
		operation.result.func_count = view_count_funcs(moving);
	if (moving)
		snprintf(operation.result.patch, sizeof(operation.result.patch),
			 "%s", moving->rt.name);
	if (!ret && !moving && needs_one)
		ret = error_set(&local, UPATCH_ERROR_NO_TRANSITION, 0,
				"no transition is running in process %d",
				operation.process->pid);
	if (!ret && moving && !operation.options.dry_run)
		ret = resume(&operation, drive, &local);
	ret = conclude(&operation, AIM_ENDED, ret, &local);
	operation_close(&operation);
	if (ret && err)
		*err = local;
	if (!ret && ret_result)
		*ret_result = operation.result;
	return ret;
}

int upatch_wait(struct upatch_target *target,
		const struct upatch_options *options,
		struct upatch_result *ret_result, struct upatch_error *err)
{
	const struct drive drive = { .is_running = true };

	return run(target, options, &drive, false, ret_result, err);
}

int upatch_reverse(struct upatch_target *target,
		   const struct upatch_options *options,
		   struct upatch_result *ret_result, struct upatch_error *err)
{
	const struct drive drive = { .is_running = true, .reverse = true };

	return run(target, options, &drive, true, ret_result, err);
}

int upatch_force(struct upatch_target *target,
		 const struct upatch_options *options,
		 struct upatch_result *ret_result, struct upatch_error *err)
{
	const struct drive drive = { .is_running = true, .force = true };

	return run(target, options, &drive, true, ret_result, err);
}
