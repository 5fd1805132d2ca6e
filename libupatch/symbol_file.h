/* SPDX-License-Identifier: MIT */
/* Reads the symbols of an ELF file, and of what was split off it. */
#ifndef UPATCH_SYMBOL_FILE_H
#define UPATCH_SYMBOL_FILE_H

#include "elf_file.h"
#include "symbols.h"

/*
 * Fills `index`, which has been initialized, in this order: the best table,
 * then .dynsym; does not finish it.  `path` below `root_fd` is where the file
 * is, for finding its debug file.  False: out of memory.
 */
bool symbol_file_read(const struct elf_file *file, int root_fd,
		      const char *path, struct symbol_index *index,
		      enum symbol_origin *ret_origin);

#endif
