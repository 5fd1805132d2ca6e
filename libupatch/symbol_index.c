/* SPDX-License-Identifier: MIT */
/* The symbols of one ELF file, by name and by address. */
#include "symbol_index.h"

#include <stdlib.h>
#include <string.h>

/* Keeps every count and offset within 32 bits. */
#define MAX_ENTRIES	(1U << 28)
#define MAX_STRINGS_LEN (1ULL << 31)
/* In .gnu.version: not the default version of its name. */
#define VERSYM_HIDDEN 0x8000

/* FNV-1a */
static uint32_t hash_of(const char *name, size_t len)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619U;
	return hash;
}

static bool is_code(uint8_t type)
{
	return type <= SYMBOL_LABEL;
}

void symbol_index_init(struct symbol_index *index)
{
	memset(index, 0, sizeof(*index));
}

void symbol_index_fini(struct symbol_index *index)
{
	free(index->entries);
	free(index->strings);
	free(index->code);
	free(index->names);
	free(index->stems);
	free(index->by_addr);
	free(index->reach);
	symbol_index_init(index);
}

bool symbol_index_add_code(struct symbol_index *index, uint64_t start,
			   uint64_t end)
{
	struct addr_range *bigger;
	size_t at = index->code_count;

	if (start >= end)
		return true;
	bigger = reallocarray(index->code, at + 1, sizeof(*bigger));
	if (!bigger)
		return false;
	index->code = bigger;
	for (; at > 0 && bigger[at - 1].start > start; at--)
		bigger[at] = bigger[at - 1];
	bigger[at] = (struct addr_range){ start, end };
	index->code_count++;
	return true;
}

/* The code range that has `addr`, or NULL. */
static const struct addr_range *find_code(const struct symbol_index *index,
					  uint64_t addr)
{
	size_t low = 0;
	size_t high = index->code_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->code[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == index->code_count || index->code[low].start > addr)
		return NULL;
	return &index->code[low];
}

/* --- Filling ---------------------------------------------------------- */

static bool add_strings(struct symbol_index *index, const char *strings,
			size_t len)
{
	size_t needed = index->strings_len + len + 1;
	char *bigger;

	if (len > MAX_STRINGS_LEN || needed > MAX_STRINGS_LEN)
		return false;
	bigger = realloc(index->strings, needed);
	if (!bigger)
		return false;
	memcpy(bigger + index->strings_len, strings, len);
	/* A string table that was cut short still ends. */
	bigger[needed - 1] = '\0';
	index->strings = bigger;
	index->strings_len = needed;
	return true;
}

static bool reserve(struct symbol_index *index, size_t count)
{
	struct symbol_entry *bigger;

	if (count == 0)
		return true;
	if (count > MAX_ENTRIES - index->count)
		return false;
	bigger = reallocarray(index->entries, index->count + count,
			      sizeof(*bigger));
	if (!bigger)
		return false;
	index->entries = bigger;
	return true;
}

/* False: nothing that has an address in the object. */
static bool type_of(const struct symbol_index *index, const Elf64_Sym *symbol,
		    uint8_t *ret_type)
{
	bool in_code = find_code(index, symbol->st_value);

	switch (ELF64_ST_TYPE(symbol->st_info)) {
	case STT_FUNC:
		*ret_type = SYMBOL_FUNC;
		return in_code;
	case STT_GNU_IFUNC:
		*ret_type = SYMBOL_IFUNC;
		return in_code;
	case STT_NOTYPE:
		*ret_type = in_code ? SYMBOL_LABEL : SYMBOL_OBJECT;
		return true;
	case STT_OBJECT:
	case STT_COMMON:
		*ret_type = SYMBOL_OBJECT;
		return true;
	case STT_TLS:
		*ret_type = SYMBOL_TLS;
		return true;
	default:
		return false;
	}
}

static bool is_defined(const Elf64_Sym *symbol)
{
	return symbol->st_shndx != SHN_UNDEF &&
	       (symbol->st_shndx < SHN_LORESERVE ||
		symbol->st_shndx == SHN_XINDEX);
}

static void add_symbol(struct symbol_index *index, const Elf64_Sym *symbol,
		       uint32_t name, bool is_hidden)
{
	struct symbol_entry *entry = &index->entries[index->count];
	const char *text = index->strings + name;
	const char *version;
	uint8_t type;

	if (!is_defined(symbol) || !type_of(index, symbol, &type) ||
	    text[0] == '\0')
		return;
	/* A name that begins with "@" has no version. */
	version = strchr(text + 1, '@');
	*entry = (struct symbol_entry){
		.addr = symbol->st_value,
		.size = symbol->st_size,
		.name = name,
		.name_len = (uint32_t)(version ? (size_t)(version - text)
					       : strlen(text)),
		.next_name = SYMBOL_INDEX_NONE,
		.next_stem = SYMBOL_INDEX_NONE,
		.type = type,
		.is_global = ELF64_ST_BIND(symbol->st_info) != STB_LOCAL,
		.size_known = symbol->st_size != 0,
		.is_hidden = is_hidden || (version && version[1] != '@'),
	};
	if (!entry->is_global)
		entry->file = index->file_count;
	entry->name_hash = hash_of(text, entry->name_len);
	index->count++;
}

