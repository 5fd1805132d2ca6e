/* SPDX-License-Identifier: MIT */
/*
 * The code of one object as it was before any patch: what is in the target's
 * memory, with the bytes that jumps of ours have replaced put back; or what is
 * in a file that nobody has loaded.
 */
#ifndef UPATCH_OBJECT_CODE_H
#define UPATCH_OBJECT_CODE_H

#include "arch/clobber.h"
#include "eh_index.h"
#include "elf_file.h"
#include "symbols.h"
#include "view.h"

struct object_code {
	const struct symbol_table *table;
	/* either both of these, or `file` */
	const struct memory *memory;
	const struct module *module;
	const struct elf_file *file;
	const struct view *view; /* NULL: nothing is patched */
	struct eh_index eh_index;
	/* what was read, kept until object_code_close */
	struct code_piece *pieces;
};

UPATCH_MUST_CHECK int
object_code_open(struct object_code *object, const struct memory *memory,
		 const struct module *module, const struct symbol_table *table,
		 const struct view *view, struct upatch_error *err);
void object_code_open_file(struct object_code *object,
			   const struct elf_file *file,
			   const struct symbol_table *table);
void object_code_close(struct object_code *object);

/* By what its headers say, not by what is mapped now. */
bool object_code_has(const struct object_code *object, upatch_addr_t addr,
		     size_t len);
/* NULL: it cannot be read, or is longer than any function. */
const uint8_t *object_code_read(struct object_code *object, upatch_addr_t addr,
				size_t len);

/* For clobber_analyze; borrows `object`. */
struct code_source object_code_source(struct object_code *object);

#endif
