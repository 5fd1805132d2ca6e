/* SPDX-License-Identifier: MIT */
/* The dynamic section of a module, in the target's memory (elf(5)). */
#include "dynamic.h"

#include <stdlib.h>
#include <string.h>

/* Far more than any: the biggest have about 50 entries. */
#define MAX_ENTRIES 1024
/* Read at once: mostly all of them. */
#define PORTION 64
/* No table of a module is copied if it is longer. */
#define MAX_TABLE_LEN (1ULL << 30)

static bool is_inside(const struct dynamic_place *place, upatch_addr_t addr,
		      uint64_t len)
{
	return addr >= place->start && addr < place->end &&
	       len <= place->end - addr;
}

/*
 * glibc replaces the addresses in a dynamic section by run-time ones, except
 * where it is read-only, as in the vdso.
 */
static upatch_addr_t place_pointer(const struct dynamic_place *place,
				   uint64_t value)
{
	if (is_inside(place, value, 1))
		return value;
	if (is_inside(place, value + place->bias, 1))
		return value + place->bias;
	return 0;
}

static void take_entry(const struct dynamic_place *place, const Elf64_Dyn *dyn,
		       struct dynamic *dynamic)
{
	uint64_t value = dyn->d_un.d_val;

	switch (dyn->d_tag) {
	case DT_STRTAB:
		dynamic->strtab = place_pointer(place, value);
		break;
	case DT_STRSZ:
		dynamic->strtab_len = value;
		break;
	case DT_SYMTAB:
		dynamic->symtab = place_pointer(place, value);
		break;
	case DT_VERSYM:
		dynamic->versym = place_pointer(place, value);
		break;
	case DT_HASH:
		dynamic->hash = place_pointer(place, value);
		break;
	case DT_GNU_HASH:
		dynamic->gnu_hash = place_pointer(place, value);
		break;
	case DT_SONAME:
		dynamic->soname = value;
		break;
	case DT_DEBUG:
		dynamic->debug = value;
		break;
	default:
		break;
	}
}

bool dynamic_read(const struct memory *memory,
		  const struct dynamic_place *place,
		  struct dynamic *ret_dynamic)
{
	struct dynamic dynamic = { 0 };
	Elf64_Dyn entries[PORTION];

	for (size_t done = 0; done < MAX_ENTRIES; done += PORTION) {
		size_t count = memory_read_some(memory,
						place->dynamic +
							done * sizeof(*entries),
						entries, sizeof(entries)) /
			       sizeof(*entries);

		for (size_t i = 0; i < count; i++) {
			if (entries[i].d_tag == DT_NULL) {
				*ret_dynamic = dynamic;
				return true;
			}
			take_entry(place, &entries[i], &dynamic);
		}
		if (count < PORTION)
			return false;
	}
	return false;
}

void *dynamic_copy(const struct memory *memory,
		   const struct dynamic_place *place, upatch_addr_t addr,
		   uint64_t len)
{
	void *copy;

	if (len == 0 || len > MAX_TABLE_LEN || !is_inside(place, addr, len))
		return NULL;
	copy = malloc(len);
	if (copy && memory_read_some(memory, addr, copy, len) != len) {
		free(copy);
		return NULL;
	}
	return copy;
}

/* One past the last symbol of the chain that begins at `index`; 0: no end. */
static size_t follow_chain(const struct memory *memory,
			   const struct dynamic_place *place,
			   upatch_addr_t chain, uint32_t index)
{
	uint32_t hashes[256];
	upatch_addr_t at = chain + 4ULL * index;

	while (is_inside(place, at, 4)) {
		size_t count =
			memory_read_some(memory, at, hashes, sizeof(hashes)) /
			4;

		for (size_t i = 0; i < count; i++) {
			if (hashes[i] & 1)
				return (size_t)((at - chain) / 4) + i + 1;
		}
		if (count < 256)
			return 0;
		at += sizeof(hashes);
	}
	return 0;
}

/*
 * A GNU hash table does not say how many symbols there are: the last chain
 * ends with the last symbol, and begins at the highest bucket.
 */
