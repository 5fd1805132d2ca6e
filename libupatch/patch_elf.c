/* SPDX-License-Identifier: MIT */
/* Headers and segments of a patch: checks, and the image made from them. */
#include "patch_elf.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch_elf.h"

#define NOTE_OWNER_GNU "GNU"

static upatch_addr_t page_floor(upatch_addr_t addr)
{
	return addr & ~(ARCH_PAGE_LEN - 1);
}

const struct patch_segment *patch_elf_find_segment(const struct patch_elf *elf,
						   upatch_addr_t addr,
						   uint64_t len)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct patch_segment *segment = &elf->segments[i];

		if (addr_range_has(&segment->range, addr) &&
		    len <= segment->range.end - addr)
			return segment;
	}
	return NULL;
}

const void *patch_elf_find(const struct patch_elf *elf, upatch_addr_t addr,
			   uint64_t len)
{
	if (!patch_elf_find_segment(elf, addr, len))
		return NULL;
	return elf->image + (addr - elf->base);
}

bool patch_elf_read(const struct patch_elf *elf, upatch_addr_t addr, void *buf,
		    size_t len)
{
	const void *bytes = patch_elf_find(elf, addr, len);

	if (!bytes)
		return false;
	memcpy(buf, bytes, len);
	return true;
}

const char *patch_elf_find_string(const struct patch_elf *elf,
				  upatch_addr_t addr)
{
	const struct patch_segment *segment =
		patch_elf_find_segment(elf, addr, 1);
	const char *string;

	if (!segment)
		return NULL;
	string = (const char *)elf->image + (addr - elf->base);
	return memchr(string, '\0', segment->range.end - addr) ? string : NULL;
}

bool patch_elf_is_code(const struct patch_elf *elf, upatch_addr_t addr)
{
	const struct patch_segment *segment =
		patch_elf_find_segment(elf, addr, 1);

	return segment && (segment->flags & PF_X);
}

bool patch_elf_is_writable(const struct patch_elf *elf, upatch_addr_t addr,
			   uint64_t len)
{
	const struct patch_segment *segment =
		patch_elf_find_segment(elf, addr, len);

	if (!segment || !(segment->flags & PF_W))
		return false;
	return addr + len <= elf->relro.start || addr >= elf->relro.end;
}

static int check_ident(const uint8_t *file, size_t len,
		       struct upatch_error *err)
{
	if (len < SELFMAG || memcmp(file, ELFMAG, SELFMAG) != 0)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it is not an ELF file");
	if (len < EI_NIDENT)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it is truncated: its ELF header is cut off");
	if (file[EI_CLASS] != ELFCLASS64)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it is not a 64-bit object");
	if (file[EI_DATA] != arch_elf_byte_order())
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "its byte order is not that of %s",
				 arch_elf_machine_name());
	if (len < sizeof(Elf64_Ehdr))
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it is truncated: its ELF header is cut off");
	return 0;
}

static const char *type_refusal(uint16_t type)
{
	switch (type) {
	case ET_DYN:
		return NULL;
	case ET_REL:
		return "it is an object file, not a shared object: link it with -shared";
	case ET_EXEC:
		return "it is an executable, not a shared object";
	case ET_CORE:
		return "it is a core dump, not a shared object";
	default:
		return "it is not a shared object";
	}
}

static bool table_is_in_file(const struct patch_elf *elf, uint64_t offset,
			     uint64_t len)
{
	return offset <= elf->file_len && len <= elf->file_len - offset;
}

static int check_header(const struct patch_elf *elf, struct upatch_error *err)
{
	const char *refusal;
	Elf64_Ehdr header;

	memcpy(&header, elf->file, sizeof(header));
	if (header.e_machine != arch_elf_machine())
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"it is for another processor (machine %u), not %s",
			header.e_machine, arch_elf_machine_name());
	refusal = type_refusal(header.e_type);
	if (refusal)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0, "%s", refusal);
	if (header.e_phnum == 0 || header.e_phnum == PN_XNUM ||
	    header.e_phentsize != sizeof(Elf64_Phdr))
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it has no usable program headers");
	if (!table_is_in_file(elf, header.e_phoff,
			      header.e_phnum * sizeof(Elf64_Phdr)))
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"it is truncated: its program headers are cut off");
	/* The loader needs none, but a file that lost its end lost these. */
	if (header.e_shoff != 0 &&
	    !table_is_in_file(elf, header.e_shoff,
			      (uint64_t)header.e_shnum * header.e_shentsize))
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"it is truncated: its section headers are cut off");
	return 0;
}

