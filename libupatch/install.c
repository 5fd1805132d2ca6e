/* SPDX-License-Identifier: MIT */
/* Gets everything ready in the target that a loaded patch needs. */
#include "install.h"

#include <string.h>

#include "arch/shield.h"
#include "clash.h"
#include "code_space.h"

/* One is left for the shield. */
#define NEW_RANGES_MAX (RT_RANGES - 1)
/* As most are: a gate with an original of few instructions, a shield. */
#define EXPECTED_GATE_LEN   128
#define EXPECTED_SHIELD_LEN 320

_Static_assert(RT_JUMP_BYTES == ARCH_JUMP_LEN, "as the state keeps them");
_Static_assert(ARCH_GATE_LEN + ARCH_ORIGINAL_MAX <= UINT8_MAX,
	       "as the state keeps it");

/*
 * Requests are queued and sent so many at a time, so that we and the agent do
 * not wait for each other at each.  An error may come with a later one, and
 * names the function that it is about.  RT_MAP is not queued and overtakes them:
 * they are about code that is in its memory already.
 */
#define ERRANDS_MAX 16

struct installer {
	struct process *process;
	struct channel *channel;
	const struct view *view;
	const struct view_patch *patch;
	const struct plan *plan;
	struct code_space space;
	uint64_t deadline_ns;
	struct channel_errand errands[ERRANDS_MAX];
	size_t errand_count;
};

static int send_queued(struct installer *installer, struct upatch_error *err)
{
	size_t count = installer->errand_count;

	installer->errand_count = 0;
	return channel_request_all(installer->channel, installer->errands,
				   count, installer->deadline_ns, err);
}

/* `about`: a function, for messages; NULL: none. */
static int queue(struct installer *installer, const struct rt_request *message,
		 const char *what, const char *about, struct upatch_error *err)
{
	installer->errands[installer->errand_count++] =
		(struct channel_errand){ *message, what, about };
	return installer->errand_count < ERRANDS_MAX
		       ? 0
		       : send_queued(installer, err);
}

