/* SPDX-License-Identifier: MIT */
/*
 * Every sequence of steps up to a length, and long ones at random: after each
 * step the runtime's state machine is where the rules say.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(transition_model, .timeout = 120);

#define PATH_MAX_STEPS 400

static struct step path[PATH_MAX_STEPS];
static size_t path_len;

static void fail(const char *what)
{
	static const char *const names[] = {
		"enable", "enable (refused)", "cancel", "start",   "reverse",
		"force",  "settle",	      "finish", "disable", "abandon",
	};

	for (size_t i = 0; i < path_len; i++)
		fprintf(stderr, "%s %u, ", names[path[i].action],
			path[i].patch);
	fprintf(stderr, "\n");
	cr_fatal("%s", what);
}

static void compare_events(const struct events *expected)
{
	const struct events *found = &machine_events;
	size_t i = 0;

	while (i < found->count && i < expected->count &&
	       found->list[i].event == expected->list[i].event &&
	       found->list[i].patch == expected->list[i].patch &&
	       found->list[i].object == expected->list[i].object &&
	       found->list[i].callback == expected->list[i].callback &&
	       found->list[i].patching == expected->list[i].patching)
		i++;
	if (i == found->count && i == expected->count)
		return;
	fprintf(stderr, "event %zu of %zu, expected %zu\n", i, found->count,
		expected->count);
	fail("events");
}

/* Where a gate leads to the source, nobody looks at the destination. */
static void compare_gate(struct gate_state found, struct gate_state expected,
			 const char *what)
{
	if (found.source == expected.source && found.slot == expected.slot &&
	    (found.destination == expected.destination ||
	     found.slot == SLOT_SOURCE))
		return;
	fprintf(stderr, "found %d %d %d, expected %d %d %d\n", found.source,
		found.destination, (int)found.slot, expected.source,
		expected.destination, (int)expected.slot);
	fail(what);
}

static void compare_func(const struct model *model, unsigned int func)
{
	unsigned int found[PATCH_COUNT], expected[PATCH_COUNT];
	size_t count = machine_stack(func, found);

	if (count != model_stack(model, func, expected) ||
	    memcmp(found, expected, count * sizeof(found[0])) != 0)
		fail("the stack of versions");
	compare_gate(machine_gate(func), model_gate(model, func), "gate");
	for (size_t i = 0; i < count; i++) {
		if (patch_rules[found[i]].wants_orig[func])
			compare_gate(machine_orig_gate(func, found[i]),
				     model_orig_gate(model, func, found[i]),
				     "gate of the original");
	}
}

static void compare_patch(const struct model *model, unsigned int patch)
{
	if (machine_patch_state(patch) != model_patch_state(model, patch))
		fail("the state of a patch");
	if (machine_is_forced(patch) != model->is_forced[patch])
		fail("what is forced");
}

static void compare(const struct model *model)
{
	compare_events(&model->events);
	for (unsigned int i = 0; i < FUNC_COUNT; i++)
		compare_func(model, i);
	for (unsigned int i = 0; i < PATCH_COUNT; i++)
		compare_patch(model, i);
	if (machine_is_undrained() != model->is_undrained)
		fail("undrained");
	if (model->moving >= 0 && model->has_started &&
	    machine_new_threads_are_moved() !=
		    model_new_threads_are_moved(model))
		fail("where new threads start");
	if (!machine_is_consistent())
		fail("the words beside the gates");
	if (!machine_direct_gates_follow_their_slots())
		fail("where a direct gate leads");
}

static void compare_settled_gates(const struct model *model)
{
	unsigned int stack[PATCH_COUNT];

	for (unsigned int i = 0; i < FUNC_COUNT; i++) {
		if (machine_is_direct(i) != (model_stack(model, i, stack) > 0))
			fail("whether a settled gate is direct");
	}
}

/* False: refused by both, and nothing has happened. */
static bool take(struct model *model, const struct step *step)
{
	bool is_done = model_do(model, step);
	int ret;

	path[path_len++] = *step;
	ret = machine_do(step);
	if (is_done != (ret == 0))
		fail(is_done ? "refused" : "not refused");
	compare(model);
	if (is_done && step->action == SETTLE)
		compare_settled_gates(model);
	return is_done;
}

/* The machine cannot be copied: it goes the whole way again. */
static void replay(size_t len)
{
	machine_reset();
	for (size_t i = 0; i < len; i++)
		(void)machine_do(&path[i]);
	path_len = len;
}

static unsigned long enumerate(const struct model *model, size_t depth)
{
	unsigned long count = 0;
	size_t len = path_len;

	for (unsigned int i = 0; i < ACTION_COUNT * PATCH_COUNT; i++) {
		const struct step step = {
			.action = (enum action)(i / PATCH_COUNT),
			.patch = i % PATCH_COUNT,
		};
		struct model next = *model;

		if (!model_is_asked(model, &step))
			continue;
		replay(len);
		count++;
		if (take(&next, &step) && depth > 1)
			count += enumerate(&next, depth - 1);
	}
	path_len = len;
	return count;
}

Test(transition_model, every_short_sequence)
{
	const char *text = getenv("UPATCH_MODEL_DEPTH");
	size_t depth = text ? strtoul(text, NULL, 10) : 7;
	struct model model;
	unsigned long count;

	model_init(&model);
	path_len = 0;
	count = enumerate(&model, depth);
	fprintf(stderr, "%lu sequences of up to %zu steps\n", count, depth);
	cr_assert(count > 1000);
}

Test(transition_model, long_sequences_at_random)
{
	unsigned int seed = 1;
	unsigned long done = 0;

	for (int i = 0; i < 2000; i++) {
		struct model model;

		model_init(&model);
		path_len = 0;
		machine_reset();
		while (path_len < PATH_MAX_STEPS) {
			unsigned int number = (unsigned int)rand_r(&seed) %
					      (ACTION_COUNT * PATCH_COUNT);
			const struct step step = {
				.action = (enum action)(number / PATCH_COUNT),
				.patch = number % PATCH_COUNT,
			};

			if (model_is_asked(&model, &step))
				done += take(&model, &step);
		}
	}
	cr_assert(done > 100000);
}

/* The library is closed between loading a patch and enabling it. */
Test(transition_model, nobody_refers_to_a_site_that_is_gone)
{
	bool refers = machine_refers_to_forgotten_site();

	cr_assert(not(refers));
}
