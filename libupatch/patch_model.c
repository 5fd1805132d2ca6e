/* SPDX-License-Identifier: MIT */
/* Walks the descriptor of a patch and checks everything it points to. */
#include "patch_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <upatch/patch.h>

#include "patch_dynamic.h"
#include "patch_fields.h"
#include "patch_words.h"

#define DESCRIPTOR_NAME "upatch_descriptor"

#define NAME_CHARACTERS                                                        \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* The image uses the structures of <upatch/patch.h> as they are here. */
_Static_assert(sizeof(struct upatch_descriptor) == 24, "ABI of patches");
_Static_assert(sizeof(struct upatch_patch) == 40, "ABI of patches");
_Static_assert(sizeof(struct upatch_object) == 72, "ABI of patches");
_Static_assert(sizeof(struct upatch_func) == 40, "ABI of patches");
_Static_assert(sizeof(struct upatch_symbol) == 24, "ABI of patches");
_Static_assert(sizeof(struct upatch_state) == 24, "ABI of patches");

struct walk {
	struct patch_model *model;
	struct patch_fields fields;
	struct patch_code code;
};

/* --- Ends of lists ------------------------------------------------------ */

/* The empty name ends the list, as NULL is the main executable. */
static bool is_last_object(const struct patch_fields *fields,
			   upatch_addr_t entry)
{
	struct patch_pointer name =
		patch_words_pointer(fields->elf,
				    PATCH_MEMBER(entry, upatch_object, name));
	char first;

	return name.kind == PATCH_POINTER_LOCAL &&
	       patch_elf_read(fields->elf, name.addr, &first, 1) &&
	       first == '\0';
}

static bool is_last_state(const struct patch_fields *fields,
			  upatch_addr_t entry)
{
	unsigned long id;

	return patch_elf_read(fields->elf,
			      PATCH_MEMBER(entry, upatch_state, id), &id,
			      sizeof(id)) &&
	       id == 0;
}

static const struct patch_list object_list = { "objs", "objects",
					       sizeof(struct upatch_object),
					       is_last_object };
static const struct patch_list state_list = { "states", "states",
					      sizeof(struct upatch_state),
					      is_last_state };

/* --- Objects ------------------------------------------------------------ */

static int compare_objects(const void *left, const void *right)
{
	const struct patch_object *a = left, *b = right;

	if (!a->name || !b->name)
		return (a->name != NULL) - (b->name != NULL);
	return strcmp(a->name, b->name);
}

static int check_objects_differ(const struct walk *walk)
{
	const struct patch_model *model = walk->model;
	struct patch_object *sorted =
		calloc(model->object_count, sizeof(*sorted));
	int code = 0;

	if (!sorted)
		return patch_fields_no_memory(&walk->fields);
	memcpy(sorted, model->objects, model->object_count * sizeof(*sorted));
	qsort(sorted, model->object_count, sizeof(*sorted), compare_objects);
	for (size_t i = 1; code == 0 && i < model->object_count; i++) {
		const char *name = sorted[i].name;

		if (compare_objects(&sorted[i - 1], &sorted[i]) == 0)
			code = patch_fields_refuse(&walk->fields,
						   "%s%s%s is declared twice",
						   name ? "object '"
							: "the main executable",
						   name ? name : "",
						   name ? "'" : "");
	}
	free(sorted);
	return code;
}

static int read_objects(struct walk *walk)
{
	struct patch_model *model = walk->model;
	upatch_addr_t list;
	size_t count;
	int code = patch_fields_list(&walk->fields, &object_list,
				     PATCH_MEMBER(model->declaration,
						  upatch_patch, objs),
				     &list, &count);

	if (code)
		return code;
	if (count == 0)
		return patch_fields_refuse(&walk->fields,
					   "it declares no objects");
	model->objects = calloc(count, sizeof(*model->objects));
	if (!model->objects)
		return patch_fields_no_memory(&walk->fields);
	for (size_t i = 0; code == 0 && i < count; i++) {
		model->objects[i].declaration =
			list + i * sizeof(struct upatch_object);
		model->object_count++;
		code = patch_object_read(&walk->fields, &walk->code, i,
					 &model->objects[i]);
	}
	return code ? code : check_objects_differ(walk);
}

/* --- States ------------------------------------------------------------- */

static int compare_states(const void *left, const void *right)
{
	const struct patch_state *a = left, *b = right;

	return (a->id > b->id) - (a->id < b->id);
}

