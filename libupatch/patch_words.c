/* SPDX-License-Identifier: MIT */
/* Relocating a patch's image, and reading pointers from it. */
#include "patch_words.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch_elf.h"
#include "patch_dynamic.h"

#define WORD_LEN sizeof(uint64_t)
/* Words that the bitmap entry of a DT_RELR table stands for. */
#define RELR_BITMAP_WORDS 63

static int add_word(struct patch_elf *elf, const struct patch_word *word,
		    struct upatch_error *err)
{
	const struct patch_segment *segment =
		patch_elf_find_segment(elf, word->addr, word->len);

	if (!segment || !(segment->flags & PF_W))
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"a relocation at 0x%lx lies outside its writable memory",
			word->addr);
	elf->words[elf->word_count++] = *word;
	return 0;
}

static void store(struct patch_elf *elf, const struct patch_word *word,
		  uint64_t value)
{
	memset(elf->image + (word->addr - elf->base), 0, word->len);
	if (word->kind == PATCH_WORD_LOCAL)
		memcpy(elf->image + (word->addr - elf->base), &value,
		       sizeof(value));
}

/* Would the loader take the target's symbol of that name, if it has one? */
static bool is_interposable(const struct patch_elf *elf,
			    const Elf64_Sym *symbol)
{
	return ELF64_ST_BIND(symbol->st_info) != STB_LOCAL &&
	       ELF64_ST_VISIBILITY(symbol->st_other) == STV_DEFAULT &&
	       !(elf->dynamic.flags & DF_SYMBOLIC);
}

static void note_symbol(const struct patch_elf *elf, const Elf64_Sym *symbol,
			struct patch_word *word)
{
	word->interposable = is_interposable(elf, symbol);
	/* What is weak or unique (of C++, above all) is made to be shared. */
	word->meant_own = word->interposable && symbol->st_shndx != SHN_UNDEF &&
			  ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL;
}

/* Sets the kind of a word that gets the address of `symbol`. */
static void bind_word(const struct patch_elf *elf, const Elf64_Sym *symbol,
		      struct patch_word *word)
{
	int type = ELF64_ST_TYPE(symbol->st_info);

	word->kind = PATCH_WORD_FOREIGN;
	note_symbol(elf, symbol, word);
	if (symbol->st_shndx == SHN_UNDEF) {
		if (ELF64_ST_BIND(symbol->st_info) == STB_WEAK)
			word->kind = PATCH_WORD_ABSENT;
	} else if (symbol->st_shndx != SHN_ABS && type != STT_TLS &&
		   type != STT_GNU_IFUNC) {
		word->kind = PATCH_WORD_LOCAL;
	}
}

static int apply_rela(struct patch_elf *elf, const Elf64_Rela *rela,
		      struct upatch_error *err)
{
	struct arch_reloc reloc = arch_elf_reloc(ELF64_R_TYPE(rela->r_info));
	struct patch_word word = { .addr = rela->r_offset,
				   .symbol = ELF64_R_SYM(rela->r_info),
				   .len = reloc.len,
				   .kind = PATCH_WORD_FOREIGN };
	uint64_t value = (uint64_t)rela->r_addend;
	Elf64_Sym symbol;
	int code;

	switch (reloc.kind) {
	case ARCH_RELOC_NONE:
		return 0;
	case ARCH_RELOC_RELATIVE:
		word.kind = PATCH_WORD_LOCAL;
		word.symbol = 0;
		break;
	case ARCH_RELOC_SYMBOL:
		if (!patch_dynamic_symbol(elf, word.symbol, &symbol))
			return error_set(
				err, UPATCH_ERROR_BAD_PATCH, 0,
				"a relocation at 0x%lx names symbol %u, which does not exist",
				word.addr, word.symbol);
		bind_word(elf, &symbol, &word);
		value += symbol.st_value;
		break;
	case ARCH_RELOC_AT_LOAD:
		if (word.symbol &&
		    patch_dynamic_symbol(elf, word.symbol, &symbol))
			note_symbol(elf, &symbol, &word);
		break;
	case ARCH_RELOC_UNKNOWN:
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"a relocation at 0x%lx has the type %lu, which is not known",
			word.addr, ELF64_R_TYPE(rela->r_info));
	}
	code = add_word(elf, &word, err);
	if (code == 0)
		store(elf, &word, value);
	return code;
}

static int apply_rela_table(struct patch_elf *elf, upatch_addr_t table,
			    uint64_t len, struct upatch_error *err)
{
	int code = 0;

	for (uint64_t done = 0; code == 0 && done < len;
	     done += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;

		if (!patch_elf_read(elf, table + done, &rela, sizeof(rela)))
			return error_set(
				err, UPATCH_ERROR_BAD_PATCH, 0,
				"its relocations lie outside its segments");
		code = apply_rela(elf, &rela, err);
	}
	return code;
}

/*
 * DT_RELR (gABI): an even entry is the address of a word; an odd one is a
 * bitmap of which of the next 63 words are relocated too.  The words hold
 * their addend, so that at load address 0 they are right already.
 */
static int apply_relr_entry(struct patch_elf *elf, Elf64_Relr entry,
			    upatch_addr_t *where, struct upatch_error *err)
{
	struct patch_word word = { .addr = entry,
				   .len = WORD_LEN,
				   .kind = PATCH_WORD_LOCAL };
	int code = 0;

	if ((entry & 1) == 0) {
		*where = entry + WORD_LEN;
		return add_word(elf, &word, err);
	}
	for (unsigned int i = 0; code == 0 && i < RELR_BITMAP_WORDS; i++) {
		word.addr = *where + i * WORD_LEN;
		if ((entry >> (i + 1)) & 1)
			code = add_word(elf, &word, err);
	}
	*where += RELR_BITMAP_WORDS * WORD_LEN;
	return code;
}

