/* SPDX-License-Identifier: MIT */
/*
 * The symbols of one ELF file, by name and by address.  Addresses are those
 * in the file, so that every process that runs the file can share an index.
 */
#ifndef UPATCH_SYMBOL_INDEX_H
#define UPATCH_SYMBOL_INDEX_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define SYMBOL_INDEX_NONE UINT32_MAX

enum symbol_type {
	SYMBOL_FUNC,
	SYMBOL_IFUNC, /* STT_GNU_IFUNC: its code only chooses another function */
	SYMBOL_LABEL, /* without a type, in code: hand-written assembly */
	SYMBOL_OBJECT,
	SYMBOL_TLS, /* `addr` is an offset in the thread's storage */
};

struct symbol_entry {
	uint64_t addr;
	/* of code that tells no size: up to the next symbol */
	uint64_t size;
	uint32_t name; /* offset in the index's strings */
	/* without the version, "@VER" or "@@VER" */
	uint32_t name_len;
	uint32_t name_hash;
	/* entries that come after this one in the same hash bucket */
	uint32_t next_name, next_stem;
	/* which source file a static symbol is from; 0: not known */
	uint32_t file;
	uint8_t type; /* enum symbol_type */
	bool is_global;
	bool size_known;
	/* an old version that is kept for programs linked against it */
	bool is_hidden;
	/* the same name at the same address came before */
	bool is_duplicate;
};

struct symbol_index {
	/* in the order in which they were added */
	struct symbol_entry *entries;
	uint32_t count;
	uint32_t file_count;
	char *strings;
	size_t strings_len;
	/* where code is, ascending; functions are nowhere else */
	struct addr_range *code;
	size_t code_count;
	/* buckets: entries by name, functions by what is before a "." in it */
	uint32_t *names, *stems;
	uint32_t bucket_mask;
	/* functions by address; reach[i]: the highest end in [0, i] */
	uint32_t *by_addr;
	uint64_t *reach;
	uint32_t by_addr_count;
};

/* Symbols as they stand in a file or in memory; need not be valid. */
struct symbol_source_table {
	const Elf64_Sym *symbols;
	size_t count;
	const char *strings;
	size_t strings_len;
	/* an entry per symbol, or NULL */
	const Elf64_Half *versions;
};

/*
 * An index is filled, then finished, then only read.  False: out of memory,
 * or more symbols than are ever counted.
 */
void symbol_index_init(struct symbol_index *index);
bool symbol_index_add_code(struct symbol_index *index, uint64_t start,
			   uint64_t end);
/* All code has been added before. */
bool symbol_index_add_table(struct symbol_index *index,
			    const struct symbol_source_table *table);
bool symbol_index_finish(struct symbol_index *index);
void symbol_index_fini(struct symbol_index *index);

static inline const char *symbol_index_name(const struct symbol_index *index,
					    const struct symbol_entry *entry)
{
	return index->strings + entry->name;
}

/*
 * The entries with this name, versions left aside, in order and without
 * duplicates: the first one, and the next one with the name of entry `number`.
 */
uint32_t symbol_index_first(const struct symbol_index *index, const char *name,
			    size_t len);
uint32_t symbol_index_next(const struct symbol_index *index, uint32_t number);

/* Functions whose names begin with `name` and a ".", likewise. */
uint32_t symbol_index_first_part(const struct symbol_index *index,
				 const char *name, size_t len);
uint32_t symbol_index_next_part(const struct symbol_index *index,
				const char *name, size_t len, uint32_t number);

/* The place in by_addr of the first function that begins after `addr`. */
uint32_t symbol_index_after(const struct symbol_index *index, uint64_t addr);

#endif
