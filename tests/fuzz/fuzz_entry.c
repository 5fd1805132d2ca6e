/* SPDX-License-Identifier: MIT */
/* Whatever the bytes of a function are, they are moved or refused. */
#include <stdint.h>

#include "arch/arch.h"

#define FUNCTION_ADDR 0x401000
#define COPY_ADDR     0x600000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arch_twin twins[ARCH_TWINS_MAX];
	uint8_t copy[ARCH_ORIGINAL_MAX];
	struct arch_entry entry;
	size_t copy_len, twin_count;

	if (arch_entry_analyze("f", bytes, len, FUNCTION_ADDR, &entry, NULL) ==
		    0 &&
	    arch_emit_original(&entry, COPY_ADDR, copy, sizeof(copy), &copy_len,
			       twins, &twin_count, NULL) == 0 &&
	    (copy_len > sizeof(copy) || twin_count > ARCH_TWINS_MAX))
		__builtin_trap();
	return 0;
}
