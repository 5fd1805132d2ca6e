/* SPDX-License-Identifier: MIT */
/* Which bytes of a patch belong to a function, and what it is called. */
#ifndef UPATCH_PATCH_CODE_H
#define UPATCH_PATCH_CODE_H

#include "patch_elf.h"

struct patch_code_symbol {
	upatch_addr_t addr;
	uint64_t size;
	const char *name;
	uint8_t rank; /* which of several names is shown */
	/* From .symtab, which has the static functions too. */
	bool is_full;
};

struct patch_code {
	const struct patch_elf *elf;
	/* by address, then by rank, the best first */
	struct patch_code_symbol *symbols;
	size_t symbol_count;
	/* the same ones by name */
	struct patch_code_symbol *by_name;
};

struct patch_function {
	/* Its symbol, or NULL. */
	const char *name;
	/* Everything from its first to its last byte. */
	struct addr_range code;
	/* False: `code` ends where something else begins. */
	bool size_known;
	/* What the compiler moved elsewhere: NAME.cold, NAME.part.N. */
	struct addr_range *parts;
	size_t part_count;
	/* False: the symbols that would tell were stripped. */
	bool parts_known;
};

/* Collects the symbols; `elf` and the file outlive `code`. */
UPATCH_MUST_CHECK int patch_code_open(struct patch_code *code,
				      const struct patch_elf *elf,
				      struct upatch_error *err);
void patch_code_close(struct patch_code *code);

/*
 * The function at `addr`, which lies in executable memory.  ret->parts belongs
 * to the caller.
 */
UPATCH_MUST_CHECK int patch_code_locate(const struct patch_code *code,
					upatch_addr_t addr,
					struct patch_function *ret_function,
					struct upatch_error *err);

#endif
