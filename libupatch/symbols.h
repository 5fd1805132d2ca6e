/* SPDX-License-Identifier: MIT */
/*
 * The symbols of one module of the target, or of a file: which function is
 * meant by a name, and which name belongs to an address.
 */
#ifndef UPATCH_SYMBOLS_H
#define UPATCH_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "error.h"
#include "symbol_index.h"

struct maps;
struct memory;
struct module;

/* The best table that was found; .dynsym is always read as well. */
enum symbol_origin {
	SYMBOL_ORIGIN_DYNAMIC,	 /* .dynsym alone: exported symbols */
	SYMBOL_ORIGIN_MINIDEBUG, /* .gnu_debugdata: functions */
	SYMBOL_ORIGIN_DEBUG,	 /* .symtab of a separate debug file */
	SYMBOL_ORIGIN_FULL	 /* .symtab of the file */
};

struct symbol_table {
	/* bias-free, and the same for every process that runs the file */
	struct symbol_index *index;
	upatch_addr_t bias;
	/* for messages */
	char *name;
	enum symbol_origin origin;
	/* the index belongs to somebody else (file_cache.c) */
	bool is_shared;
	/* nothing had to be read from the memory of a process */
	bool is_from_file;
};

struct symbol {
	const char *name;   /* lives as long as the table; may end in "@@VER" */
	upatch_addr_t addr; /* at run time; of SYMBOL_TLS: an offset */
	uint64_t size;
	/* false: `size` only tells where the next symbol begins */
	bool size_known;
	bool is_global;
	enum symbol_type type;
	/* which occurrence of the name this is, from 1; 0: not asked for */
	unsigned long sympos;
	uint32_t entry; /* in the table's index */
};

enum symbol_wanted {
	SYMBOL_WANTED_FUNC,
	SYMBOL_WANTED_ANY
};

/* What a module is called in messages. */
const char *symbols_module_name(const struct module *module);

/*
 * Reads the symbols of a module: static ones too where its file, what was
 * split off it, or its .gnu_debugdata has them; exported ones out of memory
 * where the file is no longer to be had.  A module without symbols gives an
 * empty table.  *ret_table is released with symbols_close.
 */
UPATCH_MUST_CHECK int symbols_open(const struct module *module,
				   const struct maps *maps,
				   const struct memory *memory,
				   struct symbol_table **ret_table,
				   struct upatch_error *err);
/* The same for an executable or library that is not loaded: bias 0. */
UPATCH_MUST_CHECK int symbols_open_file(const char *path,
					struct symbol_table **ret_table,
					struct upatch_error *err);
void symbols_close(struct symbol_table *table);

/* False: pieces and clones of functions may exist without being seen. */
bool symbols_has_static(const struct symbol_table *table);

/*
 * The symbol `name`, in the best table that was found: sympos 0 if the name is
 * unique, else the sympos-th of the name in the order of that table.  Symbols
 * that are only in .dynsym come after it.  A name twice at one address counts
 * once.  A plain name means its default version; an old version is found by
 * "name@VER" where .symtab names it so.  UPATCH_ERROR_MISMATCH: not found, not
 * unique, an indirect function (all with what could be meant), or not of the
 * kind that is wanted.
 */
UPATCH_MUST_CHECK int symbols_find(const struct symbol_table *table,
				   const char *name, unsigned long sympos,
				   enum symbol_wanted wanted,
				   struct symbol *ret_symbol,
				   struct upatch_error *err);

/* The function that contains `addr`; exported names first.  False: none. */
bool symbols_at(const struct symbol_table *table, upatch_addr_t addr,
		struct symbol *ret_symbol);

/*
 * The following fill `ret_symbols`, which has room for `max`, and return how
 * many there are, which may be more.
 */

/* Every function name at exactly this address. */
size_t symbols_aliases(const struct symbol_table *table, upatch_addr_t addr,
		       struct symbol *ret_symbols, size_t max);
/*
 * The parts that the compiler split off a function, and that run as part of
 * it: name.cold, name.part.0, name.part.0.cold.  Of static functions with the
 * same name each has its own, where the table names source files; otherwise
 * each is given all.
 */
size_t symbols_pieces(const struct symbol_table *table,
		      const struct symbol *function, struct symbol *ret_symbols,
		      size_t max);
/*
 * Specialised copies of a function, name.isra.0 and name.constprop.0, and
 * their pieces.  They have callers of their own, which a patch of the function
 * does not reach.
 */
size_t symbols_clones(const struct symbol_table *table,
		      const struct symbol *function, struct symbol *ret_symbols,
		      size_t max);

#endif