bool symbol_index_add_table(struct symbol_index *index,
			    const struct symbol_source_table *table)
{
	uint32_t base = (uint32_t)index->strings_len;

	if (!add_strings(index, table->strings, table->strings_len) ||
	    !reserve(index, table->count))
		return false;
	for (size_t i = 0; i < table->count; i++) {
		const Elf64_Sym *symbol = &table->symbols[i];
		bool is_hidden =
			table->versions && (table->versions[i] & VERSYM_HIDDEN);

		if (symbol->st_name >= table->strings_len)
			continue;
		/* Statics follow the name of the file that they are from. */
		if (ELF64_ST_TYPE(symbol->st_info) == STT_FILE)
			index->file_count++;
		else
			add_symbol(index, symbol, base + symbol->st_name,
				   is_hidden);
	}
	return true;
}

/* --- Finishing -------------------------------------------------------- */

struct sort_key {
	uint64_t addr;
	uint32_t name_hash;
	uint32_t entry;
};

static int compare_keys(const void *left, const void *right)
{
	const struct sort_key *a = left;
	const struct sort_key *b = right;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->name_hash != b->name_hash)
		return a->name_hash < b->name_hash ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static struct sort_key *sort_entries(const struct symbol_index *index)
{
	struct sort_key *keys = calloc(index->count + 1UL, sizeof(*keys));

	if (!keys)
		return NULL;
	for (uint32_t i = 0; i < index->count; i++) {
		keys[i].addr = index->entries[i].addr;
		keys[i].name_hash = index->entries[i].name_hash;
		keys[i].entry = i;
	}
	qsort(keys, index->count, sizeof(*keys), compare_keys);
	return keys;
}

static bool has_same_name(const struct symbol_index *index,
			  const struct symbol_entry *one,
			  const struct symbol_entry *other)
{
	return one->name_hash == other->name_hash &&
	       one->name_len == other->name_len &&
	       memcmp(symbol_index_name(index, one),
		      symbol_index_name(index, other), one->name_len) == 0;
}

/*
 * .dynsym repeats .symtab, and a name with several versions repeats itself.
 * The first one stays and learns what the others know.
 */
static void mark_duplicates(struct symbol_index *index,
			    const struct sort_key *keys)
{
	struct symbol_entry *first = NULL;

	for (uint32_t i = 0; i < index->count; i++) {
		struct symbol_entry *entry = &index->entries[keys[i].entry];

		if (!first || entry->addr != first->addr ||
		    (entry->type == SYMBOL_TLS) !=
			    (first->type == SYMBOL_TLS) ||
		    !has_same_name(index, entry, first)) {
			first = entry;
			continue;
		}
		entry->is_duplicate = true;
		first->is_hidden &= entry->is_hidden;
		first->is_global |= entry->is_global;
		if (!first->size_known) {
			first->size = entry->size;
			first->size_known = entry->size_known;
		}
	}
}

/* A function without a size, or with an impossible one, ends with the next. */
static void derive_size(const struct symbol_index *index, uint64_t next_addr,
			struct symbol_entry *entry)
{
	const struct addr_range *code = find_code(index, entry->addr);
	uint64_t end = code ? code->end : entry->addr;

	if (entry->size_known && code && entry->size <= end - entry->addr)
		return;
	if (next_addr < end)
		end = next_addr;
	entry->size = end - entry->addr;
	entry->size_known = false;
}

static void derive_sizes(struct symbol_index *index,
			 const struct sort_key *keys)
{
	uint64_t next_addr = UINT64_MAX; /* of the next function */
	uint64_t addr = UINT64_MAX;	 /* of the one looked at last */

	for (uint32_t i = index->count; i-- > 0;) {
		struct symbol_entry *entry = &index->entries[keys[i].entry];

		if (!is_code(entry->type) || entry->is_duplicate)
			continue;
		if (entry->addr != addr) {
			next_addr = addr;
			addr = entry->addr;
		}
		derive_size(index, next_addr, entry);
	}
}

