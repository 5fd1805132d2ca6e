/* SPDX-License-Identifier: MIT */
/*
 * What a patch declares for one object.  Addresses are those of the file: the
 * loader adds the same load address to each.
 */
#ifndef UPATCH_PATCH_OBJECT_H
#define UPATCH_PATCH_OBJECT_H

#include "patch_code.h"
#include "patch_fields.h"

enum patch_callback {
	PATCH_PRE_PATCH,
	PATCH_POST_PATCH,
	PATCH_PRE_UNPATCH,
	PATCH_POST_UNPATCH,
	PATCH_CALLBACK_COUNT
};

struct patch_func {
	upatch_addr_t declaration; /* the struct upatch_func */
	const char *old_name;
	unsigned long sympos;
	bool immediate;
	upatch_addr_t new_func;
	struct patch_function function; /* that new_func is in */
	upatch_addr_t orig_func; /* where the pointer is stored; 0: nowhere */
};

struct patch_symbol {
	const char *name;
	unsigned long sympos;
	upatch_addr_t store; /* where the address is stored */
};

struct patch_object {
	upatch_addr_t declaration; /* the struct upatch_object */
	const char *name;	   /* NULL: the main executable */
	const char *build_id;	   /* or NULL */
	struct patch_func *funcs;
	size_t func_count;
	struct patch_symbol *symbols;
	size_t symbol_count;
	upatch_addr_t callbacks[PATCH_CALLBACK_COUNT]; /* 0: none */
};

/*
 * Reads the struct upatch_object at object->declaration, the index-th of the
 * patch; the other members are zero.  Release with patch_object_free, also
 * after a failure.
 */
UPATCH_MUST_CHECK int patch_object_read(struct patch_fields *fields,
					const struct patch_code *code,
					size_t index,
					struct patch_object *object);
void patch_object_free(struct patch_object *object);

#endif