static int open_handle(struct patch_elf *elf, struct upatch_error *err)
{
	if (elf_version(EV_CURRENT) == EV_NONE)
		return error_set(err, UPATCH_ERROR_SYSTEM, 0,
				 "libelf is too old: %s", elf_errmsg(-1));
	/* libelf only reads memory in its own byte order. */
	elf->handle = elf_memory((char *)(uintptr_t)elf->file, elf->file_len);
	if (!elf->handle)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it is not readable as ELF: %s",
				 elf_errmsg(-1));
	return 0;
}

/* What the kernel or ld.so would refuse to map, or map to something else. */
static const char *load_refusal(const struct patch_elf *elf,
				const GElf_Phdr *phdr)
{
	const struct patch_segment *last;
	uint64_t end;

	if ((phdr->p_flags & PF_W) && (phdr->p_flags & PF_X))
		return "it has a segment that is writable and executable";
	if (!table_is_in_file(elf, phdr->p_offset, phdr->p_filesz))
		return "it is truncated: a segment lies beyond the end of the file";
	if (phdr->p_filesz > phdr->p_memsz || phdr->p_memsz == 0 ||
	    __builtin_add_overflow(phdr->p_vaddr, phdr->p_memsz, &end) ||
	    (phdr->p_vaddr - phdr->p_offset) % ARCH_PAGE_LEN != 0)
		return "it has a segment that cannot be loaded";
	if (elf->segment_count == PATCH_SEGMENT_MAX)
		return "it has too many segments";
	if (elf->segment_count == 0)
		return NULL;
	last = &elf->segments[elf->segment_count - 1];
	if (phdr->p_vaddr < last->range.end)
		return "its segments overlap or are out of order";
	return NULL;
}

static int add_load(struct patch_elf *elf, const GElf_Phdr *phdr,
		    struct upatch_error *err)
{
	const char *refusal = load_refusal(elf, phdr);
	struct patch_segment *segment;

	if (refusal)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0, "%s", refusal);
	segment = &elf->segments[elf->segment_count++];
	segment->range.start = phdr->p_vaddr;
	segment->range.end = phdr->p_vaddr + phdr->p_memsz;
	segment->file_len = phdr->p_filesz;
	segment->flags = phdr->p_flags;
	if (phdr->p_flags & PF_X)
		elf->text[elf->text_count++] = segment->range;
	return 0;
}

/* A program header other than PT_LOAD. */
static int add_other(struct patch_elf *elf, const GElf_Phdr *phdr,
		     struct upatch_error *err)
{
	struct addr_range range = { phdr->p_vaddr, 0 };

	if (__builtin_add_overflow(phdr->p_vaddr, phdr->p_memsz, &range.end))
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "a program header of type 0x%x is broken",
				 phdr->p_type);
	switch (phdr->p_type) {
	case PT_INTERP:
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it is an executable, not a shared object");
	case PT_GNU_STACK:
		if (phdr->p_flags & PF_X)
			return error_set(
				err, UPATCH_ERROR_BAD_PATCH, 0,
				"it asks for executable stacks: link it with -z noexecstack");
		break;
	case PT_TLS:
		elf->has_tls = true;
		break;
	case PT_DYNAMIC:
		elf->dynamic_range = range;
		break;
	case PT_GNU_RELRO:
		/* As glibc's _dl_protect_relro rounds. */
		elf->relro.start = page_floor(range.start);
		elf->relro.end = page_floor(range.end);
		break;
	case PT_GNU_EH_FRAME:
		elf->eh_frame_hdr = range;
		break;
	}
	return 0;
}

