/* SPDX-License-Identifier: MIT */
/*
 * The symbols of a library that comes, found by the runtime alone: by the same
 * rules as a controller's, as the same code chooses among them.
 */
#ifndef UPATCH_RUNTIME_OBJECT_SYMBOLS_H
#define UPATCH_RUNTIME_OBJECT_SYMBOLS_H

#include "../symbols.h"
#include "object_image.h"

struct object_symbols {
	struct object_image image;
	/* for symbols_find, symbols_pieces, symbols_aliases, … */
	struct symbol_table *table;
};

/*
 * Reads .symtab of the file that the library was loaded from, or else of its
 * debug file, if they have its build id; and .dynsym.  Only exported symbols
 * are known where these files are not to be had; .gnu_debugdata is not read,
 * as libc cannot unpack it.  Can be called with the loader's lock held.
 * errno stays as it is.  Release with object_symbols_close.
 */
UPATCH_MUST_CHECK int object_symbols_open(const struct link_map *map,
					  struct object_symbols *ret_symbols,
					  struct upatch_error *err);
void object_symbols_close(struct object_symbols *symbols);

/*
 * Can the dynamic linker bind calls of this function to another library's?
 * Then compilers take nothing for granted about it but the calling convention
 * (GCC unless it is told -fno-semantic-interposition; clang in any case).
 * False also if another name of it, by which its library may call it, cannot
 * be bound elsewhere.  Such names are seen only if static symbols are.
 */
bool object_symbol_is_interposable(const struct object_symbols *symbols,
				   const struct symbol *symbol);

#endif
