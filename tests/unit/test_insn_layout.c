/* SPDX-License-Identifier: MIT */
/*
 * What the target knows about instructions, held against Capstone: over the
 * code of real programs, and over bytes that are no code at all.
 */
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "arch/arch.h"
#include "arch/x86_64/insn_layout.h"
#include "elf_functions.h"
#include "random_bytes.h"

/* The target's, compiled under other names. */
bool target_layout_find(struct insn_decoder *decoder, const uint8_t *code,
			size_t len, struct insn_layout *ret_layout);
int target_entry_analyze(const char *name, const uint8_t *code, size_t len,
			 upatch_addr_t addr, struct arch_entry *ret_entry,
			 struct upatch_error *err);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct insn_decoder capstone;

static void init_capstone(void)
{
	int result = insn_decoder_init(&capstone, NULL);

	cr_assert(eq(int, result, 0));
}

static void fini_capstone(void)
{
	insn_decoder_fini(&capstone);
}

TestSuite(insn_layout, .init = init_capstone, .fini = fini_capstone,
	  .timeout = 120);

/* A heap copy, so that a sanitizer sees a read past the end. */
static bool find_exact(const uint8_t *code, size_t len,
		       struct insn_layout *ret_layout)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool found;

	memcpy(copy, code, len);
	found = target_layout_find(NULL, copy, len, ret_layout);
	free(copy);
	return found;
}

/* --- Forms ------------------------------------------------------------- */

struct form {
	const char *name;
	struct insn_layout layout; /* length, ModRM at, ModRM, displacement */
	uint8_t code[15];
};

