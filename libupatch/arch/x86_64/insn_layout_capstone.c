/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of an instruction are, as Capstone sees it.  Its own size of
 * a displacement is not to be trusted: 4.0.2 says 2 where a 0x66 is involved.
 */
#include <capstone/capstone.h>

#include "insn_layout.h"

/*
 * libcapstone is linked in, and cs_open alone refers to every processor that it
 * knows: their tables have 77,000 pointers to relocate whenever a program
 * starts, 70,000 of which are not ours.  Defined here, they stay out.
 */
#define NOT_LINKED(arch)                                                       \
	cs_err arch##_global_init(void *handle);                               \
	cs_err arch##_option(void *handle, cs_opt_type type, size_t value);    \
	cs_err arch##_global_init(void *handle)                                \
	{                                                                      \
		(void)handle;                                                  \
		return CS_ERR_ARCH;                                            \
	}                                                                      \
	cs_err arch##_option(void *handle, cs_opt_type type, size_t value)     \
	{                                                                      \
		(void)handle, (void)type, (void)value;                         \
		return CS_ERR_ARCH;                                            \
	}
NOT_LINKED(AArch64)
NOT_LINKED(ARM)
NOT_LINKED(EVM)
NOT_LINKED(M680X)
NOT_LINKED(M68K)
NOT_LINKED(Mips)
NOT_LINKED(PPC)
NOT_LINKED(Sparc)
NOT_LINKED(SystemZ)
NOT_LINKED(TMS320C64x)
NOT_LINKED(XCore)

int insn_decoder_init(struct insn_decoder *decoder, struct upatch_error *err)
{
	cs_err status;

	status = cs_open(CS_ARCH_X86, CS_MODE_64, &decoder->handle);
	if (status == CS_ERR_OK) {
		status = cs_option(decoder->handle, CS_OPT_DETAIL, CS_OPT_ON);
		decoder->scratch = cs_malloc(decoder->handle);
		if (status == CS_ERR_OK && decoder->scratch)
			return 0;
		insn_decoder_fini(decoder);
	}
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
			 "cannot start the disassembler: %s",
			 status == CS_ERR_OK ? "out of memory"
					     : cs_strerror(status));
}

void insn_decoder_fini(struct insn_decoder *decoder)
{
	if (decoder->scratch)
		cs_free(decoder->scratch, 1);
	cs_close(&decoder->handle);
}

/*
 * 4.0.2 counts a byte too many for EVEX instructions that name a rounding mode,
 * as in vfmadd213pd {rn-sae}, …: bit b is set and there is no memory operand.
 */
static bool is_misread(const cs_insn *scratch)
{
	const cs_x86_encoding *encoding = &scratch->detail->x86.encoding;
	const uint8_t *evex;

	if (encoding->modrm_offset < 5)
		return false;
	evex = scratch->bytes + encoding->modrm_offset - 5;
	return evex[0] == 0x62 && (evex[3] & 0x10) &&
	       scratch->detail->x86.modrm >= 0xc0;
}

bool insn_layout_find(struct insn_decoder *decoder, const uint8_t *code,
		      size_t len, struct insn_layout *ret_layout)
{
	const cs_insn *scratch = decoder->scratch;
	const cs_x86 *x86;
	uint64_t addr = 0;

	if (!cs_disasm_iter(decoder->handle, &code, &len, &addr,
			    decoder->scratch))
		return false;
	if (scratch->size == 0 || scratch->size > INSN_LEN_MAX ||
	    is_misread(scratch))
		return false;
	x86 = &scratch->detail->x86;
	*ret_layout = (struct insn_layout){
		.len = (uint8_t)scratch->size,
		.modrm_at = x86->encoding.modrm_offset,
		.modrm = x86->modrm,
		.disp_at = x86->encoding.disp_offset,
	};
	return true;
}
