/* SPDX-License-Identifier: MIT */
/* The file that a module of the target was loaded from. */
#ifndef UPATCH_MODULE_FILE_H
#define UPATCH_MODULE_FILE_H

#include <stdbool.h>

#include "elf_file.h"
#include "maps.h"
#include "memory.h"
#include "modules.h"

struct module_file {
	struct elf_file file;
	/* where it was, below root_fd: in the target's eyes */
	char *path;
	int root_fd;
};

/* The mapping with the ELF header, else any of the file; NULL: no file. */
const struct map *module_file_map(const struct module *module,
				  const struct maps *maps);

/*
 * Finds the file wherever it is now, deleted ones included where that is
 * permitted, and takes nothing that merely lies at its path today: the build
 * id in memory decides, or else device, inode and program headers.  False:
 * there is none, or none to be had.  Release with module_file_close.
 */
bool module_file_open(const struct module *module, const struct maps *maps,
		      const struct memory *memory,
		      struct module_file *ret_file);
void module_file_close(struct module_file *file);

#endif
