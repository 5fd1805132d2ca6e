/* SPDX-License-Identifier: MIT */
/* upatch_revert: back to what ran before the patch. */
#include "drive.h"
#include "flux.h"
#include "operation.h"

static int find_enabled(const struct operation *operation, const char *name,
			const struct view_patch **ret_patch,
			struct upatch_error *err)
{
	const struct view *view = &operation->view;
	const struct view_patch *patch = view_find_patch(view, name);
	const struct view_patch *moving =
		view_find_patch_addr(view, view->state.transition.patch);

	if (!patch)
		return error_set(err, UPATCH_ERROR_NO_PATCH, 0,
				 "process %d has no patch named '%s'",
				 operation->process->pid, name);
	if (moving)
		return error_set(
			err, UPATCH_ERROR_BUSY, 0,
			"the transition of patch '%s' is still running in process %d",
			moving->rt.name, operation->process->pid);
	*ret_patch = patch;
	return 0;
}

static int disable(struct operation *operation, const char *name,
		   struct upatch_error *err)
{
	struct rt_request request = { .type = RT_DISABLE };
	const struct view_patch *patch;
	struct rt_reply reply;
	int ret = find_enabled(operation, name, &patch, err);

	if (ret)
		return ret;
	operation->is_begun = true;
	operation->patch = patch->addr;
	request.patch = patch->addr;
	ret = operation_call(operation, &request, -1,
			     operation->deadline_ns + 10000000000UL, &reply,
			     "disable the patch", err);
	if (operation->channel.unanswered && operation->channel.fd >= 0)
		error_append(
			err,
			"a pre_unpatch callback has not returned; when it does, the transition begins and is left running");
	return ret;
}

static int revert(struct operation *operation, void *user,
		  struct upatch_error *err)
{
	const char *name = *(const char *const *)user;
	const struct drive drive = { 0 };
	const struct view_patch *patch;
	int ret = find_enabled(operation, name, &patch, err);

	if (ret)
		return ret;
	operation->result.func_count = view_count_funcs(patch);
	if (operation->options.dry_run)
		return 0;
	ret = operation_enter(operation, err);
	if (!ret)
		ret = disable(operation, name, err);
	if (!ret)
		ret = drive_transition(operation, &drive, err);
	return ret;
}

int upatch_revert(struct upatch_target *target, const char *patch_name,
		  const struct upatch_options *options,
		  struct upatch_result *ret_result, struct upatch_error *err)
{
	const struct flux_work work = {
		.aim = AIM_REVERTED,
		.patch_name = patch_name,
		.run = revert,
		.user = &patch_name,
	};

	if (!patch_name)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "no name of a patch is given");
	return flux_run(&work, target, options, ret_result, err);
}
