/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of an instruction are, as Capstone sees it.  Its own size of
 * a displacement is not to be trusted: 4.0.2 says 2 where a 0x66 is involved.
 */
#include <capstone/capstone.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/*
 * Capstone 4.0.2 looks at few results of its allocations.  A handle makes two
 * in cs_open and one when it disassembles for the first time, an index of all
 * instructions (insn_find).  When there is no memory they are given what was
 * put aside before.
 */
#define SPARES	  3
#define SPARE_LEN (64UL * 1024)

static __thread void *spares[SPARES];

static void *take_spare(size_t len)
{
	for (int i = 0; len <= SPARE_LEN && i < SPARES; i++) {
		void *spare = spares[i];

		spares[i] = NULL;
		if (spare)
			return memset(spare, 0, len);
	}
	return NULL;
}

static void *spare_malloc(size_t len)
{
	void *block = malloc(len);

	return block ? block : take_spare(len);
}

static void *spare_calloc(size_t count, size_t size)
{
	void *block = calloc(count, size);

	return block ? block : take_spare(count * size);
}

static void set_allocator(void)
{
	cs_opt_mem functions = { spare_malloc, spare_calloc, realloc, free,
				 vsnprintf };

	cs_option(0, CS_OPT_MEM, (size_t)&functions);
}

static bool put_aside(void)
{
	bool complete = true;

	for (int i = 0; i < SPARES; i++) {
		spares[i] = malloc(SPARE_LEN);
		complete = complete && spares[i];
	}
	return complete;
}

static void free_spares(void)
{
	for (int i = 0; i < SPARES; i++) {
		free(spares[i]);
		spares[i] = NULL;
	}
}

/* cs_malloc would write through what it did not get. */
static cs_insn *new_scratch(void)
{
	cs_insn *scratch = calloc(1, sizeof(*scratch));

	if (scratch)
		scratch->detail = calloc(1, sizeof(*scratch->detail));
	if (scratch && scratch->detail)
		return scratch;
	free(scratch);
	return NULL;
}

/* Afterwards nothing is allocated any more. */
static bool open_handle(struct insn_decoder *decoder)
{
	static const uint8_t nop = 0x90;
	const uint8_t *code = &nop;
	size_t len = sizeof(nop);
	uint64_t addr = 0;

	decoder->scratch = new_scratch();
	return decoder->scratch &&
	       cs_open(CS_ARCH_X86, CS_MODE_64, &decoder->handle) ==
		       CS_ERR_OK &&
	       cs_option(decoder->handle, CS_OPT_DETAIL, CS_OPT_ON) ==
		       CS_ERR_OK &&
	       cs_disasm_iter(decoder->handle, &code, &len, &addr,
			      decoder->scratch);
}

int insn_decoder_init(struct insn_decoder *decoder, struct upatch_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool is_open;

	*decoder = (struct insn_decoder){ 0 };
	pthread_once(&once, set_allocator);
	is_open = put_aside() && open_handle(decoder);
	free_spares();
	if (is_open)
		return 0;
	insn_decoder_fini(decoder);
	return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
			 "cannot start the disassembler: out of memory");
}

void insn_decoder_fini(struct insn_decoder *decoder)
{
	if (decoder->scratch)
		free(decoder->scratch->detail);
	free(decoder->scratch);
	if (decoder->handle)
		cs_close(&decoder->handle);
	*decoder = (struct insn_decoder){ 0 };
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