static int check_states_differ(const struct walk *walk)
{
	const struct patch_model *model = walk->model;
	size_t count = model->state_count;
	struct patch_state *sorted = calloc(count, sizeof(*sorted));
	int code = 0;

	if (!sorted)
		return patch_fields_no_memory(&walk->fields);
	memcpy(sorted, model->states, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_states);
	for (size_t i = 1; code == 0 && i < count; i++) {
		if (sorted[i - 1].id == sorted[i].id)
			code = patch_fields_refuse(
				&walk->fields, "state %lu is declared twice",
				sorted[i].id);
	}
	free(sorted);
	return code;
}

static int read_states(struct walk *walk)
{
	struct patch_model *model = walk->model;
	upatch_addr_t list;
	size_t count;
	int code = patch_fields_list(&walk->fields, &state_list,
				     PATCH_MEMBER(model->declaration,
						  upatch_patch, states),
				     &list, &count);

	if (code || count == 0)
		return code;
	model->states = calloc(count, sizeof(*model->states));
	if (!model->states)
		return patch_fields_no_memory(&walk->fields);
	for (size_t i = 0; i < count; i++) {
		struct upatch_state state;

		if (!patch_elf_read(&model->elf, list + i * sizeof(state),
				    &state, sizeof(state)))
			return patch_fields_refuse(&walk->fields,
						   "state %zu cannot be read",
						   i + 1);
		model->states[i].id = state.id;
		model->states[i].version = state.version;
	}
	model->state_count = count;
	return check_states_differ(walk);
}

/* --- Patch and descriptor ----------------------------------------------- */

static int read_name(struct walk *walk)
{
	struct patch_model *model = walk->model;
	size_t len;
	int code = patch_fields_string(&walk->fields, "name",
				       PATCH_MEMBER(model->declaration,
						    upatch_patch, name),
				       &model->name);

	if (code)
		return code;
	len = model->name ? strlen(model->name) : 0;
	if (len == 0)
		return patch_fields_refuse(&walk->fields,
					   "name of the patch is missing");
	if (len > UPATCH_NAME_MAX ||
	    strspn(model->name, NAME_CHARACTERS) != len)
		return patch_fields_refuse(
			&walk->fields,
			"name of the patch is not 1 to %d characters of A-Z, a-z, 0-9, '.', '_' and '-': '%.100s'",
			UPATCH_NAME_MAX, model->name);
	return 0;
}

static int read_patch(struct walk *walk)
{
	struct patch_model *model = walk->model;
	upatch_addr_t base = model->declaration;
	int code = read_name(walk);

	if (code == 0)
		code = patch_fields_string(&walk->fields, "description",
					   PATCH_MEMBER(base, upatch_patch,
							description),
					   &model->description);
	if (code == 0)
		code = patch_fields_bool(&walk->fields, "replace",
					 PATCH_MEMBER(base, upatch_patch,
						      replace),
					 &model->replace);
	if (code == 0)
		code = patch_fields_bool(&walk->fields, "immediate",
					 PATCH_MEMBER(base, upatch_patch,
						      immediate),
					 &model->immediate);
	if (code == 0)
		code = read_states(walk);
	if (code == 0)
		code = read_objects(walk);
	return code;
}

static int check_versions(const struct walk *walk,
			  const struct upatch_descriptor *descriptor)
{
	if (memcmp(descriptor->magic, UPATCH_DESCRIPTOR_MAGIC,
		   sizeof(descriptor->magic)) != 0)
		return patch_fields_refuse(
			&walk->fields, "its descriptor is broken: wrong magic");
	if (descriptor->interface_version != UPATCH_INTERFACE_VERSION)
		return patch_fields_refuse(
			&walk->fields,
			"it has interface version %u, this upatch knows %u",
			descriptor->interface_version,
			UPATCH_INTERFACE_VERSION);
	if (descriptor->patch_size != sizeof(struct upatch_patch))
		return patch_fields_refuse(
			&walk->fields,
			"its descriptor is broken: struct upatch_patch has %u bytes instead of %zu",
			descriptor->patch_size, sizeof(struct upatch_patch));
	return 0;
}

