/* SPDX-License-Identifier: MIT */
/* What applying a patch to a target means. */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "built.h"
#include "plan_hooks.h"
#include "state_check.h"

#define ALIASES_MAX 32
#define PIECES_MAX  64

struct maker {
	struct process *process; /* NULL: a file is looked at */
	const struct view *view;
	const struct upatch_patch_file *file;
	const struct patch_model *model;
	struct plan *plan;
	struct patch_code patch_code;
	struct object_code code; /* of the object that is looked at */
	const struct symbol_table *table;
};

static int no_memory(struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0, "out of memory");
}

static const char *object_text(const struct patch_object *object)
{
	return object->name ? object->name : "the main executable";
}

/* A problem is a finding; only what hinders the looking is an error. */
static int note_problem(struct maker *maker, const struct upatch_error *problem,
			struct upatch_error *err)
{
	if (problem->code == UPATCH_ERROR_NO_MEMORY ||
	    problem->code == UPATCH_ERROR_NO_TARGET) {
		if (err)
			*err = *problem;
		return problem->code;
	}
	return findings_add_problem(&maker->plan->findings, problem)
		       ? 0
		       : no_memory(err);
}

/* --- Functions -------------------------------------------------------- */

static int fill_aliases(struct maker *maker, struct plan_func *func,
			struct upatch_error *err)
{
	struct symbol aliases[ALIASES_MAX];
	size_t count = symbols_aliases(maker->table, func->symbol.addr, aliases,
				       ALIASES_MAX);
	size_t used = 0;

	if (count > ALIASES_MAX)
		count = ALIASES_MAX;
	func->aliases = calloc(count + 1, sizeof(*func->aliases));
	if (!func->aliases)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(aliases[i].name, func->declared->old_name))
			continue;
		func->aliases[used] = strdup(aliases[i].name);
		if (!func->aliases[used++])
			return no_memory(err);
	}
	return 0;
}

/* What does not fit is covered by widening the last range. */
static void add_range(struct plan_func *func, upatch_addr_t start, uint64_t len)
{
	struct rt_range *last;

	if (func->range_count < RT_RANGES) {
		func->ranges[func->range_count++] =
			(struct rt_range){ start, start + len };
		return;
	}
	last = &func->ranges[RT_RANGES - 1];
	if (start < last->start)
		last->start = start;
	if (start + len > last->end)
		last->end = start + len;
}

/* Code can be read where it is; if not, its library has gone meanwhile. */
static int unreadable(const struct maker *maker, const struct symbol *symbol,
		      const char *name, struct upatch_error *err)
{
	bool is_there =
		maker->process &&
		object_code_has(&maker->code, symbol->addr, symbol->size);

	if (is_there)
		return error_set(err, UPATCH_ERROR_SYSTEM, EIO,
				 "cannot read the code of '%s'", name);
	return error_set(err, UPATCH_ERROR_UNSUPPORTED, 0,
			 "the code of '%s' cannot be read", name);
}

static int check_pieces(struct maker *maker, struct plan_func *func,
			struct upatch_error *err)
{
	struct symbol pieces[PIECES_MAX];
	size_t count =
		symbols_pieces(maker->table, &func->symbol, pieces, PIECES_MAX);

