/* SPDX-License-Identifier: MIT */
/* Children that were forked in the middle of a transition. */
#include "adopt.h"

#include "conclude.h"
#include "drive.h"

static bool is_running(const struct operation *operation)
{
	return view_find_patch_addr(&operation->view,
				    operation->view.state.transition.patch);
}

/* The agent of the child first cancels what had not been started. */
static int carry_on(struct operation *operation, bool reversed,
		    struct upatch_error *err)
{
	struct drive drive = { .is_running = true };
	int ret = 0;

	if (is_running(operation))
		ret = operation_enter(operation, err);
	if (ret || !is_running(operation))
		return ret;
	drive.reverse =
		(operation->view.state.transition.reversed != 0) != reversed;
	return drive_transition(operation, &drive, err);
}

static int adopt(pid_t pid, const struct upatch_options *parent_options,
		 bool reversed, struct upatch_error *err)
{
	struct upatch_options options = *parent_options;
	struct upatch_target *child;
	struct operation operation;
	int ret = upatch_target_open(pid, &child, err);

	if (ret)
		return ret;
	/* The parent has come to its end: asked then, it goes the same way. */
	options.interrupted = NULL;
	ret = operation_open(&operation, child, &options, err);
	if (!ret)
		ret = carry_on(&operation, reversed, err);
	if (!ret)
		ret = adopt_children(&operation, reversed, err);
	ret = conclude(&operation, AIM_OTHER, ret, err);
	operation_close(&operation);
	upatch_target_close(child);
	return ret;
}

/* One that has ended, or has become another program, needs nothing. */
int adopt_children(const struct operation *operation, bool reversed,
		   struct upatch_error *err)
{
	for (size_t i = 0; i < operation->child_count; i++) {
		pid_t pid = operation->children[i];
		int ret = adopt(pid, &operation->options, reversed, err);

		if (!ret || ret == UPATCH_ERROR_NO_TARGET)
			continue;
		error_prefix(err, "child %d, forked meanwhile", pid);
		return ret;
	}
	return 0;
}
