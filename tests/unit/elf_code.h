/* SPDX-License-Identifier: MIT */
/* The code of an ELF file, for tests of code analysis. */
#ifndef TEST_ELF_CODE_H
#define TEST_ELF_CODE_H

#include "arch/clobber.h"

struct elf_code;

/* NULL: the file is not there or no ELF file of this machine. */
struct elf_code *elf_code_open(const char *path);
void elf_code_close(struct elf_code *code);

/*
 * Functions are found by the ranges of .eh_frame, so also in stripped files,
 * else by symbols; neither knows the PLT's stubs.
 */
struct code_source elf_code_source(struct elf_code *code);

/* The function's address as linked, or 0. */
upatch_addr_t elf_code_find(const struct elf_code *code, const char *name);

#endif