static int read_descriptor(struct walk *walk)
{
	struct patch_model *model = walk->model;
	struct upatch_descriptor descriptor;
	Elf64_Sym symbol;
	bool is_null;
	int code;

	if (!patch_dynamic_find_symbol(&model->elf, DESCRIPTOR_NAME, &symbol))
		return patch_fields_refuse(
			&walk->fields,
			"no descriptor: UPATCH_PATCH is missing");
	if (!patch_elf_read(&model->elf, symbol.st_value, &descriptor,
			    sizeof(descriptor)))
		return patch_fields_refuse(
			&walk->fields,
			"its descriptor is broken: it lies outside the patch's memory");
	code = check_versions(walk, &descriptor);
	if (code)
		return code;
	snprintf(walk->fields.owner, sizeof(walk->fields.owner),
		 "the descriptor");
	code = patch_fields_pointer(&walk->fields, "patch",
				    PATCH_MEMBER(symbol.st_value,
						 upatch_descriptor, patch),
				    &is_null, &model->declaration);
	if (code)
		return code;
	if (is_null || !patch_elf_find(&model->elf, model->declaration,
				       sizeof(struct upatch_patch)))
		return patch_fields_refuse(
			&walk->fields,
			"patch of the descriptor lies outside the patch's memory");
	model->interface_version = descriptor.interface_version;
	snprintf(walk->fields.owner, sizeof(walk->fields.owner), "the patch");
	return read_patch(walk);
}

/* --- Bindings ----------------------------------------------------------- */

static const char *word_symbol_name(const struct patch_elf *elf,
				    const struct patch_word *word)
{
	const char *name = NULL;
	Elf64_Sym symbol;

	if (patch_dynamic_symbol(elf, word->symbol, &symbol))
		name = patch_dynamic_find_string(elf, symbol.st_name);
	return name ? name : "";
}

static bool is_binding(const struct patch_word *word)
{
	return word->interposable && (word->used || word->meant_own);
}

static void describe_binding(const struct patch_elf *elf,
			     const struct patch_word *word,
			     struct patch_binding *binding)
{
	binding->addr = word->addr;
	binding->is_null = word->kind == PATCH_WORD_ABSENT;
	binding->is_opaque = word->kind == PATCH_WORD_FOREIGN;
	binding->may_change =
		!word->used && !addr_range_has(&elf->relro, word->addr);
	binding->symbol = word_symbol_name(elf, word);
	if (!binding->is_opaque)
		patch_elf_read(elf, word->addr, &binding->value, word->len);
}

static int collect_bindings(struct walk *walk)
{
	struct patch_model *model = walk->model;
	const struct patch_elf *elf = &model->elf;
	size_t count = 0;

	for (size_t i = 0; i < elf->word_count; i++)
		count += is_binding(&elf->words[i]);
	model->bindings = calloc(count + 1, sizeof(*model->bindings));
	if (!model->bindings)
		return patch_fields_no_memory(&walk->fields);
	for (size_t i = 0; i < elf->word_count; i++) {
		if (is_binding(&elf->words[i]))
			describe_binding(
				elf, &elf->words[i],
				&model->bindings[model->binding_count++]);
	}
	return 0;
}

/* --- All of it ---------------------------------------------------------- */

static int read_object_file(struct patch_elf *elf, const void *file, size_t len,
			    struct upatch_error *err)
{
	int code = patch_elf_open(elf, file, len, err);

	if (code == 0)
		code = patch_dynamic_read(elf, err);
	if (code == 0)
		code = patch_words_relocate(elf, err);
	if (code == 0)
		code = patch_dynamic_read_names(elf, err);
	return code;
}

static int read_model(struct patch_model *model, struct upatch_error *err)
{
	struct walk walk = { .model = model,
			     .fields = { .elf = &model->elf,
					 .bytes_left = model->elf.image_len,
					 .err = err } };
	int code = patch_code_open(&walk.code, &model->elf, err);

	if (code == 0)
		code = read_descriptor(&walk);
	if (code == 0)
		code = collect_bindings(&walk);
	patch_code_close(&walk.code);
	return code;
}

int patch_model_parse(const void *file, size_t len,
		      struct patch_model **ret_model, struct upatch_error *err)
{
	struct patch_model *model = calloc(1, sizeof(*model));
	int code;

	if (!model)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for the patch");
	code = read_object_file(&model->elf, file, len, err);
	if (code == 0)
		code = read_model(model, err);
	if (code) {
		patch_model_free(model);
		return code;
	}
	*ret_model = model;
	return 0;
}

void patch_model_free(struct patch_model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->object_count; i++)
		patch_object_free(&model->objects[i]);
	free(model->bindings);
	free(model->states);
	free(model->objects);
	patch_elf_close(&model->elf);
	free(model);
}
