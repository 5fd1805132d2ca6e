/* SPDX-License-Identifier: MIT */
/* The compressed symbol table that some distributions leave in a program. */
#ifndef UPATCH_MINIDEBUG_H
#define UPATCH_MINIDEBUG_H

#include "elf_file.h"
#include "symbol_index.h"

/*
 * Adds the symbols of section .gnu_debugdata to `index`; none if they cannot
 * be read.  False: out of memory.
 */
bool minidebug_read(const struct elf_file *file, struct symbol_index *index);

#endif
