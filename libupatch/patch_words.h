/* SPDX-License-Identifier: MIT */
/*
 * The words of a patch's image that the loader writes, and what a pointer in
 * the image will point to.
 */
#ifndef UPATCH_PATCH_WORDS_H
#define UPATCH_PATCH_WORDS_H

#include "patch_elf.h"

/*
 * Applies the dynamic relocations to elf->image and fills elf->words.  Words
 * whose value only the loader can know become 0 and are marked.
 */
UPATCH_MUST_CHECK int patch_words_relocate(struct patch_elf *elf,
					   struct upatch_error *err);

enum patch_pointer_kind {
	PATCH_POINTER_NULL,
	/* An address in the patch. */
	PATCH_POINTER_LOCAL,
	/* Something of another object, or that is made when it is loaded. */
	PATCH_POINTER_FOREIGN,
	/* A number that is not relocated: wrong wherever the patch is loaded. */
	PATCH_POINTER_FIXED,
	/* The pointer itself lies outside the image. */
	PATCH_POINTER_UNREADABLE
};

struct patch_pointer {
	enum patch_pointer_kind kind;
	upatch_addr_t addr; /* of PATCH_POINTER_LOCAL */
	/* of PATCH_POINTER_FOREIGN: the undefined symbol, or NULL */
	const char *symbol;
};

/* The pointer at `addr`; marks the word as used. */
struct patch_pointer patch_words_pointer(struct patch_elf *elf,
					 upatch_addr_t addr);

#endif
