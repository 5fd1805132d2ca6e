/* SPDX-License-Identifier: MIT */
/* Reads the exported symbols of a module from the target's memory. */
#include "symbol_memory.h"

#include <stdlib.h>

#include "dynamic.h"

static bool add_code(const struct module *module, struct symbol_index *index)
{
	for (size_t i = 0; i < module->text_count; i++) {
		const struct addr_range *text = &module->text[i];

		if (!symbol_index_add_code(index, text->start - module->bias,
					   text->end - module->bias))
			return false;
	}
	return true;
}

bool symbol_memory_read(const struct memory *memory,
			const struct module *module, struct symbol_index *index)
{
	struct dynamic_place place = { module->dynamic, module->bias,
				       module->start, module->end };
	struct symbol_source_table table = { 0 };
	struct dynamic dynamic;
	bool done = true;
	Elf64_Half *versions;
	Elf64_Sym *symbols;
	char *strings;

	if (!add_code(module, index))
		return false;
	if (!dynamic_read(memory, &place, &dynamic))
		return true;
	table.count = dynamic_count_symbols(memory, &place, &dynamic);
	table.strings_len = dynamic.strtab_len;
	symbols = dynamic_copy(memory, &place, dynamic.symtab,
			       table.count * sizeof(*symbols));
	strings =
		dynamic_copy(memory, &place, dynamic.strtab, table.strings_len);
	versions = dynamic_copy(memory, &place, dynamic.versym,
				table.count * sizeof(*versions));
	table.symbols = symbols;
	table.strings = strings;
	table.versions = versions;
	if (symbols && strings)
		done = symbol_index_add_table(index, &table);
	free(symbols);
	free(strings);
	free(versions);
	return done;
}
