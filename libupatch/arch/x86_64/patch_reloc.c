/* SPDX-License-Identifier: MIT */
/* Dynamic relocations of the x86-64 psABI, section 4.4.1. */
#include "../arch_elf.h"

#include <elf.h>

uint16_t arch_elf_machine(void)
{
	return EM_X86_64;
}

uint8_t arch_elf_byte_order(void)
{
	return ELFDATA2LSB;
}

const char *arch_elf_machine_name(void)
{
	return "x86-64";
}

struct arch_reloc arch_elf_reloc(uint32_t type)
{
	switch (type) {
	case R_X86_64_NONE:
		return (struct arch_reloc){ ARCH_RELOC_NONE, 0 };
	case R_X86_64_RELATIVE:
		return (struct arch_reloc){ ARCH_RELOC_RELATIVE, 8 };
	/*
	 * The psABI gives the GOT forms no addend; glibc adds it all the
	 * same, and linkers leave it 0.
	 */
	case R_X86_64_64:
	case R_X86_64_GLOB_DAT:
	case R_X86_64_JUMP_SLOT:
		return (struct arch_reloc){ ARCH_RELOC_SYMBOL, 8 };
	case R_X86_64_IRELATIVE:
	case R_X86_64_DTPMOD64:
	case R_X86_64_DTPOFF64:
	case R_X86_64_TPOFF64:
	case R_X86_64_SIZE64:
		return (struct arch_reloc){ ARCH_RELOC_AT_LOAD, 8 };
	case R_X86_64_TLSDESC:
		return (struct arch_reloc){ ARCH_RELOC_AT_LOAD, 16 };
	case R_X86_64_32:
	case R_X86_64_PC32:
	case R_X86_64_SIZE32:
		return (struct arch_reloc){ ARCH_RELOC_AT_LOAD, 4 };
	default:
		/* R_X86_64_COPY among them: it belongs to executables. */
		return (struct arch_reloc){ ARCH_RELOC_UNKNOWN, 0 };
	}
}