static size_t count_by_gnu_hash(const struct memory *memory,
				const struct dynamic_place *place,
				upatch_addr_t table)
{
	struct {
		uint32_t bucket_count, first_symbol, bloom_len, bloom_shift;
	} header;
	uint32_t highest = 0;
	upatch_addr_t buckets;
	uint32_t *copy;

	if (memory_read_some(memory, table, &header, sizeof(header)) !=
	    sizeof(header))
		return 0;
	buckets = table + sizeof(header) + 8ULL * header.bloom_len;
	copy = dynamic_copy(memory, place, buckets, 4ULL * header.bucket_count);
	if (!copy)
		return 0;
	for (size_t i = 0; i < header.bucket_count; i++) {
		if (copy[i] > highest)
			highest = copy[i];
	}
	free(copy);
	/* No symbol is exported: those before first_symbol are imports. */
	if (highest < header.first_symbol)
		return header.first_symbol;
	return follow_chain(memory, place,
			    buckets + 4ULL * header.bucket_count -
				    4ULL * header.first_symbol,
			    highest);
}

size_t dynamic_count_symbols(const struct memory *memory,
			     const struct dynamic_place *place,
			     const struct dynamic *dynamic)
{
	struct {
		uint32_t bucket_count, symbol_count;
	} header;

	if (dynamic->hash != 0 &&
	    memory_read_some(memory, dynamic->hash, &header, sizeof(header)) ==
		    sizeof(header))
		return header.symbol_count;
	if (dynamic->gnu_hash != 0)
		return count_by_gnu_hash(memory, place, dynamic->gnu_hash);
	return 0;
}

bool dynamic_symbols_read(const struct memory *memory,
			  const struct dynamic_place *place,
			  struct dynamic_symbols *ret_symbols)
{
	struct dynamic_symbols symbols = { .bias = place->bias };
	struct dynamic dynamic;

	if (!dynamic_read(memory, place, &dynamic))
		return false;
	symbols.count = dynamic_count_symbols(memory, place, &dynamic);
	symbols.symbols = dynamic_copy(memory, place, dynamic.symtab,
				       symbols.count * sizeof(Elf64_Sym));
	symbols.strings_len = dynamic.strtab_len;
	symbols.strings =
		dynamic_copy(memory, place, dynamic.strtab, dynamic.strtab_len);
	if (!symbols.symbols || !symbols.strings ||
	    symbols.strings[symbols.strings_len - 1] != '\0') {
		dynamic_symbols_free(&symbols);
		return false;
	}
	*ret_symbols = symbols;
	return true;
}

void dynamic_symbols_free(struct dynamic_symbols *symbols)
{
	free(symbols->symbols);
	free(symbols->strings);
	*symbols = (struct dynamic_symbols){ 0 };
}

static const char *name_of(const struct dynamic_symbols *symbols,
			   const Elf64_Sym *symbol)
{
	if (symbol->st_shndx == SHN_UNDEF ||
	    symbol->st_name >= symbols->strings_len)
		return NULL;
	return symbols->strings + symbol->st_name;
}

upatch_addr_t dynamic_symbols_find(const struct dynamic_symbols *symbols,
				   const char *wanted)
{
	for (size_t i = 0; i < symbols->count; i++) {
		const Elf64_Sym *symbol = &symbols->symbols[i];
		const char *name = name_of(symbols, symbol);

		if (name && !strcmp(name, wanted))
			return symbol->st_value + symbols->bias;
	}
	return 0;
}

const char *dynamic_symbols_at(const struct dynamic_symbols *symbols,
			       upatch_addr_t addr, upatch_addr_t *ret_start)
{
	for (size_t i = 0; i < symbols->count; i++) {
		const Elf64_Sym *symbol = &symbols->symbols[i];
		upatch_addr_t start = symbol->st_value + symbols->bias;
		const char *name;

		if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
		    addr < start || addr - start >= symbol->st_size)
			continue;
		name = name_of(symbols, symbol);
		if (!name)
			continue;
		*ret_start = start;
		return name;
	}
	return NULL;
}

upatch_addr_t dynamic_find_symbol(const struct memory *memory,
				  const struct dynamic_place *place,
				  const char *name)
{
	struct dynamic_symbols symbols;
	upatch_addr_t found;

	if (!dynamic_symbols_read(memory, place, &symbols))
		return 0;
	found = dynamic_symbols_find(&symbols, name);
	dynamic_symbols_free(&symbols);
	return found;
}
