/* SPDX-License-Identifier: MIT */
/* The functions of a patch, by address and by name. */
#include "patch_code.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "patch_dynamic.h"
#include "patch_frame.h"

/* A section's symbols, whose sizes libelf has checked against the file. */
struct symbol_section {
	Elf_Data *table;
	uint32_t strings; /* index of the section with the names */
	size_t count;
};

static bool find_symtab(const struct patch_elf *elf,
			struct symbol_section *ret_section)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf->handle, section))) {
		if (!gelf_getshdr(section, &header) ||
		    header.sh_type != SHT_SYMTAB)
			continue;
		ret_section->table = elf_getdata(section, NULL);
		if (!ret_section->table)
			return false;
		ret_section->strings = header.sh_link;
		ret_section->count =
			ret_section->table->d_size / sizeof(Elf64_Sym);
		return true;
	}
	return false;
}

static uint8_t rank_of(const Elf64_Sym *symbol)
{
	uint8_t rank = symbol->st_size ? 1 : 0;

	if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC)
		rank += 2;
	if (ELF64_ST_BIND(symbol->st_info) == STB_WEAK)
		rank += 4;
	else if (ELF64_ST_BIND(symbol->st_info) != STB_LOCAL)
		rank += 8;
	return rank;
}

static void add_symbol(struct patch_code *code, const Elf64_Sym *symbol,
		       const char *name, bool is_full)
{
	int type = ELF64_ST_TYPE(symbol->st_info);
	struct patch_code_symbol *added;

	if (!name || name[0] == '\0' || symbol->st_shndx == SHN_UNDEF ||
	    (type != STT_FUNC && type != STT_NOTYPE) ||
	    !patch_elf_is_code(code->elf, symbol->st_value))
		return;
	added = &code->symbols[code->symbol_count++];
	added->addr = symbol->st_value;
	added->size = symbol->st_size;
	added->name = name;
	added->rank = rank_of(symbol);
	added->is_full = is_full;
	/* The table is not what the loader goes by: it may be wrong. */
	if (!patch_elf_find_segment(code->elf, added->addr, added->size))
		added->size = 0;
}

static void add_section(struct patch_code *code,
			const struct symbol_section *section)
{
	for (size_t i = 1; i < section->count; i++) {
		GElf_Sym symbol;

		if (gelf_getsym(section->table, (int)i, &symbol))
			add_symbol(code, &symbol,
				   elf_strptr(code->elf->handle,
					      section->strings, symbol.st_name),
				   true);
	}
}

static void add_dynamic(struct patch_code *code)
{
	for (uint64_t i = 1; i < code->elf->dynamic.symbol_count; i++) {
		Elf64_Sym symbol;

		if (patch_dynamic_symbol(code->elf, i, &symbol))
			add_symbol(code, &symbol,
				   patch_dynamic_find_string(code->elf,
							     symbol.st_name),
				   false);
	}
}

static int compare_by_addr(const void *left, const void *right)
{
	const struct patch_code_symbol *a = left, *b = right;

	if (a->addr != b->addr)
		return a->addr > b->addr ? 1 : -1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? 1 : -1;
	if (strcmp(a->name, b->name) != 0)
		return strcmp(a->name, b->name);
	return (int)b->is_full - (int)a->is_full;
}

static int compare_by_name(const void *left, const void *right)
{
	const struct patch_code_symbol *a = left, *b = right;

	return strcmp(a->name, b->name);
}

/* Exported functions stand in both tables; keeps the one from .symtab. */
static void drop_duplicates(struct patch_code *code)
{
	size_t kept = 0;

	for (size_t i = 0; i < code->symbol_count; i++) {
		const struct patch_code_symbol *symbol = &code->symbols[i];

		if (kept > 0 && symbol->addr == code->symbols[kept - 1].addr &&
		    strcmp(symbol->name, code->symbols[kept - 1].name) == 0)
			continue;
		code->symbols[kept++] = *symbol;
	}
	code->symbol_count = kept;
}

int patch_code_open(struct patch_code *code, const struct patch_elf *elf,
		    struct upatch_error *err)
{
	struct symbol_section section = { 0 };
	size_t most;

	memset(code, 0, sizeof(*code));
	code->elf = elf;
	find_symtab(elf, &section);
	most = section.count + elf->dynamic.symbol_count + 1;
	code->symbols = calloc(most, sizeof(*code->symbols));
	code->by_name = calloc(most, sizeof(*code->by_name));
	if (!code->symbols || !code->by_name) {
		patch_code_close(code);
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for %zu symbols", most);
	}
	add_section(code, &section);
	add_dynamic(code);
	qsort(code->symbols, code->symbol_count, sizeof(*code->symbols),
	      compare_by_addr);
	drop_duplicates(code);
	memcpy(code->by_name, code->symbols,
	       code->symbol_count * sizeof(*code->symbols));
	qsort(code->by_name, code->symbol_count, sizeof(*code->by_name),
	      compare_by_name);
	return 0;
}

