/* SPDX-License-Identifier: MIT */
/* System states: does what a patch declares fit what is applied already? */
#include "state_check.h"

#include <upatch/patch.h>

/* More than any patch has; a longer list is one whose end was overwritten. */
#define STATES_MAX 65536
#define BATCH	   16

struct checker {
	const struct memory *memory;
	const struct patch_model *model;
	struct findings *findings;
};

static const struct patch_state *find_state(const struct patch_model *model,
					    unsigned long id)
{
	for (size_t i = 0; i < model->state_count; i++) {
		if (model->states[i].id == id)
			return &model->states[i];
	}
	return NULL;
}

/* Of kernel livepatch: the version may grow; only a replacement takes over. */
static int check_state(const struct checker *checker,
		       const struct view_patch *patch,
		       const struct upatch_state *old, struct upatch_error *err)
{
	const struct patch_model *model = checker->model;
	const struct patch_state *state = find_state(model, old->id);
	struct upatch_error problem;

	if (state ? state->version >= old->version : !model->replace)
		return 0;
	if (state)
		error_set(
			&problem, UPATCH_ERROR_CONFLICT, 0,
			"'%s' has version %u of state %lu, which is older than version %u of '%s'",
			model->name, state->version, old->id, old->version,
			patch->rt.name);
	else
		error_set(
			&problem, UPATCH_ERROR_CONFLICT, 0,
			"'%s' replaces '%s', but does not list its state %lu, version %u",
			model->name, patch->rt.name, old->id, old->version);
	if (!findings_add_problem(checker->findings, &problem))
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	return 0;
}

static int has_no_end(const struct view_patch *patch, struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_CONFLICT, 0,
			 "the states of patch '%s' have no end",
			 patch->rt.name);
}

/* A short list at the end of a mapping: what is readable has to do. */
static int check_list(const struct checker *checker,
		      const struct view_patch *patch, upatch_addr_t addr,
		      struct upatch_error *err)
{
	for (size_t seen = 0; seen < STATES_MAX; seen += BATCH) {
		struct upatch_state batch[BATCH];
		size_t count = memory_read_some(checker->memory, addr, batch,
						sizeof(batch)) /
			       sizeof(batch[0]);

		for (size_t i = 0; i < count; i++) {
			int ret;

			if (!batch[i].id)
				return 0;
			ret = check_state(checker, patch, &batch[i], err);
			if (ret)
				return ret;
		}
		if (count < BATCH)
			break;
		addr += sizeof(batch);
	}
	return has_no_end(patch, err);
}

static int check_patch(const struct checker *checker,
		       const struct view_patch *patch, struct upatch_error *err)
{
	struct upatch_patch author;
	int ret = memory_read(checker->memory, patch->rt.author, &author,
			      sizeof(author), err);

	if (ret || !author.states)
		return ret;
	return check_list(checker, patch, (uintptr_t)author.states, err);
}

int state_check(const struct memory *memory, const struct view *view,
		const struct patch_model *model, struct findings *findings,
		struct upatch_error *err)
{
	const struct checker checker = { memory, model, findings };
	const struct view_patch *patch;

	view_for_each(patch, view->patches, view->patch_count)
	{
		int ret = 0;

		if (view_is_listed(patch))
			ret = check_patch(&checker, patch, err);
		if (ret)
			return ret;
	}
	return 0;
}