/* clang-format off */
static const struct form forms[] = {
	{ "ret", { 1, 0, 0, 0 }, { 0xc3 } },
	{ "endbr64", { 4, 3, 0xfa, 0 }, { 0xf3, 0x0f, 0x1e, 0xfa } },
	{ "mov %rsp, %rbp", { 3, 2, 0xe5, 0 }, { 0x48, 0x89, 0xe5 } },
	{ "mov (%rsp), %eax", { 3, 1, 0x04, 0 }, { 0x8b, 0x04, 0x24 } },
	{ "mov 8(%rsp), %eax", { 4, 1, 0x44, 3 }, { 0x8b, 0x44, 0x24, 8 } },
	{ "mov 0x11223344(%rax,%rcx), %eax", { 7, 1, 0x84, 3 },
	  { 0x8b, 0x84, 0x08, 0x44, 0x33, 0x22, 0x11 } },
	{ "mov 0x10(,%rcx,8), %eax: no base", { 7, 1, 0x04, 3 },
	  { 0x8b, 0x04, 0xcd, 0x10, 0, 0, 0 } },
	{ "mov (%r13), %eax: disp8 of 0", { 4, 2, 0x45, 3 },
	  { 0x41, 0x8b, 0x45, 0 } },
	{ "mov (%r12), %eax: SIB in spite of REX.B", { 4, 2, 0x04, 0 },
	  { 0x41, 0x8b, 0x04, 0x24 } },
	{ "movl $5, 0x10(%rip)", { 10, 1, 0x05, 2 },
	  { 0xc7, 0x05, 0x10, 0, 0, 0, 5, 0, 0, 0 } },
	{ "movw $5, 0x10(%rip)", { 9, 2, 0x05, 3 },
	  { 0x66, 0xc7, 0x05, 0x10, 0, 0, 0, 5, 0 } },
	{ "movq $5, 0x10(%rip)", { 11, 2, 0x05, 3 },
	  { 0x48, 0xc7, 0x05, 0x10, 0, 0, 0, 5, 0, 0, 0 } },
	{ "mov $1, %eax", { 5, 0, 0, 0 }, { 0xb8, 1, 0, 0, 0 } },
	{ "mov $1, %ax", { 4, 0, 0, 0 }, { 0x66, 0xb8, 1, 0 } },
	{ "movabs $1, %rax", { 10, 0, 0, 0 },
	  { 0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0 } },
	{ "data16 movabs $1, %rax", { 11, 0, 0, 0 },
	  { 0x66, 0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0 } },
	{ "movabs 1, %eax", { 9, 0, 0, 0 },
	  { 0xa1, 1, 0, 0, 0, 0, 0, 0, 0 } },
	{ "addr32 mov 1, %eax", { 6, 0, 0, 0 }, { 0x67, 0xa1, 1, 0, 0, 0 } },
	{ "test $1, %dil", { 4, 2, 0xc7, 0 }, { 0x40, 0xf6, 0xc7, 1 } },
	{ "test $1, %edi", { 6, 1, 0xc7, 0 }, { 0xf7, 0xc7, 1, 0, 0, 0 } },
	{ "test $1, %di", { 5, 2, 0xc7, 0 }, { 0x66, 0xf7, 0xc7, 1, 0 } },
	{ "not %edi", { 2, 1, 0xd7, 0 }, { 0xf7, 0xd7 } },
	{ "neg %dil", { 3, 2, 0xdf, 0 }, { 0x40, 0xf6, 0xdf } },
	{ "enter $16, $1", { 4, 0, 0, 0 }, { 0xc8, 16, 0, 1 } },
	{ "ret $8", { 3, 0, 0, 0 }, { 0xc2, 8, 0 } },
	{ "push $1", { 2, 0, 0, 0 }, { 0x6a, 1 } },
	{ "push $0x100", { 5, 0, 0, 0 }, { 0x68, 0, 1, 0, 0 } },
	{ "pushw $0x100", { 4, 0, 0, 0 }, { 0x66, 0x68, 0, 1 } },
	{ "imul $0x100, %rsi, %rdi", { 7, 2, 0xfe, 0 },
	  { 0x48, 0x69, 0xfe, 0, 1, 0, 0 } },
	{ "call", { 5, 0, 0, 0 }, { 0xe8, 0, 1, 0, 0 } },
	{ "data16 rex.W call, as to __tls_get_addr", { 8, 0, 0, 0 },
	  { 0x66, 0x66, 0x48, 0xe8, 0, 1, 0, 0 } },
	{ "addr32 call", { 6, 0, 0, 0 }, { 0x67, 0xe8, 0, 1, 0, 0 } },
	{ "bnd jmp", { 6, 0, 0, 0 }, { 0xf2, 0xe9, 0, 1, 0, 0 } },
	{ "je, near", { 6, 0, 0, 0 }, { 0x0f, 0x84, 0, 1, 0, 0 } },
	{ "je, short, with a hint", { 3, 0, 0, 0 }, { 0x3e, 0x74, 1 } },
	{ "notrack jmp *%rax", { 3, 2, 0xe0, 0 }, { 0x3e, 0xff, 0xe0 } },
	{ "xbegin", { 6, 1, 0xf8, 0 }, { 0xc7, 0xf8, 0, 1, 0, 0 } },
	{ "xabort $1", { 3, 1, 0xf8, 0 }, { 0xc6, 0xf8, 1 } },
	{ "pop %rax by ModRM", { 2, 1, 0xc0, 0 }, { 0x8f, 0xc0 } },
	{ "lock cmpxchg %edx, (%rsi)", { 4, 3, 0x16, 0 },
	  { 0xf0, 0x0f, 0xb1, 0x16 } },
	{ "nop of 10 bytes", { 10, 4, 0x84, 6 },
	  { 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 } },
	{ "nop of 15 bytes", { 15, 9, 0x84, 11 },
	  { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84,
	    0, 0, 0, 0, 0 } },
	{ "shld $1, %eax, %edx", { 4, 2, 0xc2, 0 }, { 0x0f, 0xa4, 0xc2, 1 } },
	{ "mov %cr0, %rax: mod is ignored", { 3, 2, 0x05, 0 },
	  { 0x0f, 0x20, 0x05 } },
	{ "fldt 8(%rsp)", { 4, 1, 0x6c, 3 }, { 0xdb, 0x6c, 0x24, 8 } },
	{ "pshufb %xmm1, %xmm0", { 5, 4, 0xc1, 0 },
	  { 0x66, 0x0f, 0x38, 0x00, 0xc1 } },
	{ "palignr $1, 0x10(%rip), %xmm0", { 10, 4, 0x05, 5 },
	  { 0x66, 0x0f, 0x3a, 0x0f, 0x05, 0x10, 0, 0, 0, 1 } },
	{ "pfadd (%rax), %mm0", { 4, 2, 0x00, 0 }, { 0x0f, 0x0f, 0, 0x9e } },
	{ "vzeroupper", { 3, 0, 0, 0 }, { 0xc5, 0xf8, 0x77 } },
	{ "vpshufd $1, 0x10(%rip), %xmm0", { 9, 3, 0x05, 4 },
	  { 0xc5, 0xf9, 0x70, 0x05, 0x10, 0, 0, 0, 1 } },
	{ "vpshufb %ymm2, %ymm1, %ymm0", { 5, 4, 0xc2, 0 },
	  { 0xc4, 0xe2, 0x75, 0x00, 0xc2 } },
	{ "vblendvps: a register in the immediate", { 6, 4, 0xc2, 0 },
	  { 0xc4, 0xe3, 0x75, 0x4a, 0xc2, 0x30 } },
	{ "rorx $1, %rsi, %rdi", { 6, 4, 0xfe, 0 },
	  { 0xc4, 0xe3, 0xfb, 0xf0, 0xfe, 1 } },
	{ "vpgatherdd: SIB with a vector", { 6, 4, 0x04, 0 },
	  { 0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x08 } },
	{ "bextr $1, XOP", { 9, 4, 0xc7, 0 },
	  { 0x8f, 0xea, 0x78, 0x10, 0xc7, 1, 0, 0, 0 } },
	{ "vprotd $1, XOP", { 6, 4, 0xc1, 0 },
	  { 0x8f, 0xe8, 0x78, 0xc2, 0xc1, 1 } },
	{ "vmovdqu64 0x10(%rip), %zmm0", { 10, 5, 0x05, 6 },
	  { 0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x05, 0x10, 0, 0, 0 } },
	{ "vpternlogd, disp8 times 64", { 8, 5, 0x40, 6 },
	  { 0x62, 0xf3, 0x75, 0x48, 0x25, 0x40, 1, 0xff } },
	{ "vfmadd213pd {rn-sae}", { 6, 5, 0xe2, 0 },
	  { 0x62, 0xf2, 0xf5, 0x78, 0xa8, 0xe2 } },
	{ "vaddph, EVEX map 5", { 6, 5, 0xc2, 0 },
	  { 0x62, 0xf5, 0x74, 0x48, 0x58, 0xc2 } },
};

