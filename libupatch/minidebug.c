/* SPDX-License-Identifier: MIT */
/*
 * The compressed symbol table that some distributions leave in a program
 * (gdb manual, "MiniDebugInfo").  libdwfl unpacks it.
 */
#include "minidebug.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Symbols as libdwfl gives them, each with its name, put into tables again. */
struct collected {
	Elf64_Sym *symbols;
	size_t count;
	char *strings;
	size_t len, size;
};

/* Neither searches for a file; libdwfl's own ones would also ask a server. */
static int find_no_elf(Dwfl_Module *module, void **user, const char *name,
		       Dwarf_Addr base, char **file_name, Elf **elf)
{
	(void)module, (void)user, (void)name, (void)base, (void)file_name;
	(void)elf;
	return -1;
}

static int find_no_debuginfo(Dwfl_Module *module, void **user, const char *name,
			     Dwarf_Addr base, const char *file_name,
			     const char *link, GElf_Word crc, char **debug_name)
{
	(void)module, (void)user, (void)name, (void)base, (void)file_name;
	(void)link, (void)crc, (void)debug_name;
	/* Anything else counts as a failure, not as "there is none". */
	errno = 0;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = find_no_elf,
	.find_debuginfo = find_no_debuginfo,
};

static bool add_name(struct collected *collected, const char *name)
{
	size_t len = strlen(name) + 1;

	if (collected->size - collected->len < len) {
		size_t size = 2 * (collected->size + len);
		char *bigger = realloc(collected->strings, size);

		if (!bigger)
			return false;
		collected->strings = bigger;
		collected->size = size;
	}
	memcpy(collected->strings + collected->len, name, len);
	collected->len += len;
	return true;
}

/* All that is not from the program's own .dynsym. */
static bool collect(Dwfl_Module *module, int count, struct collected *collected)
{
	GElf_Addr bias;
	Elf *program = dwfl_module_getelf(module, &bias);

	collected->symbols = calloc((size_t)count, sizeof(Elf64_Sym));
	if (!collected->symbols)
		return false;
	for (int i = 0; i < count; i++) {
		Elf64_Sym *symbol = &collected->symbols[collected->count];
		GElf_Addr addr;
		Elf *from = NULL;
		const char *name =
			dwfl_module_getsym_info(module, i, symbol, &addr, NULL,
						&from, NULL);
		size_t at = collected->len;

		if (!name || from == program || at > UINT32_MAX)
			continue;
		if (!add_name(collected, name))
			return false;
		symbol->st_name = (Elf64_Word)at;
		if (ELF64_ST_TYPE(symbol->st_info) != STT_TLS)
			symbol->st_value = addr;
		collected->count++;
	}
	return true;
}

static bool add_module(Dwfl_Module *module, struct symbol_index *index)
{
	int count = dwfl_module_getsymtab(module);
	struct collected collected = { 0 };
	bool done;

	if (count <= 0)
		return true;
	done = collect(module, count, &collected);
	if (done && collected.count > 0) {
		struct symbol_source_table table = {
			.symbols = collected.symbols,
			.count = collected.count,
			.strings = collected.strings,
			.strings_len = collected.len,
		};

		done = symbol_index_add_table(index, &table);
	}
	free(collected.symbols);
	free(collected.strings);
	return done;
}

bool minidebug_read(const struct elf_file *file, struct symbol_index *index)
{
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module;
	bool done = true;
	int fd;

	if (!dwfl)
		return false;
	dwfl_report_begin(dwfl);
	fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	/* Takes the descriptor over unless it fails. */
	module = dwfl_report_elf(dwfl, "", "", fd, 0, true);
	dwfl_report_end(dwfl, NULL, NULL);
	if (module)
		done = add_module(module, index);
	else if (fd >= 0)
		close(fd);
	dwfl_end(dwfl);
	return done;
}
