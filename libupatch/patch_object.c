/* SPDX-License-Identifier: MIT */
/* One struct upatch_object of a patch: its functions, symbols and callbacks. */
#include "patch_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <upatch/patch.h>

#include "patch_fields.h"

#define OBJECT_NAME_MAX 127

struct walk {
	struct patch_fields *fields;
	const struct patch_code *code;
	/* The object: "object 'x'", "the main executable". */
	char object[160];
};

static bool is_last_func(const struct patch_fields *fields, upatch_addr_t entry)
{
	return patch_fields_is_null(fields, PATCH_MEMBER(entry, upatch_func,
							 old_name)) &&
	       patch_fields_is_null(fields,
				    PATCH_MEMBER(entry, upatch_func, new_func));
}

static bool is_last_symbol(const struct patch_fields *fields,
			   upatch_addr_t entry)
{
	return patch_fields_is_null(fields,
				    PATCH_MEMBER(entry, upatch_symbol, name));
}

static const struct patch_list func_list = { "funcs", "functions",
					     sizeof(struct upatch_func),
					     is_last_func };
static const struct patch_list symbol_list = { "symbols", "symbols",
					       sizeof(struct upatch_symbol),
					       is_last_symbol };
/* --- Functions and symbols of an object --------------------------------- */

/* "'name'", or where the entry has no name yet "entry 3 of the ...". */
static void set_owner(struct walk *walk, const char *name, const char *list,
		      size_t index)
{
	if (name)
		snprintf(walk->fields->owner, sizeof(walk->fields->owner),
			 "'%.120s'", name);
	else
		snprintf(walk->fields->owner, sizeof(walk->fields->owner),
			 "entry %zu of the %s of %.100s", index + 1, list,
			 walk->object);
}

static int read_func_pointers(struct walk *walk, struct patch_func *func)
{
	upatch_addr_t base = func->declaration;
	int code =
		patch_fields_function(walk->fields, "new_func",
				      PATCH_MEMBER(base, upatch_func, new_func),
				      &func->new_func);

	if (code)
		return code;
	if (func->new_func == 0)
		return patch_fields_refuse(walk->fields,
					   "new_func of %s is missing",
					   walk->fields->owner);
	code = patch_fields_store(walk->fields, "orig_func",
				  PATCH_MEMBER(base, upatch_func, orig_func),
				  &func->orig_func);
	if (code)
		return code;
	return patch_code_locate(walk->code, func->new_func, &func->function,
				 walk->fields->err);
}

static int read_func(struct walk *walk, size_t index, struct patch_func *func)
{
	upatch_addr_t base = func->declaration;
	int code;

	set_owner(walk, NULL, "functions", index);
	code = patch_fields_string(walk->fields, "old_name",
				   PATCH_MEMBER(base, upatch_func, old_name),
				   &func->old_name);
	if (code)
		return code;
	if (!func->old_name || func->old_name[0] == '\0')
		return patch_fields_refuse(walk->fields,
					   "old_name of %s is missing",
					   walk->fields->owner);
	set_owner(walk, func->old_name, NULL, 0);
	code = patch_fields_number(walk->fields, "sympos",
				   PATCH_MEMBER(base, upatch_func, old_sympos),
				   &func->sympos);
	if (code)
		return code;
	code = patch_fields_bool(walk->fields, "immediate",
				 PATCH_MEMBER(base, upatch_func, immediate),
				 &func->immediate);
	if (code)
		return code;
	return read_func_pointers(walk, func);
}

static int compare_funcs(const void *left, const void *right)
{
	const struct patch_func *a = left, *b = right;
	int order = strcmp(a->old_name, b->old_name);

	if (order != 0)
		return order;
	return (a->sympos > b->sympos) - (a->sympos < b->sympos);
}

static int check_funcs_differ(const struct walk *walk,
			      const struct patch_object *object)
{
	struct patch_func *sorted = calloc(object->func_count, sizeof(*sorted));
	int code = 0;

	if (!sorted)
		return patch_fields_no_memory(walk->fields);
	memcpy(sorted, object->funcs, object->func_count * sizeof(*sorted));
	qsort(sorted, object->func_count, sizeof(*sorted), compare_funcs);
	for (size_t i = 1; code == 0 && i < object->func_count; i++) {
		if (compare_funcs(&sorted[i - 1], &sorted[i]) == 0)
			code = patch_fields_refuse(
				walk->fields,
				"function '%.200s' (sympos %lu) of %s is declared twice",
				sorted[i].old_name, sorted[i].sympos,
				walk->object);
	}
	free(sorted);
	return code;
}

static int read_funcs(struct walk *walk, struct patch_object *object)
{
	upatch_addr_t list;
	size_t count;
	int code = patch_fields_list(walk->fields, &func_list,
				     PATCH_MEMBER(object->declaration,
						  upatch_object, funcs),
				     &list, &count);

	if (code || count == 0)
		return code;
	object->funcs = calloc(count, sizeof(*object->funcs));
	if (!object->funcs)
		return patch_fields_no_memory(walk->fields);
	for (size_t i = 0; code == 0 && i < count; i++) {
		object->funcs[i].declaration =
			list + i * sizeof(struct upatch_func);
		object->func_count++;
		code = read_func(walk, i, &object->funcs[i]);
	}
	return code ? code : check_funcs_differ(walk, object);
}

static int read_symbol(struct walk *walk, size_t index, upatch_addr_t base,
		       struct patch_symbol *symbol)
{
	int code;

