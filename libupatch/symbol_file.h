/* SPDX-License-Identifier: MIT */
/* Reads the symbols of an ELF file, and of what was split off it. */
#ifndef UPATCH_SYMBOL_FILE_H
#define UPATCH_SYMBOL_FILE_H

#include "elf_file.h"
#include "symbol_index.h"

/* The best table that was found; .dynsym is always read as well. */
enum symbol_origin {
	SYMBOL_ORIGIN_DYNAMIC,	 /* .dynsym alone: exported symbols */
	SYMBOL_ORIGIN_MINIDEBUG, /* .gnu_debugdata: functions */
	SYMBOL_ORIGIN_DEBUG,	 /* .symtab of a separate debug file */
	SYMBOL_ORIGIN_FULL	 /* .symtab of the file */
};

/*
 * Fills `index`, which has been initialized, in this order: the best table,
 * then .dynsym; does not finish it.  `path` below `root_fd` is where the file
 * is, for finding its debug file.  False: out of memory.
 */
bool symbol_file_read(const struct elf_file *file, int root_fd,
		      const char *path, struct symbol_index *index,
		      enum symbol_origin *ret_origin);

#endif
