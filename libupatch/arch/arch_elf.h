/* SPDX-License-Identifier: MIT */
/*
 * What the processor's ELF supplement fixes: the machine number, the page
 * size, and what the loader does for a dynamic relocation.
 */
#ifndef UPATCH_ARCH_ELF_H
#define UPATCH_ARCH_ELF_H

#include <stdbool.h>
#include <stdint.h>

/* The unit in which the loader maps and protects a segment. */
#define ARCH_PAGE_LEN 4096UL

/* e_machine and e_ident[EI_DATA] of what runs here; objects are 64-bit. */
uint16_t arch_elf_machine(void);
uint8_t arch_elf_byte_order(void);
const char *arch_elf_machine_name(void);

enum arch_reloc_kind {
	/* Nothing is written. */
	ARCH_RELOC_NONE,
	/* load address + addend */
	ARCH_RELOC_RELATIVE,
	/* address of the symbol + addend */
	ARCH_RELOC_SYMBOL,
	/* Only the loader knows: TLS offsets, IFUNC results, sizes. */
	ARCH_RELOC_AT_LOAD,
	/* Not a dynamic relocation of a shared object. */
	ARCH_RELOC_UNKNOWN
};

struct arch_reloc {
	enum arch_reloc_kind kind;
	/* bytes that are written */
	uint8_t len;
};

/* `type` is ELF64_R_TYPE of an Elf64_Rela. */
struct arch_reloc arch_elf_reloc(uint32_t type);

#endif