	add_range(func, func->symbol.addr, func->symbol.size);
	if (count > PIECES_MAX)
		return error_set(err, UPATCH_ERROR_UNSUPPORTED, 0,
				 "'%s' is split into %zu pieces",
				 func->declared->old_name, count);
	for (size_t i = 0; i < count; i++) {
		const struct arch_part part = {
			.name = pieces[i].name,
			.code = object_code_read(&maker->code, pieces[i].addr,
						 pieces[i].size),
			.len = pieces[i].size,
			.addr = pieces[i].addr,
		};
		int ret;

		add_range(func, pieces[i].addr, pieces[i].size);
		if (!part.code)
			return unreadable(maker, &pieces[i], pieces[i].name,
					  err);
		ret = arch_entry_check_part(func->declared->old_name,
					    &func->entry, &part, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* Another symbol inside the jump is another way in. */
static int check_inner_symbols(struct maker *maker,
			       const struct plan_func *func,
			       struct upatch_error *err)
{
	upatch_addr_t jump = func->symbol.addr + func->entry.jump_offset;

	for (upatch_addr_t addr = func->symbol.addr + 1;
	     addr < jump + ARCH_JUMP_LEN; addr++) {
		struct symbol inner;

		if (symbols_aliases(maker->table, addr, &inner, 1))
			return error_set(
				err, UPATCH_ERROR_MISMATCH, 0,
				"'%s' cannot be redirected: '%s' begins inside its first instructions",
				func->declared->old_name, inner.name);
	}
	return 0;
}

static bool find_patch_function(void *user, upatch_addr_t addr,
				upatch_addr_t *ret_start,
				const uint8_t **ret_code, size_t *ret_len)
{
	const struct maker *maker = user;
	struct patch_function function;
	const uint8_t *code;
	uint64_t size;
	size_t len;

	if (!patch_file_code(maker->file, addr, &code, &len) ||
	    patch_code_locate(&maker->patch_code, addr, &function, NULL))
		return false;
	free(function.parts);
	if (!patch_file_code(maker->file, function.code.start, &code, &len))
		return false;
	size = function.code.end - function.code.start;
	*ret_start = function.code.start;
	*ret_code = code;
	*ret_len = size < len ? size : len;
	return true;
}

static void decide_shield(struct maker *maker, struct plan_func *func)
{
	const struct code_source old_source = object_code_source(&maker->code);
	const struct code_source new_source = {
		.find = find_patch_function,
		.user = maker,
	};

	clobber_analyze(&old_source, func->symbol.addr, &func->old_clobber);
	func->shielded = clobber_needs_shield(&func->old_clobber);
	if (!func->shielded)
		return;
	clobber_analyze(&new_source, func->declared->new_func,
			&func->new_clobber);
	clobber_find_kept(&func->old_clobber, &func->new_clobber, &func->kept);
}

static int look_at_func(struct maker *maker, struct plan_func *func,
			struct upatch_error *err)
{
	const struct patch_func *declared = func->declared;
	const uint8_t *code;
	int ret =
		symbols_find(maker->table, declared->old_name, declared->sympos,
			     SYMBOL_WANTED_FUNC, &func->symbol, err);

	if (ret)
		return ret;
	code = object_code_read(&maker->code, func->symbol.addr,
				func->symbol.size);
	if (!code)
		return unreadable(maker, &func->symbol, declared->old_name,
				  err);
	ret = arch_entry_analyze(declared->old_name, code, func->symbol.size,
				 func->symbol.addr, &func->entry, err);
	if (!ret)
		ret = check_inner_symbols(maker, func, err);
	if (!ret)
		ret = check_pieces(maker, func, err);
	if (!ret)
		ret = fill_aliases(maker, func, err);
	if (!ret)
		decide_shield(maker, func);
	return ret;
}

static int check_twice(const struct maker *maker, const struct plan_func *func,
		       struct upatch_error *err)
{
	const struct plan *plan = maker->plan;

	for (size_t i = 0; i < plan->func_count; i++) {
		const struct plan_func *other = &plan->funcs[i];

		if (other != func && other->symbol.addr == func->symbol.addr)
			return error_set(
				err, UPATCH_ERROR_BAD_PATCH, 0,
				"'%s' and '%s' are the same function, at 0x%lx",
				other->declared->old_name,
				func->declared->old_name, func->symbol.addr);
	}
	return 0;
}

static void note_clones(struct maker *maker, const struct plan_func *func)
{
	struct symbol clone;
	size_t count = symbols_clones(maker->table, &func->symbol, &clone, 1);

	if (count)
		findings_add_note(
			&maker->plan->findings,
			"'%s' has %zu specialised copies that keep the old code, among them '%s'",
			func->declared->old_name, count, clone.name);
}

static int plan_func(struct maker *maker, uint32_t object, uint32_t index,
		     struct upatch_error *err)
{
	struct plan *plan = maker->plan;
	struct plan_func *func = &plan->funcs[plan->func_count];
	struct upatch_error problem;
	int ret;

	func->object = object;
	func->index = index;
	func->declared = &plan->objects[object].declared->funcs[index];
	ret = look_at_func(maker, func, &problem);
	if (!ret)
		ret = check_twice(maker, func, &problem);
	plan->func_count++;
	if (!ret) {
		note_clones(maker, func);
		return 0;
	}
	error_prefix(&problem, "%s",
		     object_text(plan->objects[object].declared));
	return note_problem(maker, &problem, err);
}

/* --- Objects ---------------------------------------------------------- */

static int plan_symbol(struct maker *maker, uint32_t object, uint32_t index,
		       struct upatch_error *err)
{
	struct plan *plan = maker->plan;
	struct plan_symbol *entry = &plan->symbols[plan->symbol_count];
	const struct patch_symbol *declared =
		&plan->objects[object].declared->symbols[index];
	struct upatch_error problem;
	struct symbol symbol;

	if (symbols_find(maker->table, declared->name, declared->sympos,
			 SYMBOL_WANTED_ANY, &symbol, &problem)) {
		error_prefix(&problem, "%s",
			     object_text(plan->objects[object].declared));
		return note_problem(maker, &problem, err);
	}
	entry->object = object;
	entry->index = index;
	entry->addr = symbol.addr;
	plan->symbol_count++;
	return 0;
}

static int check_build_id(struct maker *maker, const struct plan_object *object,
			  const char *there, const char *place,
			  struct upatch_error *err)
{
	const char *wanted = object->declared->build_id;
	struct upatch_error problem;

	if (!wanted || (there && !strcmp(wanted, there)))
		return 0;
	error_set(&problem, UPATCH_ERROR_MISMATCH, 0,
		  "%s: the patch is for build id %s, the one in %s has %s",
		  object_text(object->declared), wanted, place,
		  there ? there : "none");
	return note_problem(maker, &problem, err);
}

static int plan_contents(struct maker *maker, uint32_t index,
			 struct upatch_error *err)
{
	const struct patch_object *declared =
		maker->plan->objects[index].declared;
	int ret = 0;

	for (uint32_t i = 0; !ret && i < declared->symbol_count; i++)
		ret = plan_symbol(maker, index, i, err);
	for (uint32_t i = 0; !ret && i < declared->func_count; i++)
		ret = plan_func(maker, index, i, err);
	return ret;
}

static int plan_loaded_object(struct maker *maker, uint32_t index,
			      const struct module *module,
			      struct upatch_error *err)
{
	const struct plan_object *object = &maker->plan->objects[index];
	struct symbol_table *table;
	char place[32];
	int ret;

	snprintf(place, sizeof(place), "process %d", maker->process->pid);
	ret = check_build_id(maker, object, module->build_id, place, err);
	if (!ret)
		ret = process_symbols(maker->process, module, &table, err);
	if (ret)
		return ret;
	maker->table = table;
	ret = object_code_open(&maker->code, &maker->process->memory, module,
			       table, maker->view, err);
	if (!ret)
		ret = plan_contents(maker, index, err);
	object_code_close(&maker->code);
	return ret;
}

static int plan_object(struct maker *maker, uint32_t index,
		       struct upatch_error *err)
{
	struct plan_object *object = &maker->plan->objects[index];
	const struct module *module;

	object->declared = &maker->model->objects[index];
	module = modules_find_name(&maker->process->modules,
				   object->declared->name);
	if (module) {
		object->is_loaded = true;
		object->link_map = module->is_main ? 0 : module->link_map;
		object->bias = module->bias;
		return plan_loaded_object(maker, index, module, err);
	}
	return findings_add_note(
		       &maker->plan->findings,
		       maker->plan->hooks.are_possible
			       ? "'%s' is not loaded; it will be patched when it comes, and does not load if the patch does not fit it"
			       : "'%s' is not loaded and will not be patched",
		       object->declared->name)
		       ? 0
		       : no_memory(err);
}

static int check_applied(struct maker *maker, struct upatch_error *err)
{
	struct upatch_error problem;
	int ret = 0;

	if (!maker->view)
		return 0;
	if (view_find_patch(maker->view, maker->model->name)) {
		error_set(&problem, UPATCH_ERROR_CONFLICT, 0,
			  "a patch named '%s' is applied to process %d already",
			  maker->model->name, maker->process->pid);
		ret = note_problem(maker, &problem, err);
	}
	if (!ret)
		ret = state_check(&maker->process->memory, maker->view,
				  maker->model, &maker->plan->findings, err);
	return ret;
}

static int reserve(struct maker *maker, struct upatch_error *err)
{
	const struct patch_model *model = maker->model;
	struct plan *plan = maker->plan;
	size_t funcs = 0, symbols = 0;

	for (size_t i = 0; i < model->object_count; i++) {
		funcs += model->objects[i].func_count;
		symbols += model->objects[i].symbol_count;
	}
	plan->object_count = model->object_count;
	plan->objects = calloc(model->object_count, sizeof(*plan->objects));
	plan->funcs = calloc(funcs + 1, sizeof(*plan->funcs));
	plan->symbols = calloc(symbols + 1, sizeof(*plan->symbols));
	if (!plan->objects || !plan->funcs || !plan->symbols)
		return no_memory(err);
	return patch_code_open(&maker->patch_code, &model->elf, err);
}

static bool names_library(const struct patch_model *model)
{
	for (size_t i = 0; i < model->object_count; i++) {
		if (model->objects[i].name)
			return true;
	}
	return false;
}

static int plan_process(struct maker *maker, struct upatch_error *err)
{
	struct upatch_error problem;

	if (!built_check(maker->process, &problem))
		return 0;
	return note_problem(maker, &problem, err);
}

static int plan_loader(struct maker *maker, struct upatch_error *err)
{
	struct plan *plan = maker->plan;

	plan_hooks_find(maker->process, maker->view, &plan->hooks);
	if (plan->hooks.are_possible)
		return 0;
	return findings_add_note(
		       &plan->findings,
		       "this loader does not tell when libraries come: only those that are loaded now are patched")
		       ? 0
		       : no_memory(err);
}

int plan_make(struct process *process, const struct view *view,
	      const struct upatch_patch_file *file, struct plan *plan,
	      struct upatch_error *err)
{
	struct maker maker = {
		.process = process,
		.view = view,
		.file = file,
		.model = patch_file_model(file),
		.plan = plan,
	};
	int ret;

	*plan = (struct plan){ 0 };
	ret = reserve(&maker, err);
	if (!ret)
		ret = check_applied(&maker, err);
	if (!ret)
		ret = plan_process(&maker, err);
	if (!ret && names_library(maker.model))
		ret = plan_loader(&maker, err);
	for (uint32_t i = 0; !ret && i < maker.model->object_count; i++)
		ret = plan_object(&maker, i, err);
	patch_code_close(&maker.patch_code);
	return ret;
}

/* --- A file ----------------------------------------------------------- */

/* The object that the file is: by its soname or file name, else the program. */
static bool find_object_of_file(const struct maker *maker,
				const struct elf_file *file, const char *path,
				uint32_t *ret_index)
{
	const char *base = strrchr(path, '/');
	GElf_Phdr phdr;
	bool is_program = false;

	base = base ? base + 1 : path;
	for (size_t i = 0; elf_file_header(file, i, &phdr); i++)
		is_program |= phdr.p_type == PT_INTERP;
	for (uint32_t i = 0; i < maker->model->object_count; i++) {
		const char *name = maker->model->objects[i].name;

		if (name ? !strncmp(base, name, strlen(name)) : is_program) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static int plan_file(struct maker *maker, const char *path,
		     struct elf_file *file, struct upatch_error *err)
{
	char build_id[ELF_FILE_BUILD_ID_SIZE];
	struct plan_object *object;
	struct symbol_table *table;
	uint32_t index;
	int ret;

	if (!find_object_of_file(maker, file, path, &index))
		return error_set(err, UPATCH_ERROR_MISMATCH, 0,
				 "the patch has no object that '%s' could be",
				 path);
	object = &maker->plan->objects[index];
	object->declared = &maker->model->objects[index];
	ret = check_build_id(maker, object,
			     elf_file_build_id(file, build_id) ? build_id
							       : NULL,
			     path, err);
	if (!ret)
		ret = symbols_open_file(path, &table, err);
	if (ret)
		return ret;
	maker->table = table;
	object_code_open_file(&maker->code, file, table);
	ret = plan_contents(maker, index, err);
	object_code_close(&maker->code);
	symbols_close(table);
	return ret;
}

int plan_make_for_file(const char *path, const struct upatch_patch_file *file,
		       struct plan *plan, struct upatch_error *err)
{
	struct maker maker = {
		.file = file,
		.model = patch_file_model(file),
		.plan = plan,
	};
	struct elf_file elf;
	int ret;

	*plan = (struct plan){ 0 };
	ret = elf_file_open(ELF_FILE_OWN_ROOT, path, &elf, err);
	if (ret)
		return ret;
	ret = reserve(&maker, err);
	if (!ret)
		ret = plan_file(&maker, path, &elf, err);
	patch_code_close(&maker.patch_code);
	elf_file_close(&elf);
	return ret;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; plan->funcs && i < plan->func_count; i++) {
		char **aliases = plan->funcs[i].aliases;

		for (size_t j = 0; aliases && aliases[j]; j++)
			free(aliases[j]);
		free(aliases);
	}
	free(plan->objects);
	free(plan->funcs);
	free(plan->symbols);
	findings_free(&plan->findings);
	*plan = (struct plan){ 0 };
}
