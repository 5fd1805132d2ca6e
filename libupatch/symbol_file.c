/* SPDX-License-Identifier: MIT */
/* Reads the symbols of an ELF file, and of what was split off it. */
#include "symbol_file.h"

#include <errno.h>

#include "debug_file.h"
#include "minidebug.h"

/* Sections are closer to the truth; a file can come without them. */
static bool add_code_sections(const struct elf_file *file,
			      struct symbol_index *index)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(file->elf, section))) {
		if (!gelf_getshdr(section, &header) ||
		    !(header.sh_flags & SHF_EXECINSTR))
			continue;
		if (!symbol_index_add_code(index, header.sh_addr,
					   header.sh_addr + header.sh_size))
			return false;
	}
	return true;
}

static bool add_code_segments(const struct elf_file *file,
			      struct symbol_index *index)
{
	GElf_Phdr header;

	for (size_t i = 0; elf_file_header(file, i, &header); i++) {
		if (header.p_type != PT_LOAD || !(header.p_flags & PF_X))
			continue;
		if (!symbol_index_add_code(index, header.p_vaddr,
					   header.p_vaddr + header.p_memsz))
			return false;
	}
	return true;
}

/* What a section holds; NULL: nothing, or not what it claims. */
static const Elf_Data *section_bytes(Elf_Scn *section)
{
	const Elf_Data *bytes = section ? elf_getdata(section, NULL) : NULL;

	return bytes && bytes->d_buf ? bytes : NULL;
}

/* The section has an Elf64_Sym per symbol, converted by libelf. */
static bool add_section(const struct elf_file *file, Elf_Scn *section,
			Elf_Scn *version_section, struct symbol_index *index)
{
	struct symbol_source_table table = { 0 };
	const Elf_Data *symbols, *versions, *strings;
	GElf_Shdr header;

	errno = 0;
	symbols = section_bytes(section);
	versions = section_bytes(version_section);
	if (errno == ENOMEM)
		return false;
	if (!symbols || !gelf_getshdr(section, &header) ||
	    header.sh_entsize != sizeof(Elf64_Sym))
		return true;
	strings = section_bytes(elf_getscn(file->elf, header.sh_link));
	if (!strings || strings->d_size == 0)
		return errno != ENOMEM;
	table.symbols = symbols->d_buf;
	table.count = symbols->d_size / sizeof(Elf64_Sym);
	table.strings = strings->d_buf;
	table.strings_len = strings->d_size;
	if (versions && versions->d_size / sizeof(Elf64_Half) >= table.count)
		table.versions = versions->d_buf;
	return symbol_index_add_table(index, &table);
}

static bool add_best_table(const struct elf_file *file, int root_fd,
			   const char *path, struct symbol_index *index,
			   enum symbol_origin *ret_origin)
{
	Elf_Scn *section = elf_file_section(file, SHT_SYMTAB, NULL);
	struct elf_file debug;
	bool done;

	if (section) {
		*ret_origin = SYMBOL_ORIGIN_FULL;
		return add_section(file, section, NULL, index);
	}
	/* A container's symbols may be with the one who looks into it. */
	if (debug_file_find(file, root_fd, path, &debug) ||
	    (root_fd != ELF_FILE_OWN_ROOT &&
	     debug_file_find(file, ELF_FILE_OWN_ROOT, path, &debug))) {
		*ret_origin = SYMBOL_ORIGIN_DEBUG;
		section = elf_file_section(&debug, SHT_SYMTAB, NULL);
		done = add_section(&debug, section, NULL, index);
		elf_file_close(&debug);
		return done;
	}
	*ret_origin = SYMBOL_ORIGIN_DYNAMIC;
	if (!elf_file_section(file, SHT_PROGBITS, ".gnu_debugdata"))
		return true;
	done = minidebug_read(file, index);
	if (index->count > 0)
		*ret_origin = SYMBOL_ORIGIN_MINIDEBUG;
	return done;
}

bool symbol_file_read(const struct elf_file *file, int root_fd,
		      const char *path, struct symbol_index *index,
		      enum symbol_origin *ret_origin)
{
	Elf_Scn *section = elf_file_section(file, SHT_DYNSYM, NULL);
	Elf_Scn *versions = elf_file_section(file, SHT_GNU_versym, NULL);

	if (!add_code_sections(file, index) ||
	    (index->code_count == 0 && !add_code_segments(file, index)))
		return false;
	return add_best_table(file, root_fd, path, index, ret_origin) &&
	       (!section || add_section(file, section, versions, index));
}