	set_owner(walk, NULL, "symbols", index);
	code = patch_fields_string(walk->fields, "name",
				   PATCH_MEMBER(base, upatch_symbol, name),
				   &symbol->name);
	if (code)
		return code;
	if (!symbol->name || symbol->name[0] == '\0')
		return patch_fields_refuse(walk->fields,
					   "name of %s is missing",
					   walk->fields->owner);
	set_owner(walk, symbol->name, NULL, 0);
	code = patch_fields_number(walk->fields, "sympos",
				   PATCH_MEMBER(base, upatch_symbol, sympos),
				   &symbol->sympos);
	if (code)
		return code;
	code = patch_fields_store(walk->fields, "addr",
				  PATCH_MEMBER(base, upatch_symbol, addr),
				  &symbol->store);
	if (code)
		return code;
	if (symbol->store == 0)
		return patch_fields_refuse(walk->fields,
					   "addr of %s is missing",
					   walk->fields->owner);
	return 0;
}

static int read_symbols(struct walk *walk, struct patch_object *object)
{
	upatch_addr_t list;
	size_t count;
	int code = patch_fields_list(walk->fields, &symbol_list,
				     PATCH_MEMBER(object->declaration,
						  upatch_object, symbols),
				     &list, &count);

	if (code || count == 0)
		return code;
	object->symbols = calloc(count, sizeof(*object->symbols));
	if (!object->symbols)
		return patch_fields_no_memory(walk->fields);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = read_symbol(walk, i,
				   list + i * sizeof(struct upatch_symbol),
				   &object->symbols[i]);
	object->symbol_count = count;
	return code;
}

/* --- The object itself -------------------------------------------------- */

static int read_build_id(struct walk *walk, struct patch_object *object)
{
	size_t len;
	int code = patch_fields_string(walk->fields, "build_id",
				       PATCH_MEMBER(object->declaration,
						    upatch_object, build_id),
				       &object->build_id);

	if (code || !object->build_id)
		return code;
	len = strlen(object->build_id);
	if (len == 0 || len % 2 != 0 ||
	    strspn(object->build_id, "0123456789abcdef") != len)
		return patch_fields_refuse(
			walk->fields,
			"build_id of %s is not an even number of lower-case hexadecimal digits",
			walk->fields->owner);
	return 0;
}

static int read_callbacks(struct walk *walk, struct patch_object *object)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[PATCH_CALLBACK_COUNT] = {
		[PATCH_PRE_PATCH] = { "pre_patch",
				      offsetof(struct upatch_object,
					       callbacks.pre_patch) },
		[PATCH_POST_PATCH] = { "post_patch",
				       offsetof(struct upatch_object,
						callbacks.post_patch) },
		[PATCH_PRE_UNPATCH] = { "pre_unpatch",
					offsetof(struct upatch_object,
						 callbacks.pre_unpatch) },
		[PATCH_POST_UNPATCH] = { "post_unpatch",
					 offsetof(struct upatch_object,
						  callbacks.post_unpatch) },
	};
	int code = 0;

	for (int i = 0; code == 0 && i < PATCH_CALLBACK_COUNT; i++)
		code = patch_fields_function(walk->fields, fields[i].name,
					     object->declaration +
						     fields[i].offset,
					     &object->callbacks[i]);
	return code;
}

/* The runtime writes priv: it must be able to, and it must be the first. */
static int check_private(struct walk *walk, const struct patch_object *object)
{
	upatch_addr_t addr =
		PATCH_MEMBER(object->declaration, upatch_object, priv);

	if (!patch_fields_is_null(walk->fields, addr))
		return patch_fields_refuse(walk->fields,
					   "priv of %s is not NULL",
					   walk->fields->owner);
	if (!patch_elf_is_writable(walk->fields->elf, addr, sizeof(void *)))
		return patch_fields_refuse(
			walk->fields,
			"the declaration of %s is not writable: it must not be const",
			walk->fields->owner);
	return 0;
}

static int read_object_name(struct walk *walk, size_t index,
			    struct patch_object *object)
{
	int code;

	snprintf(walk->fields->owner, sizeof(walk->fields->owner),
		 "entry %zu of the objects", index + 1);
	code = patch_fields_string(walk->fields, "name",
				   PATCH_MEMBER(object->declaration,
						upatch_object, name),
				   &object->name);
	if (code)
		return code;
	if (object->name && strlen(object->name) > OBJECT_NAME_MAX)
		return patch_fields_refuse(walk->fields,
					   "name of %s is longer than %d bytes",
					   walk->fields->owner,
					   OBJECT_NAME_MAX);
	if (object->name)
		snprintf(walk->object, sizeof(walk->object), "object '%s'",
			 object->name);
	else
		snprintf(walk->object, sizeof(walk->object),
			 "the main executable");
	return 0;
}

static void set_owner_object(struct walk *walk)
{
	memcpy(walk->fields->owner, walk->object, sizeof(walk->fields->owner));
}

int patch_object_read(struct patch_fields *fields,
		      const struct patch_code *code, size_t index,
		      struct patch_object *object)
{
	struct walk walk = { .fields = fields, .code = code };
	int error = read_object_name(&walk, index, object);

	if (error)
		return error;
	set_owner_object(&walk);
	error = read_build_id(&walk, object);
	if (error == 0)
		error = read_callbacks(&walk, object);
	if (error == 0)
		error = check_private(&walk, object);
	if (error == 0)
		error = read_funcs(&walk, object);
	set_owner_object(&walk);
	if (error == 0)
		error = read_symbols(&walk, object);
	return error;
}

void patch_object_free(struct patch_object *object)
{
	for (size_t i = 0; i < object->func_count; i++)
		free(object->funcs[i].function.parts);
	free(object->funcs);
	free(object->symbols);
}
