/* SPDX-License-Identifier: MIT */
/*
 * Typed reading of what a patch declares: pointers, strings, functions, lists.
 * Whatever is not sound is refused with the name of the field and its owner.
 */
#ifndef UPATCH_PATCH_FIELDS_H
#define UPATCH_PATCH_FIELDS_H

#include "patch_elf.h"

/* The address of a member of the structure that is declared at `base`. */
#define PATCH_MEMBER(base, type, member)                                       \
	((base) + offsetof(struct type, member))

struct patch_fields {
	struct patch_elf *elf;
	/* Bytes of the image that no list has used yet. */
	uint64_t bytes_left;
	/* What is being read, for messages: "the patch", "object 'x'". */
	char owner[160];
	struct upatch_error *err;
};

/* Reports UPATCH_ERROR_BAD_PATCH and returns it. */
__attribute__((format(printf, 2, 3))) int
patch_fields_refuse(const struct patch_fields *fields, const char *format, ...);
int patch_fields_no_memory(const struct patch_fields *fields);

/*
 * Each reads the field called `name` at `addr`.  A pointer is NULL or leads
 * into the patch.
 */
UPATCH_MUST_CHECK int patch_fields_pointer(const struct patch_fields *fields,
					   const char *name, upatch_addr_t addr,
					   bool *ret_is_null,
					   upatch_addr_t *ret_value);
/* A string without control characters, or NULL. */
UPATCH_MUST_CHECK int patch_fields_string(const struct patch_fields *fields,
					  const char *name, upatch_addr_t addr,
					  const char **ret_string);
/* A function of the patch; 0: NULL. */
UPATCH_MUST_CHECK int patch_fields_function(const struct patch_fields *fields,
					    const char *name,
					    upatch_addr_t addr,
					    upatch_addr_t *ret_function);
/* A pointer variable that the loaded patch can write; 0: NULL. */
UPATCH_MUST_CHECK int patch_fields_store(const struct patch_fields *fields,
					 const char *name, upatch_addr_t addr,
					 upatch_addr_t *ret_store);
UPATCH_MUST_CHECK int patch_fields_bool(const struct patch_fields *fields,
					const char *name, upatch_addr_t addr,
					bool *ret_value);
UPATCH_MUST_CHECK int patch_fields_number(const struct patch_fields *fields,
					  const char *name, upatch_addr_t addr,
					  unsigned long *ret_value);
bool patch_fields_is_null(const struct patch_fields *fields,
			  upatch_addr_t addr);

/* A list that the pointer in a field leads to. */
struct patch_list {
	const char *field; /* "funcs", for messages */
	const char *name;  /* "functions" */
	size_t entry_len;
	bool (*is_last)(const struct patch_fields *fields, upatch_addr_t entry);
};
/* Finds the list and its length; NULL: *ret_addr is 0. */
UPATCH_MUST_CHECK int patch_fields_list(struct patch_fields *fields,
					const struct patch_list *list,
					upatch_addr_t addr,
					upatch_addr_t *ret_addr,
					size_t *ret_count);

#endif
