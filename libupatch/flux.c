/* SPDX-License-Identifier: MIT */
/* Operations that fail because libraries come and go meanwhile. */
#include "flux.h"

#include <errno.h>
#include <string.h>

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
bool flux_explains(struct operation *operation, int ret,
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

int flux_report(const struct operation *operation, struct upatch_error *err)
{
	error_prefix(err, "libraries of process %d come and go all the time",
		     operation->process->pid);
	err->code = UPATCH_ERROR_BUSY;
	return err->code;
}
