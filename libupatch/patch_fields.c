/* SPDX-License-Identifier: MIT */
/* Reading the fields of a patch's declarations. */
#include "patch_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "patch_words.h"

/* Mangled names have thousands of bytes; a limit keeps the walk short. */
#define STRING_MAX  65535
#define POINTER_LEN sizeof(void *)

int patch_fields_refuse(const struct patch_fields *fields, const char *format,
			...)
{
	char reason[UPATCH_ERROR_MESSAGE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return error_set(fields->err, UPATCH_ERROR_BAD_PATCH, 0, "%s", reason);
}

int patch_fields_no_memory(const struct patch_fields *fields)
{
	return error_set(fields->err, UPATCH_ERROR_NO_MEMORY, 0,
			 "no memory for what it declares");
}

static bool is_printable(const char *string)
{
	for (; *string; string++)
		if ((unsigned char)*string < ' ' || *string == 0x7f)
			return false;
	return true;
}

int patch_fields_pointer(const struct patch_fields *fields, const char *name,
			 upatch_addr_t addr, bool *ret_is_null,
			 upatch_addr_t *ret_value)
{
	struct patch_pointer pointer = patch_words_pointer(fields->elf, addr);

	switch (pointer.kind) {
	case PATCH_POINTER_NULL:
		*ret_is_null = true;
		*ret_value = 0;
		return 0;
	case PATCH_POINTER_LOCAL:
		*ret_is_null = false;
		*ret_value = pointer.addr;
		return 0;
	case PATCH_POINTER_FOREIGN:
		if (pointer.symbol && is_printable(pointer.symbol))
			return patch_fields_refuse(
				fields,
				"%s of %s is not in the patch: it is '%s' of another object",
				name, fields->owner, pointer.symbol);
		return patch_fields_refuse(
			fields,
			"%s of %s is not in the patch: only the loader knows it",
			name, fields->owner);
	case PATCH_POINTER_FIXED:
		return patch_fields_refuse(
			fields,
			"%s of %s is not in the patch: it is the number 0x%lx",
			name, fields->owner, pointer.addr);
	case PATCH_POINTER_UNREADABLE:
		break;
	}
	return patch_fields_refuse(fields,
				   "%s of %s lies outside the patch's memory",
				   name, fields->owner);
}

int patch_fields_string(const struct patch_fields *fields, const char *name,
			upatch_addr_t addr, const char **ret_string)
{
	const char *string;
	upatch_addr_t value = 0;
	bool is_null = true;
	int code = patch_fields_pointer(fields, name, addr, &is_null, &value);

	if (code)
		return code;
	if (is_null) {
		*ret_string = NULL;
		return 0;
	}
	string = patch_elf_find_string(fields->elf, value);
	if (!string)
		return patch_fields_refuse(
			fields, "%s of %s is not a string of the patch", name,
			fields->owner);
	if (strnlen(string, STRING_MAX + 1) > STRING_MAX)
		return patch_fields_refuse(fields,
					   "%s of %s is longer than %d bytes",
					   name, fields->owner, STRING_MAX);
	if (!is_printable(string))
		return patch_fields_refuse(fields,
					   "%s of %s has control characters",
					   name, fields->owner);
	*ret_string = string;
	return 0;
}

int patch_fields_function(const struct patch_fields *fields, const char *name,
			  upatch_addr_t addr, upatch_addr_t *ret_function)
{
	upatch_addr_t value = 0;
	bool is_null = true;
	int code = patch_fields_pointer(fields, name, addr, &is_null, &value);

	if (code)
		return code;
	if (!is_null && !patch_elf_is_code(fields->elf, value))
		return patch_fields_refuse(
			fields,
			"%s of %s is not a function of the patch: 0x%lx is not in executable memory",
			name, fields->owner, value);
	*ret_function = is_null ? 0 : value;
	return 0;
}

int patch_fields_store(const struct patch_fields *fields, const char *name,
		       upatch_addr_t addr, upatch_addr_t *ret_store)
{
	upatch_addr_t value = 0;
	bool is_null = true;
	int code = patch_fields_pointer(fields, name, addr, &is_null, &value);

	if (code)
		return code;
	if (!is_null && !patch_elf_is_writable(fields->elf, value, POINTER_LEN))
		return patch_fields_refuse(
			fields,
			"%s of %s is not a variable of the patch: 0x%lx is not writable",
			name, fields->owner, value);
	*ret_store = is_null ? 0 : value;
	return 0;
}

int patch_fields_bool(const struct patch_fields *fields, const char *name,
		      upatch_addr_t addr, bool *ret_value)
{
	uint8_t byte;

	if (!patch_elf_read(fields->elf, addr, &byte, sizeof(byte)))
		return patch_fields_refuse(
			fields, "%s of %s lies outside the patch's memory",
			name, fields->owner);
	if (byte > 1)
		return patch_fields_refuse(fields,
					   "%s of %s is neither true nor false",
					   name, fields->owner);
	*ret_value = byte != 0;
	return 0;
}

int patch_fields_number(const struct patch_fields *fields, const char *name,
			upatch_addr_t addr, unsigned long *ret_value)
{
	unsigned long value;

	if (!patch_elf_read(fields->elf, addr, &value, sizeof(value)))
		return patch_fields_refuse(
			fields, "%s of %s lies outside the patch's memory",
			name, fields->owner);
	*ret_value = value;
	return 0;
}

bool patch_fields_is_null(const struct patch_fields *fields, upatch_addr_t addr)
{
	return patch_words_pointer(fields->elf, addr).kind ==
	       PATCH_POINTER_NULL;
}

/*
 * Each entry takes its bytes from the image's: two lists in the same memory,
 * or one that is used again and again, would make a small file look like an
 * endless patch.
 */
static int count_entries(struct patch_fields *fields,
			 const struct patch_list *list, upatch_addr_t addr,
			 size_t *ret_count)
{
	size_t count = 0;

	for (;; count++, addr += list->entry_len) {
		if (!patch_elf_find(fields->elf, addr, list->entry_len))
			return patch_fields_refuse(
				fields, "the list of %s of %s does not end",
				list->name, fields->owner);
		if (list->is_last(fields, addr))
			break;
		if (fields->bytes_left < list->entry_len)
			return patch_fields_refuse(
				fields,
				"the list of %s of %s overlaps with other lists",
				list->name, fields->owner);
		fields->bytes_left -= list->entry_len;
	}
	*ret_count = count;
	return 0;
}

int patch_fields_list(struct patch_fields *fields,
		      const struct patch_list *list, upatch_addr_t addr,
		      upatch_addr_t *ret_addr, size_t *ret_count)
{
	upatch_addr_t first = 0;
	bool is_null = true;
	int code = patch_fields_pointer(fields, list->field, addr, &is_null,
					&first);

	if (code)
		return code;
	if (is_null) {
		*ret_addr = 0;
		*ret_count = 0;
		return 0;
	}
	if (!patch_elf_find(fields->elf, first, 1))
		return patch_fields_refuse(
			fields, "%s of %s lies outside the patch's memory",
			list->field, fields->owner);
	code = count_entries(fields, list, first, ret_count);
	if (code == 0)
		*ret_addr = first;
	return code;
}
