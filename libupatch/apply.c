/* SPDX-License-Identifier: MIT */
/* upatch_apply: from a patch file to a running patch. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conclude.h"
#include "drive.h"
#include "flux.h"
#include "install.h"
#include "leave.h"
#include "loader_filters.h"
#include "operation.h"
#include "patch_file.h"
#include "plan.h"
#include "state_check.h"
#include "trust.h"

struct application {
	struct operation *operation;
	const struct upatch_patch_file *file;
	struct plan plan;
};

static int check_no_transition(const struct operation *operation,
			       struct upatch_error *err)
{
	const struct view *view = &operation->view;
	const struct view_patch *patch =
		view_find_patch_addr(view, view->state.transition.patch);

	if (!patch)
		return 0;
	return error_set(
		err, UPATCH_ERROR_BUSY, 0,
		"the transition of patch '%s' is still running in process %d",
		patch->rt.name, operation->process->pid);
}

/* Another operator may have been at work since the plan was made. */
static int check_again(const struct application *application,
		       struct upatch_error *err)
{
	const struct operation *operation = application->operation;
	const struct patch_model *model = patch_file_model(application->file);
	struct findings findings = { 0 };
	int ret = check_no_transition(operation, err);

	if (ret)
		return ret;
	if (view_find_patch(&operation->view, model->name))
		return error_set(
			err, UPATCH_ERROR_CONFLICT, 0,
			"a patch named '%s' is applied to process %d already",
			model->name, operation->process->pid);
	ret = state_check(&operation->process->memory, &operation->view, model,
			  &findings, err);
	if (!ret)
		ret = findings_report(&findings, err);
	findings_free(&findings);
	return ret;
}

static int load(struct application *application, struct upatch_error *err)
{
	struct operation *operation = application->operation;
	const struct upatch_info *info =
		upatch_patch_file_info(application->file);
	struct rt_request request = {
		.type = RT_LOAD,
		.load.seq = RT_LOG_SEQ(operation->view.state.log_next),
	};
	struct rt_reply reply = { 0 };
	int ret;

	operation_progress(operation, UPATCH_STEP_LOAD);
	if ((size_t)snprintf(request.load.path, sizeof(request.load.path), "%s",
			     info->path) >= sizeof(request.load.path))
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "the path of the patch is too long");
	ret = operation_call(operation, &request,
			     patch_file_memfd(application->file),
			     operation->deadline_ns + 1000000000UL, &reply,
			     "load the patch", err);
	if (ret == UPATCH_ERROR_INTERRUPTED)
		error_append(
			err,
			"a constructor of the patch has not returned; when it does, the patch is left unused");
	if (!ret)
		operation->patch = reply.value;
	else if (reply.result == -EMFILE && !reply.text[0])
		return error_set(
			err, ret, 0,
			"cannot load the patch: the process has no descriptor left (RLIMIT_NOFILE)");
	else if (err && reply.result && reply.text[0])
		err->code = UPATCH_ERROR_BAD_PATCH;
	return ret;
}

static int prepare(struct application *application, struct upatch_error *err)
{
	struct operation *operation = application->operation;
	const struct view_patch *patch;
	int ret = operation_look(operation, err);

	if (ret)
		return ret;
	patch = view_find_patch_addr(&operation->view, operation->patch);
	if (!patch)
		return error_set(
			err, UPATCH_ERROR_SYSTEM, 0,
			"the patch is not among those that process %d has loaded",
			operation->process->pid);
	return install_prepare(operation->process, &operation->channel,
			       &operation->view, patch, application->file,
			       &application->plan,
			       operation->deadline_ns + 10000000000UL, err);
}

static const char *object_text(const struct patch_model *model, uint32_t index)
{
	if (index >= model->object_count || !model->objects[index].name)
		return "the main executable";
	return model->objects[index].name;
}

static int enable(struct application *application, struct upatch_error *err)
{
	struct operation *operation = application->operation;
	const struct rt_request request = {
		.type = RT_ENABLE,
		.patch = operation->patch,
	};
	struct rt_reply reply = { .object = UINT32_MAX };
	int ret = operation_call(operation, &request, -1,
				 operation->deadline_ns + 10000000000UL, &reply,
				 "enable the patch", err);

	if (operation->channel.unanswered && operation->channel.fd >= 0) {
		error_append(
			err,
			"a pre_patch callback has not returned; when it does, the patch is cancelled");
		channel_close(&operation->channel);
	}
	if (ret && reply.object != UINT32_MAX)
		return error_set(err, UPATCH_ERROR_REFUSED, -reply.result,
				 "pre_patch of %s refused the patch",
				 object_text(patch_file_model(
						     application->file),
					     reply.object));
	return ret;
}