static const struct {
	const char *name;
	uint8_t code[15];
} refused[] = {
	{ "not in 64-bit mode", { 0x06 } },
	{ "jmp of 16 bits on AMD", { 0x66, 0xe9, 0, 1 } },
	{ "je of 16 bits on AMD", { 0x66, 0x0f, 0x84, 0, 1 } },
	{ "xbegin of 16 bits", { 0x66, 0xc7, 0xf8, 0, 1 } },
	{ "prefix behind REX", { 0x48, 0x66, 0x89, 0xe5 } },
	{ "REX behind REX", { 0x40, 0x48, 0x89, 0xe5 } },
	{ "REX before VEX", { 0x48, 0xc5, 0xf8, 0x77 } },
	{ "0x66 before EVEX", { 0x66, 0x62, 0xf1, 0xfe, 0x48, 0x6f, 0 } },
	{ "lock without memory", { 0xf0, 0x01, 0xc0 } },
	{ "lock of what cannot be locked", { 0xf0, 0x89, 0x00 } },
	{ "lea of a register", { 0x8d, 0xc0 } },
	{ "test by /1", { 0xf6, 0xc8, 1 } },
	{ "0xff /7", { 0xff, 0xf8 } },
	{ "far jmp to a register", { 0xff, 0xe8 } },
	{ "ud1", { 0x0f, 0xb9, 0xc0 } },
	{ "ud0", { 0x0f, 0xff, 0xc0 } },
	{ "extrq $1, $2", { 0x66, 0x0f, 0x78, 0xc0, 1, 2 } },
	{ "REX2 of APX", { 0xd5, 0x10, 0x89, 0xe5 } },
	{ "EVEX map 4 of APX", { 0x62, 0xf4, 0x7c, 0x18, 0x01, 0xc0 } },
	{ "VEX map 7", { 0xc4, 0xe7, 0x7b, 0xf8, 0xc0, 0, 0, 0, 0 } },
	{ "15 prefixes", { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
			   0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 } },
};
/* clang-format on */

