/* SPDX-License-Identifier: MIT */
/* Finds names of the patch that the target defines too. */
#include "clash.h"

#include <string.h>

/* Patches are loaded with RTLD_LOCAL: none finds what another one defines. */
static bool is_of_patch(const struct view *view, const struct module *module)
{
	const struct view_patch *patch;

	view_for_each(patch, view->patches, view->patch_count)
	{
		if (patch->rt.bias == module->bias)
			return true;
	}
	return false;
}

/*
 * Addresses do not tell: that of the first thread-local variable of a program
 * at a fixed address is 0.
 */
static bool has_symbol(const struct dynamic_symbols *symbols, const char *name)
{
	for (size_t i = 0; i < symbols->count; i++) {
		const Elf64_Sym *symbol = &symbols->symbols[i];

		if (symbol->st_shndx != SHN_UNDEF &&
		    symbol->st_name < symbols->strings_len &&
		    strcmp(symbols->strings + symbol->st_name, name) == 0)
			return true;
	}
	return false;
}

/*
 * Which libraries came with RTLD_LOCAL, and are not searched, only the loader
 * knows: all of them count.
 */
static bool target_defines(const struct process *process,
			   const struct view *view, const char *name)
{
	for (size_t i = 0; i < process->modules.count; i++) {
		const struct module *module = &process->modules.modules[i];

		if (module->link_namespace == 0 && !is_of_patch(view, module) &&
		    has_symbol(process_exports(process, module), name))
			return true;
	}
	return false;
}

/* What the loader wrote; *ret_is_own: it is what the patch means. */
static int compare_word(const struct process *process, uint64_t bias,
			const struct patch_binding *binding, bool *ret_is_own,
			struct upatch_error *err)
{
	uint64_t wanted = binding->is_null ? 0 : bias + binding->value;
	uint64_t word;
	int ret = memory_read(&process->memory, bias + binding->addr, &word,
			      sizeof(word), err);

	if (!ret)
		*ret_is_own = word == wanted;
	return ret;
}

/*
 * The word decides where it can; else the name does.  It is the patch that has
 * to change: a mismatch would be tried again, for libraries that come and go.
 */
static int check_binding(const struct process *process, const struct view *view,
			 uint64_t bias, const struct patch_binding *binding,
			 struct upatch_error *err)
{
	bool is_own = false;
	int ret = 0;

	if (!binding->is_opaque)
		ret = compare_word(process, bias, binding, &is_own, err);
	if (ret || is_own)
		return ret;
	if ((binding->is_opaque || binding->may_change) &&
	    !target_defines(process, view, binding->symbol))
		return 0;
	return error_set(
		err, UPATCH_ERROR_BAD_PATCH, 0,
		"process %d defines '%s' too, which the patch means its own (make it static)",
		process->pid, binding->symbol);
}

int clash_check(const struct process *process, const struct view *view,
		const struct view_patch *patch, const struct patch_model *model,
		struct upatch_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < model->binding_count; i++)
		ret = check_binding(process, view, patch->rt.bias,
				    &model->bindings[i], err);
	return ret;
}
