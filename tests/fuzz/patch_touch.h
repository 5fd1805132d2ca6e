/* SPDX-License-Identifier: MIT */
/*
 * Reads every byte that a model promises, so that a sanitizer sees it, and
 * counts the promises that are broken.
 */
#ifndef UPATCH_TEST_PATCH_TOUCH_H
#define UPATCH_TEST_PATCH_TOUCH_H

#include <string.h>

#include <upatch/patch.h>

#include "patch_model.h"

static inline size_t touch_string(const char *string, size_t most)
{
	return string && (strlen(string) == 0 || strlen(string) > most);
}

static inline size_t touch_range(const struct patch_elf *elf,
				 const struct addr_range *range)
{
	return range->end <= range->start ||
	       !patch_elf_find(elf, range->start, range->end - range->start);
}

static inline size_t touch_func(const struct patch_elf *elf,
				const struct patch_func *func)
{
	size_t broken = 0;

	broken += !func->old_name || touch_string(func->old_name, SIZE_MAX);
	broken += touch_string(func->function.name, SIZE_MAX);
	broken += !patch_elf_is_code(elf, func->new_func);
	broken += !addr_range_has(&func->function.code, func->new_func);
	broken += touch_range(elf, &func->function.code);
	for (size_t i = 0; i < func->function.part_count; i++)
		broken += touch_range(elf, &func->function.parts[i]);
	broken += func->orig_func &&
		  !patch_elf_is_writable(elf, func->orig_func, sizeof(void *));
	return broken;
}

static inline size_t touch_object(const struct patch_elf *elf,
				  const struct patch_object *object)
{
	size_t broken = touch_string(object->name, 127) +
			touch_string(object->build_id, SIZE_MAX);

	for (size_t i = 0; i < object->func_count; i++)
		broken += touch_func(elf, &object->funcs[i]);
	for (size_t i = 0; i < object->symbol_count; i++) {
		broken += !object->symbols[i].name ||
			  touch_string(object->symbols[i].name, SIZE_MAX);
		broken += !patch_elf_is_writable(elf, object->symbols[i].store,
						 sizeof(void *));
	}
	for (size_t i = 0; i < PATCH_CALLBACK_COUNT; i++)
		broken += object->callbacks[i] &&
			  !patch_elf_is_code(elf, object->callbacks[i]);
	return broken;
}

static inline size_t touch_model(const struct patch_model *model)
{
	const struct patch_elf *elf = &model->elf;
	size_t broken = 0;

	broken += !model->name || touch_string(model->name, UPATCH_NAME_MAX);
	broken += model->object_count == 0;
	for (size_t i = 0; i < model->object_count; i++)
		broken += touch_object(elf, &model->objects[i]);
	for (size_t i = 0; i < model->state_count; i++)
		broken += model->states[i].id == 0;
	for (size_t i = 0; i < model->binding_count; i++)
		broken += !model->bindings[i].symbol;
	for (size_t i = 0; i < elf->needed_count; i++)
		broken += strlen(elf->needed[i]) > elf->file_len;
	for (size_t i = 0; i < elf->text_count; i++)
		broken += touch_range(elf, &elf->text[i]);
	return broken;
}

#endif
