/* SPDX-License-Identifier: MIT */
/* Opening a table of symbols: of a module of the target, or of a file. */
#include <stdlib.h>

#include "module_file.h"
#include "modules.h"
#include "symbol_file.h"
#include "symbol_memory.h"
#include "symbol_view.h"

static int report_no_memory(const char *name, struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
			 "cannot read the symbols of '%s': out of memory",
			 name);
}

static bool read_module(const struct module *module, const struct maps *maps,
			const struct memory *memory, struct symbol_table *table)
{
	struct module_file file;
	bool done = true;

	table->is_from_file = true;
	if (module_file_open(module, maps, memory, &file)) {
		done = symbol_file_read(&file.file, file.root_fd, file.path,
					table->index, &table->origin);
		module_file_close(&file);
	}
	if (done && table->index->count == 0) {
		symbol_index_fini(table->index);
		table->is_from_file = false;
		table->origin = SYMBOL_ORIGIN_DYNAMIC;
		done = symbol_memory_read(memory, module, table->index);
	}
	return done && symbol_index_finish(table->index);
}

const char *symbols_module_name(const struct module *module)
{
	return module->soname && !module->is_main ? module->soname
						  : module->path;
}

int symbols_open(const struct module *module, const struct maps *maps,
		 const struct memory *memory, struct symbol_table **ret_table,
		 struct upatch_error *err)
{
	const char *name = symbols_module_name(module);
	struct symbol_table *table = symbols_new(name, module->bias);

	if (!table || !read_module(module, maps, memory, table)) {
		symbols_close(table);
		return report_no_memory(name, err);
	}
	*ret_table = table;
	return 0;
}

int symbols_open_file(const char *path, struct symbol_table **ret_table,
		      struct upatch_error *err)
{
	struct symbol_table *table;
	struct elf_file file;
	char *real_path;
	bool done;
	int ret;

	ret = elf_file_open(ELF_FILE_OWN_ROOT, path, &file, err);
	if (ret < 0)
		return ret;
	/* Debug files are looked up by the absolute path. */
	real_path = realpath(path, NULL);
	table = symbols_new(path, 0);
	done = table &&
	       symbol_file_read(&file, ELF_FILE_OWN_ROOT,
				real_path ? real_path : path, table->index,
				&table->origin) &&
	       symbol_index_finish(table->index);
	free(real_path);
	elf_file_close(&file);
	if (!done) {
		symbols_close(table);
		return report_no_memory(path, err);
	}
	*ret_table = table;
	return 0;
}
