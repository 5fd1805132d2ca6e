/* SPDX-License-Identifier: MIT */
/* What the loader has mapped of one library (elf(5)). */
#include "object_image.h"

#include <dlfcn.h>
#include <string.h>

#include "../arch/arch_elf.h"

/* In .gnu.version: not the default version of its name. */
#define VERSYM_HIDDEN 0x8000

/* --- The dynamic section ---------------------------------------------- */

/*
 * glibc replaces addresses in a dynamic section by run-time ones, except where
 * it is read-only.  Libraries are mapped higher than their length.
 */
static uintptr_t place_pointer(const struct link_map *map, uint64_t value)
{
	return value < map->l_addr ? value + map->l_addr : value;
}

/* 0: there is no such entry. */
static uint64_t dynamic_value(const struct link_map *map, int64_t tag)
{
	for (const Elf64_Dyn *entry = map->l_ld;
	     entry && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == tag)
			return entry->d_un.d_val;
	}
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool object_matches(const struct link_map *map, const char *name)
{
	uint64_t soname = dynamic_value(map, DT_SONAME);
	uint64_t strings = dynamic_value(map, DT_STRTAB);

	/* The loader gives the program an empty name. */
	if (!map->l_name || map->l_name[0] == '\0')
		return false;
	if (soname && strings &&
	    !strcmp((const char *)place_pointer(map, strings) + soname, name))
		return true;
	return !strcmp(base_name(map->l_name), name) ||
	       !strcmp(map->l_name, name);
}

/* --- Segments --------------------------------------------------------- */

bool object_image_has(const struct object_image *image, uintptr_t addr,
		      uint64_t len)
{
	uint64_t offset = addr - image->map->l_addr;

	for (size_t i = 0; i < image->header_count; i++) {
		const Elf64_Phdr *header = &image->headers[i];

		if (header->p_type == PT_LOAD && (header->p_flags & PF_R) &&
		    offset >= header->p_vaddr && len <= header->p_memsz &&
		    offset - header->p_vaddr <= header->p_memsz - len)
			return true;
	}
	return false;
}

/* The mapping begins with the first segment, and that with the ELF header. */
static bool find_headers(struct object_image *image, const uint8_t *start)
{
	const Elf64_Ehdr *elf = (const void *)start;
	uintptr_t headers;

	if (memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf->e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->e_phentsize != sizeof(Elf64_Phdr) ||
	    elf->e_phoff != sizeof(*elf) ||
	    /* no more of the segment is certain to be mapped */
	    elf->e_phnum > (ARCH_PAGE_LEN - sizeof(*elf)) / sizeof(Elf64_Phdr))
		return false;
	headers = (uintptr_t)start + elf->e_phoff;
	image->headers = (const void *)headers;
	image->header_count = elf->e_phnum;
	return object_image_has(image, headers,
				elf->e_phnum * sizeof(Elf64_Phdr));
}

/* --- .dynsym ---------------------------------------------------------- */

/* The run-time address in an entry; NULL: not within the library. */
static const void *dynamic_pointer(const struct object_image *image,
				   int64_t tag, uint64_t len)
{
	uint64_t value = dynamic_value(image->map, tag);
	uintptr_t addr = place_pointer(image->map, value);

	return value && object_image_has(image, addr, len) ? (void *)addr
							   : NULL;
}

/*
 * A GNU hash table does not say how many symbols there are: the last chain
 * ends with the last symbol, and begins at the highest bucket.
 */
static size_t count_by_gnu_hash(const struct object_image *image,
				const uint32_t *table)
{
	uint32_t bucket_count = table[0], first_symbol = table[1];
	uintptr_t buckets = (uintptr_t)(table + 4) + 8ULL * table[2];
	const uint32_t *bucket = (const void *)buckets;
	const uint32_t *chain;
	uint32_t symbol = 0;

	if (!object_image_has(image, buckets, 4ULL * bucket_count))
		return 0;
	chain = bucket + bucket_count;
	for (uint32_t i = 0; i < bucket_count; i++) {
		if (bucket[i] > symbol)
			symbol = bucket[i];
	}
	/* No symbol is exported: those before first_symbol are imports. */
	if (symbol < first_symbol)
		return first_symbol;
	for (;; symbol++) {
		const uint32_t *hash = chain + (symbol - first_symbol);

		if (!object_image_has(image, (uintptr_t)hash, sizeof(*hash)))
			return 0;
		if (*hash & 1)
			return symbol + 1UL;
	}
}

