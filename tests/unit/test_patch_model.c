/* SPDX-License-Identifier: MIT */
/*
 * Every reason to refuse a patch, made by a compiler and linker where they
 * can, by changed bytes where they cannot.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <elf.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <upatch/patch.h>

#include "patch_builder.h"
#include "patch_model.h"
#include "scratch.h"

TestSuite(patch_model, .timeout = 60);

static const struct patch_build sound = { "gcc", { "-O1" } };

/* What is wrong with bytes[0, len): "" if nothing is. */
static void parse(const uint8_t *bytes, size_t len, char *ret_reason,
		  size_t size)
{
	struct patch_model *model = NULL;
	struct upatch_error err = { 0 };
	int code = patch_model_parse(bytes, len, &model, &err);

	if (code == 0) {
		ret_reason[0] = '\0';
		patch_model_free(model);
		return;
	}
	cr_assert(eq(int, code, UPATCH_ERROR_BAD_PATCH));
	cr_assert(eq(int, err.code, UPATCH_ERROR_BAD_PATCH));
	cr_assert(zero(ptr, model));
	snprintf(ret_reason, size, "%s", err.message);
}

/* `expected` is a pattern: addresses differ between linkers. */
static void check_reason(const char *name, const char *expected)
{
	char reason[UPATCH_ERROR_MESSAGE_SIZE];
	bool is_as_expected;
	uint8_t *bytes;
	size_t len;

	bytes = patch_builder_read(name, &len);
	parse(bytes, len, reason, sizeof(reason));
	free(bytes);
	is_as_expected = fnmatch(expected, reason, 0) == 0;
	cr_expect(is_as_expected, "%s: '%s' instead of '%s'", name, reason,
		  expected);
}

struct refusal {
	const char *expected;
	const char *flags[PATCH_BUILDER_FLAGS_MAX - 1];
};

static void check_refusals(const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct patch_build build = { "gcc", { "-O1", "-w" } };

		for (size_t j = 0; refusals[i].flags[j]; j++)
			build.flags[j + 2] = refusals[i].flags[j];
		cr_assert(patch_builder_compile(&build, "read_refused.c",
						"refused.so"));
		check_reason("refused.so", refusals[i].expected);
	}
}

#define REFUSALS(table) check_refusals(table, sizeof(table) / sizeof(*(table)))

Test(patch_model, patch_without_defect_is_sound)
{
	cr_assert(patch_builder_compile(&sound, "read_refused.c", "sound.so"));
	check_reason("sound.so", "");
}

/* --- Kinds of files ------------------------------------------------------- */

Test(patch_model, what_must_not_enter_a_process_is_refused)
{
	static const struct refusal refusals[] = {
		{ "it has text relocations, which need writable code: compile it with -fPIC",
		  { "-DTEXT_RELOCATION", "-Wl,-z,notext" } },
		{ "it asks for executable stacks: link it with -z noexecstack",
		  { "-Wl,-z,execstack" } },
		{ "it has a segment that is writable and executable",
		  { "-DWRITABLE_CODE" } },
		{ "dlopen would refuse it: it was linked with -z nodlopen",
		  { "-Wl,-z,nodlopen" } },
	};

	REFUSALS(refusals);
}

