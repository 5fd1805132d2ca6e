/* SPDX-License-Identifier: MIT */
/* The dynamic section of a patch: its entries, symbols and names. */
#include "patch_dynamic.h"

#include <stdlib.h>
#include <string.h>

#ifndef DF_1_PIE
#define DF_1_PIE 0x08000000
#endif

static bool read_entry(const struct patch_elf *elf, uint64_t index,
		       Elf64_Dyn *ret_entry)
{
	upatch_addr_t addr =
		elf->dynamic_range.start + index * sizeof(*ret_entry);

	return elf->dynamic_range.end - addr >= sizeof(*ret_entry) &&
	       patch_elf_read(elf, addr, ret_entry, sizeof(*ret_entry));
}

static void take_entry(struct patch_dynamic *dynamic, const Elf64_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val;

	switch (entry->d_tag) {
	case DT_STRTAB:
		dynamic->strtab = value;
		break;
	case DT_STRSZ:
		dynamic->strtab_len = value;
		break;
	case DT_SYMTAB:
		dynamic->symtab = value;
		break;
	case DT_HASH:
		dynamic->hash = value;
		break;
	case DT_GNU_HASH:
		dynamic->gnu_hash = value;
		break;
	case DT_RELA:
		dynamic->rela = value;
		break;
	case DT_RELASZ:
		dynamic->rela_len = value;
		break;
	case DT_JMPREL:
		dynamic->jmprel = value;
		break;
	case DT_PLTRELSZ:
		dynamic->jmprel_len = value;
		break;
	case DT_RELR:
		dynamic->relr = value;
		break;
	case DT_RELRSZ:
		dynamic->relr_len = value;
		break;
	case DT_VERNEED:
		dynamic->verneed = value;
		break;
	case DT_SONAME:
		dynamic->soname = value;
		dynamic->has_soname = true;
		break;
	case DT_REL:
		dynamic->has_rel = true;
		break;
	case DT_TEXTREL:
		dynamic->has_textrel = true;
		break;
	case DT_SYMBOLIC:
		dynamic->flags |= DF_SYMBOLIC;
		break;
	case DT_FLAGS:
		dynamic->flags |= value;
		break;
	case DT_FLAGS_1:
		dynamic->flags_1 |= value;
		break;
	}
}

/* Sizes that the loader takes for granted. */
static bool entry_size_is_wrong(const Elf64_Dyn *entry)
{
	switch (entry->d_tag) {
	case DT_SYMENT:
		return entry->d_un.d_val != sizeof(Elf64_Sym);
	case DT_RELAENT:
		return entry->d_un.d_val != sizeof(Elf64_Rela);
	case DT_RELRENT:
		return entry->d_un.d_val != sizeof(Elf64_Relr);
	case DT_PLTREL:
		return entry->d_un.d_val != DT_RELA;
	default:
		return false;
	}
}

static int read_entries(struct patch_elf *elf, struct upatch_error *err)
{
	struct patch_dynamic *dynamic = &elf->dynamic;
	Elf64_Dyn entry;

	while (read_entry(elf, dynamic->entry_count, &entry)) {
		if (entry.d_tag == DT_NULL)
			return 0;
		if (entry_size_is_wrong(&entry))
			return error_set(
				err, UPATCH_ERROR_BAD_PATCH, 0,
				"its dynamic section is broken: entry %lu has an impossible value",
				dynamic->entry_count);
		take_entry(dynamic, &entry);
		dynamic->entry_count++;
	}
	return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
			 "its dynamic section is broken: it does not end");
}

static const char *flags_refusal(const struct patch_dynamic *dynamic)
{
	if (dynamic->flags_1 & DF_1_PIE)
		return "it is an executable, not a shared object";
	if (dynamic->flags_1 & DF_1_NOOPEN)
		return "dlopen would refuse it: it was linked with -z nodlopen";
	if (dynamic->has_textrel || (dynamic->flags & DF_TEXTREL))
		return "it has text relocations, which need writable code: compile it with -fPIC";
	if (dynamic->has_rel)
		return "it has relocations without addends";
	if (!dynamic->strtab || !dynamic->symtab)
		return "it has no dynamic symbols";
	return NULL;
}

/*
 * GNU hash table: header, Bloom filter, buckets with the first symbol of each
 * chain, and one word per symbol whose lowest bit ends its chain.  Chains lie
 * one behind the other, so the last one ends at the last symbol.
 */
static bool count_by_gnu_hash(const struct patch_elf *elf, uint64_t *ret_count)
{
	struct {
		uint32_t bucket_count, first_symbol, bloom_len, bloom_shift;
	} header;
	upatch_addr_t buckets, chain;
	uint32_t last = 0, word;

	if (!patch_elf_read(elf, elf->dynamic.gnu_hash, &header,
			    sizeof(header)))
		return false;
	buckets = elf->dynamic.gnu_hash + sizeof(header) +
		  header.bloom_len * sizeof(uint64_t);
	for (uint64_t i = 0; i < header.bucket_count; i++) {
		if (!patch_elf_read(elf, buckets + i * sizeof(word), &word,
				    sizeof(word)))
			return false;
		if (word > last)
			last = word;
	}
	*ret_count = header.first_symbol;
	if (last < header.first_symbol)
		return true;
	chain = buckets + header.bucket_count * sizeof(word);
	do {
		if (!patch_elf_read(elf,
				    chain + (last - header.first_symbol) *
						    sizeof(word),
				    &word, sizeof(word)))
			return false;
		last++;
	} while (!(word & 1));
	*ret_count = last;
	return true;
}

static bool count_by_hash(const struct patch_elf *elf, uint64_t *ret_count)
{
	struct {
		uint32_t bucket_count, chain_count;
	} header;

	if (!patch_elf_read(elf, elf->dynamic.hash, &header, sizeof(header)))
		return false;
	*ret_count = header.chain_count;
	return true;
}