/*
 * What was not started is undone by the agent that has done it.  Where that
 * does not do, or there is more to it, conclude.c sends another one.
 */
static void undo(struct application *application)
{
	struct operation *operation = application->operation;
	const struct view_patch *patch = NULL;

	operation_ignore_asked(operation);
	if (operation->patch && operation->channel.fd >= 0 &&
	    !operation->channel.unanswered && !operation_look(operation, NULL))
		patch = view_find_patch_addr(&operation->view,
					     operation->patch);
	if (patch && patch->rt.state == RT_PATCH_INIT &&
	    !operation_tell(operation, RT_CANCEL, operation->patch,
			    "cancel the patch", NULL) &&
	    !operation_look(operation, NULL))
		patch = view_find_patch_addr(&operation->view,
					     operation->patch);
	if (patch && patch->rt.state == RT_PATCH_LOADED)
		(void)!operation_tell(operation, RT_UNLOAD, operation->patch,
				      "unload the patch", NULL);
	/* Threads may have been in it, and its jumps may still be there. */
	if (patch && patch->rt.state == RT_PATCH_LEAVING &&
	    !leave_unload_leftovers(operation, NULL))
		operation->is_cut_off = false;
}

static int touch_target(struct application *application,
			struct upatch_error *err)
{
	const struct drive drive = { 0 };
	struct operation *operation = application->operation;
	int ret = operation_enter(operation, err);

	if (!ret)
		ret = check_again(application, err);
	if (ret)
		return ret;
	operation->is_begun = true;
	ret = load(application, err);
	if (!ret)
		ret = operation_check_asked(operation, err);
	if (!ret)
		ret = prepare(application, err);
	if (!ret)
		ret = operation_check_asked(operation, err);
	if (!ret)
		ret = enable(application, err);
	if (!ret)
		ret = operation_check_asked(operation, err);
	if (!ret)
		ret = drive_transition(operation, &drive, err);
	if (ret)
		undo(application);
	return ret;
}

static int apply(struct application *application, struct upatch_error *err)
{
	struct operation *operation = application->operation;
	struct signer signer;
	int ret = trust_check(application->file, operation->process->pid,
			      &operation->options, &signer, err);

	if (!ret)
		ret = check_no_transition(operation, err);
	if (!ret)
		ret = plan_make(operation->process,
				operation->process->state_addr
					? &operation->view
					: NULL,
				application->file, &application->plan, err);
	if (!ret)
		ret = findings_report(&application->plan.findings, err);
	memcpy(operation->result.signer, signer.name,
	       sizeof(operation->result.signer));
	operation->result.func_count =
		(unsigned int)application->plan.func_count;
	if (!ret && operation->options.dry_run)
		return inject_check(operation->process, err);
	if (ret)
		return ret;
	if (application->plan.hooks.are_possible)
		ret = loader_filters_check(operation->process,
					   operation->deadline_ns, err);
	if (!ret)
		ret = operation_check_asked(operation, err);
	return ret ? ret : touch_target(application, err);
}

static int run(struct operation *operation, void *user,
	       struct upatch_error *err)
{
	struct application *application = user;

	application->operation = operation;
	return apply(application, err);
}

static void clear(void *user)
{
	struct application *application = user;

	plan_free(&application->plan);
	application->plan = (struct plan){ 0 };
}

int upatch_apply(struct upatch_target *target,
		 const struct upatch_patch_file *file,
		 const struct upatch_options *options,
		 struct upatch_result *ret_result, struct upatch_error *err)
{
	struct application application = { .file = file };
	struct flux_work work = {
		.aim = AIM_APPLIED,
		.run = run,
		.clear = clear,
		.user = &application,
	};

	if (!file)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "no patch file is given");
	work.patch_name = patch_file_model(file)->name;
	return flux_run(&work, target, options, ret_result, err);
}