Test(insn_layout, every_form_has_its_length)
{
	for (size_t i = 0; i < COUNT(forms); i++) {
		const struct form *form = &forms[i];
		struct insn_layout layout = { 0 };
		bool found = find_exact(form->code, form->layout.len, &layout);

		cr_expect(found, "%s", form->name);
		cr_expect(eq(u8, layout.len, form->layout.len), "%s",
			  form->name);
		cr_expect(eq(u8, layout.modrm_at, form->layout.modrm_at), "%s",
			  form->name);
		cr_expect(eq(u8, layout.modrm, form->layout.modrm), "%s",
			  form->name);
		cr_expect(eq(u8, layout.disp_at, form->layout.disp_at), "%s",
			  form->name);
	}
}

Test(insn_layout, cut_instruction_is_none)
{
	for (size_t i = 0; i < COUNT(forms); i++) {
		for (size_t len = 0; len < forms[i].layout.len; len++) {
			struct insn_layout layout = { .len = 77 };
			bool found = find_exact(forms[i].code, len, &layout);

			cr_expect(eq(int, found, 0), "%s, cut to %zu",
				  forms[i].name, len);
			cr_expect(eq(u8, layout.len, 77));
		}
	}
}

Test(insn_layout, doubtful_bytes_are_no_instruction)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct insn_layout layout;
		bool found = find_exact(refused[i].code,
					sizeof(refused[i].code), &layout);

		cr_expect(eq(int, found, 0), "%s", refused[i].name);
	}
}

Test(insn_layout, capstone_is_not_believed_about_rounding)
{
	static const uint8_t code[] = {
		0x62, 0xf2, 0xf5, 0x78, 0xa8, 0xe2, /* vfmadd213pd {rn-sae} */
		0xc3,
	};
	struct insn_layout layout;
	bool found = insn_layout_find(&capstone, code, sizeof(code), &layout);

	cr_expect(eq(int, found, 0));
}

/* --- Comparison -------------------------------------------------------- */

struct survey {
	const char *name;
	size_t compared, only_capstone, only_target, differ;
	/* only_target, but for what is known to be missing in Capstone */
	size_t unexpected;
};

static bool has_rip_operand(const struct insn_layout *layout)
{
	return layout->modrm_at && (layout->modrm & 0xc7) == 0x05 &&
	       layout->disp_at == layout->modrm_at + 1;
}

static bool is_same(const struct insn_layout *one,
		    const struct insn_layout *other)
{
	return one->len == other->len &&
	       has_rip_operand(one) == has_rip_operand(other) &&
	       (!has_rip_operand(one) || one->modrm_at == other->modrm_at);
}

static void log_bytes(const struct survey *survey, const char *what,
		      const uint8_t *code, size_t len)
{
	char hex[2 * INSN_LEN_MAX + 1] = "";

	for (size_t i = 0; i < len && i < INSN_LEN_MAX; i++)
		snprintf(hex + 2 * i, 3, "%02x", code[i]);
	cr_log_warn("%s: %s: %s", survey->name, what, hex);
}

/* EVEX, the opmasks, which are VEX, and rdpkru and wrpkru. */
static bool is_unknown_to_capstone(const uint8_t *code, size_t len)
{
	return code[0] == 0x62 || code[0] == 0xc4 || code[0] == 0xc5 ||
	       (len > 2 && code[0] == 0x0f && code[1] == 0x01 &&
		(code[2] == 0xee || code[2] == 0xef));
}

