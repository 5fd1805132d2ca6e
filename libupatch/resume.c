/* SPDX-License-Identifier: MIT */
/* upatch_wait, upatch_reverse, upatch_force: a transition that runs already. */
#include <stdio.h>

#include "drive.h"
#include "flux.h"

struct resumption {
	struct drive drive;
	bool needs_one;
	/* the transition as the first try found it; 0: there was none */
	uint32_t begun_id, begun_reversed;
};

static const struct view_patch *find_moving(const struct operation *operation)
{
	return view_find_patch_addr(&operation->view,
				    operation->view.state.transition.patch);
}

static int resume(struct operation *operation, struct resumption *resumption,
		  struct upatch_error *err)
{
	const bool is_wait = !resumption->needs_one;
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
	return drive_transition(operation, &resumption->drive, err);
}

/* A try that failed may have turned it around already. */
static void note_direction(const struct rt_transition *transition,
			   struct resumption *resumption)
{
	if (!resumption->begun_id) {
		resumption->begun_id = transition->id;
		resumption->begun_reversed = transition->reversed;
	} else if (resumption->begun_id == transition->id &&
		   resumption->begun_reversed != transition->reversed) {
		resumption->drive.reverse = false;
	}
}

static int run(struct operation *operation, void *user,
	       struct upatch_error *err)
{
	struct resumption *resumption = user;
	const struct view_patch *moving = find_moving(operation);

	if (!moving && resumption->needs_one)
		return error_set(err, UPATCH_ERROR_NO_TRANSITION, 0,
				 "no transition is running in process %d",
				 operation->process->pid);
	if (!moving)
		return 0;
	operation->result.func_count = view_count_funcs(moving);
	snprintf(operation->result.patch, sizeof(operation->result.patch), "%s",
		 moving->rt.name);
	note_direction(&operation->view.state.transition, resumption);
	return operation->options.dry_run ? 0
					  : resume(operation, resumption, err);
}

/* `needs_one`: that none is running is a failure. */
static int run_again(struct upatch_target *target,
		     const struct upatch_options *options,
		     const struct drive *drive, bool needs_one,
		     struct upatch_result *ret_result, struct upatch_error *err)
{
	struct resumption resumption = {
		.drive = *drive,
		.needs_one = needs_one,
	};
	const struct flux_work work = {
		.aim = AIM_ENDED,
		.run = run,
		.user = &resumption,
	};

	return flux_run(&work, target, options, ret_result, err);
}

int upatch_wait(struct upatch_target *target,
		const struct upatch_options *options,
		struct upatch_result *ret_result, struct upatch_error *err)
{
	const struct drive drive = { .is_running = true };

	return run_again(target, options, &drive, false, ret_result, err);
}

int upatch_reverse(struct upatch_target *target,
		   const struct upatch_options *options,
		   struct upatch_result *ret_result, struct upatch_error *err)
{
	const struct drive drive = { .is_running = true, .reverse = true };

	return run_again(target, options, &drive, true, ret_result, err);
}

int upatch_force(struct upatch_target *target,
		 const struct upatch_options *options,
		 struct upatch_result *ret_result, struct upatch_error *err)
{
	const struct drive drive = { .is_running = true, .force = true };

	return run_again(target, options, &drive, true, ret_result, err);
}