Test(patch_model, other_outputs_of_the_compiler_are_refused)
{
	static const struct {
		const char *expected;
		const char *flags[3];
	} cases[] = {
		{ "it is an object file, not a shared object: link it with -shared",
		  { "-c" } },
		{ "it is an executable, not a shared object", { "-no-pie" } },
		{ "it is an executable, not a shared object", { "-pie" } },
		{ "it is an executable, not a shared object",
		  { "-static-pie" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char output[256];
		const char *argv[] = { "gcc",
				       "-O1",
				       "-w",
				       "-fPIC",
				       "-DWITH_MAIN",
				       "-I" UPATCH_SOURCE_ROOT "/include",
				       UPATCH_SOURCE_ROOT
				       "/tests/patches/read_refused.c",
				       "-o",
				       output,
				       cases[i].flags[0],
				       NULL };

		snprintf(output, sizeof(output), "%s", scratch_path("other"));
		cr_assert(patch_builder_run(argv), "%s", cases[i].flags[0]);
		check_reason("other", cases[i].expected);
	}
}

/* The first program header of a type. */
static Elf64_Phdr *find_phdr(uint8_t *bytes, uint32_t type)
{
	Elf64_Ehdr *header = (void *)bytes;
	Elf64_Phdr *phdrs = (void *)(bytes + header->e_phoff);

	for (unsigned int i = 0; i < header->e_phnum; i++)
		if (phdrs[i].p_type == type)
			return &phdrs[i];
	return NULL;
}

static Elf64_Dyn *find_dynamic(uint8_t *bytes, int64_t tag)
{
	Elf64_Dyn *entry =
		(void *)(bytes + find_phdr(bytes, PT_DYNAMIC)->p_offset);

	while (entry->d_tag != tag)
		entry++;
	return entry;
}

static void set_class(uint8_t *bytes)
{
	bytes[EI_CLASS] = ELFCLASS32;
}

static void set_byte_order(uint8_t *bytes)
{
	bytes[EI_DATA] = ELFDATA2MSB;
}

static void set_machine(uint8_t *bytes)
{
	((Elf64_Ehdr *)(void *)bytes)->e_machine = EM_AARCH64;
}

static void set_core(uint8_t *bytes)
{
	((Elf64_Ehdr *)(void *)bytes)->e_type = ET_CORE;
}

static void drop_phdrs(uint8_t *bytes)
{
	((Elf64_Ehdr *)(void *)bytes)->e_phnum = 0;
}

static void drop_dynamic(uint8_t *bytes)
{
	find_phdr(bytes, PT_DYNAMIC)->p_type = PT_NULL;
}

static void drop_stack(uint8_t *bytes)
{
	find_phdr(bytes, PT_GNU_STACK)->p_type = PT_NULL;
}

static void drop_hash(uint8_t *bytes)
{
	find_dynamic(bytes, DT_GNU_HASH)->d_tag = DT_DEBUG;
}

static void drop_symbols(uint8_t *bytes)
{
	find_dynamic(bytes, DT_SYMTAB)->d_tag = DT_DEBUG;
}

static void drop_addends(uint8_t *bytes)
{
	find_dynamic(bytes, DT_RELA)->d_tag = DT_REL;
}

static void need_nameless(uint8_t *bytes)
{
	Elf64_Dyn *entry = find_dynamic(bytes, DT_RELACOUNT);

	entry->d_tag = DT_NEEDED;
	entry->d_un.d_val = 0x7fffffff;
}

static void set_pie(uint8_t *bytes)
{
	Elf64_Dyn *entry = find_dynamic(bytes, DT_RELACOUNT);

	entry->d_tag = DT_FLAGS_1;
	entry->d_un.d_val = DF_1_PIE;
}

static void move_relocations(uint8_t *bytes)
{
	find_dynamic(bytes, DT_RELA)->d_un.d_val = 0x7fffffff;
}

static void move_strings(uint8_t *bytes)
{
	find_dynamic(bytes, DT_STRTAB)->d_un.d_val = 0x7fffffff;
}

static void move_symbols(uint8_t *bytes)
{
	find_dynamic(bytes, DT_SYMTAB)->d_un.d_val = 0x7fffffff;
}

static void set_symbol_size(uint8_t *bytes)
{
	find_dynamic(bytes, DT_SYMENT)->d_un.d_val = 16;
}

static Elf64_Rela *first_relocation(uint8_t *bytes)
{
	/* The first segment has the same offsets and addresses. */
	return (void *)(bytes + find_dynamic(bytes, DT_RELA)->d_un.d_val);
}

static void set_copy_relocation(uint8_t *bytes)
{
	first_relocation(bytes)->r_info = ELF64_R_INFO(0, R_X86_64_COPY);
}

static void set_text_relocation(uint8_t *bytes)
{
	first_relocation(bytes)->r_offset = 0;
}

static void set_far_symbol(uint8_t *bytes)
{
	first_relocation(bytes)->r_info = ELF64_R_INFO(0x7fffffff, R_X86_64_64);
}

static void set_huge_memory(uint8_t *bytes)
{
	Elf64_Ehdr *header = (void *)bytes;
	Elf64_Phdr *phdrs = (void *)(bytes + header->e_phoff);

	for (unsigned int i = 0; i < header->e_phnum; i++)
		if (phdrs[i].p_type == PT_LOAD && (phdrs[i].p_flags & PF_W))
			phdrs[i].p_memsz = 1UL << 40;
}

static void set_overlap(uint8_t *bytes)
{
	find_phdr(bytes, PT_LOAD)->p_memsz = 0x1fff;
}

static void set_incongruent(uint8_t *bytes)
{
	find_phdr(bytes, PT_LOAD)->p_vaddr = 8;
}

static void set_far_segment(uint8_t *bytes)
{
	find_phdr(bytes, PT_LOAD)->p_filesz = 1UL << 30;
	find_phdr(bytes, PT_LOAD)->p_memsz = 1UL << 30;
}

static void set_endless_dynamic(uint8_t *bytes)
{
	Elf64_Phdr *phdr = find_phdr(bytes, PT_DYNAMIC);

	phdr->p_memsz = 3 * sizeof(Elf64_Dyn);
}

static void drop_segments(uint8_t *bytes)
{
	Elf64_Phdr *phdr;

	while ((phdr = find_phdr(bytes, PT_LOAD)))
		phdr->p_type = PT_NULL;
}

Test(patch_model, changed_headers_are_refused)
{
	static const struct {
		void (*change)(uint8_t *bytes);
		const char *expected;
	} cases[] = {
		{ set_class, "it is not a 64-bit object" },
		{ set_byte_order, "its byte order is not that of x86-64" },
		{ set_machine,
		  "it is for another processor (machine 183), not x86-64" },
		{ set_core, "it is a core dump, not a shared object" },
		{ drop_phdrs, "it has no usable program headers" },
		{ drop_segments, "it has nothing to load" },
		{ drop_dynamic, "it has no dynamic section" },
		{ set_endless_dynamic,
		  "its dynamic section is broken: it does not end" },
		{ drop_stack,
		  "it asks for executable stacks: it has no PT_GNU_STACK" },
		{ drop_hash, "its symbol hash table is missing or broken" },
		{ drop_symbols, "it has no dynamic symbols" },
		{ drop_addends, "it has relocations without addends" },
		{ need_nameless, "the name of a library it needs is broken" },
		{ set_pie, "it is an executable, not a shared object" },
		{ move_relocations,
		  "its relocations lie outside its segments" },
		{ move_strings,
		  "its dynamic strings lie outside its segments" },
		{ move_symbols,
		  "its dynamic symbols lie outside its segments" },
		{ set_symbol_size,
		  "its dynamic section is broken: entry * has an impossible value" },
		{ set_huge_memory,
		  "it would take more than 256 MiB of memory" },
		{ set_overlap, "its segments overlap or are out of order" },
		{ set_incongruent, "it has a segment that cannot be loaded" },
		{ set_far_segment,
		  "it is truncated: a segment lies beyond the end of the file" },
		{ set_copy_relocation,
		  "a relocation at 0x* has the type 5, which is not known" },
		{ set_text_relocation,
		  "a relocation at 0x0 lies outside its writable memory" },
		{ set_far_symbol,
		  "a relocation at 0x* names symbol 2147483647, which does not exist" },
	};
	uint8_t *original, *bytes;
	size_t len;

	cr_assert(patch_builder_compile(&sound, "read_refused.c", "sound.so"));
	original = patch_builder_read("sound.so", &len);
	bytes = malloc(len);
	cr_assert(bytes != NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char reason[UPATCH_ERROR_MESSAGE_SIZE];
		bool is_as_expected;

		memcpy(bytes, original, len);
		cases[i].change(bytes);
		parse(bytes, len, reason, sizeof(reason));
		is_as_expected = fnmatch(cases[i].expected, reason, 0) == 0;
		cr_expect(is_as_expected, "%zu: '%s' instead of '%s'", i,
			  reason, cases[i].expected);
	}
	free(bytes);
	free(original);
}

Test(patch_model, packed_relocations_without_their_version_are_refused)
{
	const struct patch_build build = { "clang",
					   { "-O1", "-w", "-fuse-ld=lld",
					     "-Wl,--pack-dyn-relocs=relr" } };

	if (!patch_builder_compile(&build, "read_refused.c", "relr.so"))
		cr_skip("clang or lld is not installed");
	check_reason(
		"relr.so",
		"dlopen would refuse it: it has packed relocations without needing GLIBC_ABI_DT_RELR");
}

/* --- The descriptor ------------------------------------------------------- */

Test(patch_model, broken_descriptors_are_refused)
{
	static const struct refusal refusals[] = {
		{ "no descriptor: UPATCH_PATCH is missing",
		  { "-DNO_DESCRIPTOR" } },
		{ "its descriptor is broken: wrong magic",
		  { "-DDESCRIPTOR=\"UPATCH2\",1,40,&refused" } },
		{ "it has interface version 7, this upatch knows 1",
		  { "-DDESCRIPTOR=UPATCH_DESCRIPTOR_MAGIC,7,40,&refused" } },
		{ "its descriptor is broken: struct upatch_patch has 48 bytes instead of 40",
		  { "-DDESCRIPTOR=UPATCH_DESCRIPTOR_MAGIC,1,48,&refused" } },
		{ "patch of the descriptor lies outside the patch's memory",
		  { "-DDESCRIPTOR=UPATCH_DESCRIPTOR_MAGIC,1,40,NULL" } },
		{ "patch of the descriptor is not in the patch: it is the number 0x4000",
		  { "-DDESCRIPTOR=UPATCH_DESCRIPTOR_MAGIC,1,40,0x4000" } },
		{ "patch of the descriptor lies outside the patch's memory",
		  { "-DDESCRIPTOR=UPATCH_DESCRIPTOR_MAGIC,1,40,&refused+99999" } },
		{ "patch of the descriptor is not in the patch: it is 'stderr' of another object",
		  { "-DDESCRIPTOR=UPATCH_DESCRIPTOR_MAGIC,1,40,&stderr" } },
	};

	REFUSALS(refusals);
}

/* --- The patch ------------------------------------------------------------ */

#define NAME_63                                                                \
	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.-_01234567"
#define NAME_RULE                                                              \
	"name of the patch is not 1 to 63 characters of A-Z, a-z, 0-9, '.', '_' and '-': "

Test(patch_model, broken_patches_are_refused)
{
	static const struct refusal refusals[] = {
		{ "", { "-DPATCH_NAME=\"" NAME_63 "\"" } },
		{ NAME_RULE "'" NAME_63 "8'",
		  { "-DPATCH_NAME=\"" NAME_63 "8\"" } },
		{ NAME_RULE "'a b'", { "-DPATCH_NAME=\"a b\"" } },
		{ NAME_RULE "'a/b'", { "-DPATCH_NAME=\"a/b\"" } },
		{ NAME_RULE "'ä'", { "-DPATCH_NAME=\"ä\"" } },
		{ "name of the patch is missing", { "-DPATCH_NAME=\"\"" } },
		{ "name of the patch is missing", { "-DPATCH_NAME=NULL" } },
		{ "name of the patch has control characters",
		  { "-DPATCH_NAME=\"a\\nb\"" } },
		{ "name of the patch is not a string of the patch",
		  { "-DPATCH_NAME=unterminated",
		    "-DUNTERMINATED_SECTION=\".last\"",
		    "-Wl,--section-start=.last=0x20000" } },
		{ "description of the patch has control characters",
		  { "-DDESCRIPTION=\"two\\nlines\"" } },
		{ "it declares no objects", { "-DOBJS=NULL" } },
		{ "it declares no objects", { "-DOBJS=no_objs" } },
		{ "objs of the patch lies outside the patch's memory",
		  { "-DOBJS=objs+99999" } },
		{ "the main executable is declared twice",
		  { "-DOBJECT2={NULL,NULL,NULL,NULL,{}}," } },
		{ "object 'libz.so.1' is declared twice",
		  { "-DOBJECT_NAME=\"libz.so.1\"",
		    "-DOBJECT2={\"libz.so.1\"}," } },
		{ "state 2 is declared twice", { "-DSTATE_ID=1" } },
		{ "states of the patch lies outside the patch's memory",
		  { "-DSTATES=states+99999" } },
	};

	REFUSALS(refusals);
}

/* --- Objects, functions, symbols ------------------------------------------ */

#define BYTES_32  "abcdefghijklmnopqrstuvwxyz012345"
#define BYTES_127 BYTES_32 BYTES_32 BYTES_32 "abcdefghijklmnopqrstuvwxyz01234"

Test(patch_model, broken_objects_are_refused)
{
	static const struct refusal refusals[] = {
		{ "", { "-DOBJECT_NAME=\"" BYTES_127 "\"" } },
		{ "name of entry 1 of the objects is longer than 127 bytes",
		  { "-DOBJECT_NAME=\"" BYTES_127 "x\"" } },
		{ "name of entry 1 of the objects has control characters",
		  { "-DOBJECT_NAME=\"lib\\177.so\"" } },
		{ "", { "-DBUILD_ID=\"00ff\"" } },
		{ "build_id of the main executable is not an even number of lower-case hexadecimal digits",
		  { "-DBUILD_ID=\"00FF\"" } },
		{ "build_id of object 'x' is not an even number of lower-case hexadecimal digits",
		  { "-DBUILD_ID=\"00f\"", "-DOBJECT_NAME=\"x\"" } },
		{ "build_id of the main executable is not an even number of lower-case hexadecimal digits",
		  { "-DBUILD_ID=\"\"" } },
		{ "pre_patch of the main executable is not in the patch: it is 'printf' of another object",
		  { "-DCALLBACK=printf" } },
		{ "priv of the main executable is not NULL",
		  { "-DPRIV=&variable" } },
		{ "the declaration of the main executable is not writable: it must not be const",
		  { "-DOBJS_SECTION=\".data.rel.ro\"" } },
	};

	REFUSALS(refusals);
}

Test(patch_model, broken_functions_are_refused)
{
	static const struct refusal refusals[] = {
		{ "new_func of 'old' is missing", { "-DNEW_FUNC=NULL" } },
		{ "new_func of 'old' is not in the patch: it is 'printf' of another object",
		  { "-DNEW_FUNC=printf" } },
		{ "new_func of 'old' is not in the patch: it is the number 0x1100",
		  { "-DNEW_FUNC=0x1100" } },
		{ "new_func of 'old' is not in the patch: only the loader knows it",
		  { "-DUSE_IFUNC", "-DNEW_FUNC=chosen" } },
		{ "old_name of entry 1 of the functions of the main executable is missing",
		  { "-DOLD_NAME=NULL" } },
		{ "old_name of entry 1 of the functions of object 'libz.so.1' is missing",
		  { "-DOLD_NAME=\"\"", "-DOBJECT_NAME=\"libz.so.1\"" } },
		{ "old_name of entry 1 of the functions of the main executable has control characters",
		  { "-DOLD_NAME=\"a\\tb\"" } },
		{ "function 'old' (sympos 0) of the main executable is declared twice",
		  { "-DFUNC2={\"old\",fixed,0}," } },
		{ "", { "-DFUNC2={\"old\",fixed,2},{\"new\",fixed,0}," } },
	};

	REFUSALS(refusals);
}

Test(patch_model, pointers_to_the_wrong_kind_of_memory_are_refused)
{
	static const struct refusal refusals[] = {
		{ "new_func of 'old' is not a function of the patch: 0x* is not in executable memory",
		  { "-DNEW_FUNC=&variable" } },
		{ "pre_patch of the main executable is not a function of the patch: 0x* is not in executable memory",
		  { "-DCALLBACK=constant" } },
		{ "orig_func of 'old' is not a variable of the patch: 0x* is not writable",
		  { "-DORIG_FUNC=constant" } },
		{ "orig_func of 'old' is not a variable of the patch: 0x* is not writable",
		  { "-DORIG_FUNC=&read_only" } },
		{ "orig_func of 'old' is not a variable of the patch: 0x* is not writable",
		  { "-DORIG_FUNC=fixed" } },
		{ "addr of 'symbol' is not a variable of the patch: 0x* is not writable",
		  { "-DSYMBOL_ADDR=fixed" } },
		{ "addr of 'symbol' is not in the patch: it is 'stderr' of another object",
		  { "-DSYMBOL_ADDR=&stderr" } },
		{ "addr of 'symbol' is missing", { "-DSYMBOL_ADDR=NULL" } },
		{ "name of entry 1 of the symbols of the main executable is missing",
		  { "-DSYMBOL_NAME=\"\"" } },
	};

	REFUSALS(refusals);
}

static uint8_t *at_address(uint8_t *bytes, upatch_addr_t addr)
{
	Elf64_Ehdr *header = (void *)bytes;
	Elf64_Phdr *phdrs = (void *)(bytes + header->e_phoff);

	for (unsigned int i = 0; i < header->e_phnum; i++)
		if (phdrs[i].p_type == PT_LOAD && addr >= phdrs[i].p_vaddr &&
		    addr < phdrs[i].p_vaddr + phdrs[i].p_filesz)
			return bytes + phdrs[i].p_offset +
			       (addr - phdrs[i].p_vaddr);
	return NULL;
}

/* C has no way to write such a bool. */
Test(patch_model, truth_values_other_than_0_and_1_are_refused)
{
	char reason[UPATCH_ERROR_MESSAGE_SIZE];
	upatch_addr_t patch, func;
	struct patch_model *model;
	uint8_t *bytes;
	size_t len;

	cr_assert(patch_builder_compile(&sound, "read_refused.c", "sound.so"));
	bytes = patch_builder_read("sound.so", &len);
	cr_assert(eq(int, patch_model_parse(bytes, len, &model, NULL), 0));
	patch = model->declaration;
	func = model->objects[0].funcs[0].declaration;
	patch_model_free(model);

	*at_address(bytes, func + offsetof(struct upatch_func, immediate)) = 2;
	parse(bytes, len, reason, sizeof(reason));
	cr_assert(eq(str, reason,
		     "immediate of 'old' is neither true nor false"));
	*at_address(bytes, patch + offsetof(struct upatch_patch, replace)) = 3;
	parse(bytes, len, reason, sizeof(reason));
	cr_assert(eq(str, reason,
		     "replace of the patch is neither true nor false"));
	free(bytes);
}

/* 65536 bytes, by repeated quadrupling. */
Test(patch_model, endless_names_are_refused)
{
	static const struct refusal refusals[] = {
		{ "old_name of entry 1 of the functions of the main executable is longer than 65535 bytes",
		  { "-DA=\"0123456789abcdef\"", "-DB=A A A A", "-DC=B B B B",
		    "-DD=C C C C", "-DE=D D D D", "-DF=E E E E",
		    "-DOLD_NAME=F F F F" } },
	};

	REFUSALS(refusals);
}

/* Four objects with one list of 257 functions: more than there is memory. */
Test(patch_model, lists_that_share_their_memory_are_refused)
{
	static const struct refusal refusals[] = {
		{ "the list of functions of object 'c' overlaps with other lists",
		  { "-DA={\"f\",fixed,__COUNTER__},", "-DB=A A A A",
		    "-DC=B B B B", "-DD=C C C C", "-DFUNC2=D D D D",
		    "-DOBJECT2={\"a\",0,funcs},{\"b\",0,funcs},{\"c\",0,funcs}," } },
	};

	REFUSALS(refusals);
}

/* At the end of a segment of its own, with an entry instead of its end. */
Test(patch_model, lists_that_do_not_end_are_refused)
{
	static const struct refusal refusals[] = {
		{ "the list of functions of the main executable does not end",
		  { "-DFUNCS_SECTION=\".last\"", "-DFUNCS_END={\"x\",fixed}",
		    "-Wl,--section-start=.last=0x20000" } },
		{ "the list of functions of object 'libz.so.1' does not end",
		  { "-DFUNCS_SECTION=\".last\"", "-DFUNCS_END={\"x\",fixed}",
		    "-Wl,--section-start=.last=0x20000",
		    "-DOBJECT_NAME=\"libz.so.1\"" } },
		{ "funcs of the main executable lies outside the patch's memory",
		  { "-DFUNCS=funcs+99999" } },
	};

	REFUSALS(refusals);
}
