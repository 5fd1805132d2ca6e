/* SPDX-License-Identifier: MIT */
/* x86-64: where a function makes system calls. */
#include "../frame.h"

#include "insn.h"

static bool is_system_call(const uint8_t *insn)
{
	return insn[0] == 0x0f && insn[1] == 0x05;
}

/*
 * The bytes of the instruction can also be the end of another one, so all of
 * them are decoded from the function's first; libc has no data in its code.
 */
static bool ends_at(struct insn_decoder *decoder, const uint8_t *code,
		    size_t len, size_t offset)
{
	struct insn insn = { .len = 0 };
	size_t at = 0;

	while (at < offset) {
		if (!insn_decode(decoder, code + at, len - at, at, &insn))
			return false;
		at += insn.len;
	}
	return at == offset && insn.kind == INSN_SYSTEM_CALL;
}

bool arch_is_at_system_call(const uint8_t *code, size_t len, size_t offset)
{
	struct insn_decoder decoder;
	bool is_behind;

	if (offset + ARCH_SYSTEM_CALL_LEN <= len &&
	    is_system_call(code + offset))
		return true;
	if (offset < ARCH_SYSTEM_CALL_LEN || offset > len ||
	    !is_system_call(code + offset - ARCH_SYSTEM_CALL_LEN) ||
	    insn_decoder_init(&decoder, NULL))
		return false;
	is_behind = ends_at(&decoder, code, len, offset);
	insn_decoder_fini(&decoder);
	return is_behind;
}
