/* SPDX-License-Identifier: MIT */
/* The functions of real programs, as material for tests of code analysis. */
#ifndef TEST_ELF_FUNCTIONS_H
#define TEST_ELF_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_function {
	const char *name;
	uint64_t addr; /* as linked */
	const uint8_t *code;
	size_t len;
};

typedef void (*elf_function_visitor)(const struct elf_function *function,
				     void *user);

/*
 * Calls visit for every function of `path` that has a dynamic symbol and a
 * size.  False: the file is not there or no ELF file.
 */
bool elf_functions_visit(const char *path, elf_function_visitor visit,
			 void *user);

#endif
