/* SPDX-License-Identifier: MIT */
/* The functions of real programs, as material for tests of code analysis. */
#include "elf_functions.h"

#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>

static bool find_code(Elf *elf, const GElf_Sym *symbol,
		      struct elf_function *function)
{
	Elf_Scn *section = elf_getscn(elf, symbol->st_shndx);
	GElf_Shdr header;
	Elf_Data *bytes;
	uint64_t offset;

	if (!section || !gelf_getshdr(section, &header) ||
	    header.sh_type != SHT_PROGBITS || symbol->st_value < header.sh_addr)
		return false;
	bytes = elf_rawdata(section, NULL);
	offset = symbol->st_value - header.sh_addr;
	if (!bytes || !bytes->d_buf || offset > bytes->d_size ||
	    symbol->st_size > bytes->d_size - offset)
		return false;
	function->addr = symbol->st_value;
	function->code = (const uint8_t *)bytes->d_buf + offset;
	function->len = symbol->st_size;
	return true;
}

static void visit_table(Elf *elf, Elf_Scn *table, elf_function_visitor visit,
			void *user)
{
	Elf_Data *symbols = elf_getdata(table, NULL);
	struct elf_function function;
	GElf_Shdr header;
	GElf_Sym symbol;

	if (!symbols || !gelf_getshdr(table, &header))
		return;
	for (int i = 0; gelf_getsym(symbols, i, &symbol); i++) {
		if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC ||
		    symbol.st_shndx == SHN_UNDEF || symbol.st_size == 0 ||
		    !find_code(elf, &symbol, &function))
			continue;
		function.name = elf_strptr(elf, header.sh_link, symbol.st_name);
		if (function.name)
			visit(&function, user);
	}
}

bool elf_functions_visit(const char *path, elf_function_visitor visit,
			 void *user)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	bool is_elf;
	Elf *elf;

	if (fd < 0)
		return false;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	is_elf = elf && elf_kind(elf) == ELF_K_ELF;
	while (is_elf && (section = elf_nextscn(elf, section))) {
		if (gelf_getshdr(section, &header) &&
		    header.sh_type == SHT_DYNSYM)
			visit_table(elf, section, visit, user);
	}
	elf_end(elf);
	close(fd);
	return is_elf;
}