static int read_program_headers(struct patch_elf *elf, struct upatch_error *err)
{
	bool has_stack = false;
	GElf_Phdr phdr;
	int code;

	for (int i = 0; gelf_getphdr(elf->handle, i, &phdr); i++) {
		if (phdr.p_type == PT_LOAD)
			code = add_load(elf, &phdr, err);
		else
			code = add_other(elf, &phdr, err);
		if (code)
			return code;
		has_stack |= phdr.p_type == PT_GNU_STACK;
	}
	if (elf->segment_count == 0)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it has nothing to load");
	/* glibc's default without the header is an executable stack. */
	if (!has_stack)
		return error_set(
			err, UPATCH_ERROR_BAD_PATCH, 0,
			"it asks for executable stacks: it has no PT_GNU_STACK");
	if (elf->dynamic_range.end == elf->dynamic_range.start)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it has no dynamic section");
	return 0;
}

static int make_image(struct patch_elf *elf, struct upatch_error *err)
{
	const struct patch_segment *last =
		&elf->segments[elf->segment_count - 1];
	size_t next = 0;
	GElf_Phdr phdr;

	elf->base = page_floor(elf->segments[0].range.start);
	if (last->range.end - elf->base > PATCH_ELF_SIZE_MAX)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it would take more than %lu MiB of memory",
				 PATCH_ELF_SIZE_MAX >> 20);
	elf->image_len = last->range.end - elf->base;
	elf->image = calloc(1, elf->image_len);
	if (!elf->image)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for %zu bytes", elf->image_len);
	for (int i = 0; gelf_getphdr(elf->handle, i, &phdr); i++) {
		if (phdr.p_type != PT_LOAD)
			continue;
		memcpy(elf->image +
			       (elf->segments[next].range.start - elf->base),
		       elf->file + phdr.p_offset, phdr.p_filesz);
		next++;
	}
	return 0;
}

static char *hex_of_bytes(const uint8_t *bytes, size_t len)
{
	char *hex = malloc(2 * len + 1);

	if (!hex)
		return NULL;
	hex[0] = '\0';
	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	return hex;
}

/* A missing or broken note means: no build id. */
static void find_build_id(struct patch_elf *elf, const GElf_Phdr *phdr)
{
	Elf_Data *data =
		elf_getdata_rawchunk(elf->handle, (int64_t)phdr->p_offset,
				     phdr->p_filesz,
				     phdr->p_align == 8 ? ELF_T_NHDR8
							: ELF_T_NHDR);
	size_t name, descriptor, offset = 0;
	GElf_Nhdr note;

	if (!data)
		return;
	for (;;) {
		offset = gelf_getnote(data, offset, &note, &name, &descriptor);
		if (offset == 0)
			return;
		if (note.n_type != NT_GNU_BUILD_ID ||
		    note.n_namesz != sizeof(NOTE_OWNER_GNU) ||
		    memcmp((char *)data->d_buf + name, NOTE_OWNER_GNU,
			   sizeof(NOTE_OWNER_GNU)) != 0 ||
		    note.n_descsz == 0)
			continue;
		elf->build_id =
			hex_of_bytes((uint8_t *)data->d_buf + descriptor,
				     note.n_descsz);
		return;
	}
}

static void read_notes(struct patch_elf *elf)
{
	GElf_Phdr phdr;

	for (int i = 0; gelf_getphdr(elf->handle, i, &phdr); i++) {
		if (phdr.p_type == PT_NOTE && !elf->build_id &&
		    table_is_in_file(elf, phdr.p_offset, phdr.p_filesz))
			find_build_id(elf, &phdr);
	}
}

static int read_all(struct patch_elf *elf, struct upatch_error *err)
{
	int code = check_ident(elf->file, elf->file_len, err);

	if (code == 0)
		code = check_header(elf, err);
	if (code == 0)
		code = open_handle(elf, err);
	if (code == 0)
		code = read_program_headers(elf, err);
	if (code == 0)
		code = make_image(elf, err);
	if (code == 0)
		read_notes(elf);
	return code;
}

int patch_elf_open(struct patch_elf *elf, const void *file, size_t len,
		   struct upatch_error *err)
{
	int code;

	memset(elf, 0, sizeof(*elf));
	elf->file = file;
	elf->file_len = len;
	code = read_all(elf, err);
	if (code)
		patch_elf_close(elf);
	return code;
}

void patch_elf_close(struct patch_elf *elf)
{
	free(elf->build_id);
	free(elf->needed);
	free(elf->words);
	free(elf->image);
	elf_end(elf->handle);
	memset(elf, 0, sizeof(*elf));
}
