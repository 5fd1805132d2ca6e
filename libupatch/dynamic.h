/* SPDX-License-Identifier: MIT */
/* The dynamic section of a module, in the target's memory. */
#ifndef UPATCH_DYNAMIC_H
#define UPATCH_DYNAMIC_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "memory.h"

/* Where a module is; nothing outside [start, end) is believed or read. */
struct dynamic_place {
	upatch_addr_t dynamic;
	upatch_addr_t bias, start, end;
};

/* Addresses at run time; 0: not there, or outside of the module. */
struct dynamic {
	upatch_addr_t strtab;
	uint64_t strtab_len;
	upatch_addr_t symtab, versym;
	upatch_addr_t hash, gnu_hash;
	uint64_t soname;     /* offset in strtab; 0: none */
	upatch_addr_t debug; /* DT_DEBUG as it stands there */
};

/* False: it cannot be read, or does not end. */
bool dynamic_read(const struct memory *memory,
		  const struct dynamic_place *place,
		  struct dynamic *ret_dynamic);

/* How many symbols `symtab` has, by the hash tables; 0: not known. */
size_t dynamic_count_symbols(const struct memory *memory,
			     const struct dynamic_place *place,
			     const struct dynamic *dynamic);

/*
 * A copy of `len` bytes at `addr`, to be freed; NULL: they are not all inside
 * the module, or cannot be read.
 */
void *dynamic_copy(const struct memory *memory,
		   const struct dynamic_place *place, upatch_addr_t addr,
		   uint64_t len);

/* What a module exports, and imports, copied out of it. */
struct dynamic_symbols {
	Elf64_Sym *symbols;
	size_t count;
	char *strings; /* the last one ends */
	size_t strings_len;
	upatch_addr_t bias;
};

/* False: there are none, or they cannot be read.  Release with free. */
bool dynamic_symbols_read(const struct memory *memory,
			  const struct dynamic_place *place,
			  struct dynamic_symbols *ret_symbols);
void dynamic_symbols_free(struct dynamic_symbols *symbols);
/* The run-time address of the defined symbol `wanted`; 0: there is none. */
upatch_addr_t dynamic_symbols_find(const struct dynamic_symbols *symbols,
				   const char *wanted);
/*
 * A function that is exported and includes `addr`, by its size: one of its
 * names, and where it begins.  NULL: there is none.
 */
const char *dynamic_symbols_at(const struct dynamic_symbols *symbols,
			       upatch_addr_t addr, upatch_addr_t *ret_start);

/* The run-time address of the defined symbol `name`; 0: there is none. */
upatch_addr_t dynamic_find_symbol(const struct memory *memory,
				  const struct dynamic_place *place,
				  const char *name);

#endif
