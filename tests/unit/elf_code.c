/* SPDX-License-Identifier: MIT */
/* The code of an ELF file, for tests of code analysis. */
#include "elf_code.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct elf_code {
	const uint8_t *image;
	size_t size;
	const Elf64_Shdr *sections;
	unsigned int section_count;
	const char *section_names;
};

/* The section that holds `addr` when loaded, and the bytes there. */
static const Elf64_Shdr *find_section(const struct elf_code *code,
				      upatch_addr_t addr)
{
	for (unsigned int i = 0; i < code->section_count; i++) {
		const Elf64_Shdr *section = &code->sections[i];

		if ((section->sh_flags & SHF_ALLOC) &&
		    section->sh_type == SHT_PROGBITS &&
		    addr - section->sh_addr < section->sh_size)
			return section;
	}
	return NULL;
}

static const Elf64_Shdr *find_named(const struct elf_code *code,
				    const char *name)
{
	for (unsigned int i = 0; i < code->section_count; i++) {
		const Elf64_Shdr *section = &code->sections[i];

		if (!strcmp(code->section_names + section->sh_name, name))
			return section;
	}
	return NULL;
}

static int32_t read_s32(const struct elf_code *code, uint64_t offset)
{
	int32_t value;

	memcpy(&value, code->image + offset, sizeof(value));
	return value;
}

/* As ld writes them: .eh_frame_hdr sorted, DW_EH_PE_datarel | sdata4. */
static bool find_by_frame(const struct elf_code *code, upatch_addr_t addr,
			  upatch_addr_t *ret_start, size_t *ret_len)
{
	const Elf64_Shdr *header = find_named(code, ".eh_frame_hdr");
	const Elf64_Shdr *frames = find_named(code, ".eh_frame");
	int32_t count;

	if (!header || !frames)
		return false;
	count = read_s32(code, header->sh_offset + 8);
	for (int32_t i = 0; i < count; i++) {
		uint64_t entry = header->sh_offset + 12 + 8 * (uint64_t)i;
		upatch_addr_t start =
			header->sh_addr + (uint64_t)read_s32(code, entry);
		upatch_addr_t fde =
			header->sh_addr + (uint64_t)read_s32(code, entry + 4);
		size_t len = (uint32_t)read_s32(code,
						fde - frames->sh_addr +
							frames->sh_offset + 12);

		if (addr - start >= len)
			continue;
		*ret_start = start;
		*ret_len = len;
		return true;
	}
	return false;
}

typedef bool (*symbol_test)(const Elf64_Sym *symbol, const char *name,
			    const void *wanted);

static const Elf64_Sym *find_symbol(const struct elf_code *code,
				    symbol_test test, const void *wanted)
{
	for (unsigned int i = 0; i < code->section_count; i++) {
		const Elf64_Shdr *section = &code->sections[i];
		const Elf64_Sym *symbols =
			(const void *)(code->image + section->sh_offset);
		const char *names;

		if (section->sh_type != SHT_SYMTAB &&
		    section->sh_type != SHT_DYNSYM)
			continue;
		names = (const char *)code->image +
			code->sections[section->sh_link].sh_offset;
		for (size_t n = 0; n < section->sh_size / sizeof(*symbols); n++)
			if (ELF64_ST_TYPE(symbols[n].st_info) == STT_FUNC &&
			    symbols[n].st_shndx != SHN_UNDEF &&
			    test(&symbols[n], names + symbols[n].st_name,
				 wanted))
				return &symbols[n];
	}
	return NULL;
}

static bool has_addr(const Elf64_Sym *symbol, const char *name,
		     const void *wanted)
{
	(void)name;
	return *(const upatch_addr_t *)wanted - symbol->st_value <
	       symbol->st_size;
}

static bool has_name(const Elf64_Sym *symbol, const char *name,
		     const void *wanted)
{
	(void)symbol;
	return !strcmp(name, wanted);
}

static bool find_function(void *user, upatch_addr_t addr,
			  upatch_addr_t *ret_start, const uint8_t **ret_code,
			  size_t *ret_len)
{
	const struct elf_code *code = user;
	const Elf64_Shdr *section = find_section(code, addr);
	const Elf64_Sym *symbol;
	const char *name;

	if (!section || !(section->sh_flags & SHF_EXECINSTR))
		return false;
	name = code->section_names + section->sh_name;
	if (!strncmp(name, ".plt", 4))
		return false;
	symbol = find_symbol(code, has_addr, &addr);
	if (symbol) {
		*ret_start = symbol->st_value;
		*ret_len = symbol->st_size;
	} else if (!find_by_frame(code, addr, ret_start, ret_len)) {
		*ret_start = addr;
		*ret_len = section->sh_addr + section->sh_size - addr;
	}
	*ret_code = code->image + section->sh_offset +
		    (*ret_start - section->sh_addr);
	return true;
}

struct code_source elf_code_source(struct elf_code *code)
{
	return (struct code_source){ .find = find_function, .user = code };
}

upatch_addr_t elf_code_find(const struct elf_code *code, const char *name)
{
	const Elf64_Sym *symbol = find_symbol(code, has_name, name);

	return symbol ? symbol->st_value : 0;
}

static bool find_sections(struct elf_code *code)
{
	const Elf64_Ehdr *header = (const void *)code->image;

	if (code->size < sizeof(*header) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_machine != EM_X86_64 || header->e_shnum == 0)
		return false;
	code->sections = (const void *)(code->image + header->e_shoff);
	code->section_count = header->e_shnum;
	code->section_names = (const char *)code->image +
			      code->sections[header->e_shstrndx].sh_offset;
	return true;
}

struct elf_code *elf_code_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_code *code = calloc(1, sizeof(*code));
	void *image = MAP_FAILED;
	struct stat status;

	if (fd >= 0 && code && fstat(fd, &status) == 0) {
		code->size = (size_t)status.st_size;
		image = mmap(NULL, code->size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (fd >= 0)
		close(fd);
	if (image != MAP_FAILED) {
		code->image = image;
		if (find_sections(code))
			return code;
		munmap(image, code->size);
	}
	free(code);
	return NULL;
}

void elf_code_close(struct elf_code *code)
{
	if (!code)
		return;
	munmap((void *)(uintptr_t)code->image, code->size);
	free(code);
}
