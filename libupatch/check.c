/* SPDX-License-Identifier: MIT */
/* upatch_check: would a patch apply?  Every problem, not only the first. */
#include <stdlib.h>
#include <string.h>

#include "inject.h"
#include "operation.h"
#include "plan.h"

struct check {
	struct upatch_check public;
	struct plan plan;
	struct upatch_check_func *funcs;
	/* of the patch file, which may be closed first */
	char **names;
	size_t name_count;
};

void upatch_check_free(struct upatch_check *public)
{
	struct check *check = (struct check *)public;

	if (!check)
		return;
	plan_free(&check->plan);
	free(check->funcs);
	for (size_t i = 0; i < check->name_count; i++)
		free(check->names[i]);
	free(check->names);
	free(check);
}

/* False: out of memory. */
static bool copy_name(struct check *check, const char *name,
		      const char **ret_copy)
{
	char *copy;

	*ret_copy = NULL;
	if (!name)
		return true;
	copy = strdup(name);
	if (!copy)
		return false;
	check->names[check->name_count++] = copy;
	*ret_copy = copy;
	return true;
}

static bool fill_func(struct check *check, const struct plan_func *func,
		      struct upatch_check_func *entry)
{
	const struct plan_object *object = &check->plan.objects[func->object];

	*entry = (struct upatch_check_func){
		.sympos = func->symbol.sympos,
		.addr = func->symbol.addr,
		.size = func->symbol.size,
		.shielded = func->shielded,
		.shield_reason =
			func->shielded
				? "it calls nothing unknown: its callers may rely on the registers that it leaves alone"
				: NULL,
		.aliases = (const char *const *)func->aliases,
	};
	return copy_name(check, object->declared->name, &entry->object) &&
	       copy_name(check, func->declared->old_name, &entry->name);
}

static int publish(struct check *check, struct upatch_error *err)
{
	const struct plan *plan = &check->plan;
	struct upatch_check *public = &check->public;

	check->funcs = calloc(plan->func_count + 1, sizeof(*check->funcs));
	check->names = calloc(2 * plan->func_count + 1, sizeof(*check->names));
	if (!check->funcs || !check->names)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	for (size_t i = 0; i < plan->func_count; i++) {
		/* One that was not found is among the problems. */
		if (!plan->funcs[i].symbol.addr)
			continue;
		if (!fill_func(check, &plan->funcs[i],
			       &check->funcs[public->func_count++]))
			return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
					 "out of memory");
	}
	public->funcs = check->funcs;
	public->problems = (const char *const *)plan->findings.problems;
	public->problem_codes = plan->findings.codes;
	public->problem_count = plan->findings.problem_count;
	public->notes = (const char *const *)plan->findings.notes;
	public->note_count = plan->findings.note_count;
	return 0;
}

/*
 * What would refuse the process as it is.  That it is busy passes; what cannot
 * be found out is none of the patch's problems.
 */
static int check_entering(struct process *process, struct findings *findings,
			  struct upatch_error *err)
{
	struct upatch_error problem = { 0 };
	int ret = process_check_ready(process, &problem);

	if (!ret)
		ret = inject_check(process, &problem);
	if ((ret == UPATCH_ERROR_UNSUPPORTED ||
	     ret == UPATCH_ERROR_PERMISSION) &&
	    !findings_add_problem(findings, &problem))
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	return 0;
}

static int check_target(struct process *process,
			const struct upatch_patch_file *file, struct plan *plan,
			struct upatch_error *err)
{
	struct view view = { 0 };
	int ret = process_refresh(process, err);

	if (!ret && process->state_addr)
		ret = view_read(&process->memory, process->state_addr, &view,
				err);
	if (!ret)
		ret = plan_make(process, process->state_addr ? &view : NULL,
				file, plan, err);
	if (!ret)
		ret = check_entering(process, &plan->findings, err);
	view_free(&view);
	/* What is no problem of the patch. */
	if (!ret && process_is_gone(process))
		ret = UPATCH_ERROR_NO_TARGET;
	return ret;
}

int upatch_check(const struct upatch_patch_file *file,
		 struct upatch_target *target, const char *elf_path,
		 struct upatch_check **ret_check, struct upatch_error *err)
{
	struct upatch_error local = { 0 };
	struct check *check;
	int ret = 0;

	if (!file)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "no patch file is given");
	check = calloc(1, sizeof(*check));
	if (!check)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	if (target)
		ret = check_target(&target->process, file, &check->plan,
				   &local);
	else if (elf_path)
		ret = plan_make_for_file(elf_path, file, &check->plan, &local);
	if (!ret)
		ret = publish(check, &local);
	if (ret && target)
		ret = process_explain(&target->process, ret, &local);
	if (ret) {
		if (err)
			*err = local;
		upatch_check_free(&check->public);
		return ret;
	}
	*ret_check = &check->public;
	return 0;
}
