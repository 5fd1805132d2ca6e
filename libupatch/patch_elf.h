/* SPDX-License-Identifier: MIT */
/*
 * A patch's shared object as the loader would lay it out at load address 0,
 * read from a buffer and checked for what must not enter a process.
 */
#ifndef UPATCH_PATCH_ELF_H
#define UPATCH_PATCH_ELF_H

#include <elf.h>
#include <libelf.h>
#include <stddef.h>

#include "addr.h"
#include "error.h"

/* The most bytes of a file, and of an image. */
#define PATCH_ELF_SIZE_MAX (256UL << 20)
/* Linkers make three to six; a limit keeps every look-up short. */
#define PATCH_SEGMENT_MAX 32

/* A PT_LOAD. */
struct patch_segment {
	struct addr_range range;
	uint64_t file_len; /* bytes that come from the file; zeros follow */
	uint32_t flags;	   /* PF_R | PF_W | PF_X */
};

/* The dynamic section: addresses, and sizes in bytes; 0: absent. */
struct patch_dynamic {
	upatch_addr_t strtab, symtab, hash, gnu_hash, rela, jmprel, relr,
		verneed;
	uint64_t strtab_len, rela_len, jmprel_len, relr_len;
	uint64_t soname; /* offset in strtab */
	uint64_t flags, flags_1;
	bool has_soname, has_rel, has_textrel;
	uint64_t entry_count;
	/* entries of symtab, as the hash table tells */
	uint64_t symbol_count;
};

enum patch_word_kind {
	/* An address in the patch. */
	PATCH_WORD_LOCAL,
	/* A weak symbol that the patch does not define: NULL. */
	PATCH_WORD_ABSENT,
	/* Not known before the patch is loaded. */
	PATCH_WORD_FOREIGN
};

/* A place in the image that a relocation writes. */
struct patch_word {
	upatch_addr_t addr;
	uint32_t symbol; /* index in symtab, or 0 */
	uint8_t len;
	uint8_t kind; /* enum patch_word_kind */
	/* The target may define the symbol too, and would then win. */
	bool interposable;
	/* That must not be: the patch defines it, and not to be shared. */
	bool meant_own;
	/* The model depends on it. */
	bool used;
};

struct patch_elf {
	/* The file, which belongs to the caller and outlives this. */
	const uint8_t *file;
	size_t file_len;
	Elf *handle;

	struct patch_segment segments[PATCH_SEGMENT_MAX];
	size_t segment_count;
	/* [base, base + image_len), segments and the gaps between them */
	upatch_addr_t base;
	uint8_t *image;
	size_t image_len;
	/* Read-only once the loader has relocated the object. */
	struct addr_range relro;
	struct addr_range dynamic_range;
	struct addr_range eh_frame_hdr;
	struct addr_range text[PATCH_SEGMENT_MAX];
	size_t text_count;
	bool has_tls;
	char *build_id; /* hexadecimal, or NULL */

	/* filled by patch_dynamic.c */
	struct patch_dynamic dynamic;
	/* dlclose would not unload it (DF_1_NODELETE). */
	bool no_delete;
	const char *soname;  /* or NULL */
	const char **needed; /* names of DT_NEEDED */
	size_t needed_count;

	/* filled by patch_words.c; sorted by address */
	struct patch_word *words;
	size_t word_count;
};

/*
 * Reads the headers of file[0, len) and lays out the image.  Refused, UPATCH_ERROR_BAD_PATCH: what is no shared
 * object for this processor, is cut short or broken, and what would need or
 * bring writable code or executable stacks.  Release with patch_elf_close,
 * which accepts zeroed memory.
 */
UPATCH_MUST_CHECK int patch_elf_open(struct patch_elf *elf, const void *file,
				     size_t len, struct upatch_error *err);
void patch_elf_close(struct patch_elf *elf);

/* The segment that holds all of [addr, addr + len), or NULL. */
const struct patch_segment *patch_elf_find_segment(const struct patch_elf *elf,
						   upatch_addr_t addr,
						   uint64_t len);
/* The bytes of the image there, or NULL. */
const void *patch_elf_find(const struct patch_elf *elf, upatch_addr_t addr,
			   uint64_t len);
/* Copies `len` bytes of the image; false: they are not all there. */
bool patch_elf_read(const struct patch_elf *elf, upatch_addr_t addr, void *buf,
		    size_t len);
/* A string of the image that ends in its segment, or NULL. */
const char *patch_elf_find_string(const struct patch_elf *elf,
				  upatch_addr_t addr);
bool patch_elf_is_code(const struct patch_elf *elf, upatch_addr_t addr);
/* Can the loaded patch write all of [addr, addr + len)? */
bool patch_elf_is_writable(const struct patch_elf *elf, upatch_addr_t addr,
			   uint64_t len);

#endif
