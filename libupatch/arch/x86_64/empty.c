/* SPDX-License-Identifier: MIT */
/* Recognises a function that does nothing. */
#include <string.h>

#include "../arch.h"

#define RET 0xc3

/*
 * What assemblers fill the space between functions with: int3, nop, and the
 * nop with operands, 0f 1f, behind any number of 66 and a segment prefix.
 */
static bool is_padding(const uint8_t *code, size_t len)
{
	size_t at = 0;

	if (code[0] == 0xcc || code[0] == 0x90)
		return true;
	while (at < len && (code[at] == 0x66 || code[at] == 0x2e))
		at++;
	if (at < len && code[at] == 0x90)
		return true;
	return at + 1 < len && code[at] == 0x0f && code[at + 1] == 0x1f;
}

bool arch_is_empty_function(const uint8_t *code, size_t len)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	if (len > sizeof(endbr64) && !memcmp(code, endbr64, sizeof(endbr64))) {
		code += sizeof(endbr64);
		len -= sizeof(endbr64);
	}
	return len > ARCH_JUMP_LEN && code[0] == RET &&
	       is_padding(code + 1, len - 1);
}