/* How far to go on. */
static size_t compare(struct survey *survey, const uint8_t *code, size_t len)
{
	struct insn_layout by_capstone = { 0 }, by_target = { 0 };
	bool capstone_knows =
		insn_layout_find(&capstone, code, len, &by_capstone);
	bool target_knows = target_layout_find(NULL, code, len, &by_target);

	survey->compared++;
	if (capstone_knows && target_knows &&
	    !is_same(&by_capstone, &by_target)) {
		survey->differ++;
		log_bytes(survey, "the lengths differ", code, len);
	}
	if (capstone_knows && !target_knows)
		survey->only_capstone++;
	if (!capstone_knows && target_knows) {
		survey->only_target++;
		survey->unexpected += !is_unknown_to_capstone(code, len);
	}
	return target_knows	? by_target.len
	       : capstone_knows ? by_capstone.len
				: 1;
}

static void compare_file(struct survey *survey, size_t step)
{
	int fd = open(survey->name, O_RDONLY | O_CLOEXEC);
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	Elf *elf;

	if (fd < 0)
		cr_skip("no %s here", survey->name);
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	while ((section = elf_nextscn(elf, section))) {
		const Elf_Data *bytes = elf_rawdata(section, NULL);

		if (!gelf_getshdr(section, &header) || !bytes ||
		    header.sh_type != SHT_PROGBITS ||
		    !(header.sh_flags & SHF_EXECINSTR))
			continue;
		for (size_t at = 0; at < bytes->d_size;) {
			const uint8_t *code = bytes->d_buf;
			size_t len =
				compare(survey, code + at, bytes->d_size - at);

			at += step ? step : len;
		}
	}
	elf_end(elf);
	close(fd);
	cr_log_info(
		"%s: %zu compared, %zu known to Capstone alone, %zu to the target alone (%zu of them unexpectedly)",
		survey->name, survey->compared, survey->only_capstone,
		survey->only_target, survey->unexpected);
	cr_expect(eq(sz, survey->differ, 0), "%s", survey->name);
}

#define LIBRARIES "/lib/x86_64-linux-gnu/"

static const char *const programs[] = {
	"/usr/sbin/nginx",	    "/usr/bin/redis-server",
	"/usr/bin/memcached",	    "/lib64/ld-linux-x86-64.so.2",
	LIBRARIES "libstdc++.so.6", LIBRARIES "libm.so.6",
	LIBRARIES "libc.so.6",	    LIBRARIES "libmvec.so.1",
};

Test(insn_layout, agrees_with_capstone_on_programs)
{
	for (size_t i = 0; i < COUNT(programs); i++) {
		struct survey survey = { .name = programs[i] };

		if (access(programs[i], R_OK) != 0)
			continue;
		compare_file(&survey, 0);
		cr_expect(eq(sz, survey.only_capstone, 0), "%s", survey.name);
		cr_expect(eq(sz, survey.unexpected, 0), "%s", survey.name);
	}
}

/* Its .text has tables in it, which are not code. */
Test(insn_layout, agrees_with_capstone_on_libcrypto)
{
	struct survey survey = { .name = LIBRARIES "libcrypto.so.3" };

	compare_file(&survey, 0);
	cr_expect(lt(sz, survey.only_capstone * 1000, survey.compared));
	cr_expect(lt(sz, survey.unexpected * 1000, survey.compared));
}

Test(insn_layout, agrees_with_capstone_out_of_step)
{
	struct survey survey = { .name = "/usr/bin/memcached" };

	compare_file(&survey, 1);
}

/*
 * What Capstone 4.0.2 gets wrong: with 0x66 or 0x67 it reads a REX.W ret imm16
 * as if it had four bytes behind it, and a REX.W call as if it had two; 0x66
 * with a repeat prefix does not shorten push imm; 0x67 changes the operands of
 * EVEX instructions.  No compiler emits any of these.
 */