static size_t count_symbols(const struct object_image *image)
{
	const uint32_t *table = dynamic_pointer(image, DT_HASH, 8);

	if (table)
		return table[1];
	table = dynamic_pointer(image, DT_GNU_HASH, 16);
	return table ? count_by_gnu_hash(image, table) : 0;
}

static void find_symbols(struct object_image *image)
{
	size_t count = count_symbols(image);
	size_t strings_len = dynamic_value(image->map, DT_STRSZ);
	const void *symbols =
		dynamic_pointer(image, DT_SYMTAB, count * sizeof(Elf64_Sym));
	const void *strings = dynamic_pointer(image, DT_STRTAB, strings_len);

	if (!symbols || !strings)
		return;
	image->symbols = symbols;
	image->symbol_count = count;
	image->strings = strings;
	image->strings_len = strings_len;
	image->versions =
		dynamic_pointer(image, DT_VERSYM, count * sizeof(Elf64_Half));
}

static void find_name(struct object_image *image)
{
	uint64_t soname = dynamic_value(image->map, DT_SONAME);

	image->name = soname && soname < image->strings_len
			      ? image->strings + soname
			      : image->map->l_name;
}

static bool has_dynamic(const struct link_map *map, int64_t tag)
{
	const Elf64_Dyn *entry = map->l_ld;

	while (entry->d_tag != DT_NULL && entry->d_tag != tag)
		entry++;
	return entry->d_tag == tag;
}

bool object_image_read(const struct link_map *map,
		       struct object_image *ret_image)
{
	struct object_image image = { .map = map };
	Dl_info place;

	/* Where a mapping begins is not in the public part of a link_map. */
	if (!map->l_ld || !dladdr(map->l_ld, &place) ||
	    !find_headers(&image, place.dli_fbase))
		return false;
	find_symbols(&image);
	find_name(&image);
	image.binds_own_symbols =
		has_dynamic(map, DT_SYMBOLIC) ||
		(dynamic_value(map, DT_FLAGS) & DF_SYMBOLIC) ||
		(dynamic_value(map, DT_FLAGS_1) & DF_1_PIE);
	*ret_image = image;
	return true;
}

const char *object_image_exported(const struct object_image *image)
{
	for (size_t i = 1; i < image->symbol_count; i++) {
		const Elf64_Sym *symbol = &image->symbols[i];
		uint8_t type = ELF64_ST_TYPE(symbol->st_info);

		if (symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 &&
		    ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL &&
		    (type == STT_FUNC || type == STT_OBJECT) &&
		    ELF64_ST_VISIBILITY(symbol->st_other) == STV_DEFAULT &&
		    symbol->st_name < image->strings_len &&
		    !(image->versions && (image->versions[i] & VERSYM_HIDDEN)))
			return image->strings + symbol->st_name;
	}
	return NULL;
}

/* --- Build id --------------------------------------------------------- */

static size_t align_up(size_t value, size_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

static void write_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*ret_text++ = digits[bytes[i] >> 4];
		*ret_text++ = digits[bytes[i] & 15];
	}
	*ret_text = '\0';
}

bool object_build_id_in(const uint8_t *notes, size_t len, size_t alignment,
			char ret_build_id[OBJECT_BUILD_ID_SIZE])
{
	size_t at = 0;

	if (alignment != 8)
		alignment = 4;
	while (at < len && len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		size_t name = at + sizeof(note), content;

		memcpy(&note, notes + at, sizeof(note));
		content = name + align_up(note.n_namesz, alignment);
		at = content + align_up(note.n_descsz, alignment);
		if (content > len || note.n_descsz > len - content)
			return false;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp(notes + name, ELF_NOTE_GNU, 4) != 0)
			continue;
		if (note.n_descsz == 0 ||
		    note.n_descsz > (OBJECT_BUILD_ID_SIZE - 1) / 2)
			return false;
		write_hex(notes + content, note.n_descsz, ret_build_id);
		return true;
	}
	return false;
}

bool object_image_build_id(const struct object_image *image,
			   char ret_build_id[OBJECT_BUILD_ID_SIZE])
{
	for (size_t i = 0; i < image->header_count; i++) {
		const Elf64_Phdr *header = &image->headers[i];
		uintptr_t addr = header->p_vaddr + image->map->l_addr;

		if (header->p_type == PT_NOTE &&
		    object_image_has(image, addr, header->p_memsz) &&
		    object_build_id_in((const void *)addr, header->p_memsz,
				       header->p_align, ret_build_id))
			return true;
	}
	return false;
}