/* The number of words that a DT_RELR table relocates; false: unreadable. */
static bool count_relr(const struct patch_elf *elf, uint64_t *ret_count)
{
	uint64_t count = 0;
	Elf64_Relr entry;

	for (uint64_t done = 0; done < elf->dynamic.relr_len;
	     done += sizeof(entry)) {
		if (!patch_elf_read(elf, elf->dynamic.relr + done, &entry,
				    sizeof(entry)))
			return false;
		count += entry & 1 ? __builtin_popcountl(entry) - 1 : 1;
	}
	*ret_count = count;
	return true;
}

static int apply_relr(struct patch_elf *elf, struct upatch_error *err)
{
	upatch_addr_t where = 0;
	int code = 0;

	for (uint64_t done = 0; code == 0 && done < elf->dynamic.relr_len;
	     done += sizeof(Elf64_Relr)) {
		Elf64_Relr entry;

		if (!patch_elf_read(elf, elf->dynamic.relr + done, &entry,
				    sizeof(entry)))
			break;
		code = apply_relr_entry(elf, entry, &where, err);
	}
	return code;
}

/* Some linkers let DT_RELA include the relocations of the PLT. */
static bool rela_includes_jmprel(const struct patch_dynamic *dynamic)
{
	return dynamic->jmprel >= dynamic->rela &&
	       dynamic->jmprel - dynamic->rela < dynamic->rela_len;
}

static int allocate_words(struct patch_elf *elf, struct upatch_error *err)
{
	const struct patch_dynamic *dynamic = &elf->dynamic;
	uint64_t count;

	if (!count_relr(elf, &count) || dynamic->rela_len > elf->image_len ||
	    dynamic->jmprel_len > elf->image_len)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "its relocations lie outside its segments");
	count += dynamic->rela_len / sizeof(Elf64_Rela) + 1;
	count += dynamic->jmprel_len / sizeof(Elf64_Rela) + 1;
	/* No two relocations write the same word: this bounds the table. */
	if (count > elf->image_len)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it has more relocations than memory");
	elf->words = calloc(count, sizeof(*elf->words));
	if (!elf->words)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for %lu relocations", count);
	return 0;
}

static int compare_words(const void *left, const void *right)
{
	const struct patch_word *a = left, *b = right;

	return (a->addr > b->addr) - (a->addr < b->addr);
}

int patch_words_relocate(struct patch_elf *elf, struct upatch_error *err)
{
	const struct patch_dynamic *dynamic = &elf->dynamic;
	int code = allocate_words(elf, err);

	if (code == 0)
		code = apply_relr(elf, err);
	if (code == 0)
		code = apply_rela_table(elf, dynamic->rela, dynamic->rela_len,
					err);
	if (code == 0 && !rela_includes_jmprel(dynamic))
		code = apply_rela_table(elf, dynamic->jmprel,
					dynamic->jmprel_len, err);
	if (code == 0)
		qsort(elf->words, elf->word_count, sizeof(*elf->words),
		      compare_words);
	return code;
}

/* The first word at `addr` or above. */
static size_t lower_bound(const struct patch_elf *elf, upatch_addr_t addr)
{
	size_t low = 0, high = elf->word_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (elf->words[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool overlaps(const struct patch_word *word, upatch_addr_t addr)
{
	return word->addr < addr + WORD_LEN && addr < word->addr + word->len;
}

/*
 * The one word that a pointer at `addr` gets its value from, or NULL.
 * *ret_is_mixed: there are several, or it covers another piece of memory.
 */
static struct patch_word *find_word(struct patch_elf *elf, upatch_addr_t addr,
				    bool *ret_is_mixed)
{
	/* The longest word, a TLS descriptor, has 16 bytes. */
	size_t i = lower_bound(elf, addr < 15 ? 0 : addr - 15);
	struct patch_word *found = NULL;

	*ret_is_mixed = false;
	for (; i < elf->word_count && elf->words[i].addr < addr + WORD_LEN;
	     i++) {
		if (!overlaps(&elf->words[i], addr))
			continue;
		*ret_is_mixed = found || elf->words[i].addr != addr ||
				elf->words[i].len != WORD_LEN;
		found = &elf->words[i];
		if (*ret_is_mixed)
			break;
	}
	return found;
}

/* The name of a symbol that the patch does not define, or NULL. */
static const char *undefined_name(const struct patch_elf *elf, uint32_t index)
{
	Elf64_Sym symbol;

	if (index == 0 || !patch_dynamic_symbol(elf, index, &symbol) ||
	    symbol.st_shndx != SHN_UNDEF)
		return NULL;
	return patch_dynamic_find_string(elf, symbol.st_name);
}

struct patch_pointer patch_words_pointer(struct patch_elf *elf,
					 upatch_addr_t addr)
{
	struct patch_pointer pointer = { .kind = PATCH_POINTER_UNREADABLE };
	struct patch_word *word;
	bool is_mixed;

	if (!patch_elf_read(elf, addr, &pointer.addr, WORD_LEN))
		return pointer;
	word = find_word(elf, addr, &is_mixed);
	if (!word) {
		pointer.kind = pointer.addr == 0 ? PATCH_POINTER_NULL
						 : PATCH_POINTER_FIXED;
		return pointer;
	}
	word->used = true;
	if (is_mixed || word->kind == PATCH_WORD_FOREIGN) {
		pointer.kind = PATCH_POINTER_FOREIGN;
		pointer.symbol = undefined_name(elf, word->symbol);
	} else if (word->kind == PATCH_WORD_ABSENT) {
		pointer.kind = PATCH_POINTER_NULL;
	} else {
		pointer.kind = PATCH_POINTER_LOCAL;
	}
	return pointer;
}