void patch_code_close(struct patch_code *code)
{
	free(code->by_name);
	free(code->symbols);
	memset(code, 0, sizeof(*code));
}

/* Index of the first symbol at `addr` or above. */
static size_t first_at(const struct patch_code *code, upatch_addr_t addr)
{
	size_t low = 0, high = code->symbol_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (code->symbols[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Index of the first symbol whose name does not sort before `name`. */
static size_t first_named(const struct patch_code *code, const char *name)
{
	size_t low = 0, high = code->symbol_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(code->by_name[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The symbol that begins at `addr`, or else the shortest one around it. */
static const struct patch_code_symbol *
find_covering(const struct patch_code *code, upatch_addr_t addr)
{
	const struct patch_code_symbol *best = NULL;
	size_t first = first_at(code, addr);

	if (first < code->symbol_count && code->symbols[first].addr == addr)
		return &code->symbols[first];
	for (size_t i = 0; i < first; i++) {
		const struct patch_code_symbol *symbol = &code->symbols[i];

		if (addr - symbol->addr < symbol->size &&
		    (!best || symbol->size < best->size))
			best = symbol;
	}
	return best;
}

/* Where the code at `addr` ends at the latest. */
static upatch_addr_t end_by_neighbour(const struct patch_code *code,
				      upatch_addr_t addr)
{
	upatch_addr_t end =
		patch_elf_find_segment(code->elf, addr, 1)->range.end;
	size_t next = first_at(code, addr + 1);

	if (next < code->symbol_count && code->symbols[next].addr < end)
		end = code->symbols[next].addr;
	return end;
}

/* The symbol's own size, else that of the unwind tables, else a guess. */
static bool find_extent(const struct patch_code *code, upatch_addr_t addr,
			const struct patch_code_symbol *symbol,
			struct addr_range *ret_range)
{
	if (symbol && symbol->size) {
		ret_range->start = symbol->addr;
		ret_range->end = symbol->addr + symbol->size;
		return true;
	}
	if (patch_frame_find(code->elf, addr, ret_range))
		return true;
	ret_range->start = addr;
	ret_range->end = end_by_neighbour(code, addr);
	return false;
}

/* Skips ".N", if it is there. */
static const char *skip_number(const char *suffix)
{
	size_t digits;

	if (suffix[0] != '.')
		return suffix;
	digits = strspn(suffix + 1, "0123456789");
	return digits ? suffix + 1 + digits : suffix;
}

/*
 * Is `suffix`, which begins with a dot, what GCC (.cold, .part.N) or LLVM
 * (.cold, .cold.N, .__part.N) add to the name of a function's piece?
 */
static bool is_part_suffix(const char *suffix)
{
	static const char *const kinds[] = { ".cold", ".part", ".__part" };

	while (*suffix) {
		size_t i = 0, len;

		while (i < 3 &&
		       strncmp(suffix, kinds[i], strlen(kinds[i])) != 0)
			i++;
		if (i == 3)
			return false;
		len = strlen(kinds[i]);
		suffix = skip_number(suffix + len);
		if (*suffix && *suffix != '.')
			return false;
	}
	return true;
}

/* Counts the pieces of `name`, and stores them where `parts` is not NULL. */
static size_t collect_named(const struct patch_code *code, const char *name,
			    struct addr_range *parts)
{
	size_t len = strlen(name), count = 0;

	for (size_t i = first_named(code, name); i < code->symbol_count; i++) {
		const struct patch_code_symbol *symbol = &code->by_name[i];

		if (strncmp(symbol->name, name, len) != 0)
			break;
		if (symbol->name[len] != '.' ||
		    !is_part_suffix(symbol->name + len))
			continue;
		if (parts)
			find_extent(code, symbol->addr, symbol, &parts[count]);
		count++;
	}
	return count;
}

/* A piece is named after any one of the function's names. */
static size_t collect_parts(const struct patch_code *code, upatch_addr_t start,
			    struct addr_range *parts)
{
	size_t count = 0;

	for (size_t i = first_at(code, start);
	     i < code->symbol_count && code->symbols[i].addr == start; i++)
		count += collect_named(code, code->symbols[i].name,
				       parts ? parts + count : NULL);
	return count;
}

int patch_code_locate(const struct patch_code *code, upatch_addr_t addr,
		      struct patch_function *ret_function,
		      struct upatch_error *err)
{
	const struct patch_code_symbol *symbol = find_covering(code, addr);
	struct patch_function function = { 0 };

	function.size_known = find_extent(code, addr, symbol, &function.code);
	if (symbol) {
		function.name = symbol->name;
		function.parts_known = symbol->is_full;
		function.part_count = collect_parts(code, symbol->addr, NULL);
	}
	if (function.part_count) {
		function.parts =
			calloc(function.part_count, sizeof(*function.parts));
		if (!function.parts)
			return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
					 "no memory for %zu pieces of code",
					 function.part_count);
		collect_parts(code, symbol->addr, function.parts);
	}
	*ret_function = function;
	return 0;
}
