/* SPDX-License-Identifier: MIT */
/* The symbols of a library that comes, found by the runtime alone. */
#include "object_symbols.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../symbol_view.h"
#include "object_file.h"

#define DEBUG_ROOT "/usr/lib/debug/.build-id"
/* More names than this for one function are taken to be suspicious. */
#define ALIASES_MAX 16

/* --- Files ------------------------------------------------------------ */

/* Both are in the file as they are in memory: the loader does not write. */
static bool has_same_symbols(const struct object_file *file,
			     const struct object_image *image)
{
	const Elf64_Shdr *section = object_file_section(file, SHT_DYNSYM);
	size_t len = image->symbol_count * sizeof(Elf64_Sym);
	Elf64_Sym *symbols;
	bool same;

	if (!section || section->sh_size < len)
		return false;
	symbols = object_file_read(file, section->sh_offset, len);
	same = symbols && !memcmp(symbols, image->symbols, len);
	free(symbols);
	return same;
}

static bool has_same_headers(const struct object_file *file,
			     const struct object_image *image)
{
	size_t len = image->header_count * sizeof(Elf64_Phdr);
	Elf64_Phdr *headers;
	bool same;

	if (file->header.e_phnum != image->header_count ||
	    file->header.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	headers = object_file_read(file, file->header.e_phoff, len);
	same = headers && !memcmp(headers, image->headers, len);
	free(headers);
	return same;
}

/* The file under the path may have been replaced since it was mapped. */
static bool is_same(const struct object_file *file,
		    const struct object_image *image)
{
	char in_file[OBJECT_BUILD_ID_SIZE];
	char in_memory[OBJECT_BUILD_ID_SIZE];
	bool file_has_id = object_file_build_id(file, in_file);

	if (file_has_id != object_image_build_id(image, in_memory))
		return false;
	if (file_has_id)
		return !strcmp(in_file, in_memory);
	return has_same_headers(file, image) && has_same_symbols(file, image);
}

static bool open_same(const struct object_image *image,
		      struct object_file *ret_file)
{
	struct object_file file;

	if (!object_file_open(image->map->l_name, &file))
		return false;
	if (is_same(&file, image)) {
		*ret_file = file;
		return true;
	}
	object_file_close(&file);
	return false;
}

static bool open_debug_file(const struct object_image *image,
			    struct object_file *ret_file)
{
	char path[sizeof(DEBUG_ROOT) + OBJECT_BUILD_ID_SIZE + 16];
	char wanted[OBJECT_BUILD_ID_SIZE], found[OBJECT_BUILD_ID_SIZE];
	struct object_file file;

	if (!object_image_build_id(image, wanted) || strlen(wanted) < 4)
		return false;
	(void)snprintf(path, sizeof(path), DEBUG_ROOT "/%.2s/%s.debug", wanted,
		       wanted + 2);
	if (!object_file_open(path, &file))
		return false;
	if (object_file_section(&file, SHT_SYMTAB) &&
	    object_file_build_id(&file, found) && !strcmp(wanted, found)) {
		*ret_file = file;
		return true;
	}
	object_file_close(&file);
	return false;
}

/* --- Tables ----------------------------------------------------------- */

static bool add_table(const struct object_file *file, const Elf64_Shdr *section,
		      struct symbol_index *index)
{
	const Elf64_Shdr *strings = object_file_linked(file, section);
	const Elf64_Shdr *versions = object_file_section(file, SHT_GNU_versym);
	struct symbol_source_table table = { 0 };
	void *symbol_bytes, *string_bytes, *version_bytes = NULL;
	bool done = true;

	if (!strings || section->sh_entsize != sizeof(Elf64_Sym))
		return true;
	table.count = section->sh_size / sizeof(Elf64_Sym);
	table.strings_len = strings->sh_size;
	symbol_bytes = object_file_read(file, section->sh_offset,
					table.count * sizeof(Elf64_Sym));
	string_bytes =
		object_file_read(file, strings->sh_offset, strings->sh_size);
	if (section->sh_type == SHT_DYNSYM && versions &&
	    versions->sh_size / sizeof(Elf64_Half) >= table.count)
		version_bytes =
			object_file_read(file, versions->sh_offset,
					 table.count * sizeof(Elf64_Half));
	table.symbols = symbol_bytes;
	table.strings = string_bytes;
	table.versions = version_bytes;
	if (symbol_bytes && string_bytes)
		done = symbol_index_add_table(index, &table);
	free(symbol_bytes);
	free(string_bytes);
	free(version_bytes);
	return done;
}

static bool add_code_sections(const struct object_file *file,
			      struct symbol_index *index)
{
	for (size_t i = 0; i < file->section_count; i++) {
		const Elf64_Shdr *section = &file->sections[i];

		if ((section->sh_flags & SHF_EXECINSTR) &&
		    !symbol_index_add_code(index, section->sh_addr,
					   section->sh_addr + section->sh_size))
			return false;
	}
	return true;
}

static bool add_code_segments(const struct object_image *image,
			      struct symbol_index *index)
{
	for (size_t i = 0; i < image->header_count; i++) {
		const Elf64_Phdr *header = &image->headers[i];

		if (header->p_type == PT_LOAD && (header->p_flags & PF_X) &&
		    !symbol_index_add_code(index, header->p_vaddr,
					   header->p_vaddr + header->p_memsz))
			return false;
	}
	return true;
}

static bool add_static_symbols(const struct object_file *file,
			       const struct object_image *image,
			       struct symbol_table *table)
{
	const Elf64_Shdr *section = object_file_section(file, SHT_SYMTAB);
	struct object_file debug;
	bool done;

	if (section) {
		table->origin = SYMBOL_ORIGIN_FULL;
		return add_table(file, section, table->index);
	}
	if (!open_debug_file(image, &debug))
		return true;
	table->origin = SYMBOL_ORIGIN_DEBUG;
	done = add_table(&debug, object_file_section(&debug, SHT_SYMTAB),
			 table->index);
	object_file_close(&debug);
	return done;
}

static bool add_file(const struct object_file *file,
		     const struct object_image *image,
		     struct symbol_table *table)
{
	const Elf64_Shdr *section = object_file_section(file, SHT_DYNSYM);

	if (!add_code_sections(file, table->index) ||
	    (table->index->code_count == 0 &&
	     !add_code_segments(image, table->index)))
		return false;
	return add_static_symbols(file, image, table) &&
	       (!section || add_table(file, section, table->index));
}

static bool add_image(const struct object_image *image,
		      struct symbol_table *table)
{
	const struct symbol_source_table source = {
		.symbols = image->symbols,
		.count = image->symbol_count,
		.strings = image->strings,
		.strings_len = image->strings_len,
		.versions = image->versions,
	};

	table->origin = SYMBOL_ORIGIN_DYNAMIC;
	return add_code_segments(image, table->index) &&
	       (image->symbol_count == 0 ||
		symbol_index_add_table(table->index, &source));
}

static bool read_symbols(const struct object_image *image,
			 struct symbol_table *table)
{
	struct object_file file;
	bool done = true;

	if (open_same(image, &file)) {
		done = add_file(&file, image, table);
		object_file_close(&file);
	}
	if (done && table->index->count == 0) {
		symbol_index_fini(table->index);
		done = add_image(image, table);
	}
	return done && symbol_index_finish(table->index);
}

int object_symbols_open(const struct link_map *map,
			struct object_symbols *ret_symbols,
			struct upatch_error *err)
{
	struct object_symbols symbols = { .table = NULL };
	int saved_errno = errno;
	int cancel_state;
	bool done;

	if (!object_image_read(map, &symbols.image))
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"cannot read the symbols of '%.128s': its program headers are not in memory",
			map->l_name);
	/* dlopen is no cancellation point, so that reading must not be one. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	symbols.table = symbols_new(symbols.image.name, map->l_addr);
	done = symbols.table && read_symbols(&symbols.image, symbols.table);
	pthread_setcancelstate(cancel_state, NULL);
	errno = saved_errno;
	if (!done) {
		object_symbols_close(&symbols);
		return error_set(
			err, UPATCH_ERROR_NO_MEMORY, 0,
			"cannot read the symbols of '%.128s': out of memory",
			symbols.image.name);
	}
	*ret_symbols = symbols;
	return 0;
}

void object_symbols_close(struct object_symbols *symbols)
{
	symbols_close(symbols->table);
	symbols->table = NULL;
}

/* --- Interposition ---------------------------------------------------- */

static bool is_exported(const struct object_image *image,
			const struct symbol *symbol)
{
	size_t len = strcspn(symbol->name + 1, "@") + 1;

	for (size_t i = 0; i < image->symbol_count; i++) {
		const Elf64_Sym *entry = &image->symbols[i];
		uint8_t binding = ELF64_ST_BIND(entry->st_info);
		const char *name = image->strings + entry->st_name;

		if (entry->st_shndx != SHN_UNDEF &&
		    entry->st_value == symbol->addr - image->map->l_addr &&
		    (binding == STB_GLOBAL || binding == STB_WEAK) &&
		    ELF64_ST_VISIBILITY(entry->st_other) == STV_DEFAULT &&
		    entry->st_name < image->strings_len &&
		    image->strings_len - entry->st_name > len &&
		    !memcmp(name, symbol->name, len) && name[len] == '\0')
			return true;
	}
	return false;
}

bool object_symbol_is_interposable(const struct object_symbols *symbols,
				   const struct symbol *symbol)
{
	struct symbol aliases[ALIASES_MAX];
	size_t count = symbols_aliases(symbols->table, symbol->addr, aliases,
				       ALIASES_MAX);

	if (symbols->image.binds_own_symbols || count == 0 ||
	    count > ALIASES_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!is_exported(&symbols->image, &aliases[i]))
			return false;
	}
	return true;
}
