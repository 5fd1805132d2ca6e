/* SPDX-License-Identifier: MIT */
/*
 * Every gate serves a stack of versions: the gate at a site's entry serves all
 * of them, the gate behind an orig_func pointer those below its function.  The
 * words of a gate follow from the stack and the two views of the transition:
 *
 *	          unmoved thread            moved thread
 *	old view  source                    -
 *	new view  -                         destination
 *	settled   slot = source             slot = destination
 */
#include "gate.h"

#include <stdatomic.h>

#include "../arch/arch.h"

static struct rt_state *const state = &upatch_runtime_state;

uint64_t gate_original(const struct rt_site *site)
{
	return rt_site_code(site) + ARCH_GATE_LEN;
}

static bool func_is_visible(const struct rt_func *func, bool new_view)
{
	const struct rt_transition *transition = &state->transition;
	const struct rt_patch *patch = rt_ptr(func->patch);
	const struct rt_patch *moving = rt_ptr(transition->patch);

	if (patch == moving)
		return new_view == (transition->kind == RT_PATCHING);
	if (moving && new_view && transition->kind == RT_PATCHING &&
	    (moving->flags & RT_PATCH_REPLACE))
		return false;
	return patch->state == RT_PATCH_ENABLED;
}

/* The first visible version from `func` down, or the original. */
static uint64_t resolve(const struct rt_site *site, const struct rt_func *func,
			bool new_view)
{
	for (; func; func = rt_ptr(func->below)) {
		if (func_is_visible(func, new_view))
			return func->entry;
	}
	return gate_original(site);
}

static bool moves_immediately(const struct rt_func *func)
{
	for (; func; func = rt_ptr(func->below)) {
		if (func->patch == state->transition.patch)
			return func->flags & RT_FUNC_IMMEDIATE;
	}
	return false;
}

static uint64_t choose_slot(const struct rt_gate_words *words, rt_addr_t code,
			    const struct rt_func *func)
{
	const struct rt_transition *transition = &state->transition;

	if (!transition->patch || !transition->started ||
	    words->source == words->destination)
		return words->source;
	if (moves_immediately(func))
		return transition->reversed ? words->source
					    : words->destination;
	return arch_gate_decide(code);
}

/* The slot comes last: a thread that reads it finds the other words right. */
static void update_gate(void *user, const struct rt_site *site,
			const struct rt_func *func, rt_addr_t code,
			struct rt_gate_words *words)
{
	volatile uint64_t *slot = &words->slot;

	words->source = resolve(site, func, false);
	words->destination = resolve(site, func, true);
	atomic_thread_fence(memory_order_release);
	*slot = choose_slot(words, code, func);
	(void)user;
}

void gate_for_each(gate_visitor *visit, void *user)
{
	const struct rt_site_table *table;
	const struct rt_site *site;

	rt_for_each_site(site, table)
	{
		const struct rt_func *func = rt_ptr(site->top);

		if (site->hook)
			continue;
		visit(user, site, func, rt_site_code(site),
		      rt_ptr(rt_site_words(site)));
		for (; func; func = rt_ptr(func->below)) {
			if (func->orig_words)
				visit(user, site, rt_ptr(func->below),
				      func->code, rt_ptr(func->orig_words));
		}
	}
}

void gate_update_words(void)
{
	struct rt_area *area;

	rt_for_each(area, state->areas)
	{
		volatile struct rt_area_head *head = rt_ptr(area->data);

		head->transition = state->transition.id;
	}
	atomic_thread_fence(memory_order_release);
	gate_for_each(update_gate, NULL);
}