static bool is_misread_by_capstone(const uint8_t *code)
{
	bool operand_size = false, address_size = false, repeat = false;
	bool wide;
	size_t at = 0;

	for (;; at++) {
		if (code[at] == 0x66)
			operand_size = true;
		else if (code[at] == 0x67)
			address_size = true;
		else if (code[at] == 0xf2 || code[at] == 0xf3)
			repeat = true;
		else if (code[at] != 0xf0 && (code[at] & 0xfe) != 0x64 &&
			 (code[at] & 0xe7) != 0x26)
			break;
	}
	wide = (code[at] & 0xf8) == 0x48;
	if ((code[at] & 0xf0) == 0x40)
		at++;
	switch (code[at]) {
	case 0x62:
		return address_size;
	case 0x68:
		return operand_size && repeat;
	case 0xc2:
		return (operand_size || address_size) && wide;
	case 0xe8:
		return address_size && wide;
	case 0x0f:
		return code[at + 1] == 0x78 && address_size && wide;
	default:
		return false;
	}
}

static void fill_random(uint64_t *state, uint8_t code[16])
{
	static const uint8_t starts[] = {
		0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64, 0x41, 0x48,
		0x0f, 0xc4, 0xc5, 0x62, 0x8f, 0x0f, 0x0f, 0x0f,
	};
	uint64_t bytes[2] = { random_next(state), random_next(state) };
	uint64_t choice = random_next(state);
	size_t at = 0;

	memcpy(code, bytes, sizeof(bytes));
	for (; (choice & 3) && at < 4; choice >>= 8)
		code[at++] = starts[choice >> 2 & 15];
	if (code[at] == 0x0f && (choice & 4))
		code[at + 1] = choice & 8 ? 0x38 : 0x3a;
}

Test(insn_layout, agrees_with_capstone_on_random_bytes)
{
	struct survey survey = { .name = "random" };
	unsigned long count = 20 * random_try_count();
	uint64_t state = 0x5eed;
	size_t misread = 0;

	for (unsigned long i = 0; i < count; i++) {
		uint8_t code[16];

		fill_random(&state, code);
		if (is_misread_by_capstone(code))
			misread++;
		else
			compare(&survey, code, sizeof(code));
	}
	cr_log_info(
		"%zu compared, %zu left out, %zu known to Capstone alone, %zu to the target alone",
		survey.compared, misread, survey.only_capstone,
		survey.only_target);
	cr_expect(eq(sz, survey.differ, 0));
}

Test(insn_layout, exact_end_is_not_overstepped)
{
	unsigned long count = random_try_count();
	uint64_t state = 0x5eed;

	for (unsigned long i = 0; i < count; i++) {
		struct insn_layout layout;
		uint8_t code[16];
		size_t len = i % sizeof(code);

		fill_random(&state, code);
		if (find_exact(code, len, &layout))
			cr_assert(le(sz, layout.len, len));
	}
}

/* --- Entries ----------------------------------------------------------- */

struct entries {
	size_t count, differ;
};

static void compare_entry(const struct elf_function *function, void *user)
{
	struct entries *entries = user;
	struct upatch_error one_err = { 0 }, other_err = { 0 };
	struct arch_entry one = { 0 }, other = { 0 };
	int result = arch_entry_analyze(function->name, function->code,
					function->len, function->addr, &one,
					&one_err);
	int other_result = target_entry_analyze(function->name, function->code,
						function->len, function->addr,
						&other, &other_err);

	entries->count++;
	if (result == other_result && !memcmp(&one, &other, sizeof(one)) &&
	    !strcmp(one_err.message, other_err.message))
		return;
	entries->differ++;
	cr_log_warn("%s: Capstone: %d %s, target: %d %s", function->name,
		    result, one_err.message, other_result, other_err.message);
}

Test(insn_layout, entries_are_analyzed_alike)
{
	for (size_t i = 0; i < COUNT(programs); i++) {
		struct entries entries = { 0 };

		if (!elf_functions_visit(programs[i], compare_entry, &entries))
			continue;
		cr_log_info("%s: %zu functions", programs[i], entries.count);
		cr_expect(eq(sz, entries.differ, 0), "%s", programs[i]);
	}
}

Test(insn_layout, entries_of_libcrypto_are_analyzed_alike)
{
	struct entries entries = { 0 };

	if (!elf_functions_visit(LIBRARIES "libcrypto.so.3", compare_entry,
				 &entries))
		cr_skip("no libcrypto here");
	cr_expect(eq(sz, entries.differ, 0));
}
