/* SPDX-License-Identifier: MIT */
/*
 * What the loader learns from a patch's dynamic section.  Section headers play
 * no part: they may have been stripped.
 */
#ifndef UPATCH_PATCH_DYNAMIC_H
#define UPATCH_PATCH_DYNAMIC_H

#include "patch_elf.h"

/* Fills elf->dynamic from elf->dynamic_range; refuses what cannot be loaded. */
UPATCH_MUST_CHECK int patch_dynamic_read(struct patch_elf *elf,
					 struct upatch_error *err);
/* Fills soname and needed, once the image is relocated. */
UPATCH_MUST_CHECK int patch_dynamic_read_names(struct patch_elf *elf,
					       struct upatch_error *err);

/* Symbol `index` of the dynamic symbol table; false: outside the image. */
bool patch_dynamic_symbol(const struct patch_elf *elf, uint64_t index,
			  Elf64_Sym *ret_symbol);
/* The string at `offset` of the dynamic string table, or NULL. */
const char *patch_dynamic_find_string(const struct patch_elf *elf,
				      uint64_t offset);
/* The definition of `name` that dlsym would find, or false. */
bool patch_dynamic_find_symbol(const struct patch_elf *elf, const char *name,
			       Elf64_Sym *ret_symbol);

#endif