static int tell_objects(struct installer *installer, struct upatch_error *err)
{
	const struct plan *plan = installer->plan;

	for (uint32_t i = 0; i < plan->object_count; i++) {
		struct rt_request message = {
			.type = RT_OBJECT,
			.patch = installer->patch->addr,
			.object = i,
		};
		int ret;

		if (!plan->objects[i].is_loaded)
			continue;
		message.object_is.link_map = plan->objects[i].link_map;
		message.object_is.bias = plan->objects[i].bias;
		ret = queue(installer, &message, "name an object", NULL, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int tell_symbols(struct installer *installer, struct upatch_error *err)
{
	const struct plan *plan = installer->plan;

	for (size_t i = 0; i < plan->symbol_count; i++) {
		struct rt_request message = {
			.type = RT_SYMBOL,
			.patch = installer->patch->addr,
			.object = plan->symbols[i].object,
			.index = plan->symbols[i].index,
			.symbol.addr = plan->symbols[i].addr,
		};
		int ret = queue(installer, &message, "fill in a symbol", NULL,
				err);

		if (ret)
			return ret;
	}
	return 0;
}

/* --- Sites ------------------------------------------------------------ */

static struct arch_gate describe_gate(const struct installer *installer,
				      upatch_addr_t code, upatch_addr_t words,
				      upatch_addr_t transition)
{
	return (struct arch_gate){
		.code = code,
		.slot = words + offsetof(struct rt_gate_words, slot),
		.source = words + offsetof(struct rt_gate_words, source),
		.destination =
			words + offsetof(struct rt_gate_words, destination),
		.transition = transition,
		.moved_offset = (int32_t)installer->view->state.thread_offset,
		.self_move =
			transition + offsetof(struct rt_area_head, self_move),
	};
}

static int write_gate(struct installer *installer, const struct arch_gate *gate,
		      uint8_t *code, size_t code_len, struct upatch_error *err)
{
	int ret = arch_emit_gate(gate, code, err);

	return ret ? ret
		   : memory_write(&installer->process->memory, gate->code, code,
				  code_len, err);
}

static int emit_original(const struct plan_func *func, upatch_addr_t addr,
			 uint8_t *buf, size_t *ret_len,
			 struct upatch_error *err)
{
	struct arch_twin twins[ARCH_TWINS_MAX];
	size_t count;

	return arch_emit_original(&func->entry, addr, buf, ARCH_ORIGINAL_MAX,
				  ret_len, twins, &count, err);
}

/*
 *	site->code              the gate
 *	  + ARCH_GATE_LEN       the original, relocated
 */
static int write_site(struct installer *installer, const struct plan_func *func,
		      struct rt_site_spec *site, struct upatch_error *err)
{
	uint8_t code[ARCH_GATE_LEN + ARCH_ORIGINAL_MAX];
	struct code_grant grant;
	struct arch_gate gate;
	size_t len;
	int ret = code_space_take(&installer->space, func->symbol.addr,
				  sizeof(code), sizeof(struct rt_gate_words),
				  &grant, err);

	if (ret)
		return ret;
	site->code = grant.code;
	site->original = grant.code + ARCH_GATE_LEN;
	site->words = grant.data;
	memset(code, 0xcc, sizeof(code));
	ret = emit_original(func, site->original, code + ARCH_GATE_LEN, &len,
			    err);
	if (ret)
		return ret;
	site->code_len = ARCH_GATE_LEN + len;
	code_space_give_back(&installer->space, &grant, sizeof(code),
			     site->code_len);
	gate = describe_gate(installer, grant.code, grant.data,
			     grant.transition);
	return write_gate(installer, &gate, code, site->code_len, err);
}

static int tell_site(struct installer *installer, const struct plan_func *func,
		     struct rt_site_spec *site, const char *about,
		     struct upatch_error *err)
{
	struct rt_request message = { .type = RT_SITE };

	site->addr = func->symbol.addr;
	site->jump_offset = func->entry.jump_offset;
	site->moved_end = func->entry.moved_end;
	memcpy(site->bytes, func->entry.bytes + site->jump_offset,
	       sizeof(site->bytes));
	memcpy(site->ranges, func->ranges, sizeof(site->ranges));
	site->range_count = (uint8_t)func->range_count;
	message.site = *site;
	return queue(installer, &message, "register a site", about, err);
}

/*
 * The gate of an idle site fits if the original behind it is what would be
 * written now.
 */
static bool is_reusable(const struct installer *installer,
			const struct rt_site_spec *site,
			const struct plan_func *func)
{
	uint8_t wanted[ARCH_ORIGINAL_MAX], found[ARCH_ORIGINAL_MAX];
	size_t len;

	return !emit_original(func, site->original, wanted, &len, NULL) &&
	       site->code_len >= ARCH_GATE_LEN + len &&
	       !memory_read(&installer->process->memory, site->original, found,
			    len, NULL) &&
	       !memcmp(found, wanted, len);
}

/* If `ret` is an error, puts the function's name before its message. */
static int prefix_function(const char *name, int ret, struct upatch_error *err)
{
	if (ret)
		error_prefix(err, "'%s'", name);
	return ret;
}

static int need_site(struct installer *installer, const struct plan_func *func,
		     struct upatch_error *err)
{
	const char *name = func->declared->old_name;
	struct view_site *known =
		view_find_site(installer->view, func->symbol.addr);
	struct rt_site_spec site = { 0 };
	int ret = 0;

	if (known && known->rt.state == RT_SITE_INSTALLED)
		return 0;
	if (known && is_reusable(installer, &known->rt, func))
		site = known->rt;
	else
		ret = prefix_function(name,
				      write_site(installer, func, &site, err),
				      err);
	return ret ? ret : tell_site(installer, func, &site, name, err);
}

/* --- The loader's functions ------------------------------------------- */

static bool is_watched(const struct view *view, enum rt_hook hook)
{
	const struct view_site *site;

	view_for_each(site, view->sites, view->site_count)
	{
		if (site->rt.hook == (uint32_t)hook &&
		    site->rt.state == RT_SITE_INSTALLED)
			return true;
	}
	return false;
}

static int watch(struct installer *installer, const struct plan_hook *planned,
		 struct upatch_error *err)
{
	struct plan_func as_func = {
		.symbol.addr = planned->entry.addr,
		.entry = planned->entry,
	};
	struct view_site *known =
		view_find_site(installer->view, planned->entry.addr);
	struct rt_site_spec site = { 0 };
	int ret = 0;

	if (is_watched(installer->view, planned->hook))
		return 0;
	if (known && is_reusable(installer, &known->rt, &as_func))
		site = known->rt;
	else
		ret = write_site(installer, &as_func, &site, err);
	site.hook = (uint32_t)planned->hook;
	return ret ? ret : tell_site(installer, &as_func, &site, NULL, err);
}

static int watch_loader(struct installer *installer, struct upatch_error *err)
{
	const struct plan_hooks *hooks = &installer->plan->hooks;
	struct rt_request message = {
		.type = RT_HOOKS,
		.hooks.r_debug = hooks->r_debug,
		.hooks.signal_error = hooks->signal_error,
	};
	int ret;

	if (!hooks->are_possible)
		return 0;
	ret = queue(installer, &message, "name the loader", NULL, err);
	for (size_t i = 0; !ret && i < PLAN_HOOKS; i++)
		ret = watch(installer, &hooks->hooks[i], err);
	return ret;
}

/* --- Functions -------------------------------------------------------- */

/* Where symbols do not tell the parts, they can be anywhere in the patch. */
static void add_new_ranges(const struct patch_function *function, uint64_t bias,
			   struct rt_func_spec *func)
{
	uint32_t count = 0;

	/* The runtime knows the first one by where the function begins. */
	if (!function->parts_known ||
	    bias + function->code.start != func->new_addr)
		return;
	func->ranges[count].start = bias + function->code.start;
	func->ranges[count++].end = bias + function->code.end;
	for (size_t i = 0; i < function->part_count; i++) {
		const struct addr_range *part = &function->parts[i];
		struct rt_range *last = &func->ranges[NEW_RANGES_MAX - 1];

		if (count < NEW_RANGES_MAX) {
			func->ranges[count].start = bias + part->start;
			func->ranges[count++].end = bias + part->end;
			continue;
		}
		if (bias + part->start < last->start)
			last->start = bias + part->start;
		if (bias + part->end > last->end)
			last->end = bias + part->end;
	}
	func->range_count = count;
}

static struct shield_spec describe_shield(const struct installer *installer,
					  const struct plan_func *planned,
					  const struct rt_func_spec *func,
					  upatch_addr_t code)
{
	return (struct shield_spec){
		.code = code,
		.shield_common = installer->view->state.shield_entry,
		.new_func = func->new_addr,
		.kept = planned->kept,
		.vector_width = arch_vector_width(),
		.stack_args_known = planned->new_clobber.stack_args_known,
		.stack_arg_bytes = planned->new_clobber.stack_arg_bytes,
	};
}

/* A call through the shield is a call of the new function. */
static int write_shield(struct installer *installer,
			const struct plan_func *planned, upatch_addr_t code,
			struct rt_func_spec *func, size_t *ret_len,
			struct upatch_error *err)
{
	const struct shield_spec spec =
		describe_shield(installer, planned, func, code);
	uint8_t buf[ARCH_SHIELD_MAX];
	size_t len;
	int ret = arch_emit_shield(&spec, buf, sizeof(buf), &len, err);

	if (!ret)
		ret = memory_write(&installer->process->memory, code, buf, len,
				   err);
	if (ret)
		return ret;
	func->entry = code;
	func->flags |= RT_FUNC_SHIELDED;
	*ret_len = len;
	return 0;
}

static int write_orig_gate(struct installer *installer,
			   const struct code_grant *grant,
			   struct rt_func_spec *func, struct upatch_error *err)
{
	const struct arch_gate gate =
		describe_gate(installer, grant->code, grant->data,
			      grant->transition);
	uint8_t code[ARCH_GATE_LEN];

	func->orig_gate = grant->code;
	func->orig_words = grant->data;
	return write_gate(installer, &gate, code, sizeof(code), err);
}

/*
 *	func->code              the gate behind *orig_func, if it is wanted
 *	  + ARCH_GATE_LEN or 0  the shield, if one is needed
 */
static int write_func_code(struct installer *installer,
			   const struct plan_func *planned,
			   struct rt_func_spec *func, struct upatch_error *err)
{
	size_t gate_len = planned->declared->orig_func ? ARCH_GATE_LEN : 0;
	size_t code_len = gate_len + (planned->shielded ? ARCH_SHIELD_MAX : 0);
	size_t shield_len = 0;
	struct code_grant grant;
	int ret;

	if (!code_len)
		return 0;
	ret = code_space_take(&installer->space, planned->symbol.addr, code_len,
			      gate_len ? sizeof(struct rt_gate_words) : 0,
			      &grant, err);
	if (ret)
		return ret;
	if (gate_len)
		ret = write_orig_gate(installer, &grant, func, err);
	if (!ret && planned->shielded)
		ret = write_shield(installer, planned, grant.code + gate_len,
				   func, &shield_len, err);
	if (ret)
		return ret;
	func->code = grant.code;
	func->code_len = gate_len + shield_len;
	code_space_give_back(&installer->space, &grant, code_len,
			     func->code_len);
	return 0;
}

static int tell_func(struct installer *installer,
		     const struct plan_func *planned, struct upatch_error *err)
{
	struct rt_request message = {
		.type = RT_FUNC,
		.patch = installer->patch->addr,
		.object = planned->object,
		.index = planned->index,
	};
	struct rt_func_spec *func = &message.func;
	uint64_t bias = installer->patch->rt.bias;
	const char *name = planned->declared->old_name;
	const struct patch_function *new_function =
		&planned->declared->function;
	int ret = need_site(installer, planned, err);

	if (ret)
		return ret;
	func->old_addr = planned->symbol.addr;
	func->new_addr = bias + planned->declared->new_func;
	func->new_size = new_function->code.end - new_function->code.start;
	func->entry = func->new_addr;
	add_new_ranges(new_function, bias, func);
	ret = prefix_function(name,
			      write_func_code(installer, planned, func, err),
			      err);
	return ret ? ret
		   : queue(installer, &message, "register a function", name,
			   err);
}

/* What the runtime has to know when the library comes. */
static int tell_awaited_func(struct installer *installer, uint32_t object,
			     uint32_t index, const struct patch_func *declared,
			     struct upatch_error *err)
{
	const struct patch_function *function = &declared->function;
	struct rt_request message = {
		.type = RT_FUNC,
		.patch = installer->patch->addr,
		.object = object,
		.index = index,
	};
	struct rt_func_spec *func = &message.func;
	uint64_t bias = installer->patch->rt.bias;

	func->new_addr = bias + declared->new_func;
	func->new_size = function->code.end - function->code.start;
	func->entry = func->new_addr;
	add_new_ranges(function, bias, func);
	return queue(installer, &message, "register a function",
		     declared->old_name, err);
}

static int tell_awaited(struct installer *installer, struct upatch_error *err)
{
	const struct plan *plan = installer->plan;

	for (uint32_t i = 0; i < plan->object_count; i++) {
		const struct patch_object *declared = plan->objects[i].declared;

		if (plan->objects[i].is_loaded)
			continue;
		for (uint32_t j = 0; j < declared->func_count; j++) {
			int ret = tell_awaited_func(installer, i, j,
						    &declared->funcs[j], err);

			if (ret)
				return ret;
		}
	}
	return 0;
}

static int tell_funcs(struct installer *installer, struct upatch_error *err)
{
	const struct plan *plan = installer->plan;
	int ret = 0;

	for (size_t i = 0; !ret && i < plan->func_count; i++)
		ret = tell_func(installer, &plan->funcs[i], err);
	return ret;
}

/*
 * About what all of it takes.  What is not used of an area is not in memory
 * either, while a second area is two pages and two mappings more.
 */
static void expect_room(struct code_space *space, const struct plan *plan)
{
	size_t gate_count = plan->func_count + PLAN_HOOKS, shield_count = 0;

	for (size_t i = 0; i < plan->func_count; i++) {
		gate_count += plan->funcs[i].declared->orig_func ? 1 : 0;
		shield_count += plan->funcs[i].shielded ? 1 : 0;
	}
	space->expected_code_len = gate_count * EXPECTED_GATE_LEN +
				   shield_count * EXPECTED_SHIELD_LEN;
	if (shield_count)
		space->expected_code_len += ARCH_SHIELD_MAX;
	space->expected_data_len = gate_count * sizeof(struct rt_gate_words);
}

int install_prepare(struct process *process, struct channel *channel,
		    const struct view *view, const struct view_patch *patch,
		    const struct upatch_patch_file *file,
		    const struct plan *plan, uint64_t deadline_ns,
		    struct upatch_error *err)
{
	struct installer installer = {
		.process = process,
		.channel = channel,
		.view = view,
		.patch = patch,
		.plan = plan,
		.deadline_ns = deadline_ns,
	};
	int ret =
		clash_check(process, view, patch, patch_file_model(file), err);

	if (ret)
		return ret;
	ret = code_space_open(&installer.space, process, channel, view,
			      deadline_ns, err);
	expect_room(&installer.space, plan);
	if (!ret)
		ret = tell_objects(&installer, err);
	if (!ret)
		ret = tell_symbols(&installer, err);
	if (!ret)
		ret = watch_loader(&installer, err);
	if (!ret)
		ret = tell_funcs(&installer, err);
	if (!ret)
		ret = tell_awaited(&installer, err);
	if (!ret)
		ret = send_queued(&installer, err);
	code_space_close(&installer.space);
	return ret;
}
