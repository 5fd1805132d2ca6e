/* SPDX-License-Identifier: MIT */
/* x86-64: calls before return addresses, and where contexts begin. */
#include "../frame.h"

#include <string.h>
#include <ucontext.h>

/* The return address, then the ucontext. */
#define SIGNAL_FRAME_REG(reg)                                                  \
	(sizeof(uint64_t) + offsetof(ucontext_t, uc_mcontext) +                \
	 offsetof(mcontext_t, gregs) + (reg) * sizeof(greg_t))
_Static_assert(ARCH_SIGNAL_FRAME_HEAD_LEN ==
		       SIGNAL_FRAME_REG(REG_CSGSFS) + sizeof(greg_t),
	       "the head ends with the code segment");

/* Selector of the code segment of 64-bit user code (__USER_CS). */
#define USER_CS 0x33

bool arch_read_signal_frame(const uint8_t head[ARCH_SIGNAL_FRAME_HEAD_LEN],
			    uint64_t *ret_sp)
{
	uint16_t code_segment;

	/* rt_sigreturn refuses any other, whatever a handler has written */
	memcpy(&code_segment, head + SIGNAL_FRAME_REG(REG_CSGSFS),
	       sizeof(code_segment));
	if (code_segment != USER_CS)
		return false;
	memcpy(ret_sp, head + SIGNAL_FRAME_REG(REG_RSP), sizeof(*ret_sp));
	return true;
}

#define CALL_REL32     0xe8
#define JMP_REL32      0xe9
#define REL32_LEN      5
#define GROUP5	       0xff
#define GROUP5_CALL    2
#define MODRM_SIB      4
#define MODRM_REGISTER 3

/* Length of an instruction of group 5, which has no immediate; SDM vol. 2. */
static size_t group5_len(uint8_t modrm, uint8_t sib)
{
	unsigned int mod = modrm >> 6;
	unsigned int rm = modrm & 7;
	bool has_sib = mod != MODRM_REGISTER && rm == MODRM_SIB;
	unsigned int base = has_sib ? sib & 7 : rm;
	size_t len = has_sib ? 3 : 2;

	if (mod == 1)
		return len + 1;
	/* without a base: a disp32, from rip where there is no SIB byte */
	if (mod == 2 || (mod == 0 && base == 5))
		return len + 4;
	return len;
}

bool arch_is_after_call(const uint8_t before[ARCH_CALL_MAX])
{
	const uint8_t *end = before + ARCH_CALL_MAX;
	size_t len;

	if (end[-REL32_LEN] == CALL_REL32 || end[-REL32_LEN] == JMP_REL32)
		return true;
	for (len = 2; len <= ARCH_CALL_MAX; len++) {
		const uint8_t *insn = end - len;
		uint8_t sib = len > 2 ? insn[2] : 0;

		if (insn[0] == GROUP5 && (insn[1] >> 3 & 7) == GROUP5_CALL &&
		    group5_len(insn[1], sib) == len)
			return true;
	}
	return false;
}

/* jmp, or the second byte of a conditional jump */
static bool is_jump_rel32(const uint8_t *code, size_t offset)
{
	if (code[offset] == JMP_REL32)
		return true;
	return offset > 0 && code[offset - 1] == 0x0f &&
	       (code[offset] & 0xf0) == 0x80;
}

bool arch_find_jump(const uint8_t *code, size_t len, uint64_t addr,
		    uint64_t target, size_t *ret_offset)
{
	size_t offset;

	for (offset = 0; offset + REL32_LEN <= len; offset++) {
		int32_t distance;

		memcpy(&distance, code + offset + 1, sizeof(distance));
		if (!is_jump_rel32(code, offset) ||
		    addr + offset + REL32_LEN + (uint64_t)(int64_t)distance !=
			    target)
			continue;
		*ret_offset = offset;
		return true;
	}
	return false;
}

bool arch_is_context_start(const uint8_t code[ARCH_CONTEXT_START_LEN])
{
	/* mov %rbx,%rsp: sysdeps/unix/sysv/linux/x86_64/__start_context.S */
	static const uint8_t start[ARCH_CONTEXT_START_LEN] = { 0x48, 0x89,
							       0xdc };

	return memcmp(code, start, sizeof(start)) == 0;
}