static bool order_by_addr(struct symbol_index *index,
			  const struct sort_key *keys)
{
	uint64_t reach = 0;
	uint32_t count = 0;

	index->by_addr = calloc(index->count + 1UL, sizeof(*index->by_addr));
	index->reach = calloc(index->count + 1UL, sizeof(*index->reach));
	if (!index->by_addr || !index->reach)
		return false;
	for (uint32_t i = 0; i < index->count; i++) {
		const struct symbol_entry *entry =
			&index->entries[keys[i].entry];

		if (!is_code(entry->type) || entry->is_duplicate)
			continue;
		if (entry->addr + entry->size > reach)
			reach = entry->addr + entry->size;
		index->by_addr[count] = keys[i].entry;
		index->reach[count] = reach;
		count++;
	}
	index->by_addr_count = count;
	return true;
}

/* Up to the first "." that is not at the beginning; 0: there is none. */
static size_t stem_len(const char *name, size_t len)
{
	const char *dot = len > 1 ? memchr(name + 1, '.', len - 1) : NULL;

	return dot ? (size_t)(dot - name) : 0;
}

static void link_entry(struct symbol_index *index, uint32_t number)
{
	struct symbol_entry *entry = &index->entries[number];
	const char *name = symbol_index_name(index, entry);
	size_t len = stem_len(name, entry->name_len);
	uint32_t *bucket;

	if (entry->is_duplicate)
		return;
	bucket = &index->names[entry->name_hash & index->bucket_mask];
	entry->next_name = *bucket;
	*bucket = number;
	if (len == 0 || entry->type != SYMBOL_FUNC)
		return;
	bucket = &index->stems[hash_of(name, len) & index->bucket_mask];
	entry->next_stem = *bucket;
	*bucket = number;
}

static bool link_entries(struct symbol_index *index)
{
	uint32_t bucket_count = 16;

	while (bucket_count < index->count)
		bucket_count *= 2;
	index->bucket_mask = bucket_count - 1;
	index->names = malloc(bucket_count * sizeof(*index->names));
	index->stems = malloc(bucket_count * sizeof(*index->stems));
	if (!index->names || !index->stems)
		return false;
	memset(index->names, 0xff, bucket_count * sizeof(*index->names));
	memset(index->stems, 0xff, bucket_count * sizeof(*index->stems));
	/* Each is put in front, so that the first one ends up there. */
	for (uint32_t i = index->count; i-- > 0;)
		link_entry(index, i);
	return true;
}

bool symbol_index_finish(struct symbol_index *index)
{
	struct sort_key *keys = sort_entries(index);
	bool ordered;

	if (!keys)
		return false;
	mark_duplicates(index, keys);
	derive_sizes(index, keys);
	ordered = order_by_addr(index, keys);
	free(keys);
	return ordered && link_entries(index);
}

/* --- Finding ---------------------------------------------------------- */

static uint32_t find_name(const struct symbol_index *index, uint32_t number,
			  const char *name, size_t len, uint32_t hash)
{
	while (number != SYMBOL_INDEX_NONE) {
		const struct symbol_entry *entry = &index->entries[number];

		if (entry->name_hash == hash && entry->name_len == len &&
		    memcmp(symbol_index_name(index, entry), name, len) == 0)
			break;
		number = entry->next_name;
	}
	return number;
}

uint32_t symbol_index_first(const struct symbol_index *index, const char *name,
			    size_t len)
{
	uint32_t hash = hash_of(name, len);

	return find_name(index, index->names[hash & index->bucket_mask], name,
			 len, hash);
}

uint32_t symbol_index_next(const struct symbol_index *index, uint32_t number)
{
	const struct symbol_entry *entry = &index->entries[number];

	return find_name(index, entry->next_name,
			 symbol_index_name(index, entry), entry->name_len,
			 entry->name_hash);
}

static uint32_t find_part(const struct symbol_index *index, uint32_t number,
			  const char *name, size_t len)
{
	while (number != SYMBOL_INDEX_NONE) {
		const struct symbol_entry *entry = &index->entries[number];
		const char *own = symbol_index_name(index, entry);

		if (entry->name_len > len && own[len] == '.' &&
		    memcmp(own, name, len) == 0)
			break;
		number = entry->next_stem;
	}
	return number;
}

uint32_t symbol_index_first_part(const struct symbol_index *index,
				 const char *name, size_t len)
{
	size_t stem = stem_len(name, len);
	uint32_t hash = hash_of(name, stem ? stem : len);

	return find_part(index, index->stems[hash & index->bucket_mask], name,
			 len);
}

uint32_t symbol_index_next_part(const struct symbol_index *index,
				const char *name, size_t len, uint32_t number)
{
	return find_part(index, index->entries[number].next_stem, name, len);
}

uint32_t symbol_index_after(const struct symbol_index *index, uint64_t addr)
{
	uint32_t low = 0;
	uint32_t high = index->by_addr_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (index->entries[index->by_addr[middle]].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
