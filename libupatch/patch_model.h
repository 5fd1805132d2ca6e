/* SPDX-License-Identifier: MIT */
/*
 * What a patch declares (upatch/patch.h), read from its shared object without
 * loading it.  Addresses are those of the file: the loader adds the same load
 * address to each.
 */
#ifndef UPATCH_PATCH_MODEL_H
#define UPATCH_PATCH_MODEL_H

#include "patch_elf.h"
#include "patch_object.h"

struct patch_state {
	unsigned long id;
	unsigned int version;
};

/*
 * A word that goes through a symbol with default visibility, which is a
 * pointer of the model, or whose symbol the patch defines and does not mean to
 * be shared.  If the target defines that symbol, the loader prefers the
 * target's: after loading, the word at `addr` must be the load address +
 * value, or 0 if `is_null`.
 */
struct patch_binding {
	upatch_addr_t addr, value;
	bool is_null;
	/* A constructor may have given it another value since. */
	bool may_change;
	/* A thread-local variable, an IFUNC: the value cannot be known. */
	bool is_opaque;
	const char *symbol;
};

struct patch_model {
	struct patch_elf elf;
	upatch_addr_t declaration; /* the struct upatch_patch */
	unsigned int interface_version;
	const char *name;
	const char *description; /* or NULL */
	bool replace, immediate;
	struct patch_object *objects;
	size_t object_count;
	struct patch_state *states;
	size_t state_count;
	struct patch_binding *bindings;
	size_t binding_count;
};

/*
 * Reads the patch in file[0, len), which belongs to the caller and must stay
 * until patch_model_free.  The first problem is reported, as the second half
 * of a sentence about the file ("it has no descriptor: ...").
 */
UPATCH_MUST_CHECK int patch_model_parse(const void *file, size_t len,
					struct patch_model **ret_model,
					struct upatch_error *err);
void patch_model_free(struct patch_model *model);

#endif