static int count_symbols(struct patch_elf *elf, struct upatch_error *err)
{
	uint64_t count = 0;
	bool is_sound = false;

	if (elf->dynamic.gnu_hash)
		is_sound = count_by_gnu_hash(elf, &count);
	else if (elf->dynamic.hash)
		is_sound = count_by_hash(elf, &count);
	if (!is_sound)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "its symbol hash table is missing or broken");
	if (count > PATCH_ELF_SIZE_MAX ||
	    !patch_elf_find(elf, elf->dynamic.symtab,
			    count * sizeof(Elf64_Sym)))
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"its dynamic symbols lie outside its segments");
	elf->dynamic.symbol_count = count;
	return 0;
}

/* Is version `name` among those needed from the library of `need`? */
static bool needs_version(const struct patch_elf *elf, upatch_addr_t addr,
			  const Elf64_Verneed *need, const char *name)
{
	addr += need->vn_aux;
	for (uint32_t i = 0; i < need->vn_cnt; i++) {
		const char *found;
		Elf64_Vernaux aux;

		if (!patch_elf_read(elf, addr, &aux, sizeof(aux)))
			return false;
		found = patch_dynamic_find_string(elf, aux.vna_name);
		if (found && strcmp(found, name) == 0)
			return true;
		if (aux.vna_next < sizeof(aux))
			return false;
		addr += aux.vna_next;
	}
	return false;
}

/*
 * glibc loads an object with DT_RELR only if it asks for this version, which
 * loaders that would leave the words unrelocated do not have.
 */
static bool asks_for_relr(const struct patch_elf *elf)
{
	upatch_addr_t addr = elf->dynamic.verneed;
	Elf64_Verneed need;

	while (patch_elf_read(elf, addr, &need, sizeof(need))) {
		if (needs_version(elf, addr, &need, "GLIBC_ABI_DT_RELR"))
			return true;
		if (need.vn_next < sizeof(need))
			return false;
		addr += need.vn_next;
	}
	return false;
}

int patch_dynamic_read(struct patch_elf *elf, struct upatch_error *err)
{
	const char *refusal;
	int code;

	if (!patch_elf_find(elf, elf->dynamic_range.start, sizeof(Elf64_Dyn)))
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"its dynamic section lies outside its segments");
	code = read_entries(elf, err);
	if (code)
		return code;
	refusal = flags_refusal(&elf->dynamic);
	if (refusal)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0, "%s", refusal);
	if (!patch_elf_find(elf, elf->dynamic.strtab, elf->dynamic.strtab_len))
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"its dynamic strings lie outside its segments");
	if (elf->dynamic.relr_len && !asks_for_relr(elf))
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"dlopen would refuse it: it has packed relocations without needing GLIBC_ABI_DT_RELR");
	elf->no_delete = elf->dynamic.flags_1 & DF_1_NODELETE;
	return count_symbols(elf, err);
}

/* The next DT_NEEDED from *index on; false: there is none. */
static bool next_needed(const struct patch_elf *elf, uint64_t *index,
			Elf64_Dyn *ret_entry)
{
	while (*index < elf->dynamic.entry_count &&
	       read_entry(elf, *index, ret_entry)) {
		(*index)++;
		if (ret_entry->d_tag == DT_NEEDED)
			return true;
	}
	return false;
}

int patch_dynamic_read_names(struct patch_elf *elf, struct upatch_error *err)
{
	size_t count = 0;
	uint64_t index;
	Elf64_Dyn entry;

	if (elf->dynamic.has_soname)
		elf->soname =
			patch_dynamic_find_string(elf, elf->dynamic.soname);
	for (index = 0; next_needed(elf, &index, &entry);)
		count++;
	if (count == 0)
		return 0;
	elf->needed = calloc(count, sizeof(*elf->needed));
	if (!elf->needed)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for %zu names", count);
	for (index = 0; next_needed(elf, &index, &entry);) {
		const char *name =
			patch_dynamic_find_string(elf, entry.d_un.d_val);

		if (!name)
			return error_set(
				err, UPATCH_ERROR_BAD_PATCH, 0,
				"the name of a library it needs is broken");
		elf->needed[elf->needed_count++] = name;
	}
	return 0;
}

bool patch_dynamic_symbol(const struct patch_elf *elf, uint64_t index,
			  Elf64_Sym *ret_symbol)
{
	return patch_elf_read(elf,
			      elf->dynamic.symtab + index * sizeof(Elf64_Sym),
			      ret_symbol, sizeof(*ret_symbol));
}

const char *patch_dynamic_find_string(const struct patch_elf *elf,
				      uint64_t offset)
{
	const char *string;

	if (offset >= elf->dynamic.strtab_len)
		return NULL;
	string = patch_elf_find(elf, elf->dynamic.strtab + offset,
				elf->dynamic.strtab_len - offset);
	if (!string || !memchr(string, '\0', elf->dynamic.strtab_len - offset))
		return NULL;
	return string;
}

bool patch_dynamic_find_symbol(const struct patch_elf *elf, const char *name,
			       Elf64_Sym *ret_symbol)
{
	for (uint64_t i = 1; i < elf->dynamic.symbol_count; i++) {
		const char *found;
		Elf64_Sym symbol;

		if (!patch_dynamic_symbol(elf, i, &symbol))
			return false;
		if (symbol.st_shndx == SHN_UNDEF ||
		    ELF64_ST_BIND(symbol.st_info) == STB_LOCAL)
			continue;
		found = patch_dynamic_find_string(elf, symbol.st_name);
		if (found && strcmp(found, name) == 0) {
			*ret_symbol = symbol;
			return true;
		}
	}
	return false;
}
